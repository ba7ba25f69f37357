//! The TLS policy of one coalescing group, and what its handshakes share.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    ProducesTickets, ServerSessionMemoryCache, StoresServerSessions, WebPkiClientVerifier,
};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use crate::limits::SESSIONS_PER_GROUP;

/// What a handshake of one coalescing group must meet.
///
/// Every virtual host of the group is reached under this policy and no other: the group is the
/// security boundary (step 6 of [`decide`](coalesce_core::decide())).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GroupTls {
    /// Whether clients must show a certificate. [`ClientAuth::None`] by default.
    pub client_auth: ClientAuth,
    /// The lowest version that is negotiated. [`TlsVersion::Tls12`] by default.
    pub minimum_version: TlsVersion,
    /// The protocols that are negotiated (RFC 7301), most preferred first. `h2` alone by default;
    /// none turns the negotiation off.
    ///
    /// A client that offers only others is refused with `no_application_protocol`. One that offers
    /// none at all is not: whether it may go on is for the server to say, which can ask the
    /// finished connection (RFC 9113 §3.2 wants `h2` negotiated, not assumed).
    pub alpn: Vec<Vec<u8>>,
}

/// Two policies are equal when a handshake that has met one of them has met the other: what a
/// server asks before it judges a connection by the groups of a later configuration.
impl PartialEq for GroupTls {
    fn eq(&self, other: &Self) -> bool {
        // Whole, so that no field can be forgotten.
        let Self { client_auth, minimum_version, alpn } = self;
        *client_auth == other.client_auth
            && *minimum_version == other.minimum_version
            && *alpn == other.alpn
    }
}

impl Eq for GroupTls {}

/// CAs are compared by what is verified with them: name, key and constraints of each, in order.
impl PartialEq for ClientAuth {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Required(roots), Self::Required(others)) => {
                Arc::ptr_eq(roots, others) || roots.roots == others.roots
            }
            (Self::None | Self::Required(_), _) => false,
        }
    }
}

impl Eq for ClientAuth {}

impl Default for GroupTls {
    fn default() -> Self {
        Self {
            client_auth: ClientAuth::None,
            minimum_version: TlsVersion::Tls12,
            alpn: vec![b"h2".to_vec()],
        }
    }
}

/// Whether the clients of a group must show a certificate.
#[derive(Clone)]
#[non_exhaustive]
pub enum ClientAuth {
    /// None is asked for.
    None,
    /// Every client must show one that leads to one of these roots. A store without roots is an
    /// error, never "no certificate needed".
    Required(Arc<RootCertStore>),
}

impl fmt::Debug for ClientAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Required(roots) => write!(f, "Required({} roots)", roots.len()),
        }
    }
}

/// A version of TLS that can be the lowest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

impl TlsVersion {
    /// This version and those above it.
    fn and_above(self) -> &'static [&'static SupportedProtocolVersion] {
        static FROM_TLS12: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
        static FROM_TLS13: [&SupportedProtocolVersion; 1] = [&TLS13];
        match self {
            Self::Tls12 => &FROM_TLS12,
            Self::Tls13 => &FROM_TLS13,
        }
    }
}

/// What all configurations of one group share, and no other group does: the memory that sessions
/// are resumed from, and the rule for client certificates.
///
/// rustls does not run the client verifier again when a session is resumed. A session must
/// therefore never be resumed where another verifier would have judged it (CVE-2014-3616,
/// CVE-2025-23419 and their kin).
#[derive(Debug)]
pub(crate) struct GroupState {
    sessions: Arc<dyn StoresServerSessions>,
    tickets: Option<Arc<dyn ProducesTickets>>,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
}

impl GroupState {
    pub(crate) fn new(
        tls: &GroupTls,
        provider: &Arc<CryptoProvider>,
        tickets: Option<Arc<dyn ProducesTickets>>,
    ) -> Result<Self, rustls::Error> {
        let verifier = match &tls.client_auth {
            ClientAuth::None => None,
            ClientAuth::Required(roots) => {
                let builder =
                    WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone());
                // The builder's only error is a store without roots, which was refused before; it
                // would fail closed here as well.
                Some(builder.build().map_err(|error| rustls::Error::General(error.to_string()))?)
            }
        };
        Ok(Self { sessions: ServerSessionMemoryCache::new(SESSIONS_PER_GROUP), tickets, verifier })
    }

    /// The whole configuration for one certificate of the group.
    pub(crate) fn config(
        &self,
        tls: &GroupTls,
        provider: &Arc<CryptoProvider>,
        key: &Arc<CertifiedKey>,
    ) -> Result<ServerConfig, rustls::Error> {
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(tls.minimum_version.and_above())?;
        let builder = match &self.verifier {
            None => builder.with_no_client_auth(),
            Some(verifier) => builder.with_client_cert_verifier(verifier.clone()),
        };
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(key.clone())));
        config.alpn_protocols.clone_from(&tls.alpn);
        config.session_storage = self.sessions.clone();
        if let Some(tickets) = &self.tickets {
            config.ticketer = tickets.clone();
        }
        // Early data could be replayed (RFC 8446 §8), and would be read before the client has shown
        // a certificate.
        config.max_early_data_size = 0;
        config.send_half_rtt_data = false;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots(names: &[&str]) -> ClientAuth {
        let mut roots = RootCertStore::empty();
        for name in names {
            let made = rcgen::generate_simple_self_signed([(*name).to_owned()]).unwrap();
            roots.add(made.cert.der().clone()).unwrap();
        }
        ClientAuth::Required(Arc::new(roots))
    }

    #[test]
    fn policies_are_equal_when_everything_in_them_is() {
        let none = GroupTls::default();
        let one = GroupTls { client_auth: roots(&["a.test"]), ..none.clone() };
        let ClientAuth::Required(same) = &one.client_auth else { panic!() };
        // The same CAs, read a second time.
        let same = ClientAuth::Required(Arc::new(RootCertStore::clone(same)));
        assert_eq!(one, GroupTls { client_auth: same, ..none.clone() });
        assert_eq!(none, GroupTls::default());
        let others = [
            GroupTls { client_auth: roots(&["a.test"]), ..none.clone() },
            GroupTls { client_auth: roots(&["a.test", "b.test"]), ..none.clone() },
            GroupTls { minimum_version: TlsVersion::Tls13, ..none.clone() },
            GroupTls { alpn: Vec::new(), ..none.clone() },
            none.clone(),
        ];
        for other in others {
            assert_ne!(one, other);
        }
        assert_ne!(none, GroupTls { minimum_version: TlsVersion::Tls13, ..none.clone() });
        assert_ne!(none, GroupTls { alpn: Vec::new(), ..none.clone() });
    }
}
