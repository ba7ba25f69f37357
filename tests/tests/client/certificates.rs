//! The CA of the tests, and certificates of servers and clients.

use std::sync::LazyLock;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

static CA: LazyLock<CertifiedIssuer<'static, KeyPair>> = LazyLock::new(|| {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name.push(DnType::CommonName, "CA of the client's tests");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a signature")
});

/// A chain with its private key.
pub(crate) type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Returns the CA as the only root.
pub(crate) fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(CA.der().clone()).expect("a certificate");
    roots
}

/// Makes a certificate of a server.
pub(crate) fn server(names: &[&str]) -> Identity {
    identity(names, ExtendedKeyUsagePurpose::ServerAuth)
}

/// Makes a certificate of a client.
pub(crate) fn client() -> Identity {
    identity(&[], ExtendedKeyUsagePurpose::ClientAuth)
}

fn identity(names: &[&str], usage: ExtendedKeyUsagePurpose) -> Identity {
    let names: Vec<String> = names.iter().map(|&name| name.into()).collect();
    let mut params = CertificateParams::new(names).expect("valid names");
    params.distinguished_name.push(DnType::CommonName, "a leaf of the client's tests");
    params.extended_key_usages = vec![usage];
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, &*CA).expect("a signature");
    (vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
}
