//! A CA, a site of texts, servers for it, and a client that requests any authority on one
//! connection.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use coalesce_site::{ConnectionInfo, H2Request, Identity, Served, ServedHost, Site, SiteBuilder};
use coalesce_tls::ClientRules;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, IsCa,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::{ClientConfig, HandshakeKind, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

pub(crate) const CONTENT_421: &str = r#"{"error":"misdirected_request"}"#;

/// A chain and a key.
pub(crate) type Issued = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

pub(crate) struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Makes a certificate with these names as PEM: the chain and the key.
    pub(crate) fn pem(&self, names: &[&str]) -> (String, String) {
        self.pem_of(names, &KeyPair::generate().unwrap())
    }

    pub(crate) fn pem_of(&self, names: &[&str], key: &KeyPair) -> (String, String) {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let certificate = CertificateParams::new(names).unwrap().signed_by(key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    pub(crate) fn issue(&self, names: &[&str]) -> Issued {
        let (chain, key) = self.pem(names);
        let chain = coalesce_tls::certificates_from_pem(chain.as_bytes()).unwrap();
        (chain, coalesce_tls::private_key_from_pem(key.as_bytes()).unwrap())
    }

    pub(crate) fn identity(&self, names: &[&str]) -> Identity {
        let (chain, key) = self.issue(names);
        Identity::from_der(chain, key)
    }

    pub(crate) fn rules(&self) -> ClientRules {
        ClientRules::new([self.certificate()], []).unwrap()
    }

    /// Makes a revocation list that has this number, as PEM.
    pub(crate) fn revocation_list(&self, number: u64) -> String {
        let revoked = RevokedCertParams {
            serial_number: SerialNumber::from(number),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(2200, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.0).unwrap().pem().unwrap()
    }

    /// A client certificate with this number.
    pub(crate) fn issue_numbered(&self, number: u64) -> Issued {
        let mut params = CertificateParams::new(vec!["someone.test".to_owned()]).unwrap();
        params.serial_number = Some(SerialNumber::from(number));
        let key = KeyPair::generate().unwrap();
        let chain = vec![params.signed_by(&key, &self.0).unwrap().der().clone()];
        (chain, PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }

    pub(crate) fn certificate_pem(&self) -> String {
        self.0.as_ref().pem()
    }

    fn certificate(&self) -> CertificateDer<'static> {
        self.0.as_ref().der().clone()
    }
}

/// The value of a host.
#[derive(Clone, Copy)]
pub(crate) struct Text(pub(crate) &'static str);

/// Makes a builder of texts for requests that name port 443.
pub(crate) fn builder() -> SiteBuilder<Text> {
    Site::builder().ports([443])
}

/// Serves `site` with axum and one router for all hosts.
pub(crate) async fn serve(site: &Site<Text>) -> SocketAddr {
    let listener = site.listen("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let text = async |host: ServedHost<Text>| host.0;
    let router = Router::new().route("/", get(text)).layer(site.layer());
    let service = router.into_make_service_with_connect_info::<ConnectionInfo>();
    tokio::spawn(axum::serve(listener, service).into_future());
    address
}

/// Serves `site` with hyper.
pub(crate) async fn serve_with_hyper(site: &Site<Text>) -> SocketAddr {
    let mut listener = site.listen("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let site = site.clone();
    tokio::spawn(async move {
        loop {
            let (accepted, _) = listener.accept().await;
            let text = |_: Request<Incoming>, served: Served<Text>| async move {
                let text = served.host.map_or("no host", |host| host.0);
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(text.as_bytes()))))
            };
            let service = site.serve_connection(accepted.info(), text);
            tokio::spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new());
                builder.serve_connection(TokioIo::new(accepted), service).await.unwrap();
            });
        }
    });
    address
}

