//! Reads the kernel's figures of a process and its descendants.

use std::fs;
use std::time::Duration;

use nix::sys::time::TimeValLike as _;
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// Returns a process and all its descendants.
pub(crate) fn tree(leader: Pid) -> Vec<Pid> {
    let mut found = vec![leader];
    let mut at = 0;
    while let Some(pid) = found.get(at).copied() {
        found.extend(children(pid));
        at += 1;
    }
    found
}

/// Returns the children of all threads of a process.
pub(crate) fn children(pid: Pid) -> Vec<Pid> {
    let parse = |text: String| {
        let pids = text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok());
        pids.map(Pid::from_raw).collect::<Vec<_>>()
    };
    threads(pid, "children").flat_map(parse).collect()
}

/// Returns a file of each thread of a process, or none if the process has ended.
pub(crate) fn threads(pid: Pid, file: &'static str) -> impl Iterator<Item = String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    tasks.filter_map(move |task| fs::read_to_string(task.path().join(file)).ok())
}

/// Returns user and system time of a process and its descendants, including ended threads, to the
/// nanosecond. It reads the clock of `clock_getcpuclockid`.
pub(crate) fn cpu_time(leader: Pid) -> Duration {
    let of = |pid| {
        let time = clock_getcpuclockid(pid).and_then(clock_gettime).ok()?;
        u64::try_from(time.num_nanoseconds()).ok().map(Duration::from_nanos)
    };
    tree(leader).into_iter().filter_map(of).sum()
}

/// Returns the figure of a line `name: figure` in a file of `/proc`.
pub(crate) fn field(text: &str, name: &str) -> Option<u64> {
    let (_, rest) = text.lines().find_map(|line| {
        let (found, rest) = line.split_once(':')?;
        (found == name).then_some((found, rest))
    })?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns user and system time in ticks: the fields 14 and 15 of proc(5).
    fn ticks() -> u64 {
        let text = fs::read_to_string("/proc/self/stat").unwrap();
        let (_, fields) = text.rsplit_once(") ").unwrap();
        let fields: Vec<&str> = fields.split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    #[test]
    fn process_clock_is_user_and_system_time() {
        /// A tick is a hundredth of a second on every Linux.
        const TICK: Duration = Duration::from_millis(10);
        let before = ticks();
        let clock = cpu_time(Pid::this());
        let after = ticks();
        // The kernel reports whole ticks of user and of system time.
        let range =
            TICK * u32::try_from(before).unwrap()..=TICK * u32::try_from(after + 3).unwrap();
        assert!(range.contains(&clock), "{range:?} {clock:?}");
    }

    #[test]
    fn child_is_in_the_tree_until_it_ends() {
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        assert!(tree(Pid::this()).contains(&pid));
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(!tree(Pid::this()).contains(&pid));
    }

    #[test]
    fn field_is_found_by_its_name() {
        let text = "Rss:  12 kB\nPss_Dirty: 3 kB\nPss:    4242 kB\n";
        assert_eq!(field(text, "Pss"), Some(4242));
        assert_eq!(field(text, "Swap"), None);
    }
}
