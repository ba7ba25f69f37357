//! Tables, parsers and the decision against naive oracles, for generated inputs.
//!
//! `PROPTEST_CASES` sets how many; `every_outcome_is_reached` proves that the comparisons are not
//! about nothing.
#![cfg(feature = "alloc")]

mod build;
mod corruptions;
mod decision;
mod format;
mod forms;
mod generate;
mod images;
mod listing;
mod lookups;
mod model;
mod origins;
mod parsers;
mod ways;
