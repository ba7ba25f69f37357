//! Passes a request on to another server, and its answer back.

use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};

use h2::RecvStream;
use http::header::EXPECT;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{sleep_until, timeout};
use tracing::field::display;

use crate::config::{UpstreamProtocol, UpstreamTarget};
use crate::serve::answer::body::{RequestBody, UploadProgress, send_streaming};
use crate::serve::answer::pool::{Lease, Pool, Wanted};
use crate::serve::answer::reply::{Peer, Reply};
use crate::serve::answer::text::Text;
use crate::serve::answer::upstream_connection::{
    AnswerContent, Connector, SendFailure, Upload, UpstreamError,
};
use crate::serve::answer::upstream_fields;
use crate::serve::descriptors::Descriptors;
use crate::serve::limits::{ANSWER_TIMEOUT, DISCARD_TIMEOUT, PLACE_TIMEOUT, UPSTREAM_REQUESTS_MAX};
use crate::serve::observe::events;
use crate::serve::observe::meters::{UpstreamFailure, UpstreamMeters};
use crate::serve::shares::{ClientId, Share, Shares};

/// A server in the clear that answers for a virtual host.
#[derive(Debug)]
pub(super) struct Upstream {
    /// A number that no other upstream of the process has.
    number: u64,
    target: UpstreamTarget,
    pool: Pool<Connector>,
    /// The places for requests in progress.
    places: Shares,
    meters: UpstreamMeters,
    bad_gateway: Text,
    unavailable: Text,
    request_timeout: Text,
}

/// An answer that has begun, and the resources of its request.
struct Exchange {
    answer: Response<AnswerContent>,
    /// The content of the request, if it is still being sent.
    upload: Option<Upload>,
    lease: Lease<Connector>,
}

/// The permission for one request to be in progress.
struct Place(
    #[expect(dead_code, reason = "held until it is dropped")] (OwnedSemaphorePermit, Share),
);

