//! `coalesce demo`: the whole path on made-up hosts, every verdict shown.

mod client;
mod command;
pub(crate) mod files;
mod report;
mod rows;

pub(crate) use command::{DemoArguments, run};
