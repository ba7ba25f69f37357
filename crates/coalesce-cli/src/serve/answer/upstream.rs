//! Passes a request on to another server, and its answer back.

use std::future::poll_fn;

use h2::RecvStream;
use http::header::EXPECT;
use http::uri::Authority;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as PooledClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::sleep_until;
use tracing::field::display;

use crate::config::{UpstreamProtocol, UpstreamTarget};
use crate::serve::answer::body::{RequestBody, UploadProgress, send_streaming};
use crate::serve::answer::reply::{Peer, Reply};
use crate::serve::answer::text::Text;
use crate::serve::answer::upstream_connection::{SharedConnection, UpstreamError};
use crate::serve::answer::upstream_fields;
use crate::serve::limits::{ANSWER_TIMEOUT, CONNECT_TIMEOUT, UPSTREAM_IDLE_MAX};
use crate::serve::observe::events;
use crate::serve::observe::meters::{UpstreamFailure, UpstreamMeters};

/// A server in the clear that answers for a virtual host.
#[derive(Debug)]
pub(super) struct Upstream {
    authority: Authority,
    transport: Transport,
    meters: UpstreamMeters,
    bad_gateway: Text,
    gateway_timeout: Text,
}

#[derive(Debug)]
enum Transport {
    Http1(Box<PooledClient<HttpConnector, RequestBody>>),
    H2c(SharedConnection),
}

impl Transport {
    const fn protocol(&self) -> UpstreamProtocol {
        match self {
            Self::Http1(_) => UpstreamProtocol::Http1,
            Self::H2c(_) => UpstreamProtocol::H2c,
        }
    }
}

impl Upstream {
    pub(super) fn new(target: &UpstreamTarget) -> Self {
        let transport = match target.protocol {
            UpstreamProtocol::Http1 => {
                let mut connector = HttpConnector::new();
                connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
                connector.set_nodelay(true);
                let client = PooledClient::builder(TokioExecutor::new())
                    .pool_timer(TokioTimer::new())
                    .pool_max_idle_per_host(UPSTREAM_IDLE_MAX)
                    .build(connector);
                Transport::Http1(Box::new(client))
            }
            UpstreamProtocol::H2c => Transport::H2c(SharedConnection::default()),
        };
        Self {
            authority: target.authority.clone(),
            transport,
            meters: UpstreamMeters::new(),
            bad_gateway: Text::error(StatusCode::BAD_GATEWAY),
            gateway_timeout: Text::error(StatusCode::GATEWAY_TIMEOUT),
        }
    }

    /// Passes a request on, and its answer back.
    pub(super) async fn send(&self, request: Request<RecvStream>, mut reply: Reply, peer: &Peer) {
        let method = request.method().clone();
        let progress = UploadProgress::new();
        let (mut parts, content) = RequestBody::take(request, progress.clone());
        // The upstream's answer is the client's go-ahead only if it comes before the content; the
        // content is wanted either way.
        if expects_continue(&parts.headers) && !content.is_end_stream() {
            let mut go_ahead = Response::new(());
            *go_ahead.status_mut() = StatusCode::CONTINUE;
            if reply.respond.send_informational(go_ahead).is_err() {
                return;
            }
        }
        upstream_fields::request(
            &mut parts,
            self.transport.protocol(),
            &self.authority,
            peer.address,
        );
        let asked = self.ask(Request::from_parts(parts, content));
        let answered = tokio::select! {
            answered = asked => answered,
            () = silence(&progress) => Err(UpstreamError::TimedOut),
            // Nobody waits for the answer any longer; dropping the question ends it upstream.
            _ = poll_fn(|context| reply.respond.poll_reset(context)) => {
                tracing::debug!("the client has left before its answer");
                return;
            }
        };
        match answered {
            Ok(mut answer) => {
                let status = answer.status();
                upstream_fields::answer(status, answer.headers_mut());
                if status == StatusCode::MISDIRECTED_REQUEST
                    && self.meters.failed(UpstreamFailure::Misdirected)
                {
                    events::upstream_misdirected(display(&self.authority));
                }
                send_streaming(answer, reply, &method).await;
            }
            Err(failed) => {
                let kind = match failed {
                    UpstreamError::TimedOut => UpstreamFailure::TimedOut,
                    UpstreamError::Broken(_) => UpstreamFailure::Broken,
                };
                if self.meters.failed(kind) {
                    events::upstream_failed(display(&self.authority), display(&failed));
                }
                let text = match failed {
                    UpstreamError::TimedOut => &self.gateway_timeout,
                    UpstreamError::Broken(_) => &self.bad_gateway,
                };
                text.send(&method, reply);
            }
        }
    }

    async fn ask(
        &self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, UpstreamError> {
        let answer = match &self.transport {
            Transport::Http1(client) => {
                client.request(request).await.map_err(|error| UpstreamError::broken(&error))?
            }
            Transport::H2c(connection) => connection.ask(&self.authority, request).await?,
        };
        // It was not asked to switch, and what follows a 101 would be no HTTP.
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(UpstreamError::Broken(
                "switches protocols without being asked to".to_owned(),
            ));
        }
        Ok(answer)
    }
}

fn expects_continue(fields: &HeaderMap) -> bool {
    fields.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Ends when the upstream has been silent for too long after it was sent something last.
async fn silence(progress: &UploadProgress) {
    loop {
        let last = progress.last();
        sleep_until(last + ANSWER_TIMEOUT).await;
        if progress.last() == last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_is_counted_from_the_last_byte_sent() {
        const PAUSE: Duration = Duration::from_secs(40);
        assert!(PAUSE < ANSWER_TIMEOUT);
        let begun = tokio::time::Instant::now();
        let progress = UploadProgress::new();
        let uploading = async {
            for _ in 0..3 {
                tokio::time::sleep(PAUSE).await;
                progress.moved();
            }
        };
        let ((), ()) = tokio::join!(silence(&progress), uploading);
        assert_eq!(begun.elapsed(), 3 * PAUSE + ANSWER_TIMEOUT);
    }
}
