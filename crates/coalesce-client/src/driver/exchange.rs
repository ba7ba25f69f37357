//! One request: it waits for a connection, is sent, perhaps again, and gets its answer.

use std::sync::Arc;

use coalesce_pool::{ConnectionId, Failure, RequestFacts, RequestId, Unprocessed};
use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;

use super::cause::Cause;
use super::runner::Runner;
use super::state::Event;
use super::stream::Stream;
use super::tasks;
use crate::body::{RequestBody, ResponseBody, SentBody};
use crate::connection::{How, SendFailure, Sender, StreamBody, Upload};
use crate::error::{BoxError, Error, ErrorKind};
use crate::metrics;
use crate::route::Route;
use crate::trail::Trail;

/// Sends a request, and returns its answer.
pub(super) async fn exchange(
    runner: &Arc<Runner>,
    request: Request<RequestBody>,
    facts: RequestFacts,
) -> Result<Response<ResponseBody>, Error> {
    let mut ticket = Ticket::open(runner, facts)?;
    let (parts, body) = request.into_parts();
    let mut message = Message { parts, body, given_back: None };
    let mut answer = None;
    let mut last_error: Option<BoxError> = None;
    loop {
        match runner.next_event(ticket.request).await {
            Event::Send(connection, sender) => {
                match ticket.send(connection, sender, &mut message).await? {
                    Ok(response) => {
                        let (status, ended) = (response.status(), response.body().is_end_stream());
                        answer = Some(response);
                        ticket.answered(status.as_u16(), ended);
                    }
                    Err(error) => last_error = error,
                }
            }
            Event::Deliver(route) => {
                let response = answer.take().ok_or_else(lost_answer)?;
                return Ok(ticket.deliver(response, route));
            }
            Event::Discard => {
                answer = None;
                ticket.leave_stream();
            }
            Event::Fail(failure, route, cause) => {
                return Err(ticket.fail(failure, route, cause, last_error));
            }
        }
    }
}

/// The error of an answer that the pool delivers before it came.
fn lost_answer() -> Error {
    Error::new(ErrorKind::Connection, "the answer is missing")
}

/// A request that may be sent several times.
struct Message {
    parts: Parts,
    body: RequestBody,
    /// The body of an attempt that was not sent.
    given_back: Option<SentBody>,
}

/// A request in the pool. The pool forgets it when this value is dropped before the answer.
struct Ticket {
    runner: Arc<Runner>,
    request: RequestId,
    stream: Option<Arc<Stream>>,
    /// Whether the pool has forgotten the request, or waits for the end of its stream.
    settled: bool,
}

impl Ticket {
    fn open(runner: &Arc<Runner>, facts: RequestFacts) -> Result<Self, Error> {
        let request = runner.event(|state, now| {
            if state.runtime.is_none() {
                state.runtime = tokio::runtime::Handle::try_current().ok();
            }
            if state.closing {
                return Err(Error::new(ErrorKind::Connection, "the client is closed"));
            }
            let request = state.pool.handle_request(now, facts);
            let request = request
                .map_err(|it| Error::failed(it, false, None, Trail::new(Route::default())))?;
            state.open_slot(request);
            Ok(request)
        })?;
        Ok(Self { runner: Arc::clone(runner), request, stream: None, settled: false })
    }

    /// Sends the request on a connection. The inner error means that it failed there, and that the
    /// pool knows.
    async fn send(
        &mut self,
        connection: ConnectionId,
        sender: Option<Sender>,
        message: &mut Message,
    ) -> Result<Result<Response<Incoming>, Option<BoxError>>, Error> {
        let Some(mut sender) = sender else {
            self.failed(connection, How::NotSent, true);
            return Ok(Err(None));
        };
        let body = message.given_back.take().or_else(|| message.body.next_attempt());
        let body = body.ok_or_else(|| Error::new(ErrorKind::Request, "the body is gone"))?;
        let stream = Arc::new(Stream::new(&self.runner, self.request, connection));
        self.stream = Some(Arc::clone(&stream));
        let upload = (!body.is_end_stream()).then(|| Arc::clone(&stream) as Upload);
        let body = StreamBody::new(body, upload);
        let request = Request::from_parts(message.parts.clone(), body);
        match sender.send(request).await {
            Ok(response) => {
                if let Sender::Http2(_, reports) = &sender {
                    tasks::read_early_reports(&self.runner, connection, reports);
                }
                stream.keep(sender);
                Ok(Ok(response))
            }
            Err(SendFailure { how, body, connection_ended, error }) => {
                message.given_back = body;
                self.leave_stream();
                self.failed(connection, how, connection_ended);
                Ok(Err(Some(error.into())))
            }
        }
    }

