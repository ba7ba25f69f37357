//! Asserts that every public type is `Send` and `Sync` if its parameters are. Tables and layers are
//! shared between threads, and connections move from one thread to another.

/// Compiles only if `T` is `Send` and `Sync`.
const fn assert<T: Send + Sync>() {}

const _: () = {
    assert::<crate::CertificateError>();
    assert::<crate::CertificateTime>();
    assert::<crate::IgnoredName>();
    assert::<crate::IgnoredReason>();
    assert::<crate::PresentedNames>();
    assert::<crate::Validity>();
    assert::<crate::ValidityPeriod>();
};

#[cfg(feature = "rustls")]
const _: () = {
    assert::<crate::CertificateId>();
    assert::<crate::CertificateSyntaxError>();
    assert::<crate::CipherSuites>();
    assert::<crate::ClientAuth>();
    assert::<crate::ClientRules>();
    assert::<crate::ClientRulesError>();
    assert::<crate::FileFormat>();
    assert::<crate::HandshakeChoice>();
    assert::<crate::HandshakeFacts>();
    assert::<crate::HandshakeRefused>();
    assert::<crate::HandshakeTable>();
    assert::<crate::HandshakeTableBuilder>();
    assert::<crate::HandshakeTableError>();
    assert::<crate::PemError>();
    assert::<crate::ServerCertificate>();
    assert::<crate::ServerNamePolicy>();
    assert::<crate::SessionStores>();
    assert::<crate::TlsPolicy>();
    assert::<crate::TlsVersion>();
};

#[cfg(feature = "tokio")]
const _: () = {
    assert::<crate::AcceptError>();
    assert::<crate::Acceptor>();
    assert::<crate::HandshakeFailure>();
};
