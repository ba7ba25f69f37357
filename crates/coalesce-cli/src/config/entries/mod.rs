//! The file as written: its text, its entries, and the places of faults.

pub(crate) mod model;
mod parse;
mod plain_words;
mod snippet;
mod source;
mod watched;

pub(super) use parse::{Entries, parse};
pub(crate) use source::{ConfigErrors, Finding};
pub(super) use source::{Faults, Notes, Source};
pub(crate) use watched::files_named;
