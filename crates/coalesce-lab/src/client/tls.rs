//! The TLS that a scenario asks for.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use rustls::server::ParsedCertificate;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    SupportedProtocolVersion, version,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use super::raw_name::RawName;
use super::sessions::NewestSession;
use crate::error::LabError;

/// The versions of TLS that a client offers.
pub(crate) type Versions = &'static [&'static SupportedProtocolVersion];

pub(crate) static UP_TO_1_2: Versions = &[&version::TLS12];
pub(crate) static UP_TO_1_3: Versions = &[&version::TLS13, &version::TLS12];

/// A client certificate with its root, and the private key.
#[derive(Debug)]
struct Client {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// The root of the servers, and the certificates that clients have.
#[derive(Debug)]
pub(crate) struct Credentials {
    roots: Arc<RootCertStore>,
    clients: BTreeMap<String, Client>,
}

/// What the handshake of a scenario has besides its server name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handshake<'a> {
    pub(crate) versions: Versions,
    pub(crate) alpn: &'a [String],
    pub(crate) client: Option<&'a str>,
    /// The client keeps its newest session, and offers it to any server name.
    pub(crate) resumes: bool,
}

impl Credentials {
    /// Reads the root and the client certificates of these names.
    pub(crate) fn read<'a>(
        folder: &Path,
        root: &str,
        clients: impl Iterator<Item = &'a str>,
    ) -> Result<Self, LabError> {
        let path = folder.join(root);
        let failed = |path: &Path, error: &dyn fmt::Display| LabError::new(path.display(), error);
        let certificates = |path: &Path| {
            let read = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>);
            read.map_err(|error| failed(path, &error))
        };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&path)? {
            roots.add(certificate).map_err(|error| failed(&path, &error))?;
        }
        let mut read = BTreeMap::new();
        for name in clients {
            let chain = certificates(&folder.join(format!("{name}.pem")))?;
            let path = folder.join(format!("{name}.key"));
            let key = PrivateKeyDer::from_pem_file(&path).map_err(|error| failed(&path, &error))?;
            read.insert(name.to_owned(), Client { chain, key });
        }
        Ok(Self { roots: Arc::new(roots), clients: read })
    }

    /// Returns the configuration of a client that sends `raw_name`, if there is one.
    pub(crate) fn config(
        &self,
        handshake: Handshake<'_>,
        raw_name: Option<&Arc<RawName>>,
    ) -> Result<ClientConfig, Error> {
        let provider = match raw_name {
            Some(name) => name.provider(),
            None => Arc::new(ring::default_provider()),
        };
        let verifier = Arc::new(AnyName::new(&self.roots, &provider));
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(handshake.versions)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match handshake.client.map(|name| self.clients.get(name)) {
            None => builder.with_no_client_auth(),
            Some(None) => return Err(Error::General("no such client certificate".into())),
            Some(Some(client)) => {
                builder.with_client_auth_cert(client.chain.clone(), client.key.clone_key())?
            }
        };
        config.alpn_protocols = handshake.alpn.iter().map(|name| name.clone().into()).collect();
        config.resumption = if handshake.resumes {
            Resumption::store(Arc::new(NewestSession::default()))
        } else {
            Resumption::disabled()
        };
        Ok(config)
    }
}

/// Accepts a certificate of the world's root for any name, because the lab asks servers for hosts
/// that their certificates do not have.
#[derive(Debug)]
struct AnyName {
    roots: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl AnyName {
    fn new(roots: &Arc<RootCertStore>, provider: &CryptoProvider) -> Self {
        Self { roots: Arc::clone(roots), algorithms: provider.signature_verification_algorithms }
    }
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(end_entity)?,
            &self.roots,
            intermediates,
            now,
            self.algorithms.all,
        )?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
