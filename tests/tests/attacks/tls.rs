//! Clients of TLS, well-behaved ones and others.

use std::net::TcpStream;
use std::sync::Arc;

use coalesce_tests::World;
use rustls::client::Resumption;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use super::server::Target;

pub(crate) type Versions = &'static [&'static SupportedProtocolVersion];

pub(crate) static BOTH: Versions = rustls::ALL_VERSIONS;
/// Both versions, each alone.
pub(crate) static EACH: [Versions; 2] = [&[&rustls::version::TLS12], &[&rustls::version::TLS13]];

/// A client that trusts the CA of `target`, resumes nothing, and has the certificate in the files
/// `identity.pem` and `identity.key`.
pub(crate) fn config(target: &Target, versions: Versions, identity: Option<&str>) -> ClientConfig {
    config_in(&target.world, versions, identity)
}

/// The same for any folder of files.
pub(crate) fn config_in(world: &World, versions: Versions, identity: Option<&str>) -> ClientConfig {
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

pub(crate) fn connection(config: impl Into<Arc<ClientConfig>>, name: &str) -> ClientConnection {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    ClientConnection::new(config.into(), name).unwrap()
}

/// The handshake, as far as a client sees it: one that the server refuses in TLS 1.3 ends later.
pub(crate) fn open(
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

/// The record with the ClientHello that `config` sends for `name`.
pub(crate) fn client_hello(config: impl Into<Arc<ClientConfig>>, name: &str) -> Vec<u8> {
    let mut record = Vec::new();
    connection(config, name).write_tls(&mut record).unwrap();
    record
}
