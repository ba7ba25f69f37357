//! Compares tables, parsers and the decision with naive oracles, for generated inputs.
//!
//! `PROPTEST_CASES` sets the number of cases. `every_outcome_is_reached` proves that the cases
//! cover every outcome.
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
