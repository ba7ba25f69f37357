//! The keys whose signatures a client can verify.

use rustls::crypto::CryptoProvider;
use rustls::server::ClientHello;
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, SignatureScheme, SupportedCipherSuite};

/// The part of a ClientHello that decides between several certificates for one name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientOffer<'a> {
    signature_schemes: &'a [SignatureScheme],
    cipher_suites: &'a [CipherSuite],
}

impl<'a> ClientOffer<'a> {
    pub(crate) fn from_hello(hello: &'a ClientHello<'_>) -> Self {
        let signature_schemes = hello.signature_schemes();
        Self { signature_schemes, cipher_suites: hello.cipher_suites() }
    }

    /// Returns whether the client can verify a signature of `key`, with a cipher suite that both
    /// the client and `provider` support.
    ///
    /// In TLS 1.2 a cipher suite determines the kind of key (RFC 5246 §A.5), but clients also offer
    /// signature schemes that none of their suites can use. In TLS 1.3 a cipher suite does not
    /// determine it (RFC 8446 §B.4).
    pub(crate) fn accepts(&self, key: &CertifiedKey, provider: &CryptoProvider) -> bool {
        let offered = provider
            .cipher_suites
            .iter()
            .filter(|suite| self.cipher_suites.contains(&suite.suite()));
        let usable = |scheme: SignatureScheme| {
            offered.clone().any(|suite| match suite {
                SupportedCipherSuite::Tls12(suite) => suite.sign.contains(&scheme),
                SupportedCipherSuite::Tls13(_) => true,
            })
        };
        let schemes = self.signature_schemes.iter().copied();
        let schemes: Vec<SignatureScheme> = schemes.filter(|scheme| usable(*scheme)).collect();
        key.key.choose_scheme(&schemes).is_some()
    }
}
