//! The choice among several candidates.

use alloc::vec::Vec;

use crate::candidate::{Candidate, ConnectionState, ConnectionStatus};
use crate::judge::{Eligibility, Inquiry, judge};
use crate::refusal::{Grounds, Refusal};

/// The next step for a request, with `I` as the caller's name of a candidate.
///
/// # Examples
/// ```
/// use coalesce_pool::{Choice, Grounds};
///
/// let choice = Choice::Reuse { candidate: 7, grounds: Grounds::Covered };
/// assert!(matches!(choice, Choice::Reuse { candidate: 7, .. }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Choice<I> {
    /// Send the request on this connection.
    Reuse {
        /// The connection.
        candidate: I,
        /// The reason why it may carry the request.
        grounds: Grounds,
    },
    /// Run the verifier on the chain of this connection for the host, and choose again.
    Verify {
        /// The connection.
        candidate: I,
    },
    /// Resolve the host, and choose again. This connection may carry the request if the host has
    /// its address.
    Resolve {
        /// The connection.
        candidate: I,
    },
    /// Wait for this candidate, which was made for the origin.
    Wait {
        /// The candidate.
        candidate: I,
        /// [`Refusal::Connecting`] or [`Refusal::Full`].
        refusal: Refusal,
    },
    /// Make a connection for the origin.
    Connect {
        /// The reason of the first candidate. `None` if there is no candidate.
        refusal: Option<Refusal>,
    },
}

/// Chooses among candidates, the oldest first, and shows each result of [`judge`] to `observe`.
///
/// Among several that may carry the request:
///
/// 1. not one whose origin set is a proper subset of another's (RFC 8336 §2.4),
/// 2. one that was made for the origin,
/// 3. the most loaded, so that the others become idle and close,
/// 4. the one with more room,
/// 5. the youngest.
///
/// If none may, the request waits for a candidate of the same origin that is being made, or for a
/// stream of one if there are as many as the policy allows. Otherwise it needs a connection.
///
/// # Allocation
/// None, unless more than one candidate with an origin set may carry the request: then a list of
/// those.
///
/// # Complexity
/// Linear in the candidates. Those with origin sets are compared with each other.
///
/// # Examples
/// ```
/// use core::time::Duration;
///
/// use coalesce_pool::{
///     Candidate, Choice, Inquiry, PoolKey, Refusal, RefusalMemory, RequestFacts, choose,
/// };
///
/// # fn main() -> Result<(), coalesce_core::OriginError> {
/// let key = PoolKey::new("https://a.example.test".parse()?);
/// let (request, memory) = (RequestFacts::new(key.clone()), RefusalMemory::default());
/// let inquiry = Inquiry::new(&request, None, &memory, Duration::ZERO);
/// let none: [(u8, Candidate<'_>); 0] = [];
/// assert_eq!(choose(none, &inquiry, |_, _| {}), Choice::Connect { refusal: None });
/// let attempt = [(1, Candidate::connecting(&key))];
/// let refusal = Refusal::Connecting;
/// assert_eq!(choose(attempt, &inquiry, |_, _| {}), Choice::Wait { candidate: 1, refusal });
/// # Ok(()) }
/// ```
pub fn choose<'a, I: Copy>(
    candidates: impl IntoIterator<Item = (I, Candidate<'a>)>,
    inquiry: &Inquiry<'_>,
    mut observe: impl FnMut(I, Eligibility),
) -> Choice<I> {
    let (mut usable, mut own, mut first) = (Preferred::default(), Own::default(), None);
    for (place, (id, candidate)) in candidates.into_iter().enumerate() {
        let result = judge(&candidate, inquiry);
        observe(id, result);
        own.count(id, &candidate, inquiry, result);
        match result {
            Eligibility::Refused(refusal) => first = first.or(Some(refusal)),
            result => usable.add(Usable { id, place, candidate, result }),
        }
    }
    if let Some(best) = usable.best() {
        let candidate = best.id;
        return match best.result {
            Eligibility::Eligible(grounds) => Choice::Reuse { candidate, grounds },
            Eligibility::Unverified => Choice::Verify { candidate },
            _ => Choice::Resolve { candidate },
        };
    }
    if let Some(candidate) = own.connecting {
        return Choice::Wait { candidate, refusal: Refusal::Connecting };
    }
    let most = inquiry.request.policy.connections_per_origin;
    match own.full {
        Some(candidate) if most != 0 && own.number >= most => {
            Choice::Wait { candidate, refusal: Refusal::Full }
        }
        _ => Choice::Connect { refusal: first },
    }
}

