//! `coalesce groups`: which virtual hosts may share a connection, and why others may not.

mod command;
mod difference;
mod pair;
mod report;
mod text;

pub(crate) use command::{GroupsArguments, run};
