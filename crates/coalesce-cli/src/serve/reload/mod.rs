//! Putting a newer configuration in the place of the one that is served.

mod background;
mod file_events;
mod reloader;

pub(super) use background::Background;
pub(super) use reloader::{ConfigurationSource, LoadError, Reloader, Swapper};
