//! What reading an image costs, counted where tests ask for it: a step for each name that is read,
//! each place that is looked at, and each turn of a search. Elsewhere this is nothing.

#[cfg(test)]
std::thread_local! {
    static TAKEN: core::cell::Cell<usize> = const { core::cell::Cell::new(0) };
}

/// Takes a step.
#[inline(always)]
#[allow(clippy::missing_const_for_fn, reason = "what it does in tests is not")]
pub(crate) fn step() {
    #[cfg(test)]
    TAKEN.set(TAKEN.get().saturating_add(1));
}

// An interpreter would take as many steps, for minutes.
#[cfg(all(test, not(miri)))]
mod tests;
