//! Logs, to standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::cli::{LogFormat, Logging};
use crate::exit::Failure;

/// How much a command says by itself, before `-v` and `-q`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// A question and its answer: only what may be wrong.
    Answering,
    /// A server: the reason of each refusal as well.
    Serving,
}

/// The levels from silent to everything.
const LEVELS: [LevelFilter; 6] = [
    LevelFilter::OFF,
    LevelFilter::ERROR,
    LevelFilter::WARN,
    LevelFilter::INFO,
    LevelFilter::DEBUG,
    LevelFilter::TRACE,
];

/// Starts logging. `-v` and `-q` count from what the command does by itself; `RUST_LOG` rules when
/// neither is given.
pub(crate) fn start(logging: &Logging, verbosity: Verbosity) -> Result<(), Failure> {
    let level = level(logging, verbosity);
    let variable = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let filter = if variable.is_empty() || logging.verbose > 0 || logging.quiet > 0 {
        EnvFilter::default().add_directive(level.into())
    } else {
        EnvFilter::try_new(&variable)
            .map_err(|error| Failure::usage(format_args!("RUST_LOG: {error}")))?
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    let started = match logging.log_format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| Failure::runtime(format_args!("cannot start logging: {error}")))
}

fn level(logging: &Logging, verbosity: Verbosity) -> LevelFilter {
    let start: usize = match verbosity {
        Verbosity::Answering => 2,
        Verbosity::Serving => 3,
    };
    let wanted = start
        .saturating_add(usize::from(logging.verbose))
        .saturating_sub(usize::from(logging.quiet));
    LEVELS[wanted.min(LEVELS.len() - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_count_from_the_commands_own_level() {
        let with = |verbose, quiet| Logging { log_format: LogFormat::Text, verbose, quiet };
        assert_eq!(level(&with(0, 0), Verbosity::Serving), LevelFilter::INFO);
        assert_eq!(level(&with(0, 0), Verbosity::Answering), LevelFilter::WARN);
        assert_eq!(level(&with(1, 0), Verbosity::Serving), LevelFilter::DEBUG);
        assert_eq!(level(&with(0, 1), Verbosity::Serving), LevelFilter::WARN);
        assert_eq!(level(&with(9, 0), Verbosity::Answering), LevelFilter::TRACE);
        assert_eq!(level(&with(0, 9), Verbosity::Serving), LevelFilter::OFF);
    }
}
