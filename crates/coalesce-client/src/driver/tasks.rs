//! The tasks that do the outputs of the pool: resolve, connect, verify, and serve a connection.
//!
//! Each output gets one answer. A value that reports when it is dropped sees to it, after a panic
//! and at the end of the runtime too.

use std::sync::{Arc, Weak};

use coalesce_core::{Host, HostBuf, Scheme};
use coalesce_h2::client::ServerReport;
use coalesce_pool::{
    AttemptId, ConnectionFacts, ConnectionId, Endpoint, OriginFrame, PoolKey, Progress,
    ServerSettings, Verification,
};
use tokio::sync::oneshot;

use super::cause::Cause;
use super::runner::Runner;
use super::state::{Link, Task};
use crate::connect::{DialTarget, Dialed, PeerTls};
use crate::connection::{self, Opened, Reports, Running};
use crate::error::BoxError;
use crate::resolve::{Question, Resolve, next_endpoints};
use crate::route::CandidateInfo;
use crate::verify::tls_facts;

/// Starts the task of an output.
pub(super) fn start(runner: &Arc<Runner>, task: Task) {
    match task {
        Task::Resolve { key, number } => start_resolution(runner, key, number),
        Task::Dial { attempt, key, endpoints, cancelled } => {
            let target = DialTarget { key, endpoints, http1_only: runner.http1_only };
            start_attempt(runner, attempt, target, cancelled);
        }
        Task::Verify { connection, host, key, tls } => {
            start_verification(runner, connection, host, &key, tls);
        }
    }
}

/// Resolves the host of a key, and reports the endpoints as they arrive.
fn start_resolution(runner: &Arc<Runner>, key: PoolKey, number: u64) {
    let mut resolution = Resolution { runner: Arc::downgrade(runner), key, number, cause: None };
    let resolver = Arc::clone(&runner.resolver);
    runner.spawn(async move {
        let key = resolution.key.clone();
        resolve(&*resolver, &key, |answer| match answer {
            Ok(endpoints) => resolution.report(&endpoints, Progress::More),
            Err(error) => {
                tracing::debug!(target: "coalesce::client", origin = %key.origin, %error,
                    "resolution failed");
                resolution.cause = Some(error.into());
            }
        })
        .await;
    });
}

/// Makes a connection, until it is cancelled.
fn start_attempt(
    runner: &Arc<Runner>,
    attempt: AttemptId,
    target: DialTarget,
    cancelled: oneshot::Receiver<()>,
) {
    let own = Arc::downgrade(runner);
    let dialing = Dialing { runner: own, attempt, cause: None, succeeded: false };
    runner.spawn(async move {
        tokio::select! {
            () = make_connection(dialing, target) => {}
            // The sender is dropped, and sends nothing.
            _ = cancelled => {}
        }
    });
}

/// Runs the verifier on the chain of a connection for another host.
fn start_verification(
    runner: &Arc<Runner>,
    connection: ConnectionId,
    host: HostBuf,
    key: &PoolKey,
    tls: Arc<PeerTls>,
) {
    let result = Verification::Rejected;
    let verifying = Verifying { runner: Arc::downgrade(runner), connection, host, result };
    let (dialer, configuration) = (Arc::clone(&runner.dialer), key.tls_configuration);
    runner.spawn(async move {
        // Bound as a whole: the block would capture a copy of `result` alone.
        let mut verifying = verifying;
        let host = Host::from(&verifying.host);
        verifying.result = dialer.verify(configuration, &tls, &host);
    });
}

/// Lists the endpoints of a host, as far as they can be found.
pub(super) async fn endpoints(resolver: &dyn Resolve, key: &PoolKey) -> Vec<Endpoint> {
    let mut found = Vec::new();
    resolve(resolver, key, |answer| found.extend(answer.unwrap_or_default())).await;
    found
}

