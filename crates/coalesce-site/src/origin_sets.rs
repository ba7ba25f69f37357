//! What connections announce (RFC 8336), made once for all that would announce the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use coalesce_core::ListenerId;
use coalesce_h2::OriginSet;
use coalesce_tls::HandshakeFacts;

use crate::announced;
use crate::tables::{Place, Tables};

/// The origin sets of one snapshot.
#[derive(Debug, Default)]
pub(crate) struct OriginSets {
    made: Mutex<HashMap<Key, Arc<OnceLock<Made>>>>,
}

/// What a set depends on beside the tables.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    place: Place,
    listener: Option<ListenerId>,
    /// The checksum of what the certificate presents.
    presented: u64,
}

/// A set, and the facts of a connection that it was made for.
#[derive(Debug)]
struct Made {
    facts: HandshakeFacts,
    /// `None` if the connection announces nothing.
    origins: Option<OriginSet>,
}

impl OriginSets {
    /// Returns what a connection with these facts announces: its set, `always` or if it is
    /// complete.
    pub(crate) fn for_connection(
        &self,
        tables: &Tables,
        facts: &HandshakeFacts,
        always: bool,
    ) -> OriginSet {
        let connection = tables.connection(facts);
        let unnamed = || connection.clone().with_server_name(None);
        let shared = || {
            let announces = always || announced::is_complete(tables, &connection);
            announces.then(|| OriginSet::new(&tables.authorities, &unnamed()))
        };
        let presented = facts.presented().identifiers();
        let (place, listener) = (tables.place(Some(facts)), facts.listener());
        let made = self.made(Key { place, listener, presented: presented.checksum() });
        // Made outside of the lock; those who want the same wait for it.
        let made = made.get_or_init(|| Made { facts: facts.clone(), origins: shared() });
        let same = made.facts.presented().identifiers().as_bytes() == presented.as_bytes();
        let origins = if same { made.origins.clone() } else { shared() };
        match origins {
            Some(origins) => origins.with_server_name(&tables.authorities, &connection),
            None => OriginSet::default(),
        }
    }

    fn made(&self, key: Key) -> Arc<OnceLock<Made>> {
        // It is whole at any moment.
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.entry(key).or_default().clone()
    }
}
