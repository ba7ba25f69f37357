//! Shared by all commands: reading lines, writing answers, logging, and exit codes.

pub(crate) mod batch;
pub(crate) mod exit;
pub(crate) mod lines;
pub(crate) mod log_queue;
pub(crate) mod logging;
pub(crate) mod output;
pub(crate) mod palette;
pub(crate) mod progress;
pub(crate) mod text;
