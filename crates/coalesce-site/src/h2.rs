//! The site behind the `h2` server adapter.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use coalesce_core::{Memo, Misdirected, RefusalHint, RequestTarget, ServerConnection, Verdict};
use coalesce_h2::{Builder, Decide, Error, OriginSet};
use coalesce_tower::{Accepted, ConnectionInfo, OpenRequest};

use crate::served::Served;
use crate::site::Site;
use crate::site_snapshot::SiteSnapshot;
use crate::snapshot::Snapshot;
use crate::tables::{GONE, Tables};

impl<T> Site<T> {
    /// Exchanges the prefaces of HTTP/2 on a connection of the site's listener. Let the handshakes
    /// negotiate `h2` alone: [`SiteBuilder::protocols`](crate::SiteBuilder::protocols).
    ///
    /// The answers of the site replace those of `builder`.
    ///
    /// ```no_run
    /// # use coalesce_site::{H2Request, Site};
    /// # async fn run(site: Site<String>) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut listener = site.listen("127.0.0.1:8443").await?;
    /// loop {
    ///     let (accepted, _) = listener.accept().await;
    ///     let mut connection = site.h2_handshake(accepted, coalesce_h2::Builder::new()).await?;
    ///     while let Some(accepted) = connection.accept().await {
    ///         let H2Request { mut respond, served, .. } = accepted?;
    ///         let text = served.host.map(|host| host.value().clone()).unwrap_or_default();
    ///         let mut body = respond.send_response(http::Response::new(()), false)?;
    ///         body.send_data(text.into(), true)?;
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error`] if the client does not speak HTTP/2 or goes away.
    pub async fn h2_handshake(
        &self,
        accepted: Accepted,
        builder: Builder,
    ) -> Result<H2Connection<T>, Error> {
        let snapshot = Arc::clone(&self.newest());
        let settings = &snapshot.plan.settings;
        let mut builder = builder.misdirected_content(settings.misdirected_content.clone());
        if let Some(methods) = &settings.allow {
            builder = builder.allow(methods.clone());
        }
        let info = accepted.info().clone();
        let memo = Memo::new(connection(&snapshot, &info));
        let state = Arc::new(Mutex::new(State { snapshot, moves: 0, memo }));
        let decision = ConnectionDecision { site: self.clone(), info, state };
        builder = builder.origin_set(decision.origins());
        let inner = builder.handshake(accepted, decision.clone()).await?;
        Ok(H2Connection { inner, decision, announced: 0, open: None })
    }
}

/// A connection that accepts only what it may serve; see [`coalesce_h2::Connection`].
///
/// # Examples
/// ```
/// use coalesce_site::{H2Connection, H2Request};
///
/// /// Serves a connection until the client goes away.
/// async fn serve(mut connection: H2Connection<String>) -> Result<(), coalesce_h2::Error> {
///     while let Some(accepted) = connection.accept().await {
///         let H2Request { request, served, .. } = accepted?;
///         println!("{} of {:?}", request.uri().path(), served.host);
///     }
///     Ok(())
/// }
/// ```
pub struct H2Connection<T> {
    inner: coalesce_h2::Connection<Accepted, ConnectionDecision<T>>,
    decision: ConnectionDecision<T>,
    /// The number of moves at the last announcement of the origin set.
    announced: u64,
    /// Set from the first request on, and keeps the connection from counting as idle: only the
    /// application knows when a request ends.
    open: Option<OpenRequest>,
}

/// A request that may be served.
///
/// # Examples
/// ```
/// use coalesce_site::H2Request;
///
/// /// Answers with the text of the host.
/// fn respond(request: H2Request<String>) -> Result<(), h2::Error> {
///     let H2Request { mut respond, served, .. } = request;
///     let text = served.host.map(|host| host.value().clone()).unwrap_or_default();
///     respond.send_response(http::Response::new(()), false)?.send_data(text.into(), true)
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct H2Request<T> {
    /// The request.
    pub request: http::Request<h2::RecvStream>,
    /// The way to answer it.
    pub respond: h2::server::SendResponse<bytes::Bytes>,
    /// The host and the proof.
    pub served: Served<T>,
}

impl<T> H2Connection<T> {
    /// Returns the next request that this connection may serve, and answers all others meanwhile.
    /// Returns `None` when the connection has ended without an error. The future is safe to drop.
    ///
    /// If the connection has moved to a newer snapshot of the site since the last call, this
    /// announces the origins that are new there (RFC 8336).
    ///
    /// # Errors
    /// [`Error`] if the connection ended with an error. The next call returns `None`.
    pub async fn accept(&mut self) -> Option<Result<H2Request<T>, Error>> {
        let moves = self.decision.newest().moves;
        if moves != self.announced {
            self.announced = moves;
            self.inner.announce(&self.decision.origins());
        }
        let accepted = match self.inner.accept().await? {
            Ok(accepted) => accepted,
            Err(error) => return Some(Err(error)),
        };
        self.open.get_or_insert_with(|| self.decision.info.open_request());
        let (request, respond, proof) = accepted.into_parts();
        // The adapter decides nothing between the proof and this line, so the state still has the
        // snapshot that the proof was made with.
        let served = Served::new(proof, &self.decision.lock().snapshot);
        Some(Ok(H2Request { request, respond, served }))
    }

