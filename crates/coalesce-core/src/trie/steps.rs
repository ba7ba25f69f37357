//! Counts the steps of reading an image, in tests only. A step is one name or place that is read,
//! or one turn of a search. In other builds the counter compiles to nothing.

#[cfg(test)]
std::thread_local! {
    static TAKEN: core::cell::Cell<usize> = const { core::cell::Cell::new(0) };
}

/// Counts one step.
#[inline(always)]
#[allow(clippy::missing_const_for_fn, reason = "in tests the function is not const")]
pub(crate) fn step() {
    #[cfg(test)]
    TAKEN.set(TAKEN.get().saturating_add(1));
}

// Miri would need minutes for as many steps.
#[cfg(all(test, not(miri)))]
mod tests;
