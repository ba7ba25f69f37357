//! The open files of the process: their number, and their uses.
//!
//! Each accepted connection, each file that is sent and each connection to an upstream is one open
//! file. Without a bound for each kind, a few clients with many open requests could take all of
//! them, and the server could not accept connections any longer.

use std::sync::Arc;
use std::time::Instant;

use coalesce_http::log::{LogDecision, RateLimit};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::serve::limits::{
    CONNECTIONS_MAX, DESCRIPTOR_LINES_PER_SECOND, DESCRIPTORS_FOR_CONTENT_MIN, DESCRIPTORS_RESERVED,
};
use crate::serve::observe::events;
use crate::serve::shares::{ClientId, Share, Shares};

/// Raises the soft limit of open files to the hard one, and logs the result. Soft limits are low
/// for the sake of programs that use `select`, which this one does not.
pub(super) fn raise_limit() {
    let before = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: before.maximum, maximum: before.maximum };
    if before.current != raised.current
        && let Err(error) = setrlimit(Resource::Nofile, raised)
    {
        events::cannot_raise_descriptors(tracing::field::display(error));
    }
    let limit = limit();
    let Division { connections, content } = Division::of(limit);
    events::descriptors(limit, count(before.current), connections, content);
}

/// Returns how many files the process may have open.
fn limit() -> usize {
    count(getrlimit(Resource::Nofile).current)
}

/// A limit as a number; without a limit, the largest.
fn count(limit: Option<u64>) -> usize {
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}

/// How many open files are for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Division {
    connections: usize,
    content: usize,
}

impl Division {
    /// Divides this many open files.
    const fn of(limit: usize) -> Self {
        let usable = limit.saturating_sub(DESCRIPTORS_RESERVED);
        let least = usable / DESCRIPTORS_FOR_CONTENT_MIN;
        let rest = usable.saturating_sub(CONNECTIONS_MAX);
        let content = if rest > least { rest } else { least };
        Self { connections: usable.saturating_sub(content), content }
    }
}

/// The open files that content may use.
#[derive(Clone, Debug)]
pub(in crate::serve) struct Descriptors {
    shares: Shares,
    connections_max: usize,
    lines: Arc<RateLimit>,
}

impl Descriptors {
    /// Makes the bound from the limit of the process.
    pub(in crate::serve) fn from_limit() -> Self {
        let Division { connections, content } = Division::of(limit());
        let lines = Arc::new(RateLimit::per_second(DESCRIPTOR_LINES_PER_SECOND));
        Self { shares: Shares::new(content), connections_max: connections, lines }
    }

    /// Returns how many connections of clients there may be.
    pub(in crate::serve) const fn connections_max(&self) -> usize {
        self.connections_max
    }

    /// Takes an open file for content of `client`. Returns `None`, and logs it, if there is none to
    /// spare for this client.
    pub(in crate::serve) fn take(&self, client: ClientId) -> Option<Share> {
        let taken = self.shares.take(client);
        if taken.is_none()
            && let LogDecision::Log { unlogged_before } = self.lines.decide(Instant::now())
        {
            events::no_descriptor(unlogged_before);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_have_their_own_open_files_and_content_the_others() {
        for (limit, connections, content) in [
            (1_048_576, CONNECTIONS_MAX, 1_038_512),
            (20_000, CONNECTIONS_MAX, 9_936),
            (1_024, 720, 240),
            (64, 0, 0),
        ] {
            assert_eq!(Division::of(limit), Division { connections, content }, "{limit}");
        }
        assert_eq!(Division::of(usize::MAX).connections, CONNECTIONS_MAX);
    }
}