    /// Accepts no new streams and lets the open ones finish (RFC 9113 §6.8). Keep calling
    /// [`accept`](Self::accept) until it returns `None`.
    pub fn graceful_shutdown(&mut self) {
        self.inner.graceful_shutdown();
    }
}

/// Decides the requests of one connection, each on the newest snapshot.
struct ConnectionDecision<T> {
    site: Site<T>,
    info: ConnectionInfo,
    state: Arc<Mutex<State<T>>>,
}

/// The snapshot of the last decision. The connection's own task asks for it, so nothing ever waits
/// for the lock.
struct State<T> {
    snapshot: Arc<Snapshot<T>>,
    /// The number of moves of the connection to a newer snapshot.
    moves: u64,
    /// The connection as the snapshot decides it.
    memo: Memo<'static>,
}

impl<T> ConnectionDecision<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // The state is consistent at any moment, even after a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn newest(&self) -> MutexGuard<'_, State<T>> {
        let newest = self.site.newest();
        let mut state = self.lock();
        if !Arc::ptr_eq(&newest, &state.snapshot) {
            state.snapshot = Arc::clone(&newest);
            state.memo.set_connection(connection(&newest, &self.info));
            state.moves = state.moves.saturating_add(1);
        }
        state
    }

    /// Returns the origin set that the connection announces under its snapshot.
    fn origins(&self) -> OriginSet {
        let facts = self.info.handshake_facts();
        let snapshot = SiteSnapshot::new(self.lock().snapshot.clone());
        facts.map(|facts| snapshot.origin_set(facts)).unwrap_or_default()
    }
}

/// Returns a connection as a snapshot decides it.
fn connection<T>(snapshot: &Snapshot<T>, info: &ConnectionInfo) -> ServerConnection<'static> {
    match info.handshake_facts() {
        Some(facts) => snapshot.tables.connection(facts),
        None => info.connection().clone().with_group(GONE),
    }
}

impl<'a, T> Decide<RequestTarget<'a>> for ConnectionDecision<T> {
    fn decide(&self, target: &RequestTarget<'a>) -> Verdict {
        let state = &mut *self.newest();
        let tables: &Tables = &state.snapshot.tables;
        state.memo.decide(&*tables.authorities, state.moves, target)
    }

    fn generation(&self) -> u64 {
        self.newest().moves
    }

    fn hint(&self, _: &RequestTarget<'a>, reason: Misdirected) -> Option<String> {
        Some(RefusalHint::new(self.lock().memo.connection(), reason)?.to_string())
    }
}

impl<T> Clone for ConnectionDecision<T> {
    fn clone(&self) -> Self {
        let Self { site, info, state } = self;
        Self { site: site.clone(), info: info.clone(), state: state.clone() }
    }
}

impl<T> fmt::Debug for ConnectionDecision<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionDecision").field("info", &self.info).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for H2Connection<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("H2Connection").field("decision", &self.decision).finish_non_exhaustive()
    }
}
