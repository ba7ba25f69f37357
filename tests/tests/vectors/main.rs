//! Runs the vectors of `tests/vectors/` on every implementation of the rules, compares the decision
//! with a second model, and measures the largest cost of reading.
//!
//! `cargo test -p coalesce-tests --test vectors -- --nocapture` prints the tables.

#[path = "../../../crates/coalesce-core/tests/oracle/build.rs"]
#[allow(dead_code, reason = "the property tests of coalesce-core use the rest")]
mod build;
#[path = "../../../crates/coalesce-core/tests/oracle/generate.rs"]
#[allow(dead_code, reason = "the property tests of coalesce-core use the rest")]
mod generate;
#[path = "../../../crates/coalesce-core/tests/oracle/model.rs"]
mod model;

mod authorities;
mod bounds;
mod certificates;
mod decisions;
mod design;
mod differential;
mod identifiers;
mod names;
mod report;
mod requests;
mod rows;
mod tables;
