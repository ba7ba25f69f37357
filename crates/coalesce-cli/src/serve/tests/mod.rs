//! Tests of the time limits, and of the document for operators.

mod operations;
mod timeouts;
