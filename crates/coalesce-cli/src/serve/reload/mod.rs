//! Replaces the served configuration by a newer one.

mod background;
mod file_events;
mod reloader;

pub(super) use background::Background;
pub(super) use reloader::{ConfigurationSource, LoadError, ReloadSignals, Reloader, Swapper};
