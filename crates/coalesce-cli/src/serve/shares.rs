//! A bounded number of places, shared fairly among clients that may keep theirs forever.
//!
//! A client that holds `h` places gets another one only while enough others are free: half of all,
//! but `1 / (h + 1)²` of that half. So greedy clients together leave three eighths of all places to
//! clients without any, and a single client can take half of them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The number of one client connection, which no other has over the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::serve) struct ClientId(u64);

impl ClientId {
    /// Makes the number of the next client connection.
    pub(in crate::serve) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Places that clients share.
#[derive(Clone, Debug)]
pub(in crate::serve) struct Shares(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    total: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    taken: usize,
    /// The places of each client that has any.
    of_clients: HashMap<ClientId, usize>,
}

/// One place, given back when it is dropped.
#[derive(Debug)]
pub(in crate::serve) struct Share {
    places: Arc<Inner>,
    client: ClientId,
    /// True while the place counts as one of the client.
    is_owned: AtomicBool,
}

impl Shares {
    /// Makes this many places.
    pub(in crate::serve) fn new(total: usize) -> Self {
        Self(Arc::new(Inner { total, state: Mutex::default() }))
    }

    /// Takes a place for `client`. Returns `None` if too few are free for a client with as many
    /// places.
    pub(in crate::serve) fn take(&self, client: ClientId) -> Option<Share> {
        let mut state = self.0.lock();
        let free = self.0.total.saturating_sub(state.taken);
        let held = state.of_clients.get(&client).copied().unwrap_or(0);
        if free <= left_to_others(self.0.total, held) {
            return None;
        }
        state.taken += 1;
        state.of_clients.insert(client, held + 1);
        drop(state);
        Some(Share { places: self.0.clone(), client, is_owned: AtomicBool::new(true) })
    }
}

/// Returns how many of `total` places a client that holds `held` leaves to the others.
fn left_to_others(total: usize, held: usize) -> usize {
    let (half, next) = (total / 2, held.saturating_add(1));
    half.saturating_sub(half / next.saturating_mul(next))
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The counts change together, and no code between the changes can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Counts the place as one of its client no longer. It stays taken.
    pub(in crate::serve) fn disown(&self) {
        if !self.is_owned.swap(false, Ordering::Relaxed) {
            return;
        }
        let mut state = self.places.lock();
        if let Entry::Occupied(mut held) = state.of_clients.entry(self.client) {
            *held.get_mut() -= 1;
            if *held.get() == 0 {
                held.remove();
            }
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.disown();
        let mut state = self.places.lock();
        state.taken = state.taken.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes places for `client` as long as there are any for it, and at most `max`.
    fn take_all(shares: &Shares, client: ClientId, max: usize) -> Vec<Share> {
        std::iter::from_fn(|| shares.take(client)).take(max).collect()
    }

    #[test]
    fn greedy_clients_leave_places_for_the_next_one() {
        for clients in [1, 5, 50, 500] {
            let shares = Shares::new(2_000);
            let take = |_| take_all(&shares, ClientId::next(), 250);
            let held: Vec<Vec<Share>> = (0..clients).map(take).collect();
            assert!(held.iter().all(|held| !held.is_empty()), "{clients} clients");
            let next = take_all(&shares, ClientId::next(), 250);
            assert!(!next.is_empty(), "beside {clients} clients");
        }
    }

    #[test]
    fn client_that_is_alone_has_half_of_the_places_until_it_leaves() {
        let shares = Shares::new(1_000);
        let client = ClientId::next();
        for _ in 0..2 {
            let held = take_all(&shares, client, usize::MAX).len();
            assert!((490..=510).contains(&held), "{held}");
        }
        let state = shares.0.lock();
        assert_eq!((state.taken, state.of_clients.len()), (0, 0));
    }

    #[test]
    fn place_that_is_disowned_stays_taken_and_counts_for_no_client() {
        let shares = Shares::new(2);
        let client = ClientId::next();
        let first = shares.take(client).unwrap();
        first.disown();
        let second = shares.take(client).unwrap();
        assert!(shares.take(ClientId::next()).is_none());
        drop((first, second));
        let state = shares.0.lock();
        assert_eq!((state.taken, state.of_clients.len()), (0, 0));
    }

    #[test]
    fn places_never_exceed_the_total() {
        let shares = Shares::new(3);
        let held: Vec<Share> = (0..10).filter_map(|_| shares.take(ClientId::next())).collect();
        assert_eq!(held.len(), 3);
    }
}
