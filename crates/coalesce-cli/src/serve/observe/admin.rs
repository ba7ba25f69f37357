//! The admin listener: metrics for Prometheus and the state for probes, without TLS, for the
//! operator only.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use coalesce_http::log::{LogDecision, LoggedAuthority, RateLimit};
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tracing::field::display;

use crate::serve::limits::{
    ACCEPT_PAUSE, ADMIN_CONNECTIONS_MAX, ADMIN_TIMEOUT, REFUSALS_LOGGED_PER_SECOND, UPKEEP_PAUSE,
};
use crate::serve::observe::access_log::AccessLog;
use crate::serve::observe::admin_host::{HostError, named_host};
use crate::serve::observe::certificates;
use crate::serve::observe::events;
use crate::serve::observe::meters::{self, Meters, RELOAD_SECONDS, REQUEST_SECONDS};
use crate::serve::snapshot::ServerState;
use crate::terminal::exit::Failure;
use crate::terminal::logging::LogLosses;
use crate::terminal::text::without_code;

/// The paths: metrics, whether the process works, and whether it accepts connections.
const METRICS: &str = "/metrics";
const LIVE: &str = "/livez";
const READY: &str = "/readyz";

/// The exposition format of Prometheus.
const EXPOSITION: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// The bounds of the histogram of reloads, in seconds: from a file of a few names to tables of
/// millions.
const RELOAD_BUCKETS: [f64; 8] = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

/// The bounds of the histogram of requests, in seconds: from a text in memory to an upload.
const REQUEST_BUCKETS: [f64; 10] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

/// Installs the recorder. Without it, counting has no effect.
pub(in crate::serve) fn install_recorder() -> Result<PrometheusHandle, Failure> {
    let failed = |error| Failure::runtime(format_args!("cannot count: {error}"));
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(RELOAD_SECONDS.to_owned()), &RELOAD_BUCKETS)
        .and_then(|builder| {
            let requests = Matcher::Full(REQUEST_SECONDS.to_owned());
            builder.set_buckets_for_metric(requests, &REQUEST_BUCKETS)
        })
        .map_err(failed)?
        .install_recorder()
        .map_err(failed)?;
    meters::describe();
    metrics_process::Collector::default().describe();
    Ok(recorder)
}

/// A listener whose socket is bound.
#[derive(Debug)]
pub(in crate::serve) struct Admin {
    socket: TcpListener,
    configured: SocketAddr,
    pub(in crate::serve) address: SocketAddr,
}

/// The sources of a scrape.
pub(in crate::serve) struct Scraped {
    pub(in crate::serve) recorder: PrometheusHandle,
    pub(in crate::serve) meters: Arc<Meters>,
    pub(in crate::serve) access_log: Option<AccessLog>,
    pub(in crate::serve) log: LogLosses,
}

/// The state that the connections to the admin listener share.
struct Shared {
    scraped: Scraped,
    /// The sender of the state. A receiver would keep a stopping server waiting.
    states: Arc<watch::Sender<ServerState>>,
    configured: SocketAddr,
    refused_hosts: RateLimit,
}

impl Admin {
    pub(in crate::serve) async fn bind(configured: SocketAddr) -> Result<Self, Failure> {
        let cannot = |error| {
            let error = without_code(&error);
            Failure::runtime(format_args!("cannot listen on {configured} (admin): {error}"))
        };
        let socket = TcpListener::bind(configured).await.map_err(cannot)?;
        let address = socket.local_addr().map_err(cannot)?;
        if !address.ip().is_loopback() {
            events::admin_is_reachable(display(address));
        }
        Ok(Self { socket, configured, address })
    }

