//! The facts of one handshake.

use std::sync::Arc;

use coalesce_core::{DnsName, DnsNameBuf, GroupId, ListenerId, ServerConnection};

use crate::builder::CertificateId;
use crate::policy::TlsPolicy;
use crate::presented::PresentedNames;
use crate::table::Prepared;

/// What a handshake settled, for as long as its connection lives. Cloning it is cheap.
///
/// The facts are those of the configuration that the handshake was made with. They are never looked
/// up again: a certificate that is replaced later was not the one this client verified.
#[derive(Clone, Debug)]
pub struct HandshakeFacts {
    settled: Arc<Settled>,
}

#[derive(Debug)]
struct Settled {
    server_name: Option<DnsNameBuf>,
    group: GroupId,
    policy: Arc<TlsPolicy>,
    certificate: CertificateId,
    presented: Arc<PresentedNames>,
    listener: Option<ListenerId>,
}

impl HandshakeFacts {
    pub(crate) fn new(server_name: Option<DnsName<'_>>, prepared: &Prepared) -> Self {
        Self {
            settled: Arc::new(Settled {
                server_name: server_name.map(DnsNameBuf::from),
                group: prepared.group,
                policy: prepared.policy.clone(),
                certificate: prepared.certificate,
                presented: prepared.presented.clone(),
                listener: prepared.listener,
            }),
        }
    }

    /// The server name (RFC 6066 §3), if the client sent one and it is a DNS name.
    pub fn server_name(&self) -> Option<DnsName<'_>> {
        self.settled.server_name.as_ref().map(DnsNameBuf::as_name)
    }

    /// The coalescing group whose TLS policy the handshake met.
    pub fn group(&self) -> GroupId {
        self.settled.group
    }

    /// The TLS policy that the handshake met: what is true of its client, whatever the group's
    /// rules have become since. A later table's group may stand for this one if its policy is
    /// equal.
    pub fn policy(&self) -> &Arc<TlsPolicy> {
        &self.settled.policy
    }

    /// The listener that the connection came to, where several share a port.
    pub fn listener(&self) -> Option<ListenerId> {
        self.settled.listener
    }

    /// The certificate that the client was shown.
    pub fn certificate(&self) -> CertificateId {
        self.settled.certificate
    }

    /// The identifiers that this certificate presents.
    pub fn presented(&self) -> &PresentedNames {
        &self.settled.presented
    }

    /// The facts as [`decide`](coalesce_core::decide()) takes them, for a listener that answers for
    /// `ports`. Where several listeners share a port, the caller adds them, with
    /// [`ServerConnection::with_listener`]: which there are may change while the connection lives.
    ///
    /// # Allocation
    /// None.
    pub fn connection<'a>(&'a self, ports: &'a [u16]) -> ServerConnection<'a> {
        ServerConnection::tls(self.presented().identifiers(), self.group(), ports)
            .with_server_name(self.server_name())
    }
}
