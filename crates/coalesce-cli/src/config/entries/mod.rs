//! The file as it is written: its text, its entries, and where in it a fault is.

pub(crate) mod model;
mod parse;
mod plain_words;
mod snippet;
mod source;
mod watched;

pub(super) use parse::{Entries, parse};
pub(crate) use source::ConfigErrors;
pub(super) use source::{Faults, Notes, Source};
pub(crate) use watched::files_named;
