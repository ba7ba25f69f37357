//! What a site carries from one snapshot to the next.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use coalesce_tls::{SessionStores, TlsPolicy};

/// What a site carries from snapshot to snapshot, so that a connection that was made under one can
/// be judged under the next. Sites that do not share this value know nothing of each other's
/// connections.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    /// The stores that sessions are resumed from.
    pub(crate) sessions: SessionStores,
    policies: Mutex<Vec<Weak<TlsPolicy>>>,
}

impl Carried {
    /// Returns the policy in use that equals `policy`, or `policy` itself, so that comparing two
    /// pointers compares two policies.
    pub(crate) fn policy(&self, policy: TlsPolicy) -> Arc<TlsPolicy> {
        // Nothing panics while the list is locked.
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
