//! The facts that a request is decided with.

use crate::host::Host;
use crate::identifier_set::IdentifierSet;
use crate::listener::PortListeners;
use crate::name::DnsName;
use crate::policy::{GroupId, ListenerId};
use crate::request::Scheme;

/// The facts of one connection, fixed when its handshake ended.
///
/// There are three ways to make one, and each says by its name what vouches for an `https` origin:
/// the certificate of this handshake, nothing (cleartext), or a gateway that the user trusts.
#[derive(Clone, Copy, Debug)]
pub struct ServerConnection<'a> {
    pub(super) scheme: Scheme,
    pub(super) coverage: Coverage<'a>,
    pub(crate) server_name: Option<DnsName<'a>>,
    pub(super) group: GroupId,
    pub(crate) ports: &'a [u16],
    pub(super) listener: Option<Listener<'a>>,
}

/// One of several listeners on a port.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listener<'a> {
    own: ListenerId,
    of_port: &'a dyn PortListeners,
}

/// Which listener of the connection's port is responsible for a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Responsible {
    /// The connection's, or there is only one.
    Own,
    Another,
    Nobody,
}

impl Listener<'_> {
    #[inline]
    pub(super) fn responsible(&self, host: &Host<'_>) -> Responsible {
        match self.of_port.responsible(host) {
            Some(listener) if listener == self.own => Responsible::Own,
            Some(_) => Responsible::Another,
            None => Responsible::Nobody,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Coverage<'a> {
    /// What the presented certificate covers.
    Presented(IdentifierSet<&'a [u8]>),
    /// No TLS: there is nothing to present, and only `http` origins to serve.
    Cleartext,
    /// RFC 9110 §7.4: the gateway has checked what this step would check.
    TrustedGateway,
}

impl<'a> ServerConnection<'a> {
    /// A connection over TLS, which presented a certificate with these identifiers and whose
    /// ClientHello chose `group`. `ports` are those that its listener answers for.
    pub const fn tls(presented: IdentifierSet<&'a [u8]>, group: GroupId, ports: &'a [u16]) -> Self {
        let coverage = Coverage::Presented(presented);
        Self { scheme: Scheme::Https, coverage, server_name: None, group, ports, listener: None }
    }

    /// A connection in the clear: it carries `http` origins only.
    pub const fn cleartext(group: GroupId, ports: &'a [u16]) -> Self {
        let coverage = Coverage::Cleartext;
        Self { scheme: Scheme::Http, coverage, server_name: None, group, ports, listener: None }
    }

    /// A connection from a gateway that the user trusts to have checked the certificate itself
    /// (RFC 9110 §7.4), carrying origins of `scheme`. The one way to waive the certificate step.
    ///
    /// # Security
    /// Whoever can open such a connection can name any virtual host of `group`.
    pub const fn trusted_gateway(scheme: Scheme, group: GroupId, ports: &'a [u16]) -> Self {
        let coverage = Coverage::TrustedGateway;
        Self { scheme, coverage, server_name: None, group, ports, listener: None }
    }

    /// The same connection, whose ClientHello carried `server_name` (RFC 6066 §3).
    #[must_use]
    pub const fn with_server_name(mut self, server_name: Option<DnsName<'a>>) -> Self {
        self.server_name = server_name;
        self
    }

    /// The same connection, in `group`, which asks for what its handshake has met. For a table
    /// that came after the one that the handshake was made under, and numbers its groups otherwise.
    ///
    /// # Security
    /// Whoever says so answers for it: a group is a security boundary.
    #[must_use]
    pub const fn with_group(mut self, group: GroupId) -> Self {
        self.group = group;
        self
    }

    /// The same connection, which came to the listener `own`, one of those that share its port.
    ///
    /// An authority that another of them is responsible for is misdirected; one that none of them
    /// is responsible for is nobody's, whatever virtual host has it.
    #[must_use]
    pub const fn with_listener(mut self, own: ListenerId, of_port: &'a dyn PortListeners) -> Self {
        self.listener = Some(Listener { own, of_port });
        self
    }

    /// The group that the handshake chose.
    pub const fn group(&self) -> GroupId {
        self.group
    }

    /// What the certificate presents, on a connection over TLS.
    pub(crate) const fn presented(&self) -> Option<&IdentifierSet<&'a [u8]>> {
        match &self.coverage {
            Coverage::Presented(presented) => Some(presented),
            Coverage::Cleartext | Coverage::TrustedGateway => None,
        }
    }

    /// The scheme of the origins this connection carries.
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }
}
