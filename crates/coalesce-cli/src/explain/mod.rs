//! `coalesce explain`: what one request would get on one connection, and why.

mod command;
mod explanation;
mod question;
mod report;

pub(crate) use command::{reason, run};
pub(crate) use question::{ClientIdentity, ExplainArguments, Question};
