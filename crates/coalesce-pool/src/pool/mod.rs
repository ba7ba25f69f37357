//! The pool of a client as a state machine without IO.

mod assign;
mod budget;
mod close;
mod config;
mod leader;
mod output;
mod retry;
mod served_hosts;
mod state;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use coalesce_core::{Host, HostBuf};

use crate::candidate::{
    ConnectionFacts, ConnectionState, ConnectionStatus, Protocol, Verification,
};
use crate::endpoint::Endpoint;
use crate::judge::{Eligibility, Inquiry, judge};
use crate::key::PoolKey;
use crate::limits::{ENDPOINTS_MAX, STREAMS_BEFORE_SETTINGS};
use crate::memory::RefusalMemory;
use crate::origin_set::OriginFrame;
use crate::request::RequestFacts;
use crate::trail::{AttemptId, CandidateId, ConnectionId, RequestId, Trail};
use state::{Connection, Place, Request, Resolution, State};

pub use config::PoolConfig;
pub use output::{Failure, Output, Progress, ServerSettings, Unprocessed};

/// The pool of a client: requests that wait, attempts to connect, and open connections.
///
/// The pool does no IO and reads no clock. Call it in this order:
///
/// 1. Call a `handle_` method for each event, with the time since a start that you choose. The time
///    never goes back.
/// 2. Call [`poll_output`](Self::poll_output) until it returns `None`, and do each [`Output`] in
///    its order. Requests of one connection open their streams in the order of [`Output::Send`].
/// 3. Wait for the next event, or until [`poll_timeout`](Self::poll_timeout), and then call
///    [`handle_timeout`](Self::handle_timeout).
///
/// Every [`Output::Resolve`], [`Output::Connect`] and [`Output::Verify`] gets one answer, with your
/// own timeout: the pool waits for it as long as it takes. Every request ends with
/// [`Output::Deliver`] and [`handle_done`](Self::handle_done), with [`Output::Fail`], or with
/// [`handle_cancel`](Self::handle_cancel). A method ignores names that the pool has forgotten, so
/// events that cross an output do no harm.
///
/// | state of a request | next |
/// | --- | --- |
/// | waits | sent, if [`choose`](crate::choose()) finds a connection; otherwise the pool resolves, verifies, connects, or waits for one of these |
/// | sent | delivered; waits again after a 421, alone; waits again if it was not processed; fails |
/// | delivered | done |
///
/// **Leaders.** At a cold start, requests for several hosts of one server arrive together. An
/// attempt to connect is the leader of others with the same address, last two labels, partition and
/// TLS configuration. They wait for its handshake, at most
/// [`leader_wait`](PoolConfig::leader_wait), and as long again for its SETTINGS. Then they are
/// judged again, and those that it may not carry connect at once.
///
/// **Streams.** The pool counts the streams of each connection. If all connections for an origin
/// are full, and none frees a stream for [`stream_wait`](PoolConfig::stream_wait), the pool makes
/// another one, up to the limit of the policy. It never makes two for one origin at the same time.
///
/// # Allocation
/// Bounded by [`PoolConfig`] and [`limits`](crate::limits).
///
/// # Examples
/// ```
/// use std::time::Duration;
///
/// use coalesce_pool::{
///     ConnectionFacts, Endpoint, Output, Pool, PoolConfig, PoolKey, Progress, Protocol,
///     RequestFacts,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let now = Duration::ZERO;
/// let mut pool = Pool::new(PoolConfig::default());
/// let request = RequestFacts::new(PoolKey::new("http://a.test".parse()?));
/// let request = pool.handle_request(now, request)?;
///
/// let Some(Output::Resolve { key, .. }) = pool.poll_output() else { panic!() };
/// let peer = "192.0.2.10:80".parse()?;
/// pool.handle_endpoints(now, &key, &[Endpoint::new(peer)], Progress::Last);
///
/// let Some(Output::Connect { attempt, key, .. }) = pool.poll_output() else { panic!() };
/// let facts = ConnectionFacts::new(key, peer, Protocol::Http1);
/// let connection = pool.handle_connected(now, attempt, facts);
///
/// let Some(Output::Send { request: sent, .. }) = pool.poll_output() else { panic!() };
/// assert_eq!(sent, request);
/// pool.handle_answer(now, request, 200, false);
/// let Some(Output::Deliver { trail, .. }) = pool.poll_output() else { panic!() };
/// assert_eq!(trail.steps().len(), 2);
/// pool.handle_done(now, request);
/// assert_eq!(pool.poll_timeout(), Some(Duration::from_secs(90)));
/// # let _ = connection;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Pool {
    state: State,
}

