//! The limits in time, and the document that operators read.

mod operations;
mod timeouts;
