//! Reads the output of callgrind: instructions by function, and calls of the allocator.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

/// The functions that allocate. `free` does not count. glibc's functions do not call each other,
/// except when a block grows, and that counts as one allocation.
const ALLOCATORS: [&str; 8] = [
    "malloc",
    "calloc",
    "realloc",
    "posix_memalign",
    "aligned_alloc",
    "memalign",
    "mallocx",
    "rallocx",
];

/// The prefix of these functions in jemalloc, for a program that has it beside the C library's
/// allocator.
const JEMALLOC: &str = "_rjem_";

/// The counts of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) instructions: u64,
    pub(crate) allocations: u64,
    /// The instructions of each function, without the functions that it calls.
    pub(crate) functions: BTreeMap<String, u64>,
}

impl Profile {
    /// Reads the format that valgrind's manual calls "Callgrind Format".
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut names = BTreeMap::new();
        let mut profile = Self::default();
        let mut function = String::new();
        let mut callee = String::new();
        let mut is_call = false;
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("fn=") {
                function = named(&mut names, name)?;
            } else if let Some(name) = line.strip_prefix("cfn=") {
                callee = named(&mut names, name)?;
            } else if let Some(call) = line.strip_prefix("calls=") {
                if is_allocator(&callee) && !is_allocator(&function) {
                    let count = call.split(' ').next().unwrap_or_default();
                    profile.allocations += count.parse::<u64>()?;
                }
                // The next line has the cost of the callee.
                is_call = true;
            } else if line
                .starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first))
            {
                let cost = line.split(' ').nth(1).unwrap_or("0").parse::<u64>()?;
                if !is_call {
                    profile.instructions += cost;
                    *profile.functions.entry(function.clone()).or_default() += cost;
                }
                is_call = false;
            }
        }
        Ok(profile)
    }
}

fn is_allocator(function: &str) -> bool {
    ALLOCATORS.contains(&function.strip_prefix(JEMALLOC).unwrap_or(function))
}

/// Reads a name, written as `(12) name` the first time and `(12)` afterwards.
fn named(names: &mut BTreeMap<String, String>, text: &str) -> Result<String> {
    let (number, name) = text.split_once(' ').unwrap_or((text, ""));
    if name.is_empty() {
        return names.get(number).cloned().with_context(|| format!("no function {number}"));
    }
    names.insert(number.to_owned(), name.to_owned());
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_and_their_cost_belongs_to_the_callee() {
        let text = "version: 1\nevents: Ir\n\nob=(1) /bin/server\nfl=(1) ???\nfn=(1) h2::serve\n\
                    0 100\ncob=(2) libc\ncfn=(2) malloc\ncalls=7 0\n0 900\n+3 20\n\n\
                    fn=(2)\n0 300\n* 5\n\nfn=(3) realloc\n1 4\ncfn=(2)\ncalls=2 0\n1 50\n\n\
                    fn=(1)\n0 1\ncfn=(3)\ncalls=1 0\n0 9\ntotals: 430\n";
        let profile = Profile::parse(text).unwrap();
        assert_eq!(profile.instructions, 430);
        assert_eq!(profile.allocations, 8);
        assert_eq!(profile.functions["h2::serve"], 121);
        assert_eq!(profile.functions["malloc"], 305);
    }

    #[test]
    fn unnamed_function_is_an_error() {
        assert!(Profile::parse("fn=(9)\n").is_err());
    }
}
