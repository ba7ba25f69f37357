//! Asserts that every public type is `Send` and `Sync`: lists are shared between the runs of
//! several servers.

/// Compiles only if `T` is both.
const fn assert<T: Send + Sync>() {}

const _: () = {
    assert::<crate::KnownDifferences>();
    assert::<crate::LabError>();
    assert::<crate::Record>();
    assert::<crate::Report>();
    assert::<crate::RequestRecord>();
    assert::<crate::Scenario>();
    assert::<crate::Scenarios>();
    assert::<crate::Target>();
    assert::<crate::Verdict>();
    assert::<crate::World>();
};
