//! curl, which starts all requests of a page at once.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use super::load::{Answer, Loaded, SERVED_BY};
use crate::trace::Trace;

/// More transfers at once than any page has. curl allows 300 at most.
const PARALLEL_MAX: &str = "300";

/// Loads a page with a `curl` command.
pub(super) fn load(
    mut command: Command,
    immediate: bool,
    trace: &Trace,
    folder: &Path,
    ca: &Path,
) -> Result<Loaded> {
    let mut list = String::new();
    for fetch in trace.waves.iter().flatten() {
        let _ = writeln!(list, "url = \"{}\"\noutput = \"/dev/null\"", fetch.url());
    }
    let file = folder.join("curl.config");
    fs::write(&file, list)?;
    command.args(["--silent", "--http2", "--parallel", "--parallel-max", PARALLEL_MAX]);
    if immediate {
        command.arg("--parallel-immediate");
    }
    let format = format!("%{{url}} %{{http_code}} %header{{{SERVED_BY}}} %{{size_download}}\\n");
    command.arg("--write-out").arg(format).arg("--cacert").arg(ca).arg("--config").arg(file);
    let start = Instant::now();
    let output = command.output().context("could not run curl")?;
    let milliseconds = start.elapsed().as_secs_f64() * 1e3;
    let mut loaded = Loaded { milliseconds, ..Loaded::default() };
    let text = String::from_utf8(output.stdout)?;
    for line in text.lines() {
        let [url, status, served_by, bytes] = line.split(' ').collect::<Vec<_>>()[..] else {
            bail!("unexpected line {line:?}");
        };
        let fetch = trace.waves.iter().flatten().find(|fetch| fetch.url() == url);
        let fetch = fetch.with_context(|| format!("unknown URL {url}"))?;
        let served_by = served_by.to_owned();
        loaded.add(fetch, &Answer { status: status.parse()?, served_by, bytes: bytes.parse()? });
    }
    Ok(loaded)
}