/// Passes each answer for the host of a key on. An address is its own endpoint.
async fn resolve(
    resolver: &dyn Resolve,
    key: &PoolKey,
    mut answer: impl FnMut(Result<Vec<Endpoint>, BoxError>),
) {
    let origin = key.origin.as_origin();
    let name = match origin.host() {
        Host::Ip(address) => {
            return answer(Ok(vec![Endpoint::new((address, origin.port()).into())]));
        }
        Host::Name(name) => name.to_buf(),
        _ => return answer(Err("the host is neither a name nor an address".into())),
    };
    let https = origin.scheme() == Scheme::Https;
    let mut stream = resolver.resolve(Question { name, port: origin.port(), https });
    while let Some(found) = next_endpoints(&mut stream).await {
        answer(found);
    }
}

/// A resolution. It ends for the pool when this value is dropped.
struct Resolution {
    runner: Weak<Runner>,
    key: PoolKey,
    number: u64,
    cause: Option<Cause>,
}

impl Resolution {
    fn report(&self, endpoints: &[Endpoint], progress: Progress) {
        if let Some(runner) = self.runner.upgrade() {
            let of_attempt = runner.lock().cause_of(&self.key);
            runner.event_with(of_attempt.as_ref().or(self.cause.as_ref()), |state, now| {
                if state.is_newest(&self.key, self.number, progress) {
                    state.pool.handle_endpoints(now, &self.key, endpoints, progress);
                }
            });
        }
    }
}

impl Drop for Resolution {
    fn drop(&mut self) {
        self.report(&[], Progress::Last);
    }
}

/// An attempt to connect. It fails for the pool when this value is dropped before it succeeds.
struct Dialing {
    runner: Weak<Runner>,
    attempt: AttemptId,
    cause: Option<Cause>,
    succeeded: bool,
}

impl Drop for Dialing {
    fn drop(&mut self) {
        if self.succeeded {
            return;
        }
        if let Some(runner) = self.runner.upgrade() {
            runner.event_with(self.cause.as_ref(), |state, now| {
                state.fail_attempt(self.attempt, self.cause.as_ref());
                state.pool.handle_failed(now, self.attempt);
            });
        }
    }
}

async fn make_connection(mut dialing: Dialing, target: DialTarget) {
    let key = target.key.clone();
    match try_connection(&dialing, target).await {
        Ok((made, opened)) => {
            dialing.succeeded = true;
            if let Some(runner) = dialing.runner.upgrade() {
                add_connection(&runner, dialing.attempt, made, opened);
            }
        }
        Err(error) => {
            tracing::debug!(target: "coalesce::client", origin = %key.origin, %error,
                "connection failed");
            dialing.cause = Some(error.into());
        }
    }
}

/// A connection after its handshake, without its byte stream.
struct Made {
    facts: ConnectionFacts,
    tls: Option<Arc<PeerTls>>,
}

async fn try_connection(dialing: &Dialing, target: DialTarget) -> Result<(Made, Opened), BoxError> {
    let (attempt, weak) = (dialing.attempt, dialing.runner.clone());
    let dialer = dialing.runner.upgrade().map(|it| Arc::clone(&it.dialer));
    let dialer = dialer.ok_or("the client is gone")?;
    let key = target.key.clone();
    let mut handshaking = move |peer| {
        if let Some(runner) = weak.upgrade() {
            runner.event(|state, _| state.pool.handle_handshaking(attempt, peer));
        }
    };
    let Dialed { io, peer, protocol, tls } = dialer.dial(target, &mut handshaking).await?;
    let opened = connection::open(io, protocol).await?;
    let now = dialing.runner.upgrade().map(|it| it.now()).unwrap_or_default();
    let mut facts = ConnectionFacts::new(key, peer, protocol);
    facts.tls = tls.as_ref().map(|tls| tls_facts(tls, now));
    Ok((Made { facts, tls: tls.map(Arc::new) }, opened))
}

