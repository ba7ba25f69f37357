//! Stores of resumable sessions: the memory and tickets of one group under one policy.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use coalesce_core::GroupId;
use rustls::crypto::SecureRandom;
use rustls::server::{ProducesTickets, ServerSessionMemoryCache, StoresServerSessions};
use rustls_pki_types::CertificateDer;

use crate::limits::SESSIONS_PER_GROUP;
use crate::policy::TlsPolicy;

/// A factory of the producer of a group's session tickets.
///
/// `Arc::new(rustls::crypto::ring::Ticketer::new)` makes producers with random keys. A closure can
/// capture a key or a producer, and return a producer that uses it. Tickets of another process are
/// refused even then, because each [`SessionStores`] chooses random epochs for its tickets.
///
/// # Examples
/// ```
/// use std::sync::Arc;
///
/// use coalesce_tls::TicketerFactory;
///
/// let factory: TicketerFactory = Arc::new(rustls::crypto::ring::Ticketer::new);
/// let ticketer = factory().unwrap();
/// assert!(ticketer.enabled());
/// ```
pub type TicketerFactory =
    Arc<dyn Fn() -> Result<Arc<dyn ProducesTickets>, rustls::Error> + Send + Sync>;

/// A random mark of one policy and one certificate. It is the prefix of every session in memory,
/// and of the encrypted content of every ticket.
type Epoch = [u8; 16];

/// The session stores of several tables, one after another.
///
/// A table that is built with the stores of an earlier table resumes a session of that table if the
/// group, its whole [`TlsPolicy`] and the certificate are the same. Otherwise the client makes a
/// full handshake. If you tighten the rules of a group (another CA, a longer revocation list, a
/// higher version), its sessions therefore end with the next handshake, and other groups keep
/// theirs.
///
/// Cloning returns another handle to the same stores.
///
/// # Security
/// rustls does not run the client verifier again when a session is resumed. A session must
/// therefore never be resumed under another verifier (CVE-2014-3616, CVE-2025-23419 and similar).
/// The epochs separate sessions even if a [`TicketerFactory`] uses one key for all groups. rustls
/// compares the server name in addition.
///
/// # Examples
/// ```
/// use std::sync::Arc;
///
/// use coalesce_tls::{HandshakeTable, HandshakeTableBuilder, HandshakeTableError, SessionStores};
///
/// /// Makes a new table. Clients can still resume their sessions.
/// fn reload(sessions: &SessionStores) -> Result<HandshakeTable, HandshakeTableError> {
///     let provider = Arc::new(rustls::crypto::ring::default_provider());
///     let mut builder = HandshakeTableBuilder::new(provider);
///     builder.sessions(sessions);
///     // Groups, certificates and names come here.
///     builder.build()
/// }
/// # let sessions = SessionStores::new();
/// # reload(&sessions).unwrap();
/// ```
#[derive(Clone, Default)]
pub struct SessionStores {
    groups: Arc<Mutex<Vec<Known>>>,
}

/// A group under one policy, and its stores, which exist while a table uses them.
struct Known {
    id: GroupId,
    policy: TlsPolicy,
    sessions: Weak<GroupSessions>,
}

impl SessionStores {
    /// Makes empty stores.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the stores of a group under this policy: the ones that a table uses, or new ones.
    pub(crate) fn for_group(
        &self,
        id: GroupId,
        policy: &TlsPolicy,
        ticketer: Option<&TicketerFactory>,
    ) -> Result<Arc<GroupSessions>, rustls::Error> {
        // A poisoned lock is safe to use: no panic can leave the list half changed.
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.retain(|known| known.sessions.strong_count() > 0);
        let same = |known: &&Known| known.id == id && known.policy == *policy;
        if let Some(sessions) = groups.iter().find(same).and_then(|known| known.sessions.upgrade())
        {
            sessions.forget_replaced();
            return Ok(sessions);
        }
        let sessions = Arc::new(GroupSessions::new(ticketer)?);
        let policy = policy.clone();
        groups.push(Known { id, policy, sessions: Arc::downgrade(&sessions) });
        Ok(sessions)
    }
}

impl fmt::Debug for SessionStores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionStores").finish_non_exhaustive()
    }
}

/// The stores of one group under one policy.
pub(crate) struct GroupSessions {
    memory: Arc<dyn StoresServerSessions>,
    tickets: Option<Arc<dyn ProducesTickets>>,
    /// The epochs of certificates, by the end-entity certificate in DER.
    epochs: Mutex<BTreeMap<Vec<u8>, Weak<Epoch>>>,
}

impl GroupSessions {
    fn new(ticketer: Option<&TicketerFactory>) -> Result<Self, rustls::Error> {
        let tickets = ticketer.map(|factory| factory()).transpose()?;
        let memory = ServerSessionMemoryCache::new(SESSIONS_PER_GROUP);
        Ok(Self { memory, tickets, epochs: Mutex::default() })
    }

    /// Removes the epochs of certificates that tables no longer present.
    fn forget_replaced(&self) {
        let mut epochs = self.epochs.lock().unwrap_or_else(PoisonError::into_inner);
        epochs.retain(|_, epoch| epoch.strong_count() > 0);
    }

    /// Returns the stores for sessions that began with this certificate. A resumed connection has
    /// the facts of its first handshake, so it must have the same certificate.
    pub(crate) fn for_certificate(
        self: &Arc<Self>,
        certificate: &CertificateDer<'static>,
        random: &dyn SecureRandom,
    ) -> Result<CertificateSessions, rustls::Error> {
        let mut epochs = self.epochs.lock().unwrap_or_else(PoisonError::into_inner);
        let known = epochs.get(certificate.as_ref()).and_then(Weak::upgrade);
        let epoch = if let Some(known) = known {
            known
        } else {
            let mut drawn = Epoch::default();
            random.fill(&mut drawn)?;
            let drawn = Arc::new(drawn);
            epochs.insert(certificate.to_vec(), Arc::downgrade(&drawn));
            drawn
        };
        Ok(CertificateSessions { group: self.clone(), epoch })
    }
}

