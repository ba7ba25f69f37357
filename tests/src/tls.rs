//! Well-behaved and hostile TLS clients. They panic if a file is missing.
#![allow(clippy::missing_panics_doc, reason = "the module's documentation names them")]

use std::net::TcpStream;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use crate::World;

/// Versions of TLS.
pub type Versions = &'static [&'static SupportedProtocolVersion];

/// Both versions.
pub static BOTH: Versions = rustls::ALL_VERSIONS;
/// TLS 1.2 alone and TLS 1.3 alone.
pub static EACH: [Versions; 2] = [&[&rustls::version::TLS12], &[&rustls::version::TLS13]];

/// Makes a client configuration that trusts the CA of `world`, never resumes, and presents the
/// certificate in `identity.pem` and `identity.key`.
pub fn config(world: &World, versions: Versions, identity: Option<&str>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(world.path("ca.pem")).unwrap();
    roots.add(ca).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(name) => {
            let file = |end: &str| world.path(&format!("{name}.{end}"));
            let chain = CertificateDer::pem_file_iter(file("pem")).unwrap();
            let chain = chain.collect::<Result<_, _>>().unwrap();
            let key = PrivateKeyDer::from_pem_file(file("key")).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = Resumption::disabled();
    config
}

/// Makes the client's side of a connection with this server name.
pub fn connection(config: impl Into<Arc<ClientConfig>>, name: &str) -> ClientConnection {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    ClientConnection::new(config.into(), name).unwrap()
}

/// Runs the handshake until the client considers it complete. If the server refuses a TLS 1.3
/// handshake, the client learns so later.
pub fn open(
    config: impl Into<Arc<ClientConfig>>,
    name: &str,
    mut socket: TcpStream,
) -> StreamOwned<ClientConnection, TcpStream> {
    let mut connection = connection(config, name);
    while connection.is_handshaking() {
        connection.complete_io(&mut socket).unwrap();
    }
    StreamOwned::new(connection, socket)
}

/// Returns the record with the ClientHello that `config` sends for `name`.
pub fn client_hello(config: impl Into<Arc<ClientConfig>>, name: &str) -> Vec<u8> {
    let mut record = Vec::new();
    connection(config, name).write_tls(&mut record).unwrap();
    record
}
