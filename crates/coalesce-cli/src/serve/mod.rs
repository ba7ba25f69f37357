//! `coalesce serve`: a configuration, served over HTTP/2 with TLS.

mod access_log;
mod admin;
mod answer;
mod background;
mod changes;
mod connection;
mod limits;
mod meters;
mod noting;
#[cfg(test)]
mod operations;
mod origins;
mod rate_bound;
mod reload;
mod server;
mod snapshot;
mod standing;
#[cfg(test)]
mod timeouts;

use std::net::SocketAddr;
use std::num::NonZeroUsize;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::ServeArguments;
use crate::config::Site;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::serve::access_log::AccessLog;
use crate::serve::admin::{Admin, Scraped};
use crate::serve::background::Background;
use crate::serve::reload::{Announcing, Origin, Reloader, Unloaded};

pub(crate) use connection::Observers;
pub(crate) use server::{Ended, Server};

pub(crate) fn run(arguments: &ServeArguments) -> Result<Exit, Failure> {
    let announcing = if arguments.no_origins { Announcing::Never } else { Announcing::Configured };
    let origin = Origin::new(arguments.config.clone(), arguments.listen, announcing);
    let background = Background::start()
        .map_err(|error| Failure::runtime(format_args!("cannot start a thread: {error}")))?;
    let mut reloader = Reloader::new(origin.clone(), background);
    let site = origin.load().map_err(|error| match error {
        Unloaded::Configuration(errors) => Failure::configuration(errors),
        Unloaded::Usage(message) => Failure::usage(message),
    })?;
    site.log();
    if !arguments.no_watch {
        reloader.watch();
    }
    let admin = arguments.admin.or(site.admin);
    let scraped = match admin {
        None => None,
        Some(address) => Some((address, admin::install_recorder()?)),
    };
    let (access_log, _flushed_at_the_end) = match &arguments.access_log {
        None => (None, None),
        Some(path) => AccessLog::open(path).map(|(log, guard)| (Some(log), Some(guard)))?,
    };
    // After the recorder is there: handles are of the one that was when they were made.
    let observers = Observers { access_log, ..Observers::default() };
    block_on(arguments.workers, serve(site, reloader, observers, scraped))
}

/// Runs `future` to its end, on so many threads, or on as many as there are cores.
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
    // A file that is still being read keeps nobody waiting.
    runtime.shutdown_background();
    ended
}

async fn serve(
    site: Site,
    reloader: Reloader,
    observers: Observers,
    scraped: Option<(SocketAddr, PrometheusHandle)>,
) -> Result<Exit, Failure> {
    // Before the address is announced, so that no signal in between ends the process rudely.
    let mut signals = Signals::new()?;
    let hangups = listen_for(SignalKind::hangup())?;
    let admin = match scraped {
        None => None,
        Some((address, recorder)) => {
            let Observers { meters, access_log } = observers.clone();
            Some((Admin::bind(address).await?, Scraped { recorder, meters, access_log }))
        }
    };
    let access_log = observers.access_log.clone();
    let server = Server::bind(site, observers).await?;
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
    let reloading = tokio::spawn(reloader.run(running.swapper(), hangups, access_log));
    if let Some((admin, scraped)) = admin {
        tokio::spawn(admin.run(scraped));
    }
    signals.next().await;
    reloading.abort();
    tokio::select! {
        ended = running.end() => match ended {
            Ended::Drained => tracing::info!("ended"),
            Ended::CutOff { connections } => {
                tracing::warn!(connections, "connections cut off; they did not end in time");
            }
        },
        () = signals.next() => tracing::warn!("ended at once, by a second signal"),
    }
    Ok(Exit::Fine)
}

fn listen_for(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::runtime(format_args!("cannot wait for signals: {error}")))
}

/// SIGINT and SIGTERM.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self {
            interrupt: listen_for(SignalKind::interrupt())?,
            terminate: listen_for(SignalKind::terminate())?,
        })
    }

    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
