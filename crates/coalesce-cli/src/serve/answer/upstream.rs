//! Another server's answer, passed on.

use std::error::Error;
use std::fmt;
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

use crate::config::{UpstreamProtocol, UpstreamTarget};
use crate::serve::answer::body::{Progress, RequestBody};
use crate::serve::answer::h2c::SharedConnection;
use crate::serve::answer::text::Text;
use crate::serve::answer::{Reply, forward, send_streaming};
use crate::serve::connection::Client;
use crate::serve::limits::{ANSWER_TIMEOUT, CONNECT_TIMEOUT, UPSTREAM_IDLE_MAX};

/// A server in the clear that answers for a virtual host.
#[derive(Debug)]
pub(super) struct Upstream {
    authority: Authority,
    way: Way,
    bad_gateway: Text,
    gateway_timeout: Text,
}

#[derive(Debug)]
enum Way {
    Http1(Box<PooledClient<HttpConnector, RequestBody>>),
    H2c(SharedConnection),
}

impl Way {
    const fn protocol(&self) -> UpstreamProtocol {
        match self {
            Self::Http1(_) => UpstreamProtocol::Http1,
            Self::H2c(_) => UpstreamProtocol::H2c,
        }
    }
}

/// Why there is no answer from upstream.
#[derive(Debug)]
pub(super) enum Failed {
    /// It was silent for too long.
    TimedOut,
    /// It cannot be reached, or speaks something else.
    Broken(String),
}

impl Failed {
    pub(super) fn broken(error: &dyn Error) -> Self {
        // The outermost error says "client error" and little else.
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            text = format!("{text}: {inner}");
            source = inner.source();
        }
        Self::Broken(text)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("no answer in time"),
            Self::Broken(text) => f.write_str(text),
        }
    }
}

impl Upstream {
    pub(super) fn new(target: &UpstreamTarget) -> Self {
        let way = match target.protocol {
            UpstreamProtocol::Http1 => {
                let mut connector = HttpConnector::new();
                connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
                connector.set_nodelay(true);
                let client = PooledClient::builder(TokioExecutor::new())
                    .pool_timer(TokioTimer::new())
                    .pool_max_idle_per_host(UPSTREAM_IDLE_MAX)
                    .build(connector);
                Way::Http1(Box::new(client))
            }
            UpstreamProtocol::H2c => Way::H2c(SharedConnection::default()),
        };
        Self {
            authority: target.authority.clone(),
            way,
            bad_gateway: Text::error(StatusCode::BAD_GATEWAY),
            gateway_timeout: Text::error(StatusCode::GATEWAY_TIMEOUT),
        }
    }

    /// Passes a request on, and its answer back.
    pub(super) async fn send(
        &self,
        request: Request<RecvStream>,
        mut reply: Reply,
        client: &Client,
    ) {
        let method = request.method().clone();
        let progress = Progress::new();
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
        forward::request(&mut parts, self.way.protocol(), &self.authority, client.peer);
        let asked = self.ask(Request::from_parts(parts, content));
        let answered = tokio::select! {
            answered = asked => answered,
            () = silence(&progress) => Err(Failed::TimedOut),
            // Nobody waits for the answer any longer; dropping the question ends it upstream.
            _ = poll_fn(|context| reply.respond.poll_reset(context)) => {
                tracing::debug!("the client has left before its answer");
                return;
            }
        };
        match answered {
            Ok(mut answer) => {
                forward::answer(answer.headers_mut());
                send_streaming(answer, reply, &method).await;
            }
            Err(failed) => {
                tracing::warn!(upstream = %self.authority, error = %failed, "upstream failed");
                let text = match failed {
                    Failed::TimedOut => &self.gateway_timeout,
                    Failed::Broken(_) => &self.bad_gateway,
                };
                text.send(&method, reply);
            }
        }
    }

    async fn ask(&self, request: Request<RequestBody>) -> Result<Response<Incoming>, Failed> {
        let answer = match &self.way {
            Way::Http1(client) => {
                client.request(request).await.map_err(|error| Failed::broken(&error))?
            }
            Way::H2c(connection) => connection.ask(&self.authority, request).await?,
        };
        // It was not asked to switch, and what follows a 101 would be no HTTP.
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Failed::Broken("switches protocols without being asked to".to_owned()));
        }
        Ok(answer)
    }
}

fn expects_continue(fields: &HeaderMap) -> bool {
    fields.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Ends when the upstream has been silent for too long after it was sent something last.
async fn silence(progress: &Progress) {
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
        let progress = Progress::new();
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