impl fmt::Debug for GroupSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupSessions").finish_non_exhaustive()
    }
}

/// The stores of one group, policy and certificate. Sessions with another epoch are refused.
#[derive(Clone)]
pub(crate) struct CertificateSessions {
    group: Arc<GroupSessions>,
    epoch: Arc<Epoch>,
}

impl CertificateSessions {
    pub(crate) fn memory(&self) -> Arc<dyn StoresServerSessions> {
        Arc::new(self.clone())
    }

    pub(crate) fn tickets(&self) -> Option<Arc<dyn ProducesTickets>> {
        let inner = self.group.tickets.clone()?;
        Some(Arc::new(Tickets { inner, sessions: self.clone() }))
    }

    fn mark(&self, session: &[u8]) -> Vec<u8> {
        [self.epoch.as_slice(), session].concat()
    }

    /// Returns the session in `marked` if it has this epoch. The comparison need not be
    /// constant-time, because the mark is authenticated together with the rest of the ticket.
    fn unmark(&self, marked: &[u8]) -> Option<Vec<u8>> {
        marked.strip_prefix(self.epoch.as_slice()).map(<[u8]>::to_vec)
    }
}

impl StoresServerSessions for CertificateSessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.group.memory.put(key, self.mark(&value))
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.unmark(&self.group.memory.get(key)?)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.unmark(&self.group.memory.take(key)?)
    }

    fn can_cache(&self) -> bool {
        self.group.memory.can_cache()
    }
}

impl fmt::Debug for CertificateSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateSessions").finish_non_exhaustive()
    }
}

/// Session tickets whose content carries the epoch.
#[derive(Debug)]
struct Tickets {
    inner: Arc<dyn ProducesTickets>,
    sessions: CertificateSessions,
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        self.inner.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.inner.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.inner.encrypt(&self.sessions.mark(plain))
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.sessions.unmark(&self.inner.decrypt(cipher)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::OnceLock;

    use rustls::crypto::ring;

    use crate::policy::TlsVersion;

    /// Returns one ticket key for all groups, so that the tests do not depend on different keys.
    fn shared() -> Result<Arc<dyn ProducesTickets>, rustls::Error> {
        static TICKETER: OnceLock<Result<Arc<dyn ProducesTickets>, rustls::Error>> =
            OnceLock::new();
        TICKETER.get_or_init(ring::Ticketer::new).clone()
    }

    fn sessions(
        sessions: &SessionStores,
        group: u32,
        policy: &TlsPolicy,
        certificate: &[u8],
    ) -> CertificateSessions {
        let random = ring::default_provider().secure_random;
        let certificate = CertificateDer::from(certificate.to_vec());
        let group = sessions
            .for_group(GroupId::new(group), policy, Some(&(Arc::new(shared) as TicketerFactory)))
            .unwrap();
        group.for_certificate(&certificate, random).unwrap()
    }

    #[test]
    fn ticket_opens_only_under_its_group_policy_and_certificate() {
        let all = SessionStores::new();
        let policy = TlsPolicy::default();
        let strict = TlsPolicy { minimum_version: TlsVersion::Tls13, ..TlsPolicy::default() };
        let own = sessions(&all, 1, &policy, b"a");
        let tickets = own.tickets().unwrap();
        let ticket = tickets.encrypt(b"session").unwrap();
        assert!(own.memory().put(b"key".to_vec(), b"session".to_vec()));
        let cases = [
            ("the same in a later table", sessions(&all, 1, &policy, b"a"), true),
            ("another group", sessions(&all, 2, &policy, b"a"), false),
            ("another policy", sessions(&all, 1, &strict, b"a"), false),
            ("another certificate", sessions(&all, 1, &policy, b"b"), false),
            ("other sessions", sessions(&SessionStores::new(), 1, &policy, b"a"), false),
        ];
        for (what, other, opens) in cases {
            let found = other.tickets().unwrap().decrypt(&ticket);
            assert_eq!(found.as_deref(), opens.then_some(&b"session"[..]), "{what}");
            assert_eq!(other.memory().get(b"key").is_some(), opens, "{what}");
        }
        for bare in [&b"session"[..], b""] {
            let unmarked = shared().unwrap().encrypt(bare).unwrap();
            assert_eq!(tickets.decrypt(&unmarked), None, "no mark at all");
        }
        assert_eq!(tickets.decrypt(b"junk"), None);
        let inner = shared().unwrap();
        assert_eq!((tickets.enabled(), tickets.lifetime()), (inner.enabled(), inner.lifetime()));
        assert!(own.memory().take(b"key").is_some());
        assert!(own.memory().get(b"key").is_none());
    }

    #[test]
    fn stores_without_a_table_are_forgotten() {
        let all = SessionStores::new();
        let policy = TlsPolicy::default();
        let ticket = {
            let own = sessions(&all, 1, &policy, b"a");
            own.tickets().unwrap().encrypt(b"session").unwrap()
        };
        let again = sessions(&all, 1, &policy, b"a");
        assert_eq!(again.tickets().unwrap().decrypt(&ticket), None);
        // Epochs of replaced certificates do not accumulate either.
        for number in 0..10_u8 {
            sessions(&all, 1, &policy, &[number]);
        }
        assert!(again.group.epochs.lock().unwrap().len() <= 2);
        assert_eq!(all.groups.lock().unwrap().len(), 1);
    }
}
