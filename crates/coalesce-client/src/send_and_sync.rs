//! Asserts that every public type is `Send` and `Sync`. Clients are shared between threads, and
//! responses move from one to another.

/// Compiles only if `T` is both.
const fn assert<T: Send + Sync>() {}

const _: () = {
    assert::<crate::Client>();
};
