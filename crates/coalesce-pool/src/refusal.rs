//! The reasons of the decision: why a connection may carry a request, and why it may not.

use core::fmt;

/// The reason why a connection may carry a request.
///
/// # Examples
/// ```
/// use coalesce_pool::Grounds;
///
/// assert_eq!(Grounds::SameOrigin.code(), "same_origin");
/// assert_eq!(Grounds::OriginSet.to_string(), "the origin set has the origin");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Grounds {
    /// The connection was made for the origin.
    SameOrigin,
    /// The certificate covers the host, and the host has the connected address.
    Covered,
    /// The certificate covers the host, the origin set has the origin, and the policy asks for no
    /// address.
    OriginSet,
    /// The connection is cleartext and has the address of the host (RFC 9113 §9.1.1).
    Cleartext,
}

impl Grounds {
    /// All grounds, for counters and documentation.
    pub const ALL: &'static [Self] =
        &[Self::SameOrigin, Self::Covered, Self::OriginSet, Self::Cleartext];

    /// Returns a stable name for logs, metrics and tools.
    pub const fn code(self) -> &'static str {
        match self {
            Self::SameOrigin => "same_origin",
            Self::Covered => "covered",
            Self::OriginSet => "origin_set",
            Self::Cleartext => "cleartext",
        }
    }
}

impl fmt::Display for Grounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SameOrigin => "the connection was made for the origin",
            Self::Covered => "the certificate covers the host, which has the connected address",
            Self::OriginSet => "the origin set has the origin",
            Self::Cleartext => "the host has the connected address",
        })
    }
}

/// The reason why a connection may not carry a request.
///
/// # Examples
/// ```
/// use coalesce_pool::Refusal;
///
/// let refusal = Refusal::Address;
/// assert_eq!((refusal.code(), refusal.step()), ("address", 19));
/// assert_eq!(refusal.rule(), "RFC 9110 §4.3.3, RFC 9113 §9.1.1");
/// assert_eq!(refusal.to_string(), "the host does not have the connected address and port");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The connection has another scheme.
    Scheme,
    /// The connection is not HTTP/2, and was made for another origin.
    Protocol,
    /// The connection is closed.
    Closed,
    /// The connection is in another partition.
    Partition,
    /// The connection has another TLS configuration.
    TlsConfiguration,
    /// The connection and the request have different proxies, or the connection goes through a
    /// proxy to another origin.
    Proxy,
    /// The connection is not made yet. A request of the same origin waits for it.
    Connecting,
    /// The server has sent GOAWAY.
    Draining,
    /// The connection serves one origin alone: another connection answered 421 for it, or its
    /// policy is [`Coalescing::Off`](crate::Coalescing::Off).
    Alone,
    /// The server has answered 421 for the origin.
    Refused,
    /// The server's SETTINGS have not arrived.
    Settings,
    /// The connection has no room for another stream.
    Full,
    /// The server has not announced extended `CONNECT`.
    ExtendedConnect,
    /// The connection has carried another origin, and the policy of the request does not allow
    /// that.
    Shared,
    /// The policy of the request does not allow connections of other origins.
    Policy,
    /// The user overrode an error of the handshake.
    Handshake,
    /// The verifier cannot be run for another host.
    Verifier,
    /// A client certificate was sent, and one of the two hosts is not allowed to share it.
    ClientCertificate,
    /// The origin has another port.
    Port,
    /// The server announced an origin set without the origin.
    OriginSet,
    /// The certificate does not cover the host, has expired, or the verifier refuses it.
    Certificate,
    /// The certificate is none of those that the host is pinned to.
    Pin,
    /// The host requires certificate transparency, and there is no proof of it.
    Transparency,
    /// The host does not have the connected address and port.
    Address,
    /// The host has the connected address for other protocols only.
    Alpn,
}

/// The standard's words on the reuse of a connection.
const REUSE: &str = "RFC 9113 §9.1.1";

