//! The verdicts of one connection. Each request is decided once: when its header block is read, or
//! when it is accepted.

use std::collections::VecDeque;

use coalesce_core::{HostField, MethodKind, RequestTarget, Verdict};
use coalesce_http::{Decide, log};

use crate::refusal_limit::{Left, RefusalLimit};

/// Verdicts that may wait for their streams. A request whose verdict was dropped is decided again.
const WAITING_MAX: usize = 256;

/// The longest authority that is decided before `h2` sees it: longer ones are hardly anybody's.
pub(super) const AUTHORITY_LEN_MAX: usize = 64;

/// The decision of the user, with the verdicts that wait for their streams.
pub(super) struct Decisions<D> {
    decide: D,
    refusal_limit: RefusalLimit,
    /// In the order of stream identifiers.
    waiting: VecDeque<Waiting>,
    /// True if a GOAWAY is on its way, so that `h2` must say which streams still count.
    closing: bool,
}

/// The verdict on a request without a `Host` field whose header block was read.
struct Waiting {
    stream_id: u32,
    verdict: Verdict,
    /// The [generation](Decide::generation) that it was decided under.
    generation: u64,
    authority: Authority,
    https: bool,
}

/// The bytes of an authority.
struct Authority {
    bytes: [u8; AUTHORITY_LEN_MAX],
    len: usize,
}

impl Authority {
    /// `None` if it is too long.
    fn new(authority: &[u8]) -> Option<Self> {
        let mut bytes = [0; AUTHORITY_LEN_MAX];
        bytes.get_mut(..authority.len())?.copy_from_slice(authority);
        Some(Self { bytes, len: authority.len() })
    }
}

impl Waiting {
    /// True if the verdict is about this very target.
    fn is_about(&self, target: &RequestTarget<'_>) -> bool {
        let scheme: &[u8] = if self.https { b"https" } else { b"http" };
        target.authority == self.authority.bytes.get(..self.authority.len)
            && target.host == HostField::Absent
            && target.scheme == Some(scheme)
            && target.method == MethodKind::Ordinary
    }
}

impl<D> Decisions<D> {
    pub(super) const fn new(decide: D, refusal_limit: RefusalLimit) -> Self {
        Self { decide, refusal_limit, waiting: VecDeque::new(), closing: false }
    }

    /// Counts a refusal of the server half.
    pub(super) fn refused(&mut self) -> Left {
        self.refusal_limit.refused()
    }

    /// Has every later request shown to `h2`, because a GOAWAY says which of them count.
    pub(super) const fn close(&mut self) {
        self.closing = true;
    }
}

impl<D: for<'a> Decide<RequestTarget<'a>>> Decisions<D> {
    /// Decides a request from its header block. True if it is misdirected and may be answered at
    /// once: then it was counted and logged. Any other verdict waits for the stream.
    pub(super) fn refuses_early(&mut self, stream_id: u32, target: &RequestTarget<'_>) -> bool {
        // The refusal that reaches the limit ends the connection, which the server half has to do.
        if self.closing || self.refusal_limit.is_almost_reached() {
            return false;
        }
        let Some(authority) = target.authority.and_then(Authority::new) else { return false };
        // Asked before the verdict, so that no verdict can pass for newer than it is.
        let generation = self.decide.generation();
        let verdict = self.ask(target);
        if let Verdict::Misdirected(_) = verdict {
            self.refusal_limit.refused();
            return true;
        }
        if self.waiting.len() >= WAITING_MAX {
            self.waiting.pop_front();
        } else if self.waiting.capacity() == 0 {
            // Most connections never have a second verdict wait.
            self.waiting.reserve_exact(1);
        }
        let https = target.scheme == Some(b"https");
        self.waiting.push_back(Waiting { stream_id, verdict, generation, authority, https });
        false
    }

    /// The verdict on a request as `h2` shows it.
    pub(super) fn verdict(&mut self, stream_id: u32, target: &RequestTarget<'_>) -> Verdict {
        let verdict = match self.take_waiting(stream_id, target) {
            Some(waiting) if waiting.generation == self.decide.generation() => waiting.verdict,
            _ => self.ask(target),
        };
        if let Verdict::Serve(_) = verdict {
            self.refusal_limit.served();
        }
        verdict
    }

