//! The progress of long work, on standard error.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::terminal::logging::Logging;

/// Work that ends before this time is not reported.
const PATIENCE: Duration = Duration::from_secs(2);

/// The time between log lines if there is no terminal for a bar.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// Reports work in stages: as a bar on a terminal, as log lines (with `-v`) elsewhere, not at all
/// with `-q`. Dropping it removes the bar.
#[derive(Debug)]
pub(crate) struct Progress {
    begun: Instant,
    shown: Shown,
}

#[derive(Debug)]
enum Shown {
    Nothing,
    Bar(Option<ProgressBar>),
    Lines { last: Option<Instant> },
}

impl Progress {
    /// Starts the clock.
    pub(crate) fn new(logging: &Logging) -> Self {
        let shown = match (logging.quiet, io::stderr().is_terminal()) {
            (1.., _) => Shown::Nothing,
            (0, true) => Shown::Bar(None),
            (0, false) => Shown::Lines { last: None },
        };
        Self { begun: Instant::now(), shown }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Reports the finished part of a stage, and its size if known.
    pub(crate) fn at(&mut self, stage: &'static str, done: u64, of: Option<u64>) {
        if self.elapsed() < PATIENCE {
            return;
        }
        match &mut self.shown {
            Shown::Nothing => {}
            Shown::Bar(bar) => {
                let bar = bar.get_or_insert_with(|| new_bar(stage));
                // The length first: a position beyond it would be drawn as the end.
                match of {
                    Some(of) => bar.set_length(of),
                    None => bar.unset_length(),
                }
                bar.set_position(done);
                bar.set_message(stage);
            }
            Shown::Lines { last } => {
                if last.is_none_or(|last| last.elapsed() >= LINE_INTERVAL) {
                    *last = Some(Instant::now());
                    let percent = of.and_then(|of| done.saturating_mul(100).checked_div(of));
                    tracing::info!(stage, done, percent, "at work");
                }
            }
        }
    }
}

fn new_bar(stage: &'static str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_message(stage);
    // Keep the default if the template is invalid.
    if let Ok(style) = ProgressStyle::with_template("{msg:10} [{wide_bar}] {percent:>3} %") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Shown::Bar(Some(bar)) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::logging::LogFormat;

    #[test]
    fn quick_work_shows_nothing_and_quiet_work_never_does() {
        let mut quick = Progress { begun: Instant::now(), shown: Shown::Bar(None) };
        quick.at("reading", 1, Some(2));
        assert!(matches!(quick.shown, Shown::Bar(None)));
        let logging = Logging { log_format: LogFormat::Text, verbose: 0, quiet: 1 };
        assert!(matches!(Progress::new(&logging).shown, Shown::Nothing));
    }

    #[test]
    fn long_work_is_reported_now_and_then() {
        let Some(long_ago) = Instant::now().checked_sub(PATIENCE) else { return };
        let mut long = Progress { begun: long_ago, shown: Shown::Lines { last: None } };
        long.at("reading", 1, None);
        let Shown::Lines { last: Some(first) } = long.shown else { panic!("{long:?}") };
        long.at("reading", 2, Some(2));
        assert!(matches!(long.shown, Shown::Lines { last: Some(last) } if last == first));
        let mut long = Progress { begun: long_ago, shown: Shown::Bar(None) };
        long.at("reading", 1, Some(2));
        assert!(matches!(&long.shown, Shown::Bar(Some(bar)) if bar.length() == Some(2)));
    }

    #[test]
    fn progress_bar_template_is_valid() {
        ProgressStyle::with_template("{msg:10} [{wide_bar}] {percent:>3} %").unwrap();
    }
}
