//! What a piece of work allocates.

use allocation_counter::measure;

/// What happened while counting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    pub(crate) allocations: u64,
    /// Bytes asked for and not given back, without what the allocator adds to them.
    pub(crate) bytes: i64,
}

/// Counts what `work` allocates on this thread.
pub(crate) fn count<T>(work: impl FnOnce() -> T) -> (T, Counted) {
    let mut result = None;
    let info = measure(|| result = Some(work()));
    let counted = Counted { allocations: info.count_total, bytes: info.bytes_current };
    (result.expect("the work was done"), counted)
}
