//! Asserts that every public type is `Send` and `Sync` if its parameters are. Tables and layers are
//! shared between threads, and connections move from one thread to another.

/// Compiles only if `T` is `Send` and `Sync`.
const fn assert<T: Send + Sync>() {}

const _: () = {
    assert::<crate::Answer>();
    assert::<crate::Answers>();
    assert::<crate::MisdirectedContent>();
    assert::<crate::Refusal>();
    assert::<crate::log::LogDecision>();
    assert::<crate::log::LoggedAuthority<'static>>();
    assert::<crate::log::RateLimit>();
    assert::<crate::target::TargetError>();
};
