//! Asserts that every public type is `Send` and `Sync`. Clients are shared between threads, and
//! responses move from one to another. Bodies of requests are those of users, which need not be
//! `Sync`, and so are not the types that hold one.

/// Compiles only if `T` is both.
const fn assert<T: Send + Sync>() {}

/// Compiles only if `T` is `Send`.
const fn assert_only_send<T: Send>() {}

const _: () = {
    assert_only_send::<crate::RequestBody>();
    assert_only_send::<crate::ResponseFuture>();
};

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
