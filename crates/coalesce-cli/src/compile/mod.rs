//! `coalesce compile`: a list of names, frozen into a table that is mapped instead of built.

mod command;
mod faults;
mod list;
mod output_file;
mod owners;

pub(crate) use command::{CompileArguments, run};
