//! Facts into the extensions of every request of a connection.

use std::task::{Context, Poll};

use http::Request;
use tower_layer::Layer;
use tower_service::Service;

use crate::connection::ConnectionInfo;

/// A connection's facts are a layer as well: it puts them into each request.
///
/// For server libraries that make a service for each connection and have no connect-info of their
/// own.
///
/// # Allocation
/// Those of an extension: the map, where there is none yet, and the value in it.
impl<S> Layer<S> for ConnectionInfo {
    type Service = Attached<S>;

    fn layer(&self, inner: S) -> Attached<S> {
        Attached { inner, info: self.clone() }
    }
}

/// A service whose requests carry the facts of their connection.
///
/// # Examples
/// ```
/// use coalesce_core::{AuthorityTable, GroupId};
/// use coalesce_tower::{Attached, Coalesce, CoalesceLayer, ConnectionInfo};
/// use tower_layer::Layer;
///
/// /// Makes the service of one connection in the clear.
/// fn service<S>(
///     layer: &CoalesceLayer<AuthorityTable>,
///     application: S,
/// ) -> Attached<Coalesce<S, AuthorityTable>> {
///     let info = ConnectionInfo::cleartext(GroupId::new(1), 80);
///     info.layer(layer.layer(application))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Attached<S> {
    inner: S,
    info: ConnectionInfo,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for Attached<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        request.extensions_mut().insert(self.info.clone());
        self.inner.call(request)
    }
}
