//! The rustls configurations of one coalescing group.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::policy::{ClientAuth, TlsPolicy, cipher_suite_name};
use crate::sessions::GroupSessions;

/// The state that all configurations of one group share: session stores and the rule for client
/// certificates. Groups share none of it.
#[derive(Debug)]
pub(crate) struct GroupState {
    /// Reduced to the cipher suites of the group.
    provider: Arc<CryptoProvider>,
    sessions: Arc<GroupSessions>,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
}

impl GroupState {
    pub(crate) fn new(
        policy: &TlsPolicy,
        provider: &Arc<CryptoProvider>,
        sessions: Arc<GroupSessions>,
    ) -> Result<Self, rustls::Error> {
        let verifier = client_verifier(&policy.client_auth, provider)?;
        // The builder has refused suites that the provider lacks.
        let provider = policy.cipher_suites.restrict(provider).map_err(|suite| {
            let name = cipher_suite_name(suite);
            rustls::Error::General(format!("the provider does not have {name}"))
        })?;
        Ok(Self { provider, sessions, verifier })
    }

    /// Makes the configuration for one certificate of the group.
    pub(crate) fn config(
        &self,
        policy: &TlsPolicy,
        key: &Arc<CertifiedKey>,
    ) -> Result<ServerConfig, rustls::Error> {
        let builder = ServerConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&policy.versions())?;
        let builder = match &self.verifier {
            None => builder.with_no_client_auth(),
            Some(verifier) => builder.with_client_cert_verifier(verifier.clone()),
        };
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(key.clone())));
        config.alpn_protocols.clone_from(&policy.alpn);
        let shown = key.cert.first().ok_or(rustls::Error::NoCertificatesPresented)?;
        let sessions = self.sessions.for_certificate(shown, self.provider.secure_random)?;
        config.session_storage = sessions.memory();
        if let Some(tickets) = sessions.tickets() {
            config.ticketer = tickets;
        }
        // The server accepts no early data: it can be replayed (RFC 8446 §8), and the server would
        // read it before the client presents a certificate.
        config.max_early_data_size = 0;
        config.send_half_rtt_data = false;
        Ok(config)
    }
}

/// Makes the verifier that a group's handshakes use for client certificates, for use in tools.
/// Returns `None` if the group asks for no certificate.
///
/// # Errors
/// Returns the error of rustls. None is expected, because [`ClientRules`](crate::ClientRules) are
/// checked when they are made.
///
/// # Examples
/// ```
/// use std::sync::Arc;
///
/// use coalesce_tls::{ClientAuth, client_verifier};
///
/// let provider = Arc::new(rustls::crypto::ring::default_provider());
/// assert!(client_verifier(&ClientAuth::None, &provider).unwrap().is_none());
/// ```
pub fn client_verifier(
    client_auth: &ClientAuth,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, rustls::Error> {
    let Some(rules) = client_auth.rules() else { return Ok(None) };
    let builder =
        WebPkiClientVerifier::builder_with_provider(rules.roots().clone(), provider.clone())
            .with_crls(rules.revocation_lists().iter().cloned())
            // An outdated list does not contain the certificates that were revoked since.
            .enforce_revocation_expiration();
    let builder = match client_auth {
        ClientAuth::Optional(_) => builder.allow_unauthenticated(),
        _ => builder,
    };
    builder.build().map(Some).map_err(|error| rustls::Error::General(error.to_string()))
}
