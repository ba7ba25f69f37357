//! Listeners and the life of the server.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use coalesce_tls::Acceptor;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::Instrument;

use crate::config::Site;
use crate::config::files::without_code;
use crate::exit::Failure;
use crate::serve::answer::Answers;
use crate::serve::connection::{self, Entrance};
use crate::serve::limits::{ACCEPT_PAUSE, CONNECTIONS_MAX, DRAIN_TIMEOUT};

/// A server whose listeners are bound.
#[derive(Debug)]
pub(crate) struct Server {
    bound: Vec<(TcpListener, SocketAddr, Arc<Entrance>)>,
}

/// How a server has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Every open request was answered.
    Drained,
    /// Some were not, in the time they had.
    CutOff {
        /// How many connections they were on.
        connections: usize,
    },
}

impl Server {
    /// Binds every listener of `site`, or none.
    pub(crate) async fn bind(site: Site) -> Result<Self, Failure> {
        let answers = Arc::new(Answers::new(&site));
        let site = Arc::new(site);
        let mut bound = Vec::with_capacity(site.listeners.len());
        for listener in &site.listeners {
            let (socket, address) = bind_one(listener.address).await.map_err(|error| {
                Failure::runtime(format_args!(
                    "cannot listen on {} (listener {:?}): {}",
                    listener.address,
                    listener.name,
                    without_code(&error)
                ))
            })?;
            let entrance = Entrance {
                listener: listener.name.clone(),
                configured: listener.address,
                acceptor: Acceptor::new(listener.handshakes.clone()),
                ports: listener.ports_when_bound(address.port()),
                site: site.clone(),
                answers: answers.clone(),
            };
            bound.push((socket, address, Arc::new(entrance)));
        }
        Ok(Self { bound })
    }

    /// The addresses that are listened on, with the ports that the system chose.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.bound.iter().map(|(_, address, _)| *address)
    }

    /// Begins to accept connections.
    pub(crate) fn start(self) -> Running {
        let (stopping, stopped) = watch::channel(false);
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut accepting = JoinSet::new();
        for (socket, _, entrance) in self.bound {
            accepting.spawn(accept(socket, entrance, places.clone(), stopped.clone()));
        }
        Running { stopping, places, accepting }
    }
}

/// A server that serves.
#[derive(Debug)]
pub(crate) struct Running {
    stopping: watch::Sender<bool>,
    places: Arc<Semaphore>,
    accepting: JoinSet<()>,
}

impl Running {
    /// Accepts nothing more, and lets open requests finish for a while.
    pub(crate) async fn end(mut self) -> Ended {
        tracing::info!("ending: no new connections, open requests may finish");
        self.stopping.send_replace(true);
        while self.accepting.join_next().await.is_some() {}
        // Each connection holds a receiver; when the last is gone, all are.
        if timeout(DRAIN_TIMEOUT, self.stopping.closed()).await.is_ok() {
            return Ended::Drained;
        }
        let connections = CONNECTIONS_MAX.saturating_sub(self.places.available_permits());
        Ended::CutOff { connections }
    }
}

async fn bind_one(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = TcpListener::bind(address).await?;
    let address = socket.local_addr()?;
    Ok((socket, address))
}

/// Accepts connections until told to stop.
async fn accept(
    socket: TcpListener,
    entrance: Arc<Entrance>,
    places: Arc<Semaphore>,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        let next = tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => return,
            next = next(&socket, &places) => next,
        };
        match next {
            Some((stream, peer, place)) => {
                let entrance = entrance.clone();
                let stopped = stopped.clone();
                let span = connection::span(peer, &entrance.listener);
                let served = async move {
                    connection::serve(&entrance, stream, peer, stopped).await;
                    drop(place);
                };
                tokio::spawn(served.instrument(span));
            }
            None => sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// The next connection and its place, or `None` when the system has none to give right now.
async fn next(
    socket: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match socket.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(error) => {
            tracing::warn!(%error, "cannot accept a connection");
            None
        }
    }
}
