//! The facts of a connection that a request might use.

use alloc::sync::Arc;
use core::net::SocketAddr;
use core::time::Duration;

use coalesce_core::{Host, HostBuf, IdentifierSet, Origin, OriginBuf};

use crate::key::PoolKey;
use crate::limits::{
    REFUSED_PER_CONNECTION_MAX, STREAMS_BEFORE_SETTINGS, VERIFICATIONS_PER_CONNECTION_MAX,
};
use crate::memory::{LeafDigest, ServerIdentity};
use crate::origin_set::{OriginFrame, OriginSet};
use crate::sorted::SortedMap;

/// The protocol of a connection.
///
/// # Examples
/// ```
/// use coalesce_pool::Protocol;
///
/// assert_ne!(Protocol::Http1, Protocol::Http2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// HTTP/1.1: one request at a time.
    Http1,
    /// HTTP/2, over TLS or in cleartext.
    Http2,
}

/// Whether the verifier of a TLS configuration can be run a second time, for another host.
///
/// # Examples
/// ```
/// use coalesce_pool::VerifierKind;
///
/// assert_eq!(VerifierKind::default(), VerifierKind::Rerunnable);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VerifierKind {
    /// The result depends on the chain, the host and the time alone.
    #[default]
    Rerunnable,
    /// The verifier has other effects, or the client does not know.
    Opaque,
}

/// The end of the handshake.
///
/// # Examples
/// ```
/// use coalesce_pool::HandshakeCheck;
///
/// assert_eq!(HandshakeCheck::default(), HandshakeCheck::Verified);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HandshakeCheck {
    /// The verifier accepted the certificate.
    #[default]
    Verified,
    /// The user overrode an error, or switched verification off.
    ErrorOverridden,
}

/// The facts of a TLS handshake, which do not change during a connection.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use coalesce_core::{IdentifierSet, PresentedIdentifier};
/// use coalesce_pool::{LeafDigest, TlsFacts};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let names = IdentifierSet::build([PresentedIdentifier::parse_dns(b"*.example.test")?])?;
/// let expires_at = Duration::from_secs(3600);
/// let facts = TlsFacts::new(Arc::new(names), LeafDigest::new([7; 32]), expires_at);
/// assert!(!facts.client_certificate_sent);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TlsFacts {
    /// The names in the certificate.
    pub identifiers: Arc<IdentifierSet>,
    /// The digest of the certificate.
    pub leaf: LeafDigest,
    /// The earliest end of validity in the chain, on the clock of the pool. A chain that expired
    /// before the pool started has zero.
    pub expires_at: Duration,
    /// Whether the verifier can be run again.
    pub verifier: VerifierKind,
    /// The end of the handshake.
    pub check: HandshakeCheck,
    /// Whether a client certificate was sent.
    pub client_certificate_sent: bool,
    /// Whether the handshake gave further evidence of the certificate, for example a stapled OCSP
    /// response (RFC 8336 §4).
    pub evidence: bool,
}

impl TlsFacts {
    /// Makes the facts of a verified handshake without client certificate and further evidence.
    pub fn new(identifiers: Arc<IdentifierSet>, leaf: LeafDigest, expires_at: Duration) -> Self {
        Self {
            identifiers,
            leaf,
            expires_at,
            verifier: VerifierKind::default(),
            check: HandshakeCheck::default(),
            client_certificate_sent: false,
            evidence: false,
        }
    }
}

/// The facts of a connection, which do not change.
///
/// # Examples
/// ```
/// use coalesce_pool::{ConnectionFacts, PoolKey, Protocol};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = PoolKey::new("http://a.test".parse()?);
/// let facts = ConnectionFacts::new(key, "192.0.2.10:80".parse()?, Protocol::Http2);
/// assert!(facts.tls.is_none());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectionFacts {
    /// What the connection was made for.
    pub key: PoolKey,
    /// The address and port that the socket is connected to: the real ones, or those of the proxy.
    pub peer: SocketAddr,
    /// The protocol.
    pub protocol: Protocol,
    /// The handshake. `None` in cleartext.
    pub tls: Option<TlsFacts>,
}

