//! The decisions of one connection: asked for by the transport, which may answer at once, and by
//! the adapter; each request is decided once.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use coalesce_core::{HostField, RequestTarget, Verdict};
use coalesce_http::{Decide, log};

use crate::answer::{Answers, Early};
use crate::engine::{AUTHORITY_LEN_MAX, Refuse};
use crate::refusal_limit::{Left, RefusalLimit};

/// Verdicts that may wait for their streams. One that is lost is found anew.
const WAITING_MAX: usize = 256;

/// What transport and adapter of one connection share.
pub(crate) struct Decisions<D>(Arc<Shared<D>>);

struct Shared<D> {
    state: Mutex<State<D>>,
    /// How many requests the adapter refused as misdirected.
    refused: AtomicU32,
    answers: Arc<Answers>,
    /// Whether the transport may answer.
    early: bool,
}

struct State<D> {
    decide: D,
    refusal_limit: RefusalLimit,
    /// In the order of stream identifiers.
    waiting: VecDeque<Waiting>,
    /// Whether a GOAWAY is on its way, so that `h2` must say which streams still count.
    closing: bool,
}

/// A verdict that the transport was given, for a request without a `Host` field.
struct Waiting {
    stream_id: u32,
    verdict: Verdict,
    /// The [generation](Decide::generation) it is of.
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
    /// Whether the verdict is about this very target.
    fn is_about(&self, target: &RequestTarget<'_>) -> bool {
        let scheme: &[u8] = if self.https { b"https" } else { b"http" };
        target.authority == self.authority.bytes.get(..self.authority.len)
            && target.host == HostField::Absent
            && target.scheme == Some(scheme)
            && target.method == coalesce_core::MethodKind::Ordinary
    }
}

impl<D> Decisions<D> {
    pub(crate) fn new(
        decide: D,
        refusal_limit: RefusalLimit,
        answers: Arc<Answers>,
        early: bool,
    ) -> Self {
        let state = State { decide, refusal_limit, waiting: VecDeque::new(), closing: false };
        let refused = AtomicU32::new(0);
        Self(Arc::new(Shared { state: Mutex::new(state), refused, answers, early }))
    }

    pub(crate) fn share(&self) -> Self {
        Self(self.0.clone())
    }

    pub(crate) fn answers(&self) -> &Answers {
        &self.0.answers
    }

    /// Counts a refusal of the adapter.
    pub(crate) fn refused(&self) -> Left {
        self.state().refusal_limit.refused()
    }

    /// From here on `h2` sees every request, because a GOAWAY says which of them count.
    pub(crate) fn close(&self) {
        self.state().closing = true;
    }

    fn state(&self) -> MutexGuard<'_, State<D>> {
        // A panic in `decide` is the caller's; the rest is whole at any moment.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: for<'a> Decide<RequestTarget<'a>>> Decisions<D> {
    /// The verdict on a request as `h2` shows it.
    pub(crate) fn verdict(&self, stream_id: u32, target: &RequestTarget<'_>) -> Verdict {
        let mut state = self.state();
        // Streams come in the order of their identifiers; what waits for an earlier one is of a
        // stream that `h2` refused.
        while state.waiting.front().is_some_and(|front| front.stream_id < stream_id) {
            state.waiting.pop_front();
        }
        let about = |front: &Waiting| front.stream_id == stream_id && front.is_about(target);
        let waiting = state.waiting.front().is_some_and(about).then(|| state.waiting.pop_front());
        let verdict = match waiting.flatten() {
            Some(waiting) if waiting.generation == state.decide.generation() => waiting.verdict,
            _ => state.decide(target),
        };
        match verdict {
            Verdict::Serve(_) => state.refusal_limit.served(),
            Verdict::Misdirected(_) => {
                self.0.refused.fetch_add(1, Ordering::Relaxed);
            }
            Verdict::Malformed(_) => {}
        }
        verdict
    }
}

impl<D: for<'a> Decide<RequestTarget<'a>>> State<D> {
    fn decide(&mut self, target: &RequestTarget<'_>) -> Verdict {
        let verdict = self.decide.decide(target);
        log::verdict(target, &verdict);
        verdict
    }
}