impl Refusal {
    /// All reasons, in the order in which [`judge`](crate::judge()) looks for them.
    pub const ALL: &'static [Self] = &[
        Self::Scheme,
        Self::Protocol,
        Self::Closed,
        Self::Partition,
        Self::TlsConfiguration,
        Self::Proxy,
        Self::Connecting,
        Self::Draining,
        Self::Alone,
        Self::Refused,
        Self::Settings,
        Self::Full,
        Self::ExtendedConnect,
        Self::Shared,
        Self::Policy,
        Self::Handshake,
        Self::Verifier,
        Self::ClientCertificate,
        Self::Port,
        Self::OriginSet,
        Self::Certificate,
        Self::Pin,
        Self::Transparency,
        Self::Address,
        Self::Alpn,
    ];

    /// Returns a stable name for logs, metrics and tools.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Scheme => "scheme",
            Self::Protocol => "protocol",
            Self::Closed => "closed",
            Self::Partition => "partition",
            Self::TlsConfiguration => "tls_configuration",
            Self::Proxy => "proxy",
            Self::Connecting => "connecting",
            Self::Draining => "draining",
            Self::Alone => "alone",
            Self::Refused => "refused",
            Self::Settings => "settings",
            Self::Full => "full",
            Self::ExtendedConnect => "extended_connect",
            Self::Shared => "shared",
            Self::Policy => "policy",
            Self::Handshake => "handshake",
            Self::Verifier => "verifier",
            Self::ClientCertificate => "client_certificate",
            Self::Port => "port",
            Self::OriginSet => "origin_set",
            Self::Certificate => "certificate",
            Self::Pin => "pin",
            Self::Transparency => "transparency",
            Self::Address => "address",
            Self::Alpn => "alpn",
        }
    }

    /// Returns the number of the step that refuses, as in [`judge`](crate::judge()).
    pub const fn step(self) -> u8 {
        match self {
            Self::Scheme => 1,
            Self::Protocol => 2,
            Self::Closed => 3,
            Self::Partition | Self::TlsConfiguration | Self::Proxy => 4,
            Self::Connecting => 5,
            Self::Draining => 6,
            Self::Alone | Self::Refused => 7,
            Self::Settings => 8,
            Self::Full => 9,
            Self::ExtendedConnect | Self::Shared | Self::Policy => 10,
            Self::Handshake | Self::Verifier => 11,
            Self::ClientCertificate => 12,
            Self::Port => 13,
            Self::OriginSet => 14,
            Self::Certificate => 15,
            Self::Pin | Self::Transparency => 16,
            Self::Address => 19,
            Self::Alpn => 20,
        }
    }

    /// Returns the RFC sections of the rule, or the practice of browsers where no RFC has one.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Scheme => "RFC 9110 §4.3.1, RFC 9113 §9.1.1",
            Self::Protocol => "RFC 9110 §4.3.3",
            Self::Closed | Self::Connecting => REUSE,
            Self::Partition
            | Self::TlsConfiguration
            | Self::Verifier
            | Self::ClientCertificate
            | Self::Shared
            | Self::Policy => "practice of browsers",
            Self::Proxy => "RFC 9110 §4.3.3, practice of browsers",
            Self::Draining => "RFC 9113 §6.8",
            Self::Alone => "RFC 9110 §15.5.20",
            Self::Refused => "RFC 9110 §15.5.20, RFC 8336 §2.3",
            Self::Settings => "RFC 9113 §3.4, practice of browsers",
            Self::Full => "RFC 9113 §5.1.2",
            Self::ExtendedConnect => "RFC 8441 §3",
            Self::Handshake | Self::Certificate => "RFC 9110 §4.3.4, RFC 9113 §9.1.1",
            Self::Port | Self::Address => "RFC 9110 §4.3.3, RFC 9113 §9.1.1",
            Self::OriginSet => "RFC 8336 §2.4",
            Self::Pin => "RFC 7469 §2.6",
            Self::Transparency => "RFC 9162 §8.1",
            Self::Alpn => "RFC 9460 §7.1",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "the connection has another scheme",
            Self::Protocol => "the connection is not HTTP/2 and was made for another origin",
            Self::Closed => "the connection is closed",
            Self::Partition => "the connection is in another partition",
            Self::TlsConfiguration => "the connection has another TLS configuration",
            Self::Proxy => "a proxy is in between",
            Self::Connecting => "the connection is not made yet",
            Self::Draining => "the server has sent GOAWAY",
            Self::Alone => "the connection serves another origin alone",
            Self::Refused => "the server has answered 421 for the origin",
            Self::Settings => "the server's SETTINGS have not arrived",
            Self::Full => "the connection has no room for another stream",
            Self::ExtendedConnect => "the server has not announced extended CONNECT",
            Self::Shared => "the connection has carried another origin, which the policy forbids",
            Self::Policy => "the policy does not allow connections of other origins",
            Self::Handshake => "an error of the handshake was overridden",
            Self::Verifier => "the verifier cannot be run for another host",
            Self::ClientCertificate => {
                "a client certificate was sent, and not both hosts may share it"
            }
            Self::Port => "the origin has another port",
            Self::OriginSet => "the server's origin set does not have the origin",
            Self::Certificate => "the certificate is not valid for the host",
            Self::Pin => "the certificate is none that the host is pinned to",
            Self::Transparency => "the required proof of certificate transparency is missing",
            Self::Address => "the host does not have the connected address and port",
            Self::Alpn => "the host has the connected address for other protocols only",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn every_refusal_has_a_code_a_rule_and_a_text_and_steps_ascend() {
        let mut codes = alloc::collections::BTreeSet::new();
        let mut last = 0;
        for refusal in Refusal::ALL {
            assert!(codes.insert(refusal.code()), "{refusal:?} has the code of another");
            assert!(refusal.step() >= last, "{refusal:?} is out of order");
            last = refusal.step();
            assert!(refusal.rule().contains('§') || refusal.rule().starts_with("practice"));
            assert!(refusal.to_string().len() > 10, "{refusal:?}");
        }
        assert_eq!(codes.len(), 25);
    }

    #[test]
    fn every_ground_has_a_code_and_a_text() {
        let codes: alloc::vec::Vec<_> = Grounds::ALL.iter().map(|found| found.code()).collect();
        assert_eq!(codes, ["same_origin", "covered", "origin_set", "cleartext"]);
        assert!(Grounds::ALL.iter().all(|grounds| grounds.to_string().starts_with("the ")));
    }
}
