//! The command: starts all parts of the server, and ends them in order.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::panic::PanicHookInfo;
use std::path::PathBuf;

use clap::Args;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::field::display;

use crate::config::{Configuration, Overrides};
use crate::serve::descriptors;
use crate::serve::observe::access_log::AccessLog;
use crate::serve::observe::admin::{self, Admin, Scraped};
use crate::serve::observe::events;
use crate::serve::observe::recorder::Observers;
use crate::serve::reload::{Background, ConfigurationSource, LoadError, ReloadSignals, Reloader};
use crate::serve::server::{Ended, Server};
use crate::terminal::exit::{Exit, Failure};
use crate::terminal::logging::LogLosses;
use crate::terminal::output::Output;

/// The arguments of `coalesce serve`.
#[derive(Args, Debug)]
pub(crate) struct ServeArguments {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Listen here instead of on the address of the configuration's one listener
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Threads that serve connections [default: one for each core]
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<NonZeroUsize>,
    /// Serve metrics for Prometheus over HTTP at /metrics, here [default: 127.0.0.1:9421], instead
    /// of on the configuration's admin address; without either nothing is counted
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = "127.0.0.1:9421")]
    pub(crate) admin: Option<SocketAddr>,
    /// Write one JSON object per request to FILE, or with - to standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) access_log: Option<PathBuf>,
    /// Announce no origin set (RFC 8336), whatever the configuration says
    #[arg(long)]
    pub(crate) no_origins: bool,
    /// Reload on SIGHUP only, not when a file has changed
    #[arg(long)]
    pub(crate) no_watch: bool,
}

pub(crate) fn run(arguments: &ServeArguments, log: LogLosses) -> Result<Exit, Failure> {
    std::panic::set_hook(Box::new(log_panic));
    let (listen, no_origins) = (arguments.listen, arguments.no_origins);
    let overrides = Overrides { listen, no_origins, ..Overrides::default() };
    let source = ConfigurationSource::new(arguments.config.clone(), overrides);
    let background = Background::start()
        .map_err(|error| Failure::runtime(format_args!("cannot start a thread: {error}")))?;
    let mut reloader = Reloader::new(source.clone(), background);
    let loaded = source.load().map_err(|error| match error {
        LoadError::Configuration(errors) => Failure::configuration(errors),
        LoadError::Usage(message) => Failure::usage(message),
    })?;
    loaded.log();
    descriptors::raise_limit();
    if !arguments.no_watch {
        reloader.watch();
    }
    let admin = arguments.admin.or(loaded.admin.address);
    let scraped = match admin {
        None => None,
        Some(address) => Some((address, admin::install_recorder()?)),
    };
    let (access_log, _flushed_at_the_end) = match &arguments.access_log {
        None => (None, None),
        Some(path) => AccessLog::open(path).map(|(log, guard)| (Some(log), Some(guard)))?,
    };
    // After the recorder is installed, because handles belong to the recorder of their creation.
    let observers = Observers { access_log, counts: scraped.is_some(), ..Observers::default() };
    block_on(arguments.workers, serve(loaded, reloader, observers, scraped, log))
}

/// Logs a panic. The default hook writes to standard error directly and can block on its reader.
fn log_panic(info: &PanicHookInfo<'_>) {
    let at = info.location().map(display);
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    events::panicked(at, text.unwrap_or_default());
}

/// Runs `future` to its end on this number of threads, by default one for each core.
pub(crate) fn block_on(
    workers: Option<NonZeroUsize>,
    future: impl Future<Output = Result<Exit, Failure>>,
) -> Result<Exit, Failure> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(workers) = workers {
        runtime.worker_threads(workers.get());
    }
    let runtime = runtime
        .enable_all()
        .build()
        .map_err(|error| Failure::runtime(format_args!("cannot start: {error}")))?;
    let ended = runtime.block_on(future);
    // Do not wait for files that are still being read.
    runtime.shutdown_background();
    ended
}

async fn serve(
    loaded: Configuration,
    reloader: Reloader,
    observers: Observers,
    scraped: Option<(SocketAddr, PrometheusHandle)>,
    log: LogLosses,
) -> Result<Exit, Failure> {
    // Before the address is announced, so that a signal in between ends the server in order.
    let mut signals = Signals::new()?;
    let requested = ReloadSignals {
        reload: listen_for(SignalKind::hangup())?,
        reopen: listen_for(SignalKind::user_defined1())?,
    };
    // Process managers send SIGUSR2 to servers that replace their own program. This server does
    // not, and without a handler the signal would end the process.
    let _ignored = listen_for(SignalKind::user_defined2())?;
    let admin = match scraped {
        None => None,
        Some((address, recorder)) => {
            let Observers { meters, access_log, .. } = observers.clone();
            Some((Admin::bind(address).await?, Scraped { recorder, meters, access_log, log }))
        }
    };
    let access_log = observers.access_log.clone();
    let server = Server::bind(loaded, observers).await?;
    let mut output = Output::stdout();
    for address in server.addresses() {
        output.line(format_args!("listening on {address}"))?;
    }
    if let Some((admin, _)) = &admin {
        output.line(format_args!("admin on {}", admin.address))?;
    }
    output.flush()?;
    drop(output);
    let running = server.start();
    let reloading = tokio::spawn(reloader.run(running.swapper(), requested, access_log));
    if let Some((admin, scraped)) = admin {
        tokio::spawn(admin.run(scraped, running.swapper().states));
    }
    signals.next().await;
    reloading.abort();
    tokio::select! {
        ended = running.end() => match ended {
            Ended::Drained => events::ended(),
            Ended::CutOff { connections } => {
                events::cut_off(connections);
            }
        },
        () = signals.next() => events::ended_at_once(),
    }
    Ok(Exit::Fine)
}

fn listen_for(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::runtime(format_args!("cannot wait for signals: {error}")))
}

/// The signals that end the server: SIGINT, SIGTERM and SIGQUIT. nginx and others take SIGQUIT for
/// a graceful end.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    quit: Signal,
}

impl Signals {
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self {
            interrupt: listen_for(SignalKind::interrupt())?,
            terminate: listen_for(SignalKind::terminate())?,
            quit: listen_for(SignalKind::quit())?,
        })
    }

    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.quit.recv() => {}
        }
    }
}
