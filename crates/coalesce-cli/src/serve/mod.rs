//! `coalesce serve`: a configuration, served over HTTP/2 with TLS.

mod answer;
mod connection;
mod limits;
mod server;

use std::net::SocketAddr;
use std::num::NonZeroUsize;

use tokio::signal::unix::{SignalKind, signal};

use crate::cli::ServeArguments;
use crate::config::{Kept, Site};
use crate::exit::{Exit, Failure};
use crate::output::Output;

pub(crate) use server::{Ended, Server};

pub(crate) fn run(arguments: &ServeArguments) -> Result<Exit, Failure> {
    let kept = Kept::default();
    let mut site = Site::load_after(&arguments.config, &kept).map_err(Failure::configuration)?;
    site.log();
    if let Some(address) = arguments.listen {
        listen_on(&mut site, address)?;
    }
    block_on(arguments.workers, serve(site))
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

/// Replaces the address of the site's one listener.
fn listen_on(site: &mut Site, address: SocketAddr) -> Result<(), Failure> {
    match site.listeners.as_mut_slice() {
        [only] => {
            only.address = address;
            Ok(())
        }
        several => Err(Failure::usage(format_args!(
            "--listen is for configurations with one listener; this one has {}",
            several.len()
        ))),
    }
}

async fn serve(site: Site) -> Result<Exit, Failure> {
    // Before the address is announced, so that no signal in between ends the process rudely.
    let mut signals = Signals::new()?;
    let server = Server::bind(site).await?;
    let mut output = Output::stdout();
    for address in server.addresses() {
        output.line(format_args!("listening on {address}"))?;
    }
    output.flush()?;
    drop(output);
    let running = server.start();
    signals.next().await;
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

/// SIGINT and SIGTERM.
pub(crate) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    pub(crate) fn new() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Failure::runtime(format_args!("cannot wait for signals: {error}")))
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