impl Pool {
    /// Makes an empty pool.
    pub fn new(config: PoolConfig) -> Self {
        Self { state: State::new(config) }
    }

    /// Takes a request, and returns its name.
    ///
    /// # Errors
    /// Returns [`Failure::TooManyRequests`] if the pool has as many as its configuration allows.
    pub fn handle_request(
        &mut self,
        now: Duration,
        facts: RequestFacts,
    ) -> Result<RequestId, Failure> {
        if self.state.requests.len() >= self.state.config.requests_max {
            return Err(Failure::TooManyRequests);
        }
        let id = RequestId::new(self.state.next_id());
        let request = Request {
            facts,
            place: Place::Waiting,
            alone: false,
            unprocessed: 0,
            lost: 0,
            trail: Trail::default(),
        };
        self.state.requests.insert(id, request);
        self.state.budget.add_request(now);
        if !assign::send_at_once(&mut self.state, id, now) {
            self.state.enqueue(id);
            assign::assign_affected(&mut self.state, now);
        }
        Ok(id)
    }

    /// Takes endpoints of the host of an [`Output::Resolve`]. Endpoints after
    /// [`ENDPOINTS_MAX`] are ignored. A resolution that failed is
    /// [`Progress::Last`] without endpoints.
    pub fn handle_endpoints(
        &mut self,
        now: Duration,
        key: &PoolKey,
        endpoints: &[Endpoint],
        progress: Progress,
    ) {
        let Some(group) = self.state.groups.get_mut(key) else { return };
        if group.resolution == Resolution::Done {
            return;
        }
        let room = ENDPOINTS_MAX.saturating_sub(group.endpoints.len());
        group.endpoints.extend(endpoints.iter().take(room));
        if progress == Progress::Last {
            group.resolution = Resolution::Done;
            let tried = group.attempt.is_none() && group.unreachable > 0;
            group.failed |= tried && group.untried().next().is_none();
        }
        self.state.affected.insert(key.clone());
        assign::assign_affected(&mut self.state, now);
    }

    /// Notes that an attempt has a TCP connection to `peer` and starts its TLS handshake. From here
    /// on, the pool does not give the attempt up.
    ///
    /// This call is optional. It makes the choice of a leader exact.
    pub fn handle_handshaking(&mut self, attempt: AttemptId, peer: SocketAddr) {
        if let Some(attempt) = self.state.attempts.get_mut(&attempt) {
            attempt.peer = Some(peer);
        }
    }

    /// Takes the connection of an attempt after its handshake, and returns its name. `None` means
    /// that the pool has given the attempt up: close the connection.
    ///
    /// The pool sets the key of the facts to that of the attempt.
    pub fn handle_connected(
        &mut self,
        now: Duration,
        attempt: AttemptId,
        mut facts: ConnectionFacts,
    ) -> Option<ConnectionId> {
        let made = self.state.attempts.remove(&attempt)?;
        let id = ConnectionId::new(self.state.next_id());
        let mut status = ConnectionStatus::default();
        status.streams_max = STREAMS_BEFORE_SETTINGS.min(self.state.config.streams_max);
        if facts.protocol == Protocol::Http1 {
            status.streams_max = 1;
            status.settings_received = true;
        }
        if let Some(group) = self.state.groups.get_mut(&made.key) {
            (group.attempt, group.unreachable) = (None, 0);
            self.state.affected.insert(made.key.clone());
        }
        self.state.affect_waiting(attempt);
        status.alone = made.alone;
        facts.key = made.key;
        self.state.served.remember_connection(&facts, &facts.key.origin.as_origin().host(), now);
        let connection = Connection {
            facts,
            status,
            attempt,
            requests: BTreeSet::new(),
            verifying: BTreeMap::new(),
            needed: false,
            idle_since: now,
        };
        self.state.connections.insert(id, connection);
        self.state.idle.insert((now, id));
        self.state.offered.insert(id);
        assign::assign_affected(&mut self.state, now);
        Some(id)
    }

    /// Notes that an attempt failed. Endpoints that came later get an attempt as well, after the
    /// end of the resolution at the latest. Then its requests fail, unless another connection may
    /// carry them.
    pub fn handle_failed(&mut self, now: Duration, attempt: AttemptId) {
        let Some(made) = self.state.attempts.remove(&attempt) else { return };
        if let Some(group) = self.state.groups.get_mut(&made.key) {
            group.attempt = None;
            let tried = |it: &&Endpoint| made.endpoints.contains(it);
            let tried = group
                .endpoints
                .iter()
                .skip(group.unreachable)
                .take_while(|it| !it.alpn.allows_tcp() || tried(it))
                .count();
            group.unreachable = group.unreachable.saturating_add(tried);
            let more = group.resolution == Resolution::Running || group.untried().next().is_some();
            group.failed = made.key.proxy.is_some() || !more;
            self.state.affected.insert(made.key);
        }
        self.state.affect_waiting(attempt);
        assign::assign_affected(&mut self.state, now);
    }

