//! HTTP/2 connections.

use coalesce_h2::client::{Observed, ServerReports};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::failure::SendFailure;
use super::form;
use super::running::Running;
use super::stream_body::StreamBody;
use crate::connect::Io;

/// The window of a stream: 2 MiB, as in hyper's client. It bounds the unread bytes of a body.
const STREAM_WINDOW: u32 = 2 * 1024 * 1024;

/// The window of a connection: 32 streams. If responses that are not read fill it, the other
/// streams of the connection wait. hyper's own 5 MiB would be full after three.
const CONNECTION_WINDOW: u32 = 32 * STREAM_WINDOW;

/// The sending end of an HTTP/2 connection.
pub(crate) type Sender = SendRequest<StreamBody>;

/// Starts HTTP/2.
pub(super) async fn open(
    io: Box<dyn Io>,
) -> Result<(Sender, Running, ServerReports), hyper::Error> {
    let (io, reports) = Observed::new(io);
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .handshake(TokioIo::new(io))
        .await?;
    Ok((sender, Box::pin(connection), reports))
}

pub(super) async fn send(
    sender: &mut Sender,
    mut request: Request<StreamBody>,
) -> Result<Response<Incoming>, SendFailure> {
    form::set_http2(&mut request);
    let answer = sender.try_send_request(request).await;
    answer.map_err(|failed| SendFailure::new(failed, sender.is_closed()))
}
