//! The reason for which a handshake failed, in the form of a code.

use rustls::{CertificateError, Error, PeerIncompatible};

use crate::choice::HandshakeRefused;

/// The reason for which a handshake failed, for logs and metrics.
///
/// # Examples
/// ```
/// use coalesce_tls::HandshakeFailure;
///
/// let codes: Vec<&str> = HandshakeFailure::ALL.iter().map(|failure| failure.code()).collect();
/// assert!(codes.contains(&HandshakeFailure::NoProtocol.code()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeFailure {
    /// The ClientHello has no server name, and one is expected.
    AbsentServerName,
    /// The server name of the ClientHello is not known here.
    UnknownServerName,
    /// The client offers no ALPN protocol that the server speaks.
    NoProtocol,
    /// Client and server have no TLS version in common.
    NoVersion,
    /// Client and server have no cipher suite, key exchange or signature scheme in common.
    NoCipherSuite,
    /// The client shows no certificate, and the group requires one.
    AbsentClientCertificate,
    /// The certificate of the client has expired.
    ExpiredClientCertificate,
    /// The certificate of the client fails verification for another reason: it comes from an
    /// unknown CA, is revoked, is not yet valid, or has a bad signature.
    InvalidClientCertificate,
    /// The client sent an alert. Most clients send one if they do not trust the server's
    /// certificate.
    RefusedByClient,
    /// The client speaks HTTP without TLS.
    PlainHttp,
    /// The connection begins with a PROXY protocol header, which this server does not read.
    ProxyHeader,
    /// The client breaks the rules of TLS in another way.
    Tls,
    /// The handshake took too long.
    TimedOut,
    /// The connection ended or failed during the handshake.
    Lost,
}

impl HandshakeFailure {
    /// All failures.
    pub const ALL: &'static [Self] = &[
        Self::AbsentServerName,
        Self::UnknownServerName,
        Self::NoProtocol,
        Self::NoVersion,
        Self::NoCipherSuite,
        Self::AbsentClientCertificate,
        Self::ExpiredClientCertificate,
        Self::InvalidClientCertificate,
        Self::RefusedByClient,
        Self::PlainHttp,
        Self::ProxyHeader,
        Self::Tls,
        Self::TimedOut,
        Self::Lost,
    ];

    /// Returns a stable name for logs, metrics and tools.
    pub const fn code(self) -> &'static str {
        match self {
            Self::AbsentServerName => "absent_server_name",
            Self::UnknownServerName => "unknown_server_name",
            Self::NoProtocol => "no_protocol",
            Self::NoVersion => "no_version",
            Self::NoCipherSuite => "no_cipher_suite",
            Self::AbsentClientCertificate => "absent_client_certificate",
            Self::ExpiredClientCertificate => "expired_client_certificate",
            Self::InvalidClientCertificate => "invalid_client_certificate",
            Self::RefusedByClient => "refused_by_client",
            Self::PlainHttp => "plain_http",
            Self::ProxyHeader => "proxy_header",
            Self::Tls => "tls",
            Self::TimedOut => "timed_out",
            Self::Lost => "lost",
        }
    }

    /// Returns the failure of a table's refusal.
    pub(crate) const fn from_refused(refused: &HandshakeRefused) -> Self {
        match refused {
            HandshakeRefused::AbsentServerName => Self::AbsentServerName,
            HandshakeRefused::UnknownServerName { .. } => Self::UnknownServerName,
        }
    }

    /// Returns the failure of an error of rustls. On a server, a certificate that fails
    /// verification is always the client's.
    pub(crate) fn from_tls(error: &Error) -> Self {
        match error {
            Error::NoApplicationProtocol => Self::NoProtocol,
            Error::NoCertificatesPresented => Self::AbsentClientCertificate,
            Error::InvalidCertificate(
                CertificateError::Expired | CertificateError::ExpiredContext { .. },
            ) => Self::ExpiredClientCertificate,
            Error::InvalidCertificate(_) => Self::InvalidClientCertificate,
            Error::AlertReceived(_) => Self::RefusedByClient,
            Error::PeerIncompatible(incompatible) => Self::from_incompatible(incompatible),
            _ => Self::Tls,
        }
    }

    fn from_incompatible(incompatible: &PeerIncompatible) -> Self {
        match incompatible {
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled => Self::NoVersion,
            PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon
            | PeerIncompatible::NoCipherSuitesInCommon
            | PeerIncompatible::NoEcPointFormatsInCommon
            | PeerIncompatible::NoKxGroupsInCommon
            | PeerIncompatible::NoSignatureSchemesInCommon
            | PeerIncompatible::SignatureAlgorithmsExtensionRequired => Self::NoCipherSuite,
            _ => Self::Tls,
        }
    }

    /// Returns the failure of a connection by its first bytes, if they are not TLS but a protocol
    /// that clients and gateways often use by mistake.
    pub(crate) fn from_first_bytes(bytes: &[u8]) -> Option<Self> {
        let begins_with = |starts: &[&[u8]]| starts.iter().any(|start| bytes.starts_with(start));
        if begins_with(PROXY_HEADERS) {
            Some(Self::ProxyHeader)
        } else if begins_with(HTTP_METHODS) {
            Some(Self::PlainHttp)
        } else {
            None
        }
    }
}

/// The starts of PROXY protocol headers, versions 1 and 2.
const PROXY_HEADERS: &[&[u8]] = &[b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n"];

/// The starts of requests: the methods of RFC 9110 §9 and RFC 5789, and the preface of HTTP/2
/// (RFC 9113 §3.4).
const HTTP_METHODS: &[&[u8]] = &[
    b"GET ",
    b"HEAD ",
    b"POST ",
    b"PUT ",
    b"DELETE ",
    b"CONNECT ",
    b"OPTIONS ",
    b"TRACE ",
    b"PATCH ",
    b"PRI * HTTP/2.0",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn handshake_failures_have_distinct_codes() {
        let codes: BTreeSet<&str> =
            HandshakeFailure::ALL.iter().map(|failure| failure.code()).collect();
        assert_eq!(codes.len(), HandshakeFailure::ALL.len());
    }

    #[test]
    fn first_bytes_name_the_protocol_that_is_not_tls() {
        let cases: [(&[u8], Option<HandshakeFailure>); 7] = [
            (b"GET / HTTP/1.1\r\n", Some(HandshakeFailure::PlainHttp)),
            (b"PRI * HTTP/2.0\r\n\r\nSM", Some(HandshakeFailure::PlainHttp)),
            (b"PROXY TCP4 192.0.2.1", Some(HandshakeFailure::ProxyHeader)),
            (b"\r\n\r\n\0\r\nQUIT\n\x21\x11", Some(HandshakeFailure::ProxyHeader)),
            (b"GE", None),
            (b"SSH-2.0-OpenSSH", None),
            (b"\x16\x03\x01\x02\x00\x01", None),
        ];
        for (bytes, expected) in cases {
            assert_eq!(HandshakeFailure::from_first_bytes(bytes), expected, "{bytes:?}");
        }
    }
}
