//! A CA, clients, and one handshake between a client and an acceptor.

use std::io;
use std::sync::Arc;

use coalesce_core::{GroupId, NamePattern};
use coalesce_tls::{AcceptError, Acceptor, ClientRules, HandshakeFacts, HandshakeTableBuilder};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::{
    CipherSuite, ClientConfig, HandshakeKind, ProtocolVersion, RootCertStore,
    SupportedProtocolVersion,
};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsConnector;

pub(crate) const A: GroupId = GroupId::new(1);
pub(crate) const B: GroupId = GroupId::new(2);

pub(crate) type Versions = &'static [&'static SupportedProtocolVersion];

/// The TLS versions, one at a time.
pub(crate) static EACH_VERSION: [Versions; 2] =
    [&[&rustls::version::TLS12], &[&rustls::version::TLS13]];

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

pub(crate) fn builder() -> HandshakeTableBuilder {
    HandshakeTableBuilder::new(provider())
}

pub(crate) fn acceptor(builder: &HandshakeTableBuilder) -> Acceptor {
    Acceptor::new(Arc::new(builder.build().unwrap()))
}

pub(crate) fn pattern(text: &str) -> NamePattern<'_> {
    NamePattern::parse(text.as_bytes()).unwrap()
}

pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

pub(crate) struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn issue(&self, names: &[&str]) -> Identity {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let params = CertificateParams::new(names).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let chain = vec![certificate.der().clone()];
        Identity { chain, key: PrivateKeyDer::Pkcs8(key.serialize_der().into()) }
    }

    pub(crate) fn sign(
        &self,
        params: &CertificateParams,
        key: &KeyPair,
    ) -> CertificateDer<'static> {
        params.signed_by(key, &self.0).unwrap().der().clone()
    }

    /// Issues a certificate with this serial number, so that a revocation list can contain it.
    pub(crate) fn issue_numbered(&self, number: u64) -> Identity {
        let mut params = CertificateParams::new(vec!["client.test".to_owned()]).unwrap();
        params.serial_number = Some(SerialNumber::from(number));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let chain = vec![certificate.der().clone()];
        Identity { chain, key: PrivateKeyDer::Pkcs8(key.serialize_der().into()) }
    }

    /// Returns a revocation list of this CA, current until the start of this year.
    pub(crate) fn revoked(
        &self,
        numbers: &[u64],
        until: i32,
    ) -> CertificateRevocationListDer<'static> {
        let revoked = numbers.iter().map(|number| RevokedCertParams {
            serial_number: SerialNumber::from(*number),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(until, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.0).unwrap().der().clone()
    }

    /// Returns rules that accept certificates of this CA, except those on the lists.
    pub(crate) fn rules<const N: usize>(
        &self,
        lists: [CertificateRevocationListDer<'static>; N],
    ) -> ClientRules {
        ClientRules::new([self.certificate()], lists).unwrap()
    }

    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        self.0.as_ref().der().clone()
    }

    pub(crate) fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.as_ref().der().clone()).unwrap();
        Arc::new(roots)
    }
}

/// Returns a client without session memory, so that handshakes do not depend on each other.
pub(crate) fn client(ca: &Ca, versions: Versions, identity: Option<&Identity>) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(ca.roots());
    let mut config = match identity.cloned() {
        None => builder.with_no_client_auth(),
        Some(own) => builder.with_client_auth_cert(own.chain, own.key).unwrap(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = Resumption::disabled();
    config
}

/// The client's view of a handshake.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) kind: HandshakeKind,
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) alpn: Option<Vec<u8>>,
}

/// The server's view of a handshake.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) kind: HandshakeKind,
    pub(crate) version: ProtocolVersion,
    pub(crate) suite: CipherSuite,
    pub(crate) client_certificate: Option<CertificateDer<'static>>,
    pub(crate) facts: HandshakeFacts,
}

pub(crate) async fn connect(
    config: &Arc<ClientConfig>,
    name: &str,
    io: impl AsyncRead + AsyncWrite + Unpin,
) -> Result<Seen, rustls::Error> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut stream = TlsConnector::from(config.clone())
        .connect(name, io)
        .await
        .map_err(|error| tls_error(&error))?;
    // In TLS 1.3 a client learns only now whether the server accepts its certificate, and receives
    // its tickets.
    stream.read_exact(&mut [0]).await.map_err(|error| tls_error(&error))?;
    let (_, session) = stream.get_ref();
    Ok(Seen {
        kind: session.handshake_kind().unwrap(),
        certificate: session.peer_certificates().unwrap()[0].clone().into_owned(),
        alpn: session.alpn_protocol().map(<[u8]>::to_vec),
    })
}

pub(crate) async fn serve(
    acceptor: &Acceptor,
    io: impl AsyncRead + AsyncWrite + Unpin,
) -> Result<Served, AcceptError> {
    let (mut stream, facts) = acceptor.accept(io).await?;
    stream.write_all(b"!").await.unwrap();
    stream.flush().await.unwrap();
    let (_, session) = stream.get_ref();
    Ok(Served {
        kind: session.handshake_kind().unwrap(),
        version: session.protocol_version().unwrap(),
        suite: session.negotiated_cipher_suite().unwrap().suite(),
        client_certificate: session
            .peer_certificates()
            .and_then(|chain| chain.first().cloned())
            .map(CertificateDer::into_owned),
        facts,
    })
}

/// Makes one handshake under `name`, and reads one byte of data from the server.
pub(crate) async fn meet(
    acceptor: &Acceptor,
    config: &Arc<ClientConfig>,
    name: &str,
) -> (Result<Seen, rustls::Error>, Result<Served, AcceptError>) {
    let (near, far) = tokio::io::duplex(1 << 14);
    tokio::join!(connect(config, name, near), serve(acceptor, far))
}

fn tls_error(error: &io::Error) -> rustls::Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(error) => error.clone(),
        None => rustls::Error::General(error.to_string()),
    }
}
