//! The client's side of a dialogue, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use coalesce_core::{IdentifierSet, PresentedIdentifier};
use coalesce_pool::{
    AttemptId, ConnectionFacts, ConnectionId, Endpoint, Failure, LeafDigest, Output, Pool,
    PoolConfig, PoolKey, Progress, Protocol, RequestFacts, RequestId, ServerSettings, TlsFacts,
    Trail, Verification,
};

/// The most outputs of one event.
const STEPS_MAX: usize = 10_000;

/// A pool, the time, and the outputs that the client has not acted on.
pub(crate) struct Client {
    pub(crate) pool: Pool,
    pub(crate) now: Duration,
    pub(crate) attempts: Vec<(AttemptId, PoolKey)>,
    pub(crate) cancelled: Vec<AttemptId>,
    pub(crate) sent: Vec<(RequestId, ConnectionId)>,
    pub(crate) discarded: Vec<(RequestId, bool)>,
    pub(crate) delivered: Vec<(RequestId, Trail)>,
    pub(crate) failed: Vec<(RequestId, Failure)>,
    pub(crate) closed: Vec<ConnectionId>,
    /// The result of the verifier for any other host.
    pub(crate) verification: Verification,
    /// The connections made so far, whether open or not.
    pub(crate) made: Vec<ConnectionId>,
    /// The number of hosts that were resolved.
    pub(crate) resolved: usize,
    /// The address of all hosts; `None` leaves resolutions open.
    pub(crate) address: Option<&'static str>,
}

pub(crate) fn https(host: &str) -> RequestFacts {
    RequestFacts::new(PoolKey::new(format!("https://{host}").parse().unwrap()))
}

pub(crate) fn endpoint(address: &str) -> Endpoint {
    Endpoint::new(address.parse().unwrap())
}

impl Client {
    pub(crate) fn new() -> Self {
        Self::with(PoolConfig::default())
    }

    pub(crate) fn with(config: PoolConfig) -> Self {
        Self {
            pool: Pool::new(config),
            now: Duration::ZERO,
            attempts: Vec::new(),
            cancelled: Vec::new(),
            sent: Vec::new(),
            discarded: Vec::new(),
            delivered: Vec::new(),
            failed: Vec::new(),
            closed: Vec::new(),
            verification: Verification::Accepted,
            made: Vec::new(),
            resolved: 0,
            address: Some("192.0.2.10:443"),
        }
    }

    /// Takes a request and does what follows at once: resolutions and verifications succeed.
    pub(crate) fn request(&mut self, facts: RequestFacts) -> RequestId {
        let id = self.pool.handle_request(self.now, facts).unwrap();
        self.act();
        id
    }

    pub(crate) fn get(&mut self, host: &str) -> RequestId {
        self.request(https(host))
    }

    pub(crate) fn act(&mut self) {
        for _ in 0..STEPS_MAX {
            let Some(output) = self.pool.poll_output() else { return };
            match output {
                Output::Resolve { key, .. } => {
                    self.resolved += 1;
                    if let Some(address) = self.address {
                        let endpoints = [endpoint(address)];
                        self.pool.handle_endpoints(self.now, &key, &endpoints, Progress::Last);
                    }
                }
                Output::Connect { attempt, key, .. } => self.attempts.push((attempt, key)),
                Output::Cancel { attempt, .. } => self.cancelled.push(attempt),
                Output::Verify { connection, host, .. } => {
                    self.pool.handle_verified(self.now, connection, &host, self.verification);
                }
                Output::Send { request, connection, .. } => self.sent.push((request, connection)),
                Output::Discard { request, reset, .. } => self.discarded.push((request, reset)),
                Output::Deliver { request, trail, .. } => self.delivered.push((request, trail)),
                Output::Fail { request, failure, .. } => self.failed.push((request, failure)),
                Output::Close { connection, .. } => self.closed.push(connection),
                other => panic!("{other:?}"),
            }
        }
        panic!("outputs without end");
    }

    /// Ends the handshake of the oldest attempt, with a certificate for these names. SETTINGS do
    /// not arrive yet.
    pub(crate) fn handshake(&mut self, names: &[&str]) -> ConnectionId {
        let (attempt, key) = self.attempts.remove(0);
        let names = names.iter().map(|name| PresentedIdentifier::parse_dns(name.as_bytes()));
        let names = IdentifierSet::build(names.map(Result::unwrap)).unwrap();
        let peer = self.address.unwrap().parse().unwrap();
        let mut facts = ConnectionFacts::new(key, peer, Protocol::Http2);
        let expires_at = Duration::from_secs(1_000_000);
        facts.tls = Some(TlsFacts::new(Arc::new(names), LeafDigest::new([7; 32]), expires_at));
        let id = self.pool.handle_connected(self.now, attempt, facts).unwrap();
        self.made.push(id);
        self.act();
        id
    }

    pub(crate) fn settings(&mut self, connection: ConnectionId, streams_max: u32) {
        let mut settings = ServerSettings::default();
        settings.streams_max = Some(streams_max);
        self.pool.handle_settings(self.now, connection, settings);
        self.act();
    }

    /// Makes the oldest attempt a connection with SETTINGS.
    pub(crate) fn connect(&mut self, names: &[&str], streams_max: u32) -> ConnectionId {
        let id = self.handshake(names);
        self.settings(id, streams_max);
        id
    }

    pub(crate) fn answer(&mut self, request: RequestId, status: u16) {
        self.pool.handle_answer(self.now, request, status, false);
        self.act();
    }

    /// Answers a request with 200 and ends it.
    pub(crate) fn finish(&mut self, request: RequestId) {
        self.answer(request, 200);
        self.pool.handle_done(self.now, request);
        self.act();
    }

    /// Lets the next timeout pass, and returns its time in milliseconds.
    pub(crate) fn pass(&mut self) -> Option<u128> {
        self.now = self.pool.poll_timeout()?;
        self.pool.handle_timeout(self.now);
        self.act();
        Some(self.now.as_millis())
    }

    /// Returns the connection on which a request was sent last.
    pub(crate) fn on(&self, request: RequestId) -> Option<ConnectionId> {
        self.sent.iter().rev().find(|(id, _)| *id == request).map(|(_, connection)| *connection)
    }
}
