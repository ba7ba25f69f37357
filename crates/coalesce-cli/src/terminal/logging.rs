//! Logs, to standard error.

use std::io::{self, IsTerminal};

use clap::{ArgAction, Args, ValueEnum};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::terminal::exit::Failure;

/// The heading of the options that every command has.
const LOGGING: &str = "Logging";

/// The options of logging, which every command has.
#[derive(Args, Clone, Debug)]
pub(crate) struct Logging {
    /// How log lines look, on standard error
    #[arg(
        long, global = true, value_enum, default_value_t = LogFormat::Text, value_name = "FORMAT",
        help_heading = LOGGING
    )]
    pub(crate) log_format: LogFormat,
    /// Log more, -vv still more; without -v and -q, `RUST_LOG` rules
    #[arg(
        short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet",
        help_heading = LOGGING
    )]
    pub(crate) verbose: u8,
    /// Log less, -qq still less
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = LOGGING)]
    pub(crate) quiet: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object per line
    Json,
}

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
    let variable = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let filter = if variable.is_empty() || logging.verbose > 0 || logging.quiet > 0 {
        let (own, others) = levels(logging, verbosity);
        let all_own = OWN_CRATES.iter().map(|own_crate| (*own_crate, own));
        let mut targets = all_own.chain([(REFUSALS_ONE_BY_ONE, refusals(own))]);
        targets.try_fold(
            EnvFilter::default().add_directive(others.into()),
            |all, (target, level)| {
                format!("{target}={level}").parse().map(|directive| all.add_directive(directive))
            },
        )
    } else {
        EnvFilter::try_new(&variable)
    };
    let filter = filter.map_err(|error| Failure::usage(format_args!("RUST_LOG: {error}")))?;
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

/// The crates of this project, whose logs speak of requests. The libraries below them speak of
/// frames and records.
const OWN_CRATES: [&str; 4] = ["coalesce", "coalesce_h2", "coalesce_http", "coalesce_tls"];

/// Where every refusal is logged as it comes. `serve` logs them as well, with the group and within
/// bounds, so that this is for those who want to see all of everything.
const REFUSALS_ONE_BY_ONE: &str = "coalesce_http::log";

fn refusals(own: LevelFilter) -> LevelFilter {
    if own == LevelFilter::TRACE { own } else { own.min(LevelFilter::WARN) }
}

/// The levels of this project's crates and of the libraries below them.
fn levels(logging: &Logging, verbosity: Verbosity) -> (LevelFilter, LevelFilter) {
    const WARN: usize = 2;
    const DEBUG: usize = 4;
    let start = match verbosity {
        Verbosity::Answering => WARN,
        Verbosity::Serving => WARN + 1,
    };
    let wanted = start
        .saturating_add(usize::from(logging.verbose))
        .saturating_sub(usize::from(logging.quiet));
    let at = |level: usize| LEVELS[level.min(LEVELS.len() - 1)];
    let others = if wanted > DEBUG { wanted - 1 } else { wanted.min(WARN) };
    (at(wanted), at(others))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_logged_one_by_one_at_the_last_level_only() {
        use LevelFilter as L;
        let own = [L::OFF, L::ERROR, L::WARN, L::INFO, L::DEBUG, L::TRACE];
        let expected = [L::OFF, L::ERROR, L::WARN, L::WARN, L::WARN, L::TRACE];
        assert_eq!(own.map(refusals), expected);
    }

    #[test]
    fn flags_count_from_the_commands_own_level() {
        use LevelFilter as L;
        let cases = [
            (0, 0, Verbosity::Serving, (L::INFO, L::WARN)),
            (0, 0, Verbosity::Answering, (L::WARN, L::WARN)),
            (1, 0, Verbosity::Serving, (L::DEBUG, L::WARN)),
            (2, 0, Verbosity::Serving, (L::TRACE, L::DEBUG)),
            (9, 0, Verbosity::Answering, (L::TRACE, L::TRACE)),
            (0, 1, Verbosity::Serving, (L::WARN, L::WARN)),
            (0, 2, Verbosity::Serving, (L::ERROR, L::ERROR)),
            (0, 9, Verbosity::Serving, (L::OFF, L::OFF)),
        ];
        for (verbose, quiet, verbosity, expected) in cases {
            let logging = Logging { log_format: LogFormat::Text, verbose, quiet };
            assert_eq!(levels(&logging, verbosity), expected, "-v {verbose} -q {quiet}");
        }
    }
}
