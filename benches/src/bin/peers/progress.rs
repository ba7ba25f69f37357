//! Where a long run is, on standard error.

use std::fmt::Display;
use std::io::Write as _;
use std::time::{Duration, Instant};

/// Nothing is said sooner than this after the last line.
const PAUSE: Duration = Duration::from_secs(2);

/// Says a line when something takes longer than [`PAUSE`].
#[derive(Debug)]
pub(crate) struct Progress {
    last: Option<Instant>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { last: Some(Instant::now()) }
    }

    #[cfg(test)]
    pub(crate) const fn silent() -> Self {
        Self { last: None }
    }

    pub(crate) fn say(&mut self, what: impl Display) {
        if let Some(last) = &mut self.last
            && last.elapsed() >= PAUSE
        {
            *last = Instant::now();
            // When nobody reads it there is nobody to tell.
            let _ = writeln!(std::io::stderr().lock(), "{what}");
        }
    }
}
