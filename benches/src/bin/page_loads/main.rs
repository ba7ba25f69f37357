//! Compares clients that load pages from many hosts, over a link with a round-trip time.
//!
//! ```text
//! cargo run --release -p coalesce-benches --bin page_loads -- --quick
//! cargo run --release -p coalesce-benches --bin page_loads -- --install \
//!     --results target/page_loads.jsonl --write docs/performance.md
//! ```
//!
//! | module | contents |
//! | --- | --- |
//! | `arguments` | the command line |
//! | `trace` | the pages: hosts, operators, requests |
//! | `namespaces`, `link` | two network namespaces, and the packets between them |
//! | `certificates`, `dns`, `origin`, `counts`, `server` | the servers, and what they count |
//! | `drivers`, `node` | the clients |
//! | `world` | namespaces, link and servers of a run; one page load |
//! | `rounds`, `instructions` | the measurements |
//! | `records`, `report` | the measurements as lines of JSON and as tables |
#![expect(clippy::cast_precision_loss, reason = "measured figures are rounded anyway")]

mod arguments;
mod certificates;
mod counts;
mod dns;
mod drivers;
mod instructions;
mod link;
mod namespaces;
mod node;
mod origin;
mod records;
mod report;
mod rounds;
mod server;
mod trace;
mod versions;
mod world;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use coalesce_benches::{command_line, machine};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::geteuid;

use crate::arguments::{Arguments, Part};
use crate::records::Record;
use crate::rounds::{Kept, Plan};
use crate::world::World;

fn main() -> ExitCode {
    command_line::end(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.part {
        Some(Part::Server { folder }) => return server::run(folder),
        Some(Part::Load { peer, trace, ca }) => {
            let trace = serde_json::from_str(&fs::read_to_string(trace)?)?;
            return print(&serde_json::to_string(&drivers::load(peer, &trace, ca)?)?);
        }
        None => {}
    }
    if !arguments.render
        && let Some(missing) = missing()
    {
        if arguments.quick {
            return print(&format!("page_loads: SKIPPED: {missing}\n"));
        }
        bail!("{missing}");
    }
    let mut kept = Kept::open(arguments)?;
    if !arguments.render {
        measure(arguments, &mut kept)?;
    }
    if arguments.json {
        print(&kept.records.lines()?)?;
    } else {
        print(&report::plain(&kept.records))?;
    }
    if let Some(path) = &arguments.write {
        let shown = path.display();
        let text = fs::read_to_string(path).with_context(|| format!("could not read {shown}"))?;
        let text = report::fill(&text, &kept.records).with_context(|| format!("{shown}"))?;
        fs::write(path, text).with_context(|| format!("could not write {shown}"))?;
    }
    Ok(())
}

/// Returns the reason why this machine cannot make the namespaces.
fn missing() -> Option<&'static str> {
    let ip = Command::new("ip").arg("-V").stdout(Stdio::null()).status();
    if !geteuid().is_root() {
        Some("network namespaces need root")
    } else if !ip.is_ok_and(|status| status.success()) {
        Some("install ip (the package iproute2)")
    } else if !Path::new("/dev/net/tun").exists() {
        Some("this kernel has no TUN devices (/dev/net/tun)")
    } else {
        None
    }
}

fn measure(arguments: &Arguments, kept: &mut Kept) -> Result<()> {
    // Some clients open a connection for each request, and each needs a descriptor on both sides.
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    if arguments.install {
        node::install()?;
    }
    kept.add(Record::Machine(machine::look()))?;
    for version in versions::all() {
        kept.add(Record::Version(version))?;
    }
    let mut world = World::make()?;
    if arguments.instructions {
        return instructions::count(arguments, &mut world, kept);
    }
    let faults = Plan::new(arguments).measure(&mut world, kept)?;
    if faults > 0 && arguments.quick {
        bail!("{faults} page loads with wrong or missing answers");
    }
    Ok(())
}

fn print(text: &str) -> Result<()> {
    std::io::stdout().lock().write_all(text.as_bytes()).context("could not write the tables")
}