/// Serves `site` with `h2`.
pub(crate) async fn serve_with_h2(site: &Site<Text>) -> SocketAddr {
    let mut listener = site.listen("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let site = site.clone();
    tokio::spawn(async move {
        loop {
            let (accepted, _) = listener.accept().await;
            let builder = coalesce_h2::Builder::new();
            let mut connection = site.h2_handshake(accepted, builder).await.unwrap();
            tokio::spawn(async move {
                while let Some(Ok(accepted)) = connection.accept().await {
                    let H2Request { mut respond, served, .. } = accepted;
                    let text = served.host.map_or("no host", |host| host.0);
                    let mut body = respond.send_response(Response::new(()), false).unwrap();
                    body.send_data(Bytes::from_static(text.as_bytes()), true).unwrap();
                }
            });
        }
    });
    address
}

/// One connection over HTTP/2.
pub(crate) struct Client(SendRequest<Empty<Bytes>>);

impl Client {
    /// Connects with this server name, and this certificate for the server.
    pub(crate) async fn connect(
        ca: &Ca,
        address: SocketAddr,
        server_name: &str,
        own: Option<Issued>,
    ) -> Self {
        Self::try_connect(ca, address, server_name, own).await.unwrap()
    }

    pub(crate) async fn try_connect(
        ca: &Ca,
        address: SocketAddr,
        server_name: &str,
        own: Option<Issued>,
    ) -> std::io::Result<Self> {
        let mut config = Self::config(ca, own);
        config.resumption = Resumption::disabled();
        Self::connect_with(&Arc::new(config), address, server_name).await.map(|(client, _)| client)
    }

    pub(crate) fn config(ca: &Ca, own: Option<Issued>) -> ClientConfig {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        let every: Vec<SignatureScheme> = algorithms.mapping.iter().map(|(one, _)| *one).collect();
        Self::config_for(ca, own, &every)
    }

    /// A client that offers these signature schemes.
    pub(crate) fn config_for(
        ca: &Ca,
        own: Option<Issued>,
        schemes: &[SignatureScheme],
    ) -> ClientConfig {
        let mut provider = ring::default_provider();
        let algorithms = &mut provider.signature_verification_algorithms;
        let mapping = algorithms.mapping.iter().copied();
        let mapping: Vec<_> = mapping.filter(|(one, _)| schemes.contains(one)).collect();
        algorithms.mapping = mapping.leak();
        let mut roots = RootCertStore::empty();
        roots.add(ca.certificate()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match own {
            None => config.with_no_client_auth(),
            Some((chain, key)) => config.with_client_auth_cert(chain, key).unwrap(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        config
    }

    /// Connects; returns whether a session was resumed.
    pub(crate) async fn connect_with(
        config: &Arc<ClientConfig>,
        address: SocketAddr,
        server_name: &str,
    ) -> std::io::Result<(Self, HandshakeKind)> {
        let socket = TcpStream::connect(address).await?;
        let name = ServerName::try_from(server_name.to_owned()).unwrap();
        let stream = TlsConnector::from(config.clone()).connect(name, socket).await?;
        let kind = stream.get_ref().1.handshake_kind().unwrap();
        let io = TokioIo::new(stream);
        let made = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await;
        let (sender, connection) = made.map_err(std::io::Error::other)?;
        tokio::spawn(connection);
        Ok((Self(sender), kind))
    }

    /// Requests the root of this authority.
    pub(crate) async fn get(&mut self, authority: &str) -> (u16, String) {
        self.try_get(authority).await.unwrap()
    }

    pub(crate) async fn try_get(&mut self, authority: &str) -> Option<(u16, String)> {
        let request = Request::get(format!("https://{authority}/")).body(Empty::new()).unwrap();
        let response = self.0.send_request(request).await.ok()?;
        let status = response.status().as_u16();
        let content = response.into_body().collect().await.unwrap().to_bytes();
        Some((status, String::from_utf8(content.to_vec()).unwrap()))
    }
}

pub(crate) fn served(text: &str) -> (u16, String) {
    (200, text.to_owned())
}

pub(crate) fn misdirected() -> (u16, String) {
    (421, CONTENT_421.to_owned())
}
