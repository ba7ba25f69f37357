//! The origin sets of connections (RFC 8336), made once for all connections with equal sets.

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

/// The inputs of a set besides the tables.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    place: Place,
    listener: Option<ListenerId>,
    /// The checksum of the certificate's names.
    presented: u64,
}

/// A set, and the facts of one connection that has it.
#[derive(Debug)]
struct Made {
    facts: HandshakeFacts,
    /// The set; `None` if the connection announces none.
    origins: Option<OriginSet>,
}

impl OriginSets {
    /// Returns the origin set of a connection with these facts: always if `always`, otherwise only
    /// if it is complete.
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
        // Made outside of the map's lock. Other connections that need the same set wait for this
        // one.
        let made = made.get_or_init(|| Made { facts: facts.clone(), origins: shared() });
        let same = made.facts.presented().identifiers().as_bytes() == presented.as_bytes();
        let origins = if same { made.origins.clone() } else { shared() };
        match origins {
            Some(origins) => origins.with_server_name(&tables.authorities, &connection),
            None => OriginSet::default(),
        }
    }

    fn made(&self, key: Key) -> Arc<OnceLock<Made>> {
        // The map is consistent at any moment, even after a panic.
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.entry(key).or_default().clone()
    }
}
