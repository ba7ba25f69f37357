//! Asserts that every public type is `Send` and `Sync`. Clients are shared between threads, and
//! responses move from one to another.

/// Compiles only if `T` is both.
const fn assert<T: Send + Sync>() {}

const _: () = {
    assert::<crate::Client>();
    assert::<crate::ClientBuilder>();
    assert::<crate::Coalesce>();
    assert::<crate::Connector>();
    assert::<crate::Error>();
    assert::<crate::ErrorKind>();
    assert::<crate::ExplainedCandidate<'static>>();
    assert::<crate::Explanation>();
    assert::<crate::FixedAddress>();
    assert::<crate::FixedEntryError>();
    assert::<crate::FixedResolver>();
    assert::<crate::PinMismatch>();
    assert::<crate::ProxyConfig>();
    assert::<crate::ProxyConfigError>();
    assert::<crate::Question>();
    assert::<crate::RequestOptions>();
    assert::<crate::ResponseBody>();
    assert::<crate::SystemResolver>();
    assert::<crate::TlsConfig>();
    assert::<crate::TlsConfigError>();
    assert::<crate::TlsPeer>();
    assert::<crate::Trail>();
    assert::<crate::TrailStep<'static>>();
    assert::<crate::TransparencyMissing>();
};

#[cfg(feature = "hickory")]
const _: () = {
    assert::<crate::DnsConfigError>();
    assert::<crate::HickoryResolver>();
};

#[cfg(feature = "reqwest")]
const _: () = {
    assert::<crate::CoalesceMiddleware>();
};
