//! The admin listener: metrics for Prometheus, in the clear, for nobody but the operator.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tracing::field::display;

use crate::serve::limits::{ACCEPT_PAUSE, ADMIN_CONNECTIONS_MAX, ADMIN_TIMEOUT};
use crate::serve::observe::access_log::AccessLog;
use crate::serve::observe::events;
use crate::serve::observe::meters::{self, Meters, RELOAD_SECONDS};
use crate::terminal::exit::Failure;
use crate::terminal::logging::LogLosses;
use crate::terminal::text::without_code;

/// The one path there is.
const METRICS: &str = "/metrics";

/// The exposition format of Prometheus.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Where a reload's seconds are told apart: a file of a few names, and tables of millions.
const RELOAD_BUCKETS: [f64; 8] = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

/// Begins to count. Without this, what counts does nothing.
pub(in crate::serve) fn install_recorder() -> Result<PrometheusHandle, Failure> {
    let failed = |error| Failure::runtime(format_args!("cannot count: {error}"));
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(RELOAD_SECONDS.to_owned()), &RELOAD_BUCKETS)
        .map_err(failed)?
        .install_recorder()
        .map_err(failed)?;
    meters::describe();
    Ok(recorder)
}

/// A listener whose socket is bound.
#[derive(Debug)]
pub(in crate::serve) struct Admin {
    socket: TcpListener,
    pub(in crate::serve) address: SocketAddr,
}

/// What is asked for metrics.
pub(in crate::serve) struct Scraped {
    pub(in crate::serve) recorder: PrometheusHandle,
    pub(in crate::serve) meters: Arc<Meters>,
    pub(in crate::serve) access_log: Option<AccessLog>,
    pub(in crate::serve) log: LogLosses,
}

impl Admin {
    pub(in crate::serve) async fn bind(address: SocketAddr) -> Result<Self, Failure> {
        let cannot = |error| {
            let error = without_code(&error);
            Failure::runtime(format_args!("cannot listen on {address} (admin): {error}"))
        };
        let socket = TcpListener::bind(address).await.map_err(cannot)?;
        let address = socket.local_addr().map_err(cannot)?;
        if !address.ip().is_loopback() {
            events::admin_is_reachable(display(address));
        }
        Ok(Self { socket, address })
    }

    /// Answers for ever.
    pub(in crate::serve) async fn run(self, scraped: Scraped) {
        let scraped = Arc::new(scraped);
        let places = Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX));
        while let Ok(place) = places.clone().acquire_owned().await {
            match self.socket.accept().await {
                Ok((stream, _)) => {
                    let scraped = scraped.clone();
                    tokio::spawn(async move {
                        // Whoever takes longer has the connection closed.
                        let _ = timeout(ADMIN_TIMEOUT, answer_one(stream, &scraped)).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    events::cannot_accept_admin(display(error));
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// Answers one request on `stream`: a connection that is kept open would be a place that is taken.
async fn answer_one(stream: TcpStream, scraped: &Scraped) {
    let service = service_fn(|request: Request<Incoming>| {
        let answer = answer(&request, scraped);
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

fn answer<B>(request: &Request<B>, scraped: &Scraped) -> Response<Full<Bytes>> {
    let status = |status: StatusCode| {
        let mut answer = Response::new(Full::default());
        *answer.status_mut() = status;
        answer
    };
    if request.uri().path() != METRICS {
        return status(StatusCode::NOT_FOUND);
    }
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let mut answer = status(StatusCode::METHOD_NOT_ALLOWED);
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    let (log, access_log) = (&scraped.log, scraped.access_log.as_ref());
    let access_lost = access_log.map_or(0, AccessLog::lost);
    scraped.meters.lost_lines(log.lost(), access_lost, log.unlogged());
    let mut answer = Response::new(Full::from(scraped.recorder.render()));
    answer.headers_mut().insert(CONTENT_TYPE, TEXT);
    answer
}
