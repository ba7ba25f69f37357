//! What connections announce (RFC 8336), made once for all that would announce the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use coalesce_core::{ListenerId, ServerConnection};
use coalesce_h2::OriginSet;
use coalesce_tls::HandshakeFacts;

use crate::config::{Place, Site};

/// The origin sets of one snapshot.
#[derive(Debug, Default)]
pub(super) struct OriginSets {
    made: Mutex<HashMap<Key, Arc<OnceLock<Made>>>>,
}

/// What a set depends on beside the site.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    place: Place,
    listener: Option<ListenerId>,
    /// By number, for the ports that it answers for.
    bound: usize,
    /// The checksum of what the certificate presents.
    presented: u64,
}

/// A set, and the facts of a connection that it was made for.
#[derive(Debug)]
struct Made {
    facts: HandshakeFacts,
    origins: OriginSet,
}

impl OriginSets {
    /// What a connection announces that stands at `place` of `site`, and came in by the listener
    /// with this number.
    pub(super) fn of(
        &self,
        site: &Site,
        (place, facts, connection): (Place, &HandshakeFacts, &ServerConnection<'_>),
        bound: usize,
    ) -> OriginSet {
        if !site.announces_origins {
            return OriginSet::default();
        }
        let unnamed = || connection.clone().with_server_name(None);
        let shared = || OriginSet::new(&site.table, &unnamed());
        let presented = facts.presented().identifiers();
        let key = Key { place, listener: facts.listener(), bound, presented: presented.checksum() };
        let made = self.made(key);
        // Made outside of the lock; those who want the same wait for it.
        let made = made.get_or_init(|| Made { facts: facts.clone(), origins: shared() });
        let same = made.facts.presented().identifiers().as_bytes() == presented.as_bytes();
        let origins = if same { made.origins.clone() } else { shared() };
        origins.with_server_name(&site.table, connection)
    }

    fn made(&self, key: Key) -> Arc<OnceLock<Made>> {
        // It is whole at any moment.
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.entry(key).or_default().clone()
    }
}
