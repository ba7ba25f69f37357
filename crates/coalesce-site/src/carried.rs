//! The state that a site carries from one snapshot to the next.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use coalesce_core::ListenerId;
use coalesce_tls::{SessionStores, TlsPolicy};

/// The state that a site carries from snapshot to snapshot, so that a connection made under one can
/// be judged under the next. Sites with different values know nothing of each other's connections.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    /// The stores from which sessions are resumed.
    pub(crate) sessions: SessionStores,
    policies: Mutex<Vec<Weak<TlsPolicy>>>,
    /// The listeners, by the number of their ids.
    listeners: Mutex<Vec<KnownListener>>,
}

/// A listener of this or an earlier snapshot. Its id never changes.
#[derive(Clone, Debug)]
pub(crate) struct KnownListener {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    /// True if it shares its address. A listener that starts to share an address becomes another
    /// listener, because earlier connections did not choose it by a hostname.
    pub(crate) shared: bool,
    /// The ports of its sockets.
    pub(crate) bound: BTreeSet<u16>,
}

impl Carried {
    /// Returns the policy in use that equals `policy`, or `policy` itself, so that comparing two
    /// pointers compares two policies.
    pub(crate) fn policy(&self, policy: TlsPolicy) -> Arc<TlsPolicy> {
        let mut known = lock(&self.policies);
        known.retain(|known| known.strong_count() > 0);
        if let Some(same) = known.iter().filter_map(Weak::upgrade).find(|same| **same == policy) {
            return same;
        }
        let policy = Arc::new(policy);
        known.push(Arc::downgrade(&policy));
        policy
    }

    /// Returns the id of a listener, which is the same in every snapshot.
    pub(crate) fn listener(&self, name: &str, address: SocketAddr, shared: bool) -> ListenerId {
        let mut known = lock(&self.listeners);
        let same = |one: &KnownListener| {
            one.name == name && one.address == address && one.shared == shared
        };
        let number = known.iter().position(same).unwrap_or_else(|| {
            let (name, bound) = (name.to_owned(), BTreeSet::new());
            known.push(KnownListener { name, address, shared, bound });
            known.len().saturating_sub(1)
        });
        listener_id(number)
    }

    /// Returns all listeners, by the number of their ids.
    pub(crate) fn listeners(&self) -> Vec<KnownListener> {
        lock(&self.listeners).clone()
    }

    /// Records a port that these listeners are bound to.
    pub(crate) fn bound(&self, ids: impl IntoIterator<Item = ListenerId>, port: u16) {
        let mut known = lock(&self.listeners);
        for id in ids {
            let number = usize::try_from(id.get()).ok();
            if let Some(listener) = number.and_then(|number| known.get_mut(number)) {
                listener.bound.insert(port);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code panics under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns a listener's number as its id.
pub(crate) fn listener_id(number: usize) -> ListenerId {
    // A process does not live long enough to see 2^32 listeners.
    ListenerId::new(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_policies_are_the_same_and_listeners_keep_their_ids() {
        let carried = Carried::default();
        let policy = carried.policy(TlsPolicy::default());
        assert!(Arc::ptr_eq(&policy, &carried.policy(TlsPolicy::default())));
        let mut other = TlsPolicy::default();
        other.isolation = Some("x".to_owned());
        assert!(!Arc::ptr_eq(&policy, &carried.policy(other)));
        let address = SocketAddr::from(([127, 0, 0, 1], 443));
        let ids = || {
            [("a", false), ("b", false), ("a", true)]
                .map(|(name, shared)| carried.listener(name, address, shared))
        };
        assert_eq!(ids(), [0, 1, 2].map(ListenerId::new));
        assert_eq!(ids(), [0, 1, 2].map(ListenerId::new));
    }
}
