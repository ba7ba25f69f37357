//! The facts of one handshake.

use std::sync::Arc;

use coalesce_core::{
    DnsName, DnsNameBuf, GroupId, HandshakeRules, ListenerId, Ports, ServerConnection,
};

use crate::certificate_id::CertificateId;
use crate::policy::TlsPolicy;
use crate::presented::PresentedNames;

/// The facts of one handshake, fixed for the life of its connection. Cloning is cheap.
///
/// The facts come from the configuration that the handshake used and are never looked up again:
/// the client verified the certificate of that moment, not a later replacement.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use coalesce_core::{ClientCertificates, NamePattern};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // The builder has one group, and one certificate for `*.example.test`.
/// # let (mut builder, group, certificate) = one_certificate()?;
/// builder.server_name(NamePattern::parse(b"a.example.test")?, group, certificate)?;
/// let facts = builder.build()?.choose_by_name(Some("a.example.test"))?.facts;
/// assert_eq!(facts.presented().names(), ["DNS:*.example.test"]);
/// let connection = facts.connection(443);
/// assert_eq!(connection.client_certificates(), ClientCertificates::NotAsked);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct HandshakeFacts {
    facts: Arc<Facts>,
}

#[derive(Debug)]
struct Facts {
    server_name: Option<Arc<DnsNameBuf>>,
    config: ConfigFacts,
}

/// The facts that all handshakes of one configuration share.
#[derive(Clone, Debug)]
pub(crate) struct ConfigFacts {
    pub(crate) group: GroupId,
    pub(crate) policy: Arc<TlsPolicy>,
    pub(crate) certificate: CertificateId,
    pub(crate) presented: Arc<PresentedNames>,
    pub(crate) listener: Option<ListenerId>,
}

impl HandshakeFacts {
    pub(crate) fn new(server_name: Option<DnsName<'_>>, config: ConfigFacts) -> Self {
        let server_name = server_name.map(|name| Arc::new(DnsNameBuf::from(name)));
        Self { facts: Arc::new(Facts { server_name, config }) }
    }

    /// Returns the server name (RFC 6066 §3), if the client sent one and it is a DNS name.
    pub fn server_name(&self) -> Option<DnsName<'_>> {
        self.facts.server_name.as_ref().map(|name| name.as_name())
    }

    /// Returns the coalescing group whose TLS policy the handshake met.
    pub fn group(&self) -> GroupId {
        self.facts.config.group
    }

    /// Returns the TLS policy that the handshake met, even if the group's rules have changed since.
    /// A group of a later table may take over the connection if its policy is equal.
    pub fn policy(&self) -> &Arc<TlsPolicy> {
        &self.facts.config.policy
    }

    /// Returns the listener that accepted the connection, if several share a port.
    pub fn listener(&self) -> Option<ListenerId> {
        self.facts.config.listener
    }

    /// Returns the certificate that the server presented.
    pub fn certificate(&self) -> CertificateId {
        self.facts.config.certificate
    }

    /// Returns the identifiers that this certificate presents.
    pub fn presented(&self) -> &PresentedNames {
        &self.facts.config.presented
    }

    /// Returns the facts in the form that [`decide`](coalesce_core::decide()) uses, for a listener
    /// that answers for `ports`. Make it once for each connection and keep it, because it borrows
    /// nothing.
    ///
    /// Whether the client was asked for a certificate comes from the TLS policy of the handshake,
    /// so you cannot pass a wrong value. If several listeners share a port, add them with
    /// [`ServerConnection::with_shared_listener`], because their set may change during the
    /// connection.
    ///
    /// # Allocation
    /// None.
    pub fn connection(&self, ports: impl Into<Ports<'static>>) -> ServerConnection<'static> {
        let clients = self.policy().client_certificates();
        let presented = self.presented().identifiers().clone();
        ServerConnection::tls(presented, self.group(), clients, ports)
            .with_shared_server_name(self.facts.server_name.clone())
    }
}
