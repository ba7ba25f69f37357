//! What the kernel says of a process and its descendants.

use std::fs;
use std::time::Duration;

use nix::sys::time::TimeValLike as _;
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// A process and all its descendants.
pub(crate) fn tree(leader: Pid) -> Vec<Pid> {
    let mut found = vec![leader];
    let mut at = 0;
    while let Some(pid) = found.get(at).copied() {
        found.extend(children(pid));
        at += 1;
    }
    found
}

/// The children of all threads of a process.
pub(crate) fn children(pid: Pid) -> Vec<Pid> {
    let parse = |text: String| {
        let pids = text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok());
        pids.map(Pid::from_raw).collect::<Vec<_>>()
    };
    threads(pid, "children").flat_map(parse).collect()
}

/// A file of each thread of a process; none of one that has ended.
pub(crate) fn threads(pid: Pid, file: &'static str) -> impl Iterator<Item = String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    tasks.filter_map(move |task| fs::read_to_string(task.path().join(file)).ok())
}

/// User and system time of a process and its descendants, of ended threads as well, to the
/// nanosecond: the clock that `clock_getcpuclockid` names.
pub(crate) fn cpu_time(leader: Pid) -> Duration {
    let of = |pid| {
        let time = clock_getcpuclockid(pid).and_then(clock_gettime).ok()?;
        u64::try_from(time.num_nanoseconds()).ok().map(Duration::from_nanos)
    };
    tree(leader).into_iter().filter_map(of).sum()
}

/// The figure of a line `name: figure` of a file in `/proc`.
pub(crate) fn field(text: &str, name: &str) -> Option<u64> {
    let (_, rest) = text.lines().find_map(|line| {
        let (found, rest) = line.split_once(':')?;
        (found == name).then_some((found, rest))
    })?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}