fn add_connection(runner: &Arc<Runner>, attempt: AttemptId, made: Made, opened: Opened) {
    let Made { facts, tls } = made;
    let Opened { sender, running, reports } = opened;
    let made = Some((facts.peer, facts.protocol));
    let info = Arc::new(CandidateInfo { key: facts.key.clone(), made });
    tracing::debug!(target: "coalesce::client", origin = %facts.key.origin, peer = %facts.peer,
        protocol = ?facts.protocol, resumed = tls.as_ref().is_some_and(|it| it.resumed),
        "connected");
    let connection = runner.event(|state, now| {
        state.forget_attempt(attempt);
        if state.closing && state.pool.requests() == 0 {
            state.pool.handle_failed(now, attempt);
            return None;
        }
        let id = state.pool.handle_connected(now, attempt, facts)?;
        state.links.insert(id, Link { sender: Some(sender), info, tls });
        let tasks = 1_usize.saturating_add(usize::from(reports.is_some()));
        state.running = state.running.saturating_add(tasks);
        Some(id)
    });
    let Some(connection) = connection else { return };
    let serving = || Serving { runner: Arc::downgrade(runner), connection };
    runner.spawn(serve(serving(), running));
    if let Some(reports) = reports {
        runner.spawn(read_reports(serving(), reports));
    }
}

/// A task of a connection. The connection takes no more requests when this value is dropped. Its
/// open requests report their own end, because hyper tells each of them whether it was sent.
struct Serving {
    runner: Weak<Runner>,
    connection: ConnectionId,
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(runner) = self.runner.upgrade() {
            runner.event(|state, now| {
                state.running = state.running.saturating_sub(1);
                state.pool.handle_goaway(now, self.connection, u32::MAX);
            });
        }
    }
}

async fn serve(serving: Serving, running: Running) {
    let result = running.await;
    tracing::debug!(target: "coalesce::client", connection = %serving.connection, ?result,
        "connection ended");
}

/// Passes the reports of the server on to the pool, as they come. They end when the byte stream is
/// dropped, which is later than the end of hyper's future: hyper still writes its GOAWAY.
async fn read_reports(serving: Serving, reports: Reports) {
    std::future::poll_fn(|context| {
        reports.each(Some(context), |batch| {
            if let Some(runner) = serving.runner.upgrade() {
                report(&runner, serving.connection, batch);
            }
        })
    })
    .await;
}

/// Passes the reports on that have come already, before an answer that came after them.
pub(super) fn read_early_reports(
    runner: &Arc<Runner>,
    connection: ConnectionId,
    reports: &Reports,
) {
    let _ = reports.each(None, |batch| report(runner, connection, batch));
}

fn report(runner: &Arc<Runner>, connection: ConnectionId, batch: Vec<ServerReport>) {
    runner.event(|state, now| {
        for report in batch {
            match report {
                ServerReport::Settings(theirs) => {
                    let mut settings = ServerSettings::default();
                    settings.streams_max = theirs.max_concurrent_streams();
                    settings.extended_connect = theirs.extended_connect();
                    state.pool.handle_settings(now, connection, settings);
                }
                ServerReport::GoAway(goaway) => {
                    state.pool.handle_goaway(now, connection, goaway.last_stream());
                }
                ServerReport::Origins(origins) => {
                    let frame = OriginFrame::new(0, 0, origins.payload());
                    state.pool.handle_origin(now, connection, &frame);
                }
                ServerReport::OriginsLost => state.pool.handle_origins_lost(now, connection),
                _ => {}
            }
        }
    });
}

/// A run of the verifier. A verifier that panics has rejected the chain.
struct Verifying {
    runner: Weak<Runner>,
    connection: ConnectionId,
    host: HostBuf,
    result: Verification,
}

impl Drop for Verifying {
    fn drop(&mut self) {
        if let Some(runner) = self.runner.upgrade() {
            runner.event(|state, now| {
                state.pool.handle_verified(now, self.connection, &self.host, self.result);
            });
        }
    }
}
