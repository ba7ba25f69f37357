//! Where a long run is, on standard error.

use std::fmt::Display;
use std::io::Write as _;
use std::time::{Duration, Instant};

/// Nothing is said sooner than this after the last line.
const PAUSE: Duration = Duration::from_secs(2);

/// Says a line when something takes longer than a pause.
#[derive(Debug)]
pub struct Progress {
    last: Option<Instant>,
}

impl Progress {
    /// The first line is said no sooner than after the pause.
    #[expect(clippy::new_without_default, reason = "time begins to run")]
    pub fn new() -> Self {
        Self { last: Some(Instant::now()) }
    }

    /// Says nothing.
    pub const fn silent() -> Self {
        Self { last: None }
    }

    /// Says where the run is, unless something was said just now.
    pub fn say(&mut self, what: impl Display) {
        if let Some(last) = &mut self.last
            && last.elapsed() >= PAUSE
        {
            *last = Instant::now();
            // When nobody reads it there is nobody to tell.
            let _ = writeln!(std::io::stderr().lock(), "{what}");
        }
    }
}
