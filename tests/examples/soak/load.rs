//! Runs `h2load` and reads its log of requests.

use std::fs;
use std::process::{Command, Stdio};

use coalesce_tests::{Server, World};

/// The number of connections of `h2load`.
pub(crate) const CONNECTIONS: usize = 10;

/// A request of `h2load`.
#[derive(Clone, Copy)]
pub(crate) struct Request {
    pub(crate) began: u128,
    pub(crate) failed: bool,
    /// Microseconds until the end of the answer.
    latency: f64,
}

/// Returns a percentile of the latencies of sorted requests.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "far fewer requests than 2^52"
)]
pub(crate) fn percentile(sorted: &[Request], part: f64) -> f64 {
    let at = (sorted.len() as f64 * part) as usize;
    sorted.get(at).map_or(f64::NAN, |request| request.latency)
}

/// Runs `h2load` for `seconds`, and `meanwhile` beside it.
pub(crate) fn load(
    world: &World,
    server: &Server,
    seconds: u32,
    meanwhile: impl FnOnce(),
) -> Vec<Request> {
    let log = world.path("h2load.tsv");
    let _ = fs::remove_file(&log);
    let port = server.address.port();
    let mut command = Command::new("h2load");
    command
        .args(["--threads", "1", "--max-concurrent-streams", "1", "--duration"])
        .arg(seconds.to_string())
        .args(["--clients", &CONNECTIONS.to_string(), "--log-file"])
        .arg(&log)
        .arg(format!("--connect-to={}", server.address))
        .arg(format!("https://h4242.bulk.example.test:{port}/"));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.expect("h2load is installed (nghttp2-client)");
    meanwhile();
    let output = child.wait_with_output().expect("h2load ends");
    assert!(output.status.success(), "{output:?}");
    // The log has a line for each answered request only, so count lost requests from the summary.
    let summary = String::from_utf8_lossy(&output.stdout);
    let complete =
        [" 0 failed,", " 0 errored,", " 0 timeout"].iter().all(|none| summary.contains(none));
    assert!(complete, "{summary}");
    let log = fs::read_to_string(&log).expect("a log");
    // A line has the start, the status and the microseconds.
    let request = |line: &str| {
        let mut fields = line.split('\t');
        Some(Request {
            began: fields.next()?.parse().ok()?,
            failed: fields.next()? != "200",
            latency: fields.next()?.parse().ok()?,
        })
    };
    let requests = log.lines().map(|line| request(line).unwrap_or_else(|| panic!("{line:?}")));
    let mut requests: Vec<Request> = requests.collect();
    requests.sort_by(|one, other| one.latency.total_cmp(&other.latency));
    requests
}
