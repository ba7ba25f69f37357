//! Open connections: hyper's HTTP/1.1 and HTTP/2, and the errors that they give back.

mod cancel;
mod failure;
mod form;
mod http1;
mod http2;
mod reports;
mod running;
mod stream_body;

use coalesce_pool::Protocol;
use http::{Request, Response};
use hyper::body::Incoming;

use crate::connect::Io;

pub(crate) use cancel::Cancel;
pub(crate) use failure::{How, SendFailure};
pub(crate) use reports::Reports;
pub(crate) use running::Running;
pub(crate) use stream_body::{StreamBody, Upload};

/// The sending end of a connection.
#[derive(Debug)]
pub(crate) enum Sender {
    /// One request at a time.
    Http1(http1::Sender),
    /// Clones share the connection.
    Http2(http2::Sender, Reports),
}

/// A connection before its first request.
pub(crate) struct Opened {
    pub(crate) sender: Sender,
    /// Must run in a task.
    pub(crate) running: Running,
    /// The reports of the server. `None` for HTTP/1.1.
    pub(crate) reports: Option<Reports>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("sender", &self.sender).finish_non_exhaustive()
    }
}

/// Starts HTTP on a byte stream.
pub(crate) async fn open(io: Box<dyn Io>, protocol: Protocol) -> Result<Opened, hyper::Error> {
    if protocol == Protocol::Http2 {
        let (sender, running, reports) = http2::open(io).await?;
        let reports = Reports::new(reports);
        let sender = Sender::Http2(sender, reports.clone());
        Ok(Opened { sender, running, reports: Some(reports) })
    } else {
        let (sender, running) = http1::open(io).await?;
        Ok(Opened { sender: Sender::Http1(sender), running, reports: None })
    }
}

impl Sender {
    /// Returns the sending end for one request. An HTTP/1.1 connection has only one.
    pub(crate) fn take(slot: &mut Option<Self>) -> Option<Self> {
        match slot {
            Some(Self::Http2(sender, reports)) => {
                Some(Self::Http2(sender.clone(), reports.clone()))
            }
            _ => slot.take(),
        }
    }

    /// Sends a request, whose URI is absolute, and waits for the head of its answer.
    pub(crate) async fn send(
        &mut self,
        request: Request<StreamBody>,
    ) -> Result<Response<Incoming>, SendFailure> {
        match self {
            Self::Http1(sender) => http1::send(sender, request).await,
            Self::Http2(sender, _) => http2::send(sender, request).await,
        }
    }

    /// Returns whether the connection takes another request now.
    pub(crate) fn is_ready(&self) -> bool {
        match self {
            Self::Http1(sender) => sender.is_ready(),
            Self::Http2(sender, _) => sender.is_ready(),
        }
    }

    /// Returns whether the connection takes no more requests.
    pub(crate) fn is_closed(&self) -> bool {
        match self {
            Self::Http1(sender) => sender.is_closed(),
            Self::Http2(sender, _) => sender.is_closed(),
        }
    }

    /// Waits until the connection takes another request, or has ended.
    pub(crate) async fn ready(&mut self) -> Result<(), hyper::Error> {
        match self {
            Self::Http1(sender) => sender.ready().await,
            Self::Http2(sender, _) => sender.ready().await,
        }
    }
}