/// The candidates that were made for the origin of the request.
struct Own<I> {
    number: u32,
    connecting: Option<I>,
    full: Option<I>,
}

impl<I> Default for Own<I> {
    fn default() -> Self {
        Self { number: 0, connecting: None, full: None }
    }
}

impl<I> Own<I> {
    fn count(
        &mut self,
        id: I,
        candidate: &Candidate<'_>,
        inquiry: &Inquiry<'_>,
        result: Eligibility,
    ) {
        let open = candidate.connection().is_none_or(|(_, it)| it.state == ConnectionState::Open);
        if *candidate.key() != inquiry.request.key || !open {
            return;
        }
        self.number = self.number.saturating_add(1);
        let place = match result {
            Eligibility::Refused(Refusal::Connecting) => &mut self.connecting,
            Eligibility::Refused(Refusal::Full) => &mut self.full,
            _ => return,
        };
        place.get_or_insert(id);
    }
}

/// A candidate that may carry the request, perhaps after one more check.
#[derive(Clone, Copy)]
struct Usable<'a, I> {
    id: I,
    /// Its place among the candidates: a higher one is younger.
    place: usize,
    candidate: Candidate<'a>,
    result: Eligibility,
}

impl<I> Usable<'_, I> {
    /// Returns how much is known: a lower value needs more checks.
    const fn certainty(&self) -> u8 {
        match self.result {
            Eligibility::Eligible(_) => 2,
            Eligibility::Unverified => 1,
            _ => 0,
        }
    }

    /// Returns the parts of the preference, the most important first.
    fn preference(&self) -> (bool, u32, u32, usize) {
        let own = self.result == Eligibility::Eligible(Grounds::SameOrigin);
        let status = self.candidate.connection().map(|(_, status)| status);
        let load = status.map_or(0, |status| status.streams_active);
        (own, load, status.map_or(0, ConnectionStatus::room), self.place)
    }

    fn is_covered_by(&self, other: &Self) -> bool {
        match (self.candidate.connection(), other.candidate.connection()) {
            (Some((_, one)), Some((_, all))) => one.origin_set().is_proper_subset(all.origin_set()),
            _ => false,
        }
    }
}

/// The usable candidates of the highest certainty so far, as far as one of them may be the best.
struct Preferred<'a, I> {
    certainty: u8,
    /// The preferred one of those without an origin set: no set covers them.
    without_set: Option<Usable<'a, I>>,
    first_with_set: Option<Usable<'a, I>>,
    others_with_set: Vec<Usable<'a, I>>,
}

impl<I> Default for Preferred<'_, I> {
    fn default() -> Self {
        Self { certainty: 0, without_set: None, first_with_set: None, others_with_set: Vec::new() }
    }
}

impl<'a, I: Copy> Preferred<'a, I> {
    fn add(&mut self, usable: Usable<'a, I>) {
        let certainty = usable.certainty();
        if certainty < self.certainty {
            return;
        }
        if certainty > self.certainty {
            self.certainty = certainty;
            (self.without_set, self.first_with_set) = (None, None);
            self.others_with_set.clear();
        }
        let with_set = |(_, status): (_, &ConnectionStatus)| status.origin_set().is_initialised();
        if usable.candidate.connection().is_some_and(with_set) {
            if self.first_with_set.is_none() {
                self.first_with_set = Some(usable);
            } else {
                self.others_with_set.push(usable);
            }
        } else if self.without_set.is_none_or(|best| best.preference() < usable.preference()) {
            self.without_set = Some(usable);
        }
    }

    fn best(&self) -> Option<Usable<'a, I>> {
        let with_set = || self.first_with_set.iter().chain(&self.others_with_set);
        let mut best = self.without_set;
        for one in with_set() {
            let preferred = best.is_none_or(|best| best.preference() < one.preference());
            if preferred && !with_set().any(|other| one.is_covered_by(other)) {
                best = Some(*one);
            }
        }
        best
    }
}
