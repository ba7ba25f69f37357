//! HTTP/1.1 connections.

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;

use super::failure::SendFailure;
use super::form;
use super::running::Running;
use super::stream_body::StreamBody;
use crate::connect::Io;

/// The sending end of an HTTP/1.1 connection.
pub(crate) type Sender = SendRequest<StreamBody>;

/// Starts HTTP/1.1. The future also serves upgrades.
pub(super) async fn open(io: Box<dyn Io>) -> Result<(Sender, Running), hyper::Error> {
    let (sender, connection) = http1::Builder::new().handshake(TokioIo::new(io)).await?;
    Ok((sender, Box::pin(connection.with_upgrades())))
}

pub(super) async fn send(
    sender: &mut Sender,
    mut request: Request<StreamBody>,
) -> Result<Response<Incoming>, SendFailure> {
    // The readiness of an idle connection can be withdrawn for a moment.
    if let Err(error) = sender.ready().await {
        return Err(SendFailure::not_sent(request, error));
    }
    form::set_http1(&mut request);
    // hyper closes the connection after an error.
    sender.try_send_request(request).await.map_err(|failed| SendFailure::new(failed, true))
}
