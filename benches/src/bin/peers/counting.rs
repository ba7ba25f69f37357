//! Counts the allocations of a piece of work.

use allocation_counter::measure;

/// The allocations counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    pub(crate) allocations: u64,
    /// Bytes requested and not freed, without the allocator's overhead.
    pub(crate) bytes: i64,
}

/// Runs `work` and counts its allocations on this thread.
pub(crate) fn count<T>(work: impl FnOnce() -> T) -> (T, Counted) {
    let mut result = None;
    let info = measure(|| result = Some(work()));
    let counted = Counted { allocations: info.count_total, bytes: info.bytes_current };
    (result.expect("the work was done"), counted)
}