impl ConnectionFacts {
    /// Makes the facts of a cleartext connection. Set `tls` for others.
    pub const fn new(key: PoolKey, peer: SocketAddr, protocol: Protocol) -> Self {
        Self { key, peer, protocol, tls: None }
    }

    /// Returns the identity under which a refusal of this server is remembered.
    pub fn server_identity(&self) -> ServerIdentity {
        ServerIdentity::new(self.tls.as_ref().map(|tls| tls.leaf), self.peer)
    }
}

/// The result of the verifier, run again on the chain of a connection for another host.
///
/// # Examples
/// ```
/// use coalesce_pool::Verification;
///
/// assert_ne!(Verification::Accepted, Verification::Rejected);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verification {
    /// Every check that a new connection to the host would make has passed.
    Accepted,
    /// The chain is not valid for the host.
    Rejected,
    /// The chain is valid, but the host is pinned to other certificates.
    PinMismatch,
    /// The chain is valid, but a required proof of transparency is missing.
    TransparencyMissing,
}

/// The state of a connection after its handshake.
///
/// # Examples
/// ```
/// use coalesce_pool::ConnectionState;
///
/// assert_eq!(ConnectionState::default(), ConnectionState::Open);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionState {
    /// The connection takes requests.
    #[default]
    Open,
    /// GOAWAY was received, or the pool is about to close the connection.
    Draining,
    /// The connection has ended.
    Closed,
}

/// The changing part of a connection: streams, SETTINGS, origin set and refusals.
///
/// # Examples
/// ```
/// use coalesce_core::Origin;
/// use coalesce_pool::ConnectionStatus;
///
/// # fn main() -> Result<(), coalesce_core::OriginError> {
/// let origin = Origin::parse(b"https://a.test")?;
/// let mut status = ConnectionStatus::default();
/// assert_eq!(status.room(), 100);
/// status.refuse(&origin);
/// assert!(status.has_refused(&origin));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact that no other implies")]
pub struct ConnectionStatus {
    /// The state.
    pub state: ConnectionState,
    /// The most streams that may be open: the lower one of the client's limit and the server's.
    pub streams_max: u32,
    /// The open streams.
    pub streams_active: u32,
    /// The requests answered so far with another status than 421.
    pub requests_served: u64,
    /// Whether the server's SETTINGS have arrived.
    pub settings_received: bool,
    /// Whether the server's SETTINGS allow extended `CONNECT` (RFC 8441 §3).
    pub extended_connect: bool,
    /// Whether the connection is used for its own origin alone: it was made after a 421, or for a
    /// request with [`Coalescing::Off`](crate::Coalescing::Off).
    pub alone: bool,
    /// Whether the connection has carried a request of another origin.
    pub shared: bool,
    origin_set: OriginSet,
    refused: SortedMap<OriginBuf, ()>,
    verifications: SortedMap<HostBuf, Verification>,
}

impl Default for ConnectionStatus {
    fn default() -> Self {
        Self {
            state: ConnectionState::default(),
            streams_max: STREAMS_BEFORE_SETTINGS,
            streams_active: 0,
            requests_served: 0,
            settings_received: false,
            extended_connect: false,
            alone: false,
            shared: false,
            origin_set: OriginSet::default(),
            refused: SortedMap::default(),
            verifications: SortedMap::default(),
        }
    }
}

impl ConnectionStatus {
    /// Makes the status of a fresh connection whose origin set holds at most `origins_max` origins.
    pub fn with_origins_max(origins_max: usize) -> Self {
        Self { origin_set: OriginSet::with_origins_max(origins_max), ..Self::default() }
    }

    /// Returns the number of streams that can still be opened.
    pub const fn room(&self) -> u32 {
        self.streams_max.saturating_sub(self.streams_active)
    }

