//! Asserts that every public type is `Send` and `Sync` if its parameters are. Tables and layers are
//! shared between threads, and connections move from one thread to another.

/// Compiles only if `T` is both.
const fn assert<T: Send + Sync>() {}

const _: () = {
    assert::<crate::AnnouncedOrigins>();
    assert::<crate::ClientIdentity>();
    assert::<crate::Coverage>();
    assert::<crate::Explanation>();
    assert::<crate::GroupSettings>();
    assert::<crate::Host<()>>();
    assert::<crate::Identity>();
    assert::<crate::ListenerSettings>();
    assert::<crate::NotCovered>();
    assert::<crate::OriginPolicy>();
    assert::<crate::Outcome>();
    assert::<crate::Overlap>();
    assert::<crate::OverlapReason>();
    assert::<crate::Question>();
    assert::<crate::Refusal>();
    assert::<crate::Served<()>>();
    assert::<crate::ServedHost<()>>();
    assert::<crate::Site<()>>();
    assert::<crate::SiteBuilder<()>>();
    assert::<crate::SiteCertificate>();
    assert::<crate::SiteError>();
    assert::<crate::SiteErrors>();
    assert::<crate::SiteGroup>();
    assert::<crate::SiteListener>();
    assert::<crate::SiteSnapshot<()>>();
    assert::<crate::SiteWarning>();
    assert::<crate::Subject>();
    assert::<crate::TableMismatch>();
};

#[cfg(feature = "axum")]
const _: () = {
    assert::<crate::RouterService>();
};

#[cfg(feature = "h2")]
const _: () = {
    assert::<crate::H2Connection<()>>();
    assert::<crate::H2Request<()>>();
};

#[cfg(feature = "hyper")]
const _: () = {
    assert::<crate::HyperConnection<(), ()>>();
};

#[cfg(feature = "tower")]
const _: () = {
    assert::<crate::SiteLayer<()>>();
    assert::<crate::SiteService<(), ()>>();
};
