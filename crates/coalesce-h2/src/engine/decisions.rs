//! The verdicts of one connection. Each request is decided once: when its header block is read, or
//! when it is accepted.

use std::collections::VecDeque;

use coalesce_core::{HostField, MethodKind, RequestTarget, Verdict};
use coalesce_http::{Decide, log};

use crate::refusal_limit::{Left, RefusalLimit};

/// The most verdicts that wait for their streams. If a verdict is dropped, its request is decided
/// again.
const WAITING_MAX: usize = 256;

/// The longest authority that is decided before `h2` sees it. Longer ones are rare.
pub(super) const AUTHORITY_LEN_MAX: usize = 64;

/// The user's decision, with the verdicts that wait for their streams.
pub(super) struct Decisions<D> {
    decide: D,
    refusal_limit: RefusalLimit,
    /// The waiting verdicts, in the order of stream identifiers.
    waiting: VecDeque<Waiting>,
    /// True if a GOAWAY is on its way, so `h2` alone knows which streams still count.
    closing: bool,
}

/// The verdict on a request without a `Host` field, made when its header block was read.
struct Waiting {
    stream_id: u32,
    verdict: Verdict,
    /// The [generation](Decide::generation) of the decision.
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
    /// Copies an authority; `None` if it is too long.
    fn new(authority: &[u8]) -> Option<Self> {
        let mut bytes = [0; AUTHORITY_LEN_MAX];
        bytes.get_mut(..authority.len())?.copy_from_slice(authority);
        Some(Self { bytes, len: authority.len() })
    }
}

impl Waiting {
    /// Returns true if the verdict is for exactly this target.
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

    /// Counts a refusal by the server half.
    pub(super) fn refused(&mut self) -> Left {
        self.refusal_limit.refused()
    }

    /// Stops early answers, because a GOAWAY decides which later requests count.
    pub(super) const fn close(&mut self) {
        self.closing = true;
    }
}

impl<D: for<'a> Decide<RequestTarget<'a>>> Decisions<D> {
    /// Decides a request from its header block. Returns true if the request is misdirected and may
    /// be answered at once; the refusal is then counted and logged. Any other verdict waits for the
    /// stream.
    pub(super) fn refuses_early(&mut self, stream_id: u32, target: &RequestTarget<'_>) -> bool {
        // The server half must make the refusal that reaches the limit, because it ends the
        // connection.
        if self.closing || self.refusal_limit.is_almost_reached() {
            return false;
        }
        let Some(authority) = target.authority.and_then(Authority::new) else { return false };
        // Read before the verdict, so a reload in between makes the verdict look older, never
        // newer.
        let generation = self.decide.generation();
        let verdict = self.ask(target);
        if let Verdict::Misdirected(_) = verdict {
            self.refusal_limit.refused();
            return true;
        }
        if self.waiting.len() >= WAITING_MAX {
            self.waiting.pop_front();
        } else if self.waiting.capacity() == 0 {
            // Most connections never need room for a second verdict.
            self.waiting.reserve_exact(1);
        }
        let https = target.scheme == Some(b"https");
        self.waiting.push_back(Waiting { stream_id, verdict, generation, authority, https });
        false
    }

    /// Returns the verdict on a request as `h2` shows it.
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
        // The stream of an earlier verdict was refused by `h2`:
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

    /// Serves one name until the name is removed.
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
    fn waiting_verdict_holds_for_its_generation_only() {
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

    /// A waiting verdict applies to its own request only: not to another request on the same
    /// stream, and not to the same request on another stream.
    #[test]
    fn waiting_verdict_holds_for_its_own_request_only() {
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
