//! Asserts that every public type is `Send` and `Sync` if its parameters are. Tables and layers are
//! shared between threads, and connections move from one thread to another.

/// Compiles only if `T` is both.
const fn assert<T: Send + Sync>() {}

const _: () = {
    assert::<crate::Accepted>();
    assert::<crate::Builder>();
    assert::<crate::Connection<(), ()>>();
    assert::<crate::Error>();
    assert::<crate::OriginSet>();
};

#[cfg(feature = "client")]
const _: () = {
    assert::<crate::client::GoAway>();
    assert::<crate::client::Observed<()>>();
    assert::<crate::client::ReceivedOrigins>();
    assert::<crate::client::ServerReport>();
    assert::<crate::client::ServerReports>();
    assert::<crate::client::ServerSettings>();
};
