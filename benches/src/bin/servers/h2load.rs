//! Runs the load, nghttp2's h2load, and reads its counts.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use coalesce_h2::limits::REFUSED_IN_A_ROW_MAX;

use crate::case::{Case, SERVED};

/// The streams in flight on each connection.
pub(crate) const STREAMS: usize = 100;
/// The requests on one connection. The refusal limit would end a longer one, so every server gets
/// fewer requests on a connection, and then a new connection. That is one handshake among thousands
/// of requests.
pub(crate) const REQUESTS_PER_CONNECTION: usize = REFUSED_IN_A_ROW_MAX as usize - STREAMS;

/// The requests of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) case: Case,
    pub(crate) connections: usize,
    /// The requests of all connections together.
    pub(crate) requests: usize,
    pub(crate) threads: usize,
}

/// The counts of h2load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) done: usize,
    /// Requests that were neither answered nor reset.
    pub(crate) lost: usize,
    /// The answers with a status of 200 to 299, 300 to 399, and so on.
    pub(crate) classes: [usize; 4],
    pub(crate) seconds: f64,
}

/// Returns an error if h2load does not run.
pub(crate) fn check_installed() -> Result<()> {
    let found = Command::new("h2load").arg("--version").stdout(Stdio::null()).status();
    found.context("h2load is not installed (apt-get install nghttp2-client)").map(drop)
}

/// Runs h2load on `cores` and checks that every request got the status of its case.
pub(crate) fn run(cores: &str, server: SocketAddr, load: Load) -> Result<Outcome> {
    let Load { case, connections, requests, threads } = load;
    ensure!(requests <= connections * REQUESTS_PER_CONNECTION, "too many requests at once");
    let output = Command::new("taskset")
        .args(["-c", cores, "h2load", "--tls13-ciphers=TLS_AES_128_GCM_SHA256"])
        .args([format!("-t{threads}"), format!("-c{connections}"), format!("-m{STREAMS}")])
        .args([format!("-n{requests}"), format!("--header=:authority: {}", case.authority())])
        .args([format!("--connect-to={server}"), format!("https://{SERVED}/")])
        .output()
        .context("h2load does not run (apt-get install nghttp2-client)")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let outcome = parse(&text).with_context(|| format!("h2load said {text}"))?;
    let right = outcome.classes[usize::from(case.status() / 100 - 2)];
    ensure!(
        outcome.done == requests && right == requests && outcome.lost == 0,
        "expected {requests} times {}, found {outcome:?}",
        case.status()
    );
    Ok(outcome)
}

/// Reads the summary of h2load.
pub(crate) fn parse(text: &str) -> Option<Outcome> {
    let line = |start: &str| text.lines().find_map(|line| line.strip_prefix(start));
    // `finished in 2.51s, 1234.56 req/s, 1.2MB/s`
    let (seconds, _) = line("finished in ")?.split_once(',')?;
    // `requests: 10 total, 10 started, 10 done, 10 succeeded, 0 failed, 0 errored, 0 timeout`
    let requests = counts(line("requests: ")?);
    // `status codes: 10 2xx, 0 3xx, 0 4xx, 0 5xx`
    let classes = counts(line("status codes: ")?);
    let count = |name| requests.iter().find(|(found, _)| *found == name).map(|(_, count)| *count);
    let class = |name| classes.iter().find(|(found, _)| *found == name).map(|(_, count)| *count);
    Some(Outcome {
        done: count("done")?,
        lost: count("errored")? + count("timeout")?,
        classes: [class("2xx")?, class("3xx")?, class("4xx")?, class("5xx")?],
        seconds: time(seconds)?,
    })
}

/// Reads `3 a, 4 b` as names and figures.
fn counts(text: &str) -> Vec<(&str, usize)> {
    let count = |part: &'_ str| -> Option<usize> { part.parse().ok() };
    let parts = text.split(", ").filter_map(|part| part.split_once(' '));
    parts.filter_map(|(figure, name)| Some((name, count(figure)?))).collect()
}

/// Reads `2.51s`, `934.08ms` or `120us` as seconds.
fn time(text: &str) -> Option<f64> {
    let units = [("ms", 1e-3), ("us", 1e-6), ("s", 1.0)];
    let (figure, unit) =
        units.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))?;
    Some(figure.parse::<f64>().ok()? * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "starting benchmark...\nspawning thread #0: 1 total client(s). 300 total \
                        requests\nTLS Protocol: TLSv1.3\nprogress: 10% done\n\n\
                        finished in 934.08ms, 321.17 req/s, 12.57KB/s\n\
                        requests: 300 total, 300 started, 299 done, 0 succeeded, 300 failed, \
                        1 errored, 2 timeout\n\
                        status codes: 0 2xx, 0 3xx, 299 4xx, 0 5xx\n\
                        traffic: 11.74KB (12024) total\n";

    #[test]
    fn h2load_summary_is_parsed() {
        let outcome = parse(SAID).unwrap();
        assert_eq!(outcome.done, 299);
        assert_eq!(outcome.lost, 3);
        assert_eq!(outcome.classes, [0, 0, 299, 0]);
        assert!((outcome.seconds - 0.934_08).abs() < 1e-9);
    }

    #[test]
    fn times_are_parsed_with_their_units() {
        for (text, seconds) in [("2.51s", 2.51), ("3ms", 0.003), ("120us", 0.000_12)] {
            assert!((time(text).unwrap() - seconds).abs() < 1e-12, "{text}");
        }
        assert_eq!(time("2.51"), None);
    }

    #[test]
    fn text_without_a_summary_is_refused() {
        assert_eq!(parse("connect: failed\n"), None);
        assert_eq!(parse(&SAID.replace("status codes", "codes")), None);
    }
}
