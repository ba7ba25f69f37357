//! Errors of hyper, read as the pool needs them: did the server process the request?

use std::error::Error as StdError;

use http::Request;
use hyper::client::conn::TrySendError;

use super::stream_body::StreamBody;
use crate::body::SentBody;

/// The fate of a request that got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// It has not left the client.
    NotSent,
    /// The server says that it did not process the request (RFC 9113 §8.7).
    Refused,
    /// The server may have processed the request.
    Lost,
}

/// A request that got no answer.
#[derive(Debug)]
pub(crate) struct SendFailure {
    pub(crate) how: How,
    /// The body, if it is whole.
    pub(crate) body: Option<SentBody>,
    /// Whether the connection takes no more requests.
    pub(crate) connection_ended: bool,
    pub(crate) error: hyper::Error,
}

impl SendFailure {
    /// Makes the failure of a request that found its connection ended.
    pub(super) fn not_sent(request: Request<StreamBody>, error: hyper::Error) -> Self {
        let body = Some(request.into_body().into_inner());
        Self { how: How::NotSent, body, connection_ended: true, error }
    }

    pub(super) fn new(mut failed: TrySendError<Request<StreamBody>>, closed: bool) -> Self {
        let body = failed.take_message().map(|it| it.into_body().into_inner());
        let error = failed.into_error();
        let http2 = find_h2(&error);
        let goaway = http2.is_some_and(|it| it.is_remote() && it.is_go_away());
        let how = match http2 {
            _ if body.is_some() => How::NotSent,
            // h2 gives this error to the streams above the last one that GOAWAY names, and to
            // requests that come later.
            Some(_) if goaway => How::Refused,
            Some(it)
                if it.is_remote()
                    && it.is_reset()
                    && it.reason() == Some(h2::Reason::REFUSED_STREAM) =>
            {
                How::Refused
            }
            _ => How::Lost,
        };
        // An error of the stream, or of the body, leaves the connection as it is.
        let of_connection = match http2 {
            Some(it) => it.is_io() || it.is_go_away(),
            None => !error.is_user(),
        };
        Self { how, body, connection_ended: closed || of_connection, error }
    }
}

/// Finds the error of h2 in the chain of sources.
fn find_h2<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a h2::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<h2::Error>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