    /// Returns the origin set.
    pub const fn origin_set(&self) -> &OriginSet {
        &self.origin_set
    }

    /// Receives an ORIGIN frame. In cleartext, on HTTP/1.1 and through a proxy it is ignored
    /// (RFC 8336 §2.2).
    pub fn receive_origin(&mut self, facts: &ConnectionFacts, frame: &OriginFrame<'_>) {
        if facts.tls.is_some() && facts.protocol == Protocol::Http2 && facts.key.proxy.is_none() {
            self.origin_set.receive(&facts.key.origin.as_origin(), frame);
        }
    }

    /// Notes that an ORIGIN frame was lost: the connection serves its own origin alone.
    pub const fn lose_origins(&mut self) {
        self.origin_set.overflow();
    }

    /// Notes that the connection answered 421 for the origin, and takes the origin out of the set
    /// (RFC 8336 §2.3). If more than [`REFUSED_PER_CONNECTION_MAX`] origins are refused, the
    /// connection serves its own origin alone.
    pub fn refuse(&mut self, origin: &Origin<'_>) {
        self.origin_set.remove(origin);
        if self.refused.len() >= REFUSED_PER_CONNECTION_MAX && !self.has_refused(origin) {
            self.alone = true;
        } else {
            self.refused.insert(origin.to_buf(), ());
        }
    }

    /// Takes an origin out of the origin set, without a note that the connection refuses it.
    pub(crate) fn withdraw(&mut self, origin: &Origin<'_>) {
        self.origin_set.remove(origin);
    }

    /// Returns whether the connection answered 421 for the origin.
    ///
    /// # Allocation
    /// None.
    pub fn has_refused(&self, origin: &Origin<'_>) -> bool {
        self.refused.find_by(|known| known.as_origin().cmp(origin)).is_some()
    }

    /// Remembers a result of the verifier for this connection.
    pub fn verified(&mut self, host: &Host<'_>, verification: Verification) {
        if self.verifications.len() >= VERIFICATIONS_PER_CONNECTION_MAX {
            self.verifications.clear();
        }
        self.verifications.insert(host.to_buf(), verification);
    }

    /// Returns the result of the verifier for a host, if it has run.
    ///
    /// # Allocation
    /// None.
    pub fn verification(&self, host: &Host<'_>) -> Option<Verification> {
        self.verifications.find_by(|known| known.as_host().cmp(host)).copied()
    }
}

/// A connection that a request might use, or an attempt to make one.
///
/// # Examples
/// ```
/// use coalesce_pool::{Candidate, ConnectionFacts, ConnectionStatus, PoolKey, Protocol};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = PoolKey::new("http://a.test".parse()?);
/// let attempt = Candidate::connecting(&key);
/// let facts = ConnectionFacts::new(key.clone(), "192.0.2.10:80".parse()?, Protocol::Http2);
/// let status = ConnectionStatus::default();
/// let connection = Candidate::connected(&facts, &status);
/// assert_eq!(attempt.key(), connection.key());
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    key: &'a PoolKey,
    connected: Option<(&'a ConnectionFacts, &'a ConnectionStatus)>,
}

impl<'a> Candidate<'a> {
    /// Makes a candidate of an attempt that has no connection yet.
    pub const fn connecting(key: &'a PoolKey) -> Self {
        Self { key, connected: None }
    }

    /// Makes a candidate of a connection.
    pub const fn connected(facts: &'a ConnectionFacts, status: &'a ConnectionStatus) -> Self {
        Self { key: &facts.key, connected: Some((facts, status)) }
    }

    /// Returns what the connection was made for.
    pub const fn key(&self) -> &'a PoolKey {
        self.key
    }

    /// Returns the connection. `None` for an attempt.
    pub const fn connection(&self) -> Option<(&'a ConnectionFacts, &'a ConnectionStatus)> {
        self.connected
    }
}
