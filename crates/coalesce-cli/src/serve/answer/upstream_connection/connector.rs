//! Makes connections to one upstream, in the protocol that it speaks.

use std::task::{Context, Poll};

use http::uri::Authority;
use http::{Request, Response};
use tokio::time::timeout;

use crate::config::{UpstreamProtocol, UpstreamTarget};
use crate::serve::answer::body::RequestBody;
use crate::serve::answer::pool::{Connect, PooledConnection};
use crate::serve::answer::upstream_connection::content::AnswerContent;
use crate::serve::answer::upstream_connection::error::{SendFailure, UpstreamError};
use crate::serve::answer::upstream_connection::http1::Http1Connection;
use crate::serve::answer::upstream_connection::http2::Http2Connection;
use crate::serve::answer::upstream_connection::upload::Upload;
use crate::serve::descriptors::Descriptors;
use crate::serve::limits::{CONNECT_TIMEOUT, UPSTREAM_STREAMS_MAX};
use crate::serve::shares::{ClientId, Share};

/// Connects to one upstream.
#[derive(Debug)]
pub(in crate::serve::answer) struct Connector {
    authority: Authority,
    protocol: UpstreamProtocol,
    descriptors: Descriptors,
}

/// A connection to an upstream.
#[derive(Clone, Debug)]
pub(in crate::serve::answer) enum UpstreamConnection {
    Http1(Http1Connection),
    Http2(Http2Connection),
}

impl Connector {
    pub(in crate::serve::answer) fn new(
        target: &UpstreamTarget,
        descriptors: &Descriptors,
    ) -> Self {
        let (authority, protocol) = (target.authority.clone(), target.protocol);
        Self { authority, protocol, descriptors: descriptors.clone() }
    }

    async fn open(&self, descriptor: Share) -> Result<UpstreamConnection, UpstreamError> {
        Ok(match self.protocol {
            UpstreamProtocol::Http1 => UpstreamConnection::Http1(
                Http1Connection::connect(&self.authority, descriptor).await?,
            ),
            UpstreamProtocol::H2c => UpstreamConnection::Http2(
                Http2Connection::connect(&self.authority, descriptor).await?,
            ),
        })
    }
}

impl Connect for Connector {
    type Connection = UpstreamConnection;
    type Permit = Share;
    type Error = UpstreamError;

    fn expected_capacity(&self) -> usize {
        match self.protocol {
            UpstreamProtocol::Http1 => 1,
            UpstreamProtocol::H2c => UPSTREAM_STREAMS_MAX,
        }
    }

    fn permit(&self, client: ClientId) -> Result<Share, UpstreamError> {
        self.descriptors.take(client).ok_or(UpstreamError::NoDescriptor)
    }

    async fn connect(&self, descriptor: Share) -> Result<UpstreamConnection, UpstreamError> {
        let connected = timeout(CONNECT_TIMEOUT, self.open(descriptor)).await;
        connected.unwrap_or(Err(UpstreamError::TimedOut))
    }

    fn cut_off(&self) -> UpstreamError {
        UpstreamError::Broken("the attempt to connect was cut off".to_owned())
    }
}

impl UpstreamConnection {
    /// Sends a request. Returns its answer, and its content where that is still on its way.
    pub(in crate::serve::answer) async fn send(
        &self,
        request: Request<RequestBody>,
        is_reused: bool,
    ) -> Result<(Response<AnswerContent>, Option<Upload>), SendFailure> {
        match self {
            Self::Http1(connection) => {
                let answer = connection.send(request, is_reused).await?;
                Ok((answer.map(AnswerContent::Http1), None))
            }
            Self::Http2(connection) => {
                let (answer, upload) = connection.send(request).await?;
                Ok((answer.map(AnswerContent::Http2), upload))
            }
        }
    }
}

impl PooledConnection for UpstreamConnection {
    fn capacity(&self) -> usize {
        match self {
            // RFC 9112 §9.3.2 allows pipelining, but one slow answer would hold up the next.
            Self::Http1(_) => 1,
            Self::Http2(connection) => connection.capacity(),
        }
    }

    fn is_open(&self) -> bool {
        match self {
            Self::Http1(connection) => connection.is_open(),
            Self::Http2(connection) => connection.is_open(),
        }
    }

    fn poll_released(&self, context: &mut Context<'_>) -> Poll<bool> {
        match self {
            Self::Http1(connection) => connection.poll_released(context),
            // The room of a stream is free as soon as its handles are dropped.
            Self::Http2(_) => Poll::Ready(true),
        }
    }
}