    /// Answers until the server ends.
    ///
    /// If all places are taken, the oldest connection is closed: a scrape is answered at once, so
    /// the oldest connections are silent ones.
    pub(in crate::serve) async fn run(
        self,
        scraped: Scraped,
        states: Arc<watch::Sender<ServerState>>,
    ) {
        let Self { socket, configured, .. } = self;
        tokio::spawn(keep_up(scraped.recorder.clone()));
        let refused_hosts = RateLimit::per_second(REFUSALS_LOGGED_PER_SECOND);
        let shared = Arc::new(Shared { scraped, states, configured, refused_hosts });
        let mut open: VecDeque<AbortHandle> = VecDeque::with_capacity(ADMIN_CONNECTIONS_MAX);
        loop {
            let stream = match socket.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    events::cannot_accept_admin(display(error));
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            open.retain(|connection| !connection.is_finished());
            if open.len() >= ADMIN_CONNECTIONS_MAX
                && let Some(oldest) = open.pop_front()
            {
                oldest.abort();
            }
            let shared = shared.clone();
            let connection = tokio::spawn(async move {
                // A client that takes longer has its connection closed.
                let _ = timeout(ADMIN_TIMEOUT, answer_one(stream, &shared)).await;
            });
            open.push_back(connection.abort_handle());
        }
    }
}

/// Sorts the recorded values of the histograms into their buckets, as a scrape does. Without
/// either, they would keep every value.
async fn keep_up(recorder: PrometheusHandle) {
    loop {
        sleep(UPKEEP_PAUSE).await;
        recorder.run_upkeep();
    }
}

/// Answers one request on `stream`, then closes it, because an idle connection would take a place.
async fn answer_one(stream: TcpStream, shared: &Shared) {
    let Ok(local) = stream.local_addr() else { return };
    let service = service_fn(|request: Request<Incoming>| {
        let answer = shared.answer(&request, local);
        async move { Ok::<_, Infallible>(answer) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(ADMIN_TIMEOUT)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        tracing::debug!(%error, "connection to the admin listener ended");
    }
}

impl Shared {
    fn answer<B>(&self, request: &Request<B>, local: SocketAddr) -> Response<Full<Bytes>> {
        match named_host(request) {
            Ok(host) => {
                let state = self.states.borrow();
                let own = [local.ip(), self.configured.ip()];
                if !host.is_one_of(own, &state.snapshot.admin.hosts) {
                    drop(state);
                    return self.refuse(host.as_bytes());
                }
            }
            // HTTP/1.0 permits a request without a host. No browser sends one.
            Err(HostError::Absent) => {}
            Err(HostError::Malformed) => return text(StatusCode::BAD_REQUEST, "malformed Host\n"),
        }
        let path = request.uri().path();
        if ![METRICS, LIVE, READY].contains(&path) {
            return text(StatusCode::NOT_FOUND, "not found\n");
        }
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD expected\n");
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        match path {
            METRICS => self.metrics(),
            // The admin listener accepts connections only after all listeners are bound and a
            // configuration is served; a failed reload changes neither.
            READY if self.states.borrow().stopping => {
                text(StatusCode::SERVICE_UNAVAILABLE, "ending\n")
            }
            READY => text(StatusCode::OK, "ready\n"),
            _ => text(StatusCode::OK, "alive\n"),
        }
    }

    /// Refuses a request for another host: a page in a browser can make its own name resolve to
    /// this address (DNS rebinding) and would read the answer. The status is 421, because this
    /// connection is not one for that host (RFC 9110 §15.5.20).
    fn refuse(&self, host: &[u8]) -> Response<Full<Bytes>> {
        let decision = self.refused_hosts.decide(Instant::now());
        if let LogDecision::Log { unlogged_before } = decision {
            events::admin_host_refused(display(LoggedAuthority::new(host)), unlogged_before);
        }
        text(StatusCode::MISDIRECTED_REQUEST, "unknown host; see admin.hosts\n")
    }

    fn metrics(&self) -> Response<Full<Bytes>> {
        let Scraped { recorder, meters, access_log, log } = &self.scraped;
        let access_lost = access_log.as_ref().map_or(0, AccessLog::lost);
        meters.lost_lines(log.lost(), access_lost, log.unlogged());
        metrics_process::Collector::default().collect();
        let mut rendered = recorder.render();
        let snapshot = self.states.borrow().snapshot.clone();
        certificates::render(&snapshot.certificate_ends, &mut rendered);
        let mut answer = Response::new(Full::from(rendered));
        answer.headers_mut().insert(CONTENT_TYPE, EXPOSITION);
        answer
    }
}

fn text(status: StatusCode, content: &'static str) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from(content));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, PLAIN);
    answer
}
