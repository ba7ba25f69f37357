//! Logging to standard error.

use std::collections::HashMap;
use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use clap::{ArgAction, Args, ValueEnum};
use coalesce_http::limits::REFUSALS_LOGGED_PER_SECOND;
use coalesce_http::log::{LogDecision, RateLimit};
use tracing::callsite::Identifier;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, fmt};

use crate::terminal::exit::Failure;
use crate::terminal::log_queue::{FlushGuard, LogQueue, LostLines};
use crate::terminal::text::without_code;

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

/// The default verbosity of a command, before `-v` and `-q`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// A command that answers a question: warnings and errors only.
    Answering,
    /// A server: also the reason of each refusal.
    Serving,
}

/// The levels from the least to the most verbose.
const LEVELS: [LevelFilter; 6] = [
    LevelFilter::OFF,
    LevelFilter::ERROR,
    LevelFilter::WARN,
    LevelFilter::INFO,
    LevelFilter::DEBUG,
    LevelFilter::TRACE,
];

/// The bytes of log lines that wait for the reader of standard error: some thousands of lines, and
/// sixteen times the room of a pipe in Linux.
pub(crate) const LOG_BYTES_WAITING_MAX: usize = 1024 * 1024;

/// The log of a command that is running.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// The log of a server, whose tasks must not wait for a reader. The guard writes the rest at
    /// the end.
    queue: Option<(LogQueue, FlushGuard)>,
    libraries: LibraryLimit,
}

/// The number of lines that the log could not write.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogLosses {
    queue: Option<LogQueue>,
    libraries: LibraryLimit,
}

impl Log {
    pub(crate) fn losses(&self) -> LogLosses {
        let queue = self.queue.as_ref().map(|(queue, _)| queue.clone());
        LogLosses { queue, libraries: self.libraries.clone() }
    }
}

impl LogLosses {
    /// Returns the number of lines that the queue has lost.
    pub(crate) fn lost(&self) -> u64 {
        self.queue.as_ref().map_or(0, LogQueue::lost)
    }

    /// Returns the number of suppressed lines of libraries, of which there were too many of one
    /// kind.
    pub(crate) fn unlogged(&self) -> u64 {
        self.libraries.unlogged.load(Ordering::Relaxed)
    }
}

/// Starts logging. `-v` and `-q` count from the command's default; without them, `RUST_LOG`
/// applies. A server logs through a queue, which calls `lost` when lines were lost.
pub(crate) fn start(
    logging: &Logging,
    verbosity: Verbosity,
    lost: fn(LostLines),
) -> Result<Log, Failure> {
    let filter = filter(logging, verbosity)?;
    let mut log = Log::default();
    let (format, libraries) = (logging.log_format, log.libraries.clone());
    let cannot = |error: &dyn std::fmt::Display| {
        Failure::runtime(format_args!("cannot start logging: {error}"))
    };
    let started = match verbosity {
        Verbosity::Answering => init(filter, io::stderr, format, libraries),
        Verbosity::Serving => {
            let queue = LogQueue::start("log", LOG_BYTES_WAITING_MAX, io::stderr(), lost);
            let (queue, guard) = queue.map_err(|error| cannot(&without_code(&error)))?;
            log.queue = Some((queue.clone(), guard));
            init(filter, queue, format, libraries)
        }
    };
    started.map_err(|error| cannot(&error))?;
    Ok(log)
}

/// Writes every event to `writer`.
fn init<W>(
    filter: EnvFilter,
    writer: W,
    format: LogFormat,
    libraries: LibraryLimit,
) -> Result<(), TryInitError>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let builder =
        fmt().with_env_filter(filter).with_writer(writer).with_ansi(io::stderr().is_terminal());
    match format {
        LogFormat::Text => builder.finish().with(libraries).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().with(libraries).try_init(),
    }
}

/// Limits how many lines of one kind libraries log in a second. The command limits its own events
/// where it logs them. A library does not, and a client can cause some warnings: `h2` warns of each
/// PING acknowledgement that no PING asked for, `coalesce-h2` of each connection that it ends.
#[derive(Clone, Debug, Default)]
struct LibraryLimit {
    /// One counter for each log statement of the libraries, so their number is bounded.
    limits: Arc<Mutex<HashMap<Identifier, RateLimit>>>,
    unlogged: Arc<AtomicU64>,
}

impl<S: Subscriber> Layer<S> for LibraryLimit {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        // Events below the default levels were requested with `-v`, so do not limit them.
        let is_asked_for = *metadata.level() > Level::INFO;
        if is_asked_for || metadata.target().starts_with(OWN_EVENTS) {
            return true;
        }
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = limits
            .entry(metadata.callsite())
            .or_insert_with(|| RateLimit::per_second(REFUSALS_LOGGED_PER_SECOND));
        let is_logged = limit.decide(Instant::now()) != LogDecision::Skip;
        if !is_logged {
            self.unlogged.fetch_add(1, Ordering::Relaxed);
        }
        is_logged
    }
}

/// Returns the filter that the flags or `RUST_LOG` select.
fn filter(logging: &Logging, verbosity: Verbosity) -> Result<EnvFilter, Failure> {
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
    filter.map_err(|error| Failure::usage(format_args!("RUST_LOG: {error}")))
}

/// The crates of this project, whose logs are about requests. The libraries below them log frames
/// and records.
const OWN_CRATES: [&str; 4] = ["coalesce", "coalesce_h2", "coalesce_http", "coalesce_tls"];

/// The start of the targets of the command's own events.
const OWN_EVENTS: &str = "coalesce_cli";

/// The target at which every refusal is logged without a limit. `serve` logs refusals too, with the
/// group and with a limit, so this target is on only at the highest verbosity.
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

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn flood_of_a_library_is_limited_and_counted() {
        let written = Written::default();
        let writer = written.clone();
        let libraries = LibraryLimit::default();
        let subscriber = fmt()
            .with_max_level(Level::DEBUG)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish()
            .with(libraries.clone());
        let begun = Instant::now();
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..1_000 {
                tracing::warn!(target: "coalesce_h2::server", "from a library");
                tracing::debug!(target: "h2::proto", "detail");
                tracing::warn!(target: "coalesce_cli::serve", "own");
            }
        });
        let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap() + 2;
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let count = |text_of: &str| text.matches(text_of).count();
        assert_eq!((count("own"), count("detail")), (1_000, 1_000));
        let logged = count("from a library");
        assert!(logged >= 10 && logged <= 10 * seconds, "{logged} lines in {seconds} s");
        let unlogged = usize::try_from(libraries.unlogged.load(Ordering::Relaxed)).unwrap();
        assert_eq!(logged + unlogged, 1_000);
    }

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
