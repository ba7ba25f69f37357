//! Tries, parsers and the decision against naive oracles, for generated inputs.
//!
//! `PROPTEST_CASES` sets how many; `every_outcome_is_reached` proves that the comparisons are not
//! about nothing.
#![cfg(feature = "alloc")]

mod build;
mod decision;
mod generate;
mod images;
mod lookups;
mod model;
mod parsers;
