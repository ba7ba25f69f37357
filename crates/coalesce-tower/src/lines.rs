//! Log lines that a client can cause: at most so many in a second.

use std::time::Instant;

use coalesce_http::log::{LogDecision, RateLimit};

/// Makes a limit for one kind of line about refused requests and connections.
macro_rules! refusal_limit {
    () => {{
        use coalesce_http::limits::REFUSALS_LOGGED_PER_SECOND;
        use coalesce_http::log::RateLimit;
        use std::sync::LazyLock;
        static LIMIT: LazyLock<RateLimit> =
            LazyLock::new(|| RateLimit::per_second(REFUSALS_LOGGED_PER_SECOND));
        &LIMIT
    }};
}

pub(crate) use refusal_limit;

/// Writes a line with how many were left out before it, unless too many are.
pub(crate) fn say(limit: &RateLimit, write: impl FnOnce(Option<u64>)) {
    if let LogDecision::Log { unlogged_before } = limit.decide(Instant::now()) {
        write((unlogged_before > 0).then_some(unlogged_before));
    }
}