impl Upstream {
    pub(super) fn new(target: &UpstreamTarget, descriptors: &Descriptors) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            target: target.clone(),
            pool: Pool::new(Connector::new(target, descriptors)),
            places: Shares::new(UPSTREAM_REQUESTS_MAX),
            meters: UpstreamMeters::new(),
            bad_gateway: Text::error(StatusCode::BAD_GATEWAY),
            unavailable: Text::unavailable(),
            request_timeout: Text::error(StatusCode::REQUEST_TIMEOUT),
        }
    }

    /// Passes a request on, and its answer back.
    pub(super) async fn send(&self, request: Request<RecvStream>, mut reply: Reply, peer: &Peer) {
        let method = request.method().clone();
        let Some(place) = unless_client_leaves(&mut reply, self.place(peer)).await else { return };
        let _place = match place {
            Ok(place) => place,
            Err(failed) => return self.fail(&failed).send(&method, reply),
        };
        let progress = UploadProgress::new();
        let (mut parts, content) = RequestBody::take(request, progress.clone());
        // The upstream's own 100 would reach the client only after the content, which is read
        // either way. So this server sends the 100.
        if expects_continue(&parts.headers) && !content.is_end_stream() {
            let mut go_ahead = Response::new(());
            *go_ahead.status_mut() = StatusCode::CONTINUE;
            if reply.respond.send_informational(go_ahead).is_err() {
                return;
            }
        }
        self.make_request(&mut parts, content.is_end_stream(), peer);
        let request = Request::from_parts(parts, content);
        let asked = async {
            tokio::select! {
                answered = self.ask(request, &progress, peer.client) => answered,
                () = silence(&progress) => Err(UpstreamError::TimedOut),
            }
        };
        let Some(answered) = unless_client_leaves(&mut reply, asked).await else { return };
        match answered {
            Ok(exchange) => {
                progress.answered();
                self.pass_back(exchange, reply, &method).await;
            }
            Err(failed) => self.fail(&failed).send(&method, reply),
        }
    }

    /// Makes the head of the request that the upstream gets out of the one that came.
    fn make_request(&self, parts: &mut http::request::Parts, no_content: bool, peer: &Peer) {
        let UpstreamTarget { authority, protocol, client_certificate } = &self.target;
        upstream_fields::request(parts, *protocol, authority, peer.address);
        upstream_fields::framing(parts, *protocol, no_content);
        if let Some(certificate) = &peer.certificate {
            upstream_fields::client_certificate(
                &mut parts.headers,
                certificate,
                *client_certificate,
            );
        }
    }

    /// Waits until `peer` may have another request in progress.
    async fn place(&self, peer: &Peer) -> Result<Place, UpstreamError> {
        let place = timeout(PLACE_TIMEOUT, peer.places_at(self.number).acquire_owned()).await;
        let Ok(Ok(place)) = place else { return Err(UpstreamError::Full) };
        let share = self.places.take(peer.client).ok_or(UpstreamError::Full)?;
        Ok(Place((place, share)))
    }

    /// Asks the upstream.
    ///
    /// An upstream may end a connection while a request is on its way to it, for example because it
    /// ends its connections after some time. A request that it has not looked at is sent once more,
    /// on a new connection, if the request is still here or can be made again: RFC 9110 §9.2.2
    /// allows that for safe methods, whatever became of the first.
    async fn ask(
        &self,
        request: Request<RequestBody>,
        progress: &UploadProgress,
        client: ClientId,
    ) -> Result<Exchange, UpstreamError> {
        let copy = copy(&request);
        let mut lease = self.pool.lease(Wanted::Any, client).await?;
        let failure = match lease.connection.send(request, lease.is_reused).await {
            Ok((answer, upload)) => return self.exchange(answer, upload, lease, progress),
            Err(failure) => failure,
        };
        lease.is_reusable &= !failure.connection_ended;
        drop(lease);
        if progress.is_too_slow() {
            return Err(UpstreamError::SlowClient);
        }
        let SendFailure { error, unsent, connection_ended } = failure;
        let again = unsent.or_else(|| copy.filter(|_| connection_ended));
        let Some(again) = again else { return Err(error) };
        tracing::debug!(%error, "asking the upstream again");
        let lease = self.pool.lease(Wanted::Fresh, client).await?;
        match lease.connection.send(again, lease.is_reused).await {
            Ok((answer, upload)) => self.exchange(answer, upload, lease, progress),
            Err(_) if progress.is_too_slow() => Err(UpstreamError::SlowClient),
            Err(failure) => Err(failure.error),
        }
    }

    fn exchange(
        &self,
        answer: Response<AnswerContent>,
        upload: Option<Upload>,
        mut lease: Lease<Connector>,
        progress: &UploadProgress,
    ) -> Result<Exchange, UpstreamError> {
        // The request asked for no switch, and the bytes after a 101 would not be HTTP.
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            let text = "switches protocols without being asked to".to_owned();
            return Err(UpstreamError::Broken(text));
        }
        // An upstream that has answered may not read the rest of the content, and take it for the
        // next request.
        lease.is_reusable &=
            self.target.protocol != UpstreamProtocol::Http1 || progress.has_ended();
        Ok(Exchange { answer, upload, lease })
    }

    /// Sends the upstream's answer to the client.
    async fn pass_back(&self, exchange: Exchange, reply: Reply, method: &http::Method) {
        let Exchange { mut answer, upload, lease } = exchange;
        let status = answer.status();
        upstream_fields::answer(status, answer.headers_mut());
        if status == StatusCode::MISDIRECTED_REQUEST
            && self.meters.failed(UpstreamFailure::Misdirected)
        {
            events::upstream_misdirected(display(&self.target.authority));
        }
        send_streaming(answer, reply, method).await;
        // An upstream may answer before it has read all of the request. Pass the rest on for a
        // while, as `discard` reads it for answers of this server.
        let rest = async {
            if let Some(mut upload) = upload {
                upload.ended().await;
            }
            lease.ended().await;
        };
        if timeout(DISCARD_TIMEOUT, rest).await.is_err() {
            tracing::debug!("request content takes too long; no longer passed on");
        }
    }

    /// Counts a failure, and returns the answer to its request.
    fn fail(&self, failed: &UpstreamError) -> &Text {
        let (kind, text) = match failed {
            UpstreamError::TimedOut => (UpstreamFailure::TimedOut, &self.bad_gateway),
            UpstreamError::Broken(_) => (UpstreamFailure::Broken, &self.bad_gateway),
            UpstreamError::Full | UpstreamError::NoDescriptor => {
                (UpstreamFailure::Full, &self.unavailable)
            }
            // The client is at fault, not the upstream (RFC 9110 §15.5.9).
            UpstreamError::SlowClient => return &self.request_timeout,
        };
        if self.meters.failed(kind) {
            events::upstream_failed(display(&self.target.authority), display(failed));
        }
        text
    }
}

/// Waits for `future`, unless the client leaves before: dropping the future ends the request
/// upstream.
async fn unless_client_leaves<F: Future>(reply: &mut Reply, future: F) -> Option<F::Output> {
    tokio::select! {
        biased;
        output = future => Some(output),
        _ = poll_fn(|context| reply.respond.poll_reset(context)) => {
            tracing::debug!("the client has left before its answer");
            None
        }
    }
}

/// Copies a request that can be sent again.
fn copy(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    let body = request.body().copy_if_empty()?;
    if !request.method().is_safe() {
        return None;
    }
    let mut copy = Request::new(body);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

fn expects_continue(fields: &HeaderMap) -> bool {
    fields.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Completes when the upstream has been silent for too long after the last byte sent to it. An
/// upstream that waits for the client does not count as silent.
async fn silence(progress: &UploadProgress) {
    loop {
        let last = progress.last();
        sleep_until(last + ANSWER_TIMEOUT).await;
        if progress.is_waiting() {
            progress.moved();
        } else if progress.last() == last {
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
