//! What a server carries from one site to the next when it loads its configuration again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use coalesce_core::ListenerId;
use coalesce_tls::{SessionStores, TlsPolicy};

/// What a server carries from site to site, so that a connection that was made under one site can
/// be judged under the next. Sites that do not share this value know nothing of each other's
/// connections.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    /// The stores that sessions are resumed from.
    pub(crate) sessions: SessionStores,
    listeners: Mutex<BTreeMap<String, ListenerId>>,
    policies: Mutex<Vec<Weak<TlsPolicy>>>,
}

impl Carried {
    /// Returns the id of the listener with this name. It is the same in every site.
    pub(crate) fn listener(&self, name: &str) -> ListenerId {
        // Nothing panics while one of these is locked.
        let mut known = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = known.get(name) {
            return *id;
        }
        // A process does not live long enough to see 2^32 names.
        let id = ListenerId::new(u32::try_from(known.len()).unwrap_or(u32::MAX));
        known.insert(name.to_owned(), id);
        id
    }

    /// Returns the policy in use that equals `policy`, or `policy` itself: sites that share this
    /// value share equal policies, so that comparing two pointers compares two policies.
    pub(crate) fn policy(&self, policy: TlsPolicy) -> Arc<TlsPolicy> {
        let mut known = self.policies.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|known| known.strong_count() > 0);
        if let Some(same) = known.iter().filter_map(Weak::upgrade).find(|same| **same == policy) {
            return same;
        }
        let policy = Arc::new(policy);
        known.push(Arc::downgrade(&policy));
        policy
    }
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
        let (a, b) = (carried.listener("a"), carried.listener("b"));
        assert_ne!(a, b);
        assert_eq!((carried.listener("b"), carried.listener("a")), (b, a));
    }
}