impl<D: for<'a> Decide<RequestTarget<'a>>> Refuse for Decisions<D> {
    fn refuses(&mut self, stream_id: u32, target: &RequestTarget<'_>) -> bool {
        let mut state = self.state();
        // The refusal that reaches the limit ends the connection, which the adapter has to do.
        if state.closing || state.refusal_limit.is_almost_reached() {
            return false;
        }
        let Some(authority) = target.authority.and_then(Authority::new) else { return false };
        // Before the verdict, so that none can pass for newer than it is.
        let generation = state.decide.generation();
        let verdict = state.decide(target);
        if let Verdict::Misdirected(_) = verdict {
            state.refusal_limit.refused();
            return true;
        }
        if state.waiting.len() >= WAITING_MAX {
            state.waiting.pop_front();
        }
        let https = target.scheme == Some(b"https");
        state.waiting.push_back(Waiting { stream_id, verdict, generation, authority, https });
        false
    }

    fn changes(&self) -> u32 {
        self.0.refused.load(Ordering::Relaxed)
    }

    fn template(&self) -> Option<&Early> {
        self.0.answers.early.as_ref().filter(|_| self.0.early)
    }
}

impl<D> fmt::Debug for Decisions<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decisions").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::num::NonZeroU32;

    use coalesce_core::{
        AuthorityTable, GroupId, GroupPolicy, IdentifierSet, NamePattern, PresentedIdentifier,
        ServerConnection, VirtualHostId, decide,
    };
    use coalesce_http::MisdirectedContent;
    use http::HeaderValue;

    use super::*;

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
            let connection = ServerConnection::tls(presented.as_ref(), group, &[443]);
            decide(&table.build().unwrap(), &connection, target)
        }

        fn generation(&self) -> u64 {
            self.generation
        }
    }

    #[test]
    fn a_verdict_that_waits_for_its_stream_holds_for_its_generation_only() {
        let answers = Answers::new(&MisdirectedContent::default(), HeaderValue::from_static("GET"));
        let refusal_limit = RefusalLimit::new(NonZeroU32::new(10));
        let mut decisions =
            Decisions::new(OneName::default(), refusal_limit, Arc::new(answers), true);
        let target = RequestTarget::https(NAME);

        assert!(!decisions.refuses(1, &target));
        assert!(matches!(decisions.verdict(1, &target), Verdict::Serve(_)));
        assert_eq!(decisions.state().decide.decided.get(), 1);

        assert!(!decisions.refuses(3, &target));
        decisions.state().decide.is_gone = true;
        decisions.state().decide.generation = 1;
        assert!(matches!(decisions.verdict(3, &target), Verdict::Misdirected(_)));
        assert_eq!(decisions.state().decide.decided.get(), 3);
    }

    /// A verdict is of the very request that it was made for. None other gets it, be it on the same
    /// stream, or the same on another stream.
    #[test]
    fn a_verdict_that_waits_is_for_its_own_request_only() {
        let answers = Answers::new(&MisdirectedContent::default(), HeaderValue::from_static("GET"));
        let decisions =
            Decisions::new(OneName::default(), RefusalLimit::new(None), answers.into(), true);
        let target = RequestTarget::https(NAME);
        let others = [
            RequestTarget::https(b"b.test"),
            RequestTarget { authority: None, ..target },
            RequestTarget { host: HostField::One(NAME), ..target },
            RequestTarget { scheme: Some(b"http"), ..target },
            RequestTarget { scheme: None, ..target },
            RequestTarget { method: coalesce_core::MethodKind::ExtendedConnect, ..target },
        ];
        let decided = |stream_id, target| {
            let before = decisions.state().decide.decided.get();
            let _ = decisions.verdict(stream_id, target);
            decisions.state().decide.decided.get() - before
        };
        for (stream_id, other) in (1..).step_by(6).zip(&others) {
            assert!(!decisions.share().refuses(stream_id, &target));
            assert_eq!(decided(stream_id, other), 1, "{other:?}");

            assert!(!decisions.share().refuses(stream_id + 4, &target));
            assert_eq!(decided(stream_id + 2, &target), 1, "before its turn");
            assert_eq!(decided(stream_id + 4, &target), 0);
        }
        assert_eq!(format!("{decisions:?}"), "Decisions { .. }");
    }
}