    fn take_waiting(&mut self, stream_id: u32, target: &RequestTarget<'_>) -> Option<Waiting> {
        // A verdict that waits for an earlier stream is of one that `h2` refused:
        // `streams_are_handed_out_in_the_order_of_their_identifiers`.
        while self.waiting.front().is_some_and(|front| front.stream_id < stream_id) {
            self.waiting.pop_front();
        }
        let front = self.waiting.front()?;
        let wanted = front.stream_id == stream_id && front.is_about(target);
        if wanted { self.waiting.pop_front() } else { None }
    }

    fn ask(&mut self, target: &RequestTarget<'_>) -> Verdict {
        let verdict = self.decide.decide(target);
        log::verdict(target, &verdict, |reason| self.decide.hint(target, reason));
        verdict
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::num::NonZeroU32;

    use super::*;
    use coalesce_core::{
        AuthorityTable, ClientCertificates, GroupId, GroupPolicy, IdentifierSet, NamePattern,
        PresentedIdentifier, ServerConnection, VirtualHostId, decide,
    };

    const NAME: &[u8] = b"a.test";

    /// Serves one name, as long as it has it.
    #[derive(Default)]
    struct OneName {
        is_gone: bool,
        generation: u64,
        decided: Cell<usize>,
    }

    impl<'a> Decide<RequestTarget<'a>> for OneName {
        fn decide(&self, target: &RequestTarget<'a>) -> Verdict {
            self.decided.set(self.decided.get() + 1);
            let group = GroupId::new(1);
            let mut table = AuthorityTable::builder();
            table.group(group, GroupPolicy::default()).unwrap();
            let name: &[u8] = if self.is_gone { b"b.test" } else { NAME };
            let pattern = NamePattern::parse(name).unwrap();
            table.entry(pattern, VirtualHostId::new(0), group).unwrap();
            let presented = [PresentedIdentifier::parse_dns(NAME).unwrap()];
            let presented = IdentifierSet::build(presented).unwrap();
            let connection =
                ServerConnection::tls(&presented, group, ClientCertificates::NotAsked, 443);
            decide(&table.build().unwrap(), &connection, target)
        }

        fn generation(&self) -> u64 {
            self.generation
        }
    }

    #[test]
    fn a_verdict_that_waits_for_its_stream_holds_for_its_generation_only() {
        let limit = RefusalLimit::new(NonZeroU32::new(10));
        let mut decisions = Decisions::new(OneName::default(), limit);
        let target = RequestTarget::https(NAME);

        assert!(!decisions.refuses_early(1, &target));
        assert!(matches!(decisions.verdict(1, &target), Verdict::Serve(_)));
        assert_eq!(decisions.decide.decided.get(), 1);

        assert!(!decisions.refuses_early(3, &target));
        decisions.decide.is_gone = true;
        decisions.decide.generation = 1;
        assert!(matches!(decisions.verdict(3, &target), Verdict::Misdirected(_)));
        assert_eq!(decisions.decide.decided.get(), 3);
    }

    /// A verdict is of the very request that it was made for. None other gets it, be it on the same
    /// stream, or the same on another stream.
    #[test]
    fn a_verdict_that_waits_is_for_its_own_request_only() {
        let mut decisions = Decisions::new(OneName::default(), RefusalLimit::new(None));
        let target = RequestTarget::https(NAME);
        let others = [
            RequestTarget::https(b"b.test"),
            RequestTarget { authority: None, ..target },
            RequestTarget { host: HostField::One(NAME), ..target },
            RequestTarget { scheme: Some(b"http"), ..target },
            RequestTarget { scheme: None, ..target },
            RequestTarget { method: MethodKind::ExtendedConnect, ..target },
        ];
        let decided = |decisions: &mut Decisions<OneName>, stream_id, target| {
            let before = decisions.decide.decided.get();
            let _ = decisions.verdict(stream_id, target);
            decisions.decide.decided.get() - before
        };
        for (stream_id, other) in (1..).step_by(6).zip(&others) {
            assert!(!decisions.refuses_early(stream_id, &target));
            assert_eq!(decided(&mut decisions, stream_id, other), 1, "{other:?}");

            assert!(!decisions.refuses_early(stream_id + 4, &target));
            assert_eq!(decided(&mut decisions, stream_id + 2, &target), 1, "before its turn");
            assert_eq!(decided(&mut decisions, stream_id + 4, &target), 0);
        }
    }
}
