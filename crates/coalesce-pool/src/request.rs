//! The facts of a request, as far as the choice of a connection depends on them.

use alloc::sync::Arc;
use alloc::vec::Vec;

use coalesce_core::HostBuf;

use crate::key::PoolKey;

/// How often the body of a request can be sent.
///
/// # Examples
/// ```
/// use coalesce_pool::RequestBody;
///
/// assert!(RequestBody::Replayable.can_be_sent_again());
/// assert!(!RequestBody::OneShot.can_be_sent_again());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestBody {
    /// There is no body.
    #[default]
    Empty,
    /// The client has kept the body, or can make it again.
    Replayable,
    /// The body is a stream that is gone when it is sent.
    OneShot,
}

impl RequestBody {
    /// Returns whether the request can be sent a second time.
    pub const fn can_be_sent_again(self) -> bool {
        !matches!(self, Self::OneShot)
    }
}

/// The kind of a request.
///
/// # Examples
/// ```
/// use coalesce_pool::RequestKind;
///
/// assert_eq!(RequestKind::default(), RequestKind::Ordinary);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestKind {
    /// Any request that needs nothing special of its connection.
    #[default]
    Ordinary,
    /// An extended `CONNECT` (RFC 8441), which a WebSocket needs on HTTP/2.
    ExtendedConnect,
}

/// Whether addresses must agree if an origin set has the origin (RFC 8336 §2.4).
///
/// # Examples
/// ```
/// use coalesce_pool::DnsPolicy;
///
/// assert_eq!(DnsPolicy::default(), DnsPolicy::Required);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DnsPolicy {
    /// The host must resolve to the connected address. The default.
    #[default]
    Required,
    /// The origin set is enough if the handshake gave further evidence of the certificate, for
    /// example a stapled OCSP response (RFC 8336 §4). A resumed handshake gives none.
    WaivedWithEvidence,
    /// The origin set is enough.
    WaivedByOriginSet,
}

/// Whether a request may use a connection that was made for another origin.
///
/// | choice | connections of other origins | its connections carry other origins |
/// | --- | --- | --- |
/// | `AnyOrigin` | yes | yes |
/// | `Address` | at the same address and port | yes |
/// | `OwnOrigin` | no | yes |
/// | `Off` | no | no |
///
/// # Examples
/// ```
/// use coalesce_pool::Coalescing;
///
/// assert_eq!(Coalescing::default(), Coalescing::AnyOrigin);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Coalescing {
    /// It may, by the rules of [`judge`](crate::judge()). The default.
    #[default]
    AnyOrigin,
    /// It may, if the host has the connected address and port. An origin set allows nothing more:
    /// neither another port nor, under any [`DnsPolicy`], another address. It still forbids.
    Address,
    /// It uses only connections that were made for its origin.
    OwnOrigin,
    /// It uses only connections that were made for its origin and have carried no other, and they
    /// carry no other from then on.
    Off,
}

impl Coalescing {
    /// Returns whether a request may use a connection that was made for another origin.
    pub const fn allows_other_origins(self) -> bool {
        matches!(self, Self::AnyOrigin | Self::Address)
    }
}

/// The user's choices for a request. Requests share one policy, or a host has a policy to itself.
///
/// # Examples
/// ```
/// use coalesce_pool::{DnsPolicy, Policy};
///
/// let mut policy = Policy::default();
/// policy.dns = DnsPolicy::WaivedByOriginSet;
/// assert_eq!(policy.connections_per_origin, 4);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// Whether the request may use connections of other origins, and the reverse.
    pub coalescing: Coalescing,
    /// Whether addresses must agree if an origin set has the origin.
    pub dns: DnsPolicy,
    /// The hosts that may share a connection on which a client certificate was sent. Both the host
    /// of the connection and that of the request must be among them.
    pub client_certificate_hosts: Vec<HostBuf>,
    /// The most connections that are made for one origin if streams run out. 0 means no limit. The
    /// default is [`CONNECTIONS_PER_ORIGIN`](crate::limits::CONNECTIONS_PER_ORIGIN).
    pub connections_per_origin: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            coalescing: Coalescing::default(),
            dns: DnsPolicy::default(),
            client_certificate_hosts: Vec::new(),
            connections_per_origin: crate::limits::CONNECTIONS_PER_ORIGIN,
        }
    }
}

/// The facts of a request.
///
/// # Examples
/// ```
/// use coalesce_pool::{PoolKey, RequestBody, RequestFacts};
///
/// # fn main() -> Result<(), coalesce_core::OriginError> {
/// let mut upload = RequestFacts::new(PoolKey::new("https://a.example.test".parse()?));
/// upload.body = RequestBody::OneShot;
/// assert_eq!(upload.key.origin.to_string(), "https://a.example.test");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RequestFacts {
    /// The origin, and the terms of a connection for it.
    pub key: PoolKey,
    /// How often the body can be sent.
    pub body: RequestBody,
    /// The kind of the request.
    pub kind: RequestKind,
    /// Whether the method is idempotent (RFC 9110 §9.2.2), so that a server may process the request
    /// twice. The default is `false`.
    pub idempotent: bool,
    /// The user's choices.
    pub policy: Arc<Policy>,
}

impl RequestFacts {
    /// Makes the facts of an ordinary request without body under the default policy.
    pub fn new(key: PoolKey) -> Self {
        Self {
            key,
            body: RequestBody::default(),
            kind: RequestKind::default(),
            idempotent: false,
            policy: Arc::default(),
        }
    }
}