    /// Tells the pool that the request got no answer on a connection.
    fn failed(&self, connection: ConnectionId, how: How, connection_ended: bool) {
        self.runner.event(|state, now| {
            if connection_ended {
                // Otherwise the pool might choose the same connection again.
                state.pool.handle_goaway(now, connection, u32::MAX);
            }
            match how {
                How::NotSent => {
                    state.pool.handle_unprocessed(now, self.request, Unprocessed::NotSent);
                }
                How::Refused => {
                    state.pool.handle_unprocessed(now, self.request, Unprocessed::Refused);
                }
                How::Lost if connection_ended => state.pool.handle_lost(now, self.request),
                How::Lost => state.pool.handle_done(now, self.request),
            }
        });
    }

    fn answered(&self, status: u16, ended: bool) {
        self.runner.event(|state, now| {
            state.pool.handle_answer(now, self.request, status, ended);
        });
    }

    /// The request goes on without its stream.
    fn leave_stream(&mut self) {
        if let Some(stream) = self.stream.take() {
            stream.disarm();
            stream.cancel_upload();
        }
    }

    fn deliver(mut self, response: Response<Incoming>, route: Route) -> Response<ResponseBody> {
        self.settled = true;
        self.runner.lock().close_slot(self.request);
        let stream = self.stream.take();
        tracing::debug!(target: "coalesce::client", request = self.request.get(),
            connection = stream.as_ref().map(|it| it.connection().get()),
            grounds = route.trail.carrier().map(|(_, grounds)| grounds.code()), status = response.status().as_u16(), "answered");
        // An error that is complete says that the rest of the upload is not wanted (RFC 9112 §9.5).
        let refuses = response.status().is_client_error() || response.status().is_server_error();
        let stream = stream.map(|stream| AnsweredStream { stream, refuses });
        let stream = stream.filter(|_| !response.body().is_end_stream());
        let stream = stream.map(|it| Box::new(it) as Box<dyn Send + Sync>);
        let mut response = response.map(|body| ResponseBody::new(body, stream));
        metrics::answered(&route);
        response.extensions_mut().insert(Trail::new(route));
        response
    }

    fn fail(
        &mut self,
        failure: Failure,
        route: Route,
        cause: Option<Cause>,
        last_error: Option<BoxError>,
    ) -> Error {
        self.settled = true;
        self.runner.lock().close_slot(self.request);
        tracing::debug!(target: "coalesce::client", request = self.request.get(),
            failure = failure.code(), "failed");
        let timed_out = cause.as_ref().is_some_and(Cause::is_timeout);
        let source = source(failure, last_error, cause.map(Into::into));
        Error::failed(failure, timed_out, source, Trail::new(route))
    }
}

/// The stream of an answer, until the end of its body.
struct AnsweredStream {
    stream: Arc<Stream>,
    /// Whether the answer says that the rest of the upload is not wanted.
    refuses: bool,
}

impl Drop for AnsweredStream {
    fn drop(&mut self) {
        if self.refuses {
            self.stream.cancel_upload();
        }
    }
}

/// Returns the error behind a failure: that of the connection that was not made, or that of the
/// last connection which carried the request.
fn source(
    failure: Failure,
    of_exchange: Option<BoxError>,
    of_connect: Option<BoxError>,
) -> Option<BoxError> {
    match failure {
        Failure::Connect | Failure::NoAddress => of_connect.or(of_exchange),
        _ => of_exchange.or(of_connect),
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let stream = self.stream.take();
        if let Some(stream) = &stream {
            stream.disarm();
        }
        self.runner.event(|state, now| {
            state.close_slot(self.request);
            if let Some(stream) = stream
                && state.is_http1(stream.connection())
            {
                // hyper closes an HTTP/1.1 connection whose answer is not awaited.
                state.pool.handle_goaway(now, stream.connection(), u32::MAX);
            }
            state.pool.handle_cancel(now, self.request);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_is_the_error_of_the_step_that_failed() {
        let found = |failure, exchange: Option<&str>, connect: Option<&str>| {
            let source = source(failure, exchange.map(Into::into), connect.map(Into::into));
            source.map(|it| it.to_string())
        };
        for (failure, expected) in [
            (Failure::Connect, "refused"),
            (Failure::NoAddress, "refused"),
            (Failure::Lost, "reset"),
            (Failure::RetryBudget, "reset"),
        ] {
            assert_eq!(found(failure, Some("reset"), Some("refused")).unwrap(), expected);
            assert_eq!(found(failure, Some("reset"), None).unwrap(), "reset");
            assert_eq!(found(failure, None, Some("refused")).unwrap(), "refused");
        }
    }
}
