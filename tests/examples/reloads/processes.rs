//! The processes of a server, and their memory.

use std::collections::BTreeSet;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long the processes of earlier configurations may take to end.
const END_MAX: Duration = Duration::from_secs(30);

/// How long the processes must stay the same.
const QUIET: Duration = Duration::from_secs(1);

/// A process with all that it began, and their resident memory in KiB.
#[derive(Debug)]
pub(crate) struct Processes {
    numbers: BTreeSet<u32>,
    memory: u32,
}

impl Processes {
    /// Reads them from `/proc`. A process that ends meanwhile is left out.
    pub(crate) fn read(first: u32) -> Self {
        let entries = fs::read_dir("/proc").expect("Linux's /proc").flatten();
        let all = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let parents: Vec<(u32, u32)> =
            all.filter_map(|number| Some((number, field(number, "PPid:")?))).collect();
        let mut numbers = BTreeSet::from([first]);
        // As often as a process was found whose parent is among them.
        let mut found = 0;
        while found < numbers.len() {
            found = numbers.len();
            let begun = parents.iter().filter(|(_, parent)| numbers.contains(parent));
            let begun: Vec<u32> = begun.map(|(number, _)| *number).collect();
            numbers.extend(begun);
        }
        let memory = numbers.iter().filter_map(|number| field(*number, "VmRSS:")).sum();
        Self { numbers, memory }
    }

    pub(crate) fn count(&self) -> usize {
        self.numbers.len()
    }

    /// Returns how many of them were not there before.
    pub(crate) fn new_since(&self, before: &Self) -> usize {
        self.numbers.difference(&before.numbers).count()
    }

    pub(crate) fn memory(&self) -> f64 {
        f64::from(self.memory)
    }
}

/// Waits until there are `count` processes, or fewer, and they stay the same for a while.
pub(crate) fn settled(first: u32, count: usize) -> Processes {
    let begun = Instant::now();
    let mut before = Processes::read(first);
    loop {
        sleep(QUIET);
        let now = Processes::read(first);
        let is_settled = now.numbers == before.numbers && now.count() <= count;
        if is_settled || begun.elapsed() > END_MAX {
            return now;
        }
        before = now;
    }
}

/// Returns a number in the status of a process.
fn field(process: u32, name: &str) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    value.trim().trim_end_matches(" kB").parse().ok()
}
