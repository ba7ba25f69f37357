//! Reports the progress of a long run on standard error.

use std::fmt::Display;
use std::io::Write as _;
use std::time::{Duration, Instant};

/// The least time between two lines.
const PAUSE: Duration = Duration::from_secs(2);

/// Prints a line if enough time has passed since the last one.
#[derive(Debug)]
pub struct Progress {
    last: Option<Instant>,
}

impl Progress {
    /// Starts the clock. The first line comes after the pause at the earliest.
    #[expect(clippy::new_without_default, reason = "the call starts a clock")]
    pub fn new() -> Self {
        Self { last: Some(Instant::now()) }
    }

    /// Returns a progress that prints nothing.
    pub const fn silent() -> Self {
        Self { last: None }
    }

    /// Prints the current step, unless the last line is too recent.
    pub fn say(&mut self, what: impl Display) {
        if let Some(last) = &mut self.last
            && last.elapsed() >= PAUSE
        {
            *last = Instant::now();
            // If standard error is closed, there is no other place to report that.
            let _ = writeln!(std::io::stderr().lock(), "{what}");
        }
    }
}
