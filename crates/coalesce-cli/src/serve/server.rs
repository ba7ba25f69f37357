//! Listeners and the life of the server.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use coalesce_site::Site;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::Instrument;
use tracing::field::display;

use crate::config::{Configuration, VirtualHost};
use crate::serve::connection;
use crate::serve::limits::{ACCEPT_PAUSE, DRAIN_TIMEOUT};
use crate::serve::listener::{BoundListener, ListenerContext};
use crate::serve::observe::events;
use crate::serve::observe::handshakes::ListenerMeters;
use crate::serve::observe::recorder::Observers;
use crate::serve::reload::Swapper;
use crate::serve::snapshot::{Live, ServerState, Snapshot};
use crate::terminal::exit::Failure;
use crate::terminal::text::without_code;

/// A server whose listeners are bound.
#[derive(Debug)]
pub(crate) struct Server {
    sockets: Vec<TcpListener>,
    bound: Vec<BoundListener>,
    snapshot: Snapshot,
    site: Site<VirtualHost>,
    observers: Observers,
}

/// The end of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Every open request was answered.
    Drained,
    /// Some requests were cut off at the time limit.
    CutOff {
        /// The number of their connections.
        connections: usize,
    },
}

impl Server {
    /// Binds every listener of the configuration, or none.
    pub(crate) async fn bind(
        configuration: Configuration,
        observers: Observers,
    ) -> Result<Self, Failure> {
        let Configuration { site, handle, admin, .. } = configuration;
        let mut sockets = Vec::with_capacity(site.listeners().len());
        let mut bound = Vec::with_capacity(site.listeners().len());
        for listener in site.listeners() {
            let (name, configured) = (listener.name().to_owned(), listener.address());
            let (socket, address) = bind_one(configured).await.map_err(|error| {
                let error = without_code(&error);
                Failure::runtime(format_args!(
                    "cannot listen on {configured} (listener {name:?}): {error}"
                ))
            })?;
            // Listeners that share an address have one context, named after the first.
            if let Some(name) = listener.names().first() {
                handle.bound_to(name, address.port());
            }
            sockets.push(socket);
            bound.push(BoundListener { name, configured, address });
        }
        // The site needs the actual ports.
        let site = handle.snapshot();
        let snapshot = Snapshot::new(site, admin, &bound, &observers.meters, None);
        let snapshot = snapshot.map_err(Failure::runtime)?;
        Ok(Self { sockets, bound, snapshot, site: handle, observers })
    }

    /// Returns the addresses of the listeners, with the ports that the system chose.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.bound.iter().map(|bound| bound.address)
    }

    /// Begins to accept connections.
    pub(crate) fn start(self) -> Running {
        let Self { sockets, bound, snapshot, site, observers } = self;
        observers.meters.serving(&snapshot.site);
        let connections_max = snapshot.answers.descriptors().connections_max();
        let places = Arc::new(Semaphore::new(connections_max));
        let state = ServerState { snapshot: Arc::new(snapshot), stopping: false };
        let (states, live) = watch::channel(state);
        let mut accepting = JoinSet::new();
        for (number, (socket, bound)) in sockets.into_iter().zip(&bound).enumerate() {
            let meters = ListenerMeters::new(&bound.name);
            let (bound, observers) = (bound.clone(), observers.clone());
            let context = Arc::new(ListenerContext { number, bound, meters, observers });
            accepting.spawn(accept(socket, context, places.clone(), live.clone()));
        }
        let (states, bound, meters) = (Arc::new(states), bound.into(), observers.meters);
        let swapper = Swapper { site, states, bound, meters };
        Running { swapper, connections_max, places, accepting }
    }
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Running {
    swapper: Swapper,
    connections_max: usize,
    places: Arc<Semaphore>,
    accepting: JoinSet<()>,
}

impl Running {
    /// Returns the handle that replaces the snapshot.
    pub(super) fn swapper(&self) -> Swapper {
        self.swapper.clone()
    }

    /// Stops accepting connections, and lets open requests finish until a time limit.
    pub(crate) async fn end(mut self) -> Ended {
        events::ending();
        self.swapper.states.send_modify(|state| state.stopping = true);
        while self.accepting.join_next().await.is_some() {}
        // Each connection holds a receiver, so the channel closes with the last connection.
        if timeout(DRAIN_TIMEOUT, self.swapper.states.closed()).await.is_ok() {
            return Ended::Drained;
        }
        let connections = self.connections_max.saturating_sub(self.places.available_permits());
        Ended::CutOff { connections }
    }
}

async fn bind_one(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = TcpListener::bind(address).await?;
    let address = socket.local_addr()?;
    Ok((socket, address))
}

/// Accepts connections until the server stops.
async fn accept(
    socket: TcpListener,
    context: Arc<ListenerContext>,
    places: Arc<Semaphore>,
    mut live: Live,
) {
    loop {
        let next = tokio::select! {
            biased;
            _ = live.wait_for(|state| state.stopping) => return,
            next = next(&socket, &places) => next,
        };
        match next {
            Some((stream, peer, place)) => {
                let context = context.clone();
                let live = live.clone();
                let span = events::connection(peer, &context.bound.name);
                let served = async move {
                    connection::serve(&context, stream, peer, live).await;
                    drop(place);
                };
                tokio::spawn(served.instrument(span));
            }
            None => sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Returns the next connection and its place; `None` if the system refuses one at the moment.
async fn next(
    socket: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match socket.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(error) => {
            events::cannot_accept(display(error));
            None
        }
    }
}