    /// Takes the result of an [`Output::Verify`].
    pub fn handle_verified(
        &mut self,
        now: Duration,
        connection: ConnectionId,
        host: &HostBuf,
        verification: Verification,
    ) {
        let Some(found) = self.state.connections.get_mut(&connection) else { return };
        let Some(waiting) = found.verifying.remove(host) else { return };
        found.status.verified(&Host::from(host), verification);
        if verification == Verification::Accepted {
            self.state.served.remember_connection(&found.facts, &Host::from(host), now);
        }
        self.state.affected.extend(waiting);
        assign::assign_affected(&mut self.state, now);
    }

    /// Takes the server's SETTINGS, the first and later ones.
    pub fn handle_settings(
        &mut self,
        now: Duration,
        connection: ConnectionId,
        settings: ServerSettings,
    ) {
        let own = self.state.config.streams_max;
        let Some(found) = self.state.connections.get_mut(&connection) else { return };
        if found.facts.protocol != Protocol::Http2 {
            return;
        }
        found.status.settings_received = true;
        found.status.streams_max = settings.streams_max.map_or(own, |theirs| theirs.min(own));
        found.status.extended_connect = settings.extended_connect;
        self.state.affect_by(connection);
        self.state.offered.insert(connection);
        assign::assign_affected(&mut self.state, now);
    }

    /// Takes an ORIGIN frame.
    pub fn handle_origin(
        &mut self,
        now: Duration,
        connection: ConnectionId,
        frame: &OriginFrame<'_>,
    ) {
        let Some(found) = self.state.connections.get_mut(&connection) else { return };
        found.status.receive_origin(&found.facts, frame);
        self.state.affect_by(connection);
        self.state.offered.insert(connection);
        close::close_replaced(&mut self.state, connection);
        assign::assign_affected(&mut self.state, now);
    }

    /// Notes that ORIGIN frames of a connection were lost, because they came faster than they were
    /// read. It gets no more requests of other origins.
    pub fn handle_origins_lost(&mut self, now: Duration, connection: ConnectionId) {
        let Some(found) = self.state.connections.get_mut(&connection) else { return };
        found.status.lose_origins();
        self.state.affect_by(connection);
        assign::assign_affected(&mut self.state, now);
    }

    /// Notes the stream on which a request is sent, which [`handle_goaway`](Self::handle_goaway)
    /// needs to know.
    pub fn handle_stream(&mut self, request: RequestId, stream: u32) {
        if let Some(request) = self.state.requests.get_mut(&request)
            && let Place::Sent { stream: known, .. } = &mut request.place
        {
            *known = Some(stream);
        }
    }

    /// Takes a GOAWAY with its last stream (RFC 9113 §6.8). Requests on later streams are sent
    /// again. Call [`handle_unprocessed`](Self::handle_unprocessed) for those that were not sent
    /// yet.
    pub fn handle_goaway(&mut self, now: Duration, connection: ConnectionId, last_stream: u32) {
        retry::goaway(&mut self.state, connection, last_stream, now);
        close::close_if_useless(&mut self.state, connection);
        assign::assign_affected(&mut self.state, now);
    }

    /// Notes that the server did not process a request. With [`Unprocessed::NotSent`], the
    /// connection takes no other requests.
    pub fn handle_unprocessed(&mut self, now: Duration, request: RequestId, how: Unprocessed) {
        let connection = self.connection_of(request);
        retry::unprocessed(&mut self.state, request, how, now);
        self.freed(now, connection);
    }

    /// Notes that the connection of a request ended, or could not be read or written any more,
    /// before the head of an answer. The connection takes no other requests.
    ///
    /// A connection that has served requests before was perhaps closed by the server while it was
    /// idle. So the request is sent again if its method is idempotent and its body allows that
    /// (RFC 9110 §9.2.2); otherwise it fails.
    pub fn handle_lost(&mut self, now: Duration, request: RequestId) {
        let connection = self.connection_of(request);
        retry::lost(&mut self.state, request, now);
        self.freed(now, connection);
    }

    /// Takes the head of the final answer, not of informational ones (1xx). `ended` says whether it
    /// ended the stream. The next outputs deliver or discard it.
    pub fn handle_answer(&mut self, now: Duration, request: RequestId, status: u16, ended: bool) {
        let connection = self.connection_of(request);
        retry::answer(&mut self.state, request, status, ended, now);
        if connection.is_some() && self.connection_of(request) != connection {
            self.freed(now, connection);
        }
    }

