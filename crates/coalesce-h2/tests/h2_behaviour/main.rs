//! The properties of `h2` on which this crate relies, one test for each.
//!
//! The tests run against a bare `h2::server`. A release of `h2` for which one of them fails needs a
//! change in this crate before the crate can be used with it. `tests/h2-versions.sh` runs them with
//! the lowest version that `Cargo.toml` allows and with the newest.

mod header_blocks;
mod peer;
mod streams;
mod windows;
mod writing;
