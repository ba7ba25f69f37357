//! tonic's server on a [`Listener`].

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use tonic::transport::server::Connected;

use super::{Accepted, Listener};
use crate::connection::ConnectionInfo;

impl Connected for Accepted {
    type ConnectInfo = ConnectionInfo;

    fn connect_info(&self) -> ConnectionInfo {
        self.info().clone()
    }
}

/// Connections without end, as `serve_with_incoming` takes them.
impl Stream for Listener {
    type Item = Result<Accepted, Infallible>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_accept(context).map(|(accepted, _)| Some(Ok(accepted)))
    }
}
