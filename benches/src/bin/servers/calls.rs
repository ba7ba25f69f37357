//! Counts system calls, TLS records and wake-ups of one request, under h2load.
//!
//! strace counts system calls, and a relay counts records. Each is counted in two runs of different
//! length, and the difference is reported, so that start, handshakes and end do not count. Wake-ups
//! are the kernel's count of voluntary context switches of the server's threads during a run.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result};

use crate::case::Case;
use crate::cpu::load_name;
use crate::h2load::{self, Load, REQUESTS_PER_CONNECTION};
use crate::kinds::Kind;
use crate::processes;
use crate::records::{Figure, Record};
use crate::relay;
use crate::run::Bench;

pub(crate) const SET: &str = "calls";
pub(crate) const ALL_CALLS: &str = "system calls";
pub(crate) const WAKE_UPS: &str = "wake-ups";
pub(crate) const RECORDS: &str = "records";
pub(crate) const RECORD_BYTES: &str = "bytes per record";
pub(crate) const CLIENT_RECORDS: &str = "client's records";

/// Requests on each connection in the shorter run. The longer run has the largest possible number.
const SHORT: usize = 1900;
/// Calls that are reported by purpose. The others count only in the total.
pub(crate) const WAITING: [&str; 3] = ["epoll_wait", "epoll_pwait", "epoll_pwait2"];
pub(crate) const READING: [&str; 4] = ["recvfrom", "recvmsg", "read", "readv"];
pub(crate) const WRITING: [&str; 4] = ["sendto", "sendmsg", "write", "writev"];

/// Counts for one server, case and number of connections.
pub(crate) fn count(
    bench: &Bench<'_>,
    kind: &'static Kind,
    case: Case,
    connections: usize,
) -> Result<Vec<Record>> {
    let load =
        |requests: usize| Load { case, connections, requests: requests * connections, threads: 1 };
    let (short, long) = (load(SHORT), load(REQUESTS_PER_CONNECTION));
    let requests = (long.requests - short.requests) as f64;
    let name = load_name(case, connections);
    let figure = |quantity: &str, value: f64| {
        Record::Figure(Figure::new(SET, kind.name, &name, quantity, value))
    };
    let mut records = Vec::new();

    let (less, more) = (calls(bench, kind, short)?, calls(bench, kind, long)?);
    let per_request = |call: &str| {
        let of = |calls: &BTreeMap<String, u64>| calls.get(call).copied().unwrap_or(0) as f64;
        (of(&more) - of(&less)) / requests
    };
    records.push(figure(ALL_CALLS, more.keys().map(|call| per_request(call)).sum()));
    records.extend(more.keys().map(|call| figure(call, per_request(call))));

    records.push(figure(WAKE_UPS, wake_ups(bench, kind, long)? as f64 / long.requests as f64));

    let (less, more) = (tls_records(bench, kind, short)?, tls_records(bench, kind, long)?);
    let count = more.from_server.count as f64 - less.from_server.count as f64;
    let bytes = more.from_server.bytes as f64 - less.from_server.bytes as f64;
    let clients = more.from_client.count as f64 - less.from_client.count as f64;
    records.push(figure(RECORDS, count / requests));
    records.push(figure(RECORD_BYTES, bytes / count));
    records.push(figure(CLIENT_RECORDS, clients / requests));
    Ok(records)
}

/// Returns the system calls of a server's whole life, by name.
fn calls(bench: &Bench<'_>, kind: &'static Kind, load: Load) -> Result<BTreeMap<String, u64>> {
    let summary = bench.world.folder().join("strace");
    let wrapper = ["strace", "-f", "-c", "-o"]
        .map(str::to_owned)
        .into_iter()
        .chain([summary.display().to_string()]);
    let wrapper: Vec<String> = wrapper.collect();
    let server = bench.launch(kind, &wrapper).start()?;
    h2load::run(&bench.cores.load, server.address, load)?;
    server.stop()?;
    let text = fs::read_to_string(&summary).context("strace wrote no summary")?;
    Ok(parse(&text))
}

/// Reads the counts of a summary of `strace -c`.
fn parse(summary: &str) -> BTreeMap<String, u64> {
    let line = |line: &str| {
        // % time, seconds, usecs/call, calls, errors (if there are any), syscall
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        let (calls, name) = (columns.get(3)?, columns.get(4..)?.last()?);
        (*name != "total").then_some(((*name).to_owned(), calls.parse().ok()?))
    };
    summary.lines().filter_map(line).collect()
}

/// Returns how often the server's threads waited during a load.
fn wake_ups(bench: &Bench<'_>, kind: &'static Kind, load: Load) -> Result<u64> {
    let server = bench.launch(kind, &[]).start()?;
    let count = || -> u64 {
        let threads = processes::tree(server.leader).into_iter();
        let statuses = threads.flat_map(|pid| processes::threads(pid, "status"));
        statuses.filter_map(|text| processes::field(&text, "voluntary_ctxt_switches")).sum()
    };
    let before = count();
    h2load::run(&bench.cores.load, server.address, load)?;
    let after = count();
    server.stop()?;
    Ok(after - before)
}

fn tls_records(bench: &Bench<'_>, kind: &'static Kind, load: Load) -> Result<relay::Counted> {
    let server = bench.launch(kind, &[]).start()?;
    let counted = relay::count(server.address, load.connections, |relay| {
        h2load::run(&bench.cores.load, relay, load).map(drop)
    })?;
    server.stop()?;
    Ok(counted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strace_summary_is_parsed() {
        let text = "% time     seconds  usecs/call     calls    errors syscall\n\
                    ------ ----------- ----------- --------- --------- ----------------\n \
                    60.01    0.010000           5      2000           writev\n \
                    39.99    0.006000           6      1002       498 recvfrom\n\
                    ------ ----------- ----------- --------- --------- ----------------\n\
                    100.00    0.016000           5      3002       498 total\n";
        let right = [("recvfrom".to_owned(), 1002), ("writev".to_owned(), 2000)];
        assert_eq!(parse(text), right.into_iter().collect());
    }
}
