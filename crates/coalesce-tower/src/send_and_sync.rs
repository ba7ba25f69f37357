//! Asserts that every public type is `Send` and `Sync` if its parameters are. Tables and layers are
//! shared between threads, and connections move from one thread to another.

/// Compiles only if `T` is both.
const fn assert<T: Send + Sync>() {}

const _: () = {
    assert::<crate::AnswerContent>();
    assert::<crate::Attached<()>>();
    assert::<crate::Coalesce<(), ()>>();
    assert::<crate::CoalesceLayer<()>>();
    assert::<crate::ConnectionInfo>();
    assert::<crate::Forwarded<'static>>();
    assert::<crate::GatewayFields>();
    assert::<crate::NoVirtualHost>();
    assert::<crate::OpenRequest>();
    assert::<crate::ResponseBody<()>>();
    assert::<crate::ResponseFuture<(), ()>>();
    assert::<crate::TrustedGateways>();
    assert::<crate::Undecided<'static>>();
    assert::<crate::VirtualHost>();
};

#[cfg(feature = "axum-server")]
const _: () = {
    assert::<crate::AxumServerAcceptor>();
};

#[cfg(feature = "hyper")]
const _: () = {
    assert::<crate::ConnectionService<(), ()>>();
    assert::<crate::WrappedFuture<(), ()>>();
};

#[cfg(feature = "listener")]
const _: () = {
    assert::<crate::Accepted>();
    assert::<crate::ConnectionLimits>();
    assert::<crate::Listener>();
};