    /// Notes that the stream of a request has ended in both directions. A request without an answer
    /// fails.
    pub fn handle_done(&mut self, now: Duration, request: RequestId) {
        let Some(Place::Sent { delivered, .. }) =
            self.state.requests.get(&request).map(|it| it.place)
        else {
            return;
        };
        let connection = self.state.leave(request, now);
        if delivered {
            self.state.requests.remove(&request);
        } else {
            self.state.fail(request, Failure::Lost);
        }
        self.freed(now, connection);
    }

    /// Forgets a request, because its caller has gone. If it was sent, reset its stream.
    pub fn handle_cancel(&mut self, now: Duration, request: RequestId) {
        let connection = self.state.leave(request, now);
        let Some(forgotten) = self.state.requests.remove(&request) else { return };
        let key = forgotten.facts.key;
        self.state.dequeue(&key, request);
        self.state.affected.insert(key);
        self.freed(now, connection);
    }

    /// Notes that a connection has ended. The requests in `not_sent` have not left the client's
    /// queue, so the pool sends them again. The others without an answer are lost: see
    /// [`handle_lost`](Self::handle_lost).
    pub fn handle_closed(
        &mut self,
        now: Duration,
        connection: ConnectionId,
        not_sent: impl IntoIterator<Item = RequestId>,
    ) {
        if let Some(found) = self.state.connections.get_mut(&connection) {
            found.status.state = ConnectionState::Closed;
        }
        for request in not_sent {
            if self.connection_of(request) == Some(connection) {
                retry::unprocessed(&mut self.state, request, Unprocessed::NotSent, now);
            }
        }
        close::lost(&mut self.state, connection, now);
        assign::assign_affected(&mut self.state, now);
    }

    /// Does everything that is due.
    pub fn handle_timeout(&mut self, now: Duration) {
        close::close_idle(&mut self.state, now);
        assign::end_waits(&mut self.state, now);
        assign::assign_affected(&mut self.state, now);
    }

    /// Returns the next output.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.state.outputs.pop_front()
    }

    /// Returns the time at which [`handle_timeout`](Self::handle_timeout) is due.
    ///
    /// # Complexity
    /// Logarithmic in the connections and the origins that wait.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let timeout = self.state.config.idle_timeout;
        let idle = self.state.idle.first().map(|(since, _)| since.saturating_add(timeout));
        let wait = self.state.waits.first_key_value().map(|(due, _)| *due);
        idle.into_iter().chain(wait).min()
    }

    /// Judges every candidate for a request that the pool does not have, with the endpoints of its
    /// host, if they are known.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    ///
    /// use coalesce_pool::{Pool, PoolConfig, PoolKey, RequestFacts};
    ///
    /// # fn main() -> Result<(), coalesce_core::OriginError> {
    /// let pool = Pool::new(PoolConfig::default());
    /// let request = RequestFacts::new(PoolKey::new("https://a.test".parse()?));
    /// assert!(pool.explain(Duration::ZERO, &request, None).is_empty());
    /// # Ok(()) }
    /// ```
    pub fn explain(
        &self,
        now: Duration,
        request: &RequestFacts,
        endpoints: Option<&[Endpoint]>,
    ) -> Vec<(CandidateId, Eligibility)> {
        let inquiry = Inquiry::new(request, endpoints, &self.state.memory, now);
        let candidates = self.state.candidates(None);
        candidates.map(|(id, candidate)| (id, judge(&candidate, &inquiry))).collect()
    }

    /// Returns the facts and the status of a connection that the pool has not forgotten.
    pub fn connection(&self, id: ConnectionId) -> Option<(&ConnectionFacts, &ConnectionStatus)> {
        self.state.connections.get(&id).map(|it| (&it.facts, &it.status))
    }

    /// Returns the memory of refusals.
    pub fn memory(&self) -> &RefusalMemory {
        &self.state.memory
    }

    /// Returns the number of requests that wait or are on a connection.
    pub fn requests(&self) -> usize {
        self.state.requests.len()
    }

    /// Returns the connection on which a request is.
    fn connection_of(&self, request: RequestId) -> Option<ConnectionId> {
        match self.state.requests.get(&request)?.place {
            Place::Sent { connection, .. } => Some(connection),
            Place::Waiting => None,
        }
    }

    /// Uses the stream that a request has left.
    fn freed(&mut self, now: Duration, connection: Option<ConnectionId>) {
        assign::assign_affected(&mut self.state, now);
        if let Some(connection) = connection {
            close::close_if_useless(&mut self.state, connection);
            assign::assign_affected(&mut self.state, now);
        }
    }
}
