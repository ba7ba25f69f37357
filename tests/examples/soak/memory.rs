//! The memory of a process.

use std::fs;

/// The memory of a process in KiB: private memory and mapped files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    anonymous: u64,
    files: u64,
}

impl Memory {
    pub(crate) const fn total(self) -> u64 {
        self.anonymous + self.files
    }
}

pub(crate) fn memory(process: u32) -> Memory {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("Linux's /proc");
    let field = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name));
        value.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok()).expect("a size")
    };
    Memory { anonymous: field("RssAnon:"), files: field("RssFile:") }
}
