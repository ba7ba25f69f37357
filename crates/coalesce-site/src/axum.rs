//! A site of axum routers.

use std::convert::Infallible;
use std::fmt;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::extract::connect_info::IntoMakeServiceWithConnectInfo;
use axum::response::Response;
use axum::routing::future::RouteFuture;
use coalesce_tower::{ConnectionInfo, ResponseFuture};
use tower_layer::Layer;
use tower_service::Service;

use crate::layer::served_host;
use crate::peer;
use crate::site::Site;
use crate::snapshot::Snapshot;

impl Site<Router> {
    /// Returns the service that decides each request and passes it to the router of its host.
    ///
    /// Put other layers around it, and then
    /// `into_make_service_with_connect_info::<ConnectionInfo>()` of `axum::ServiceExt`.
    pub fn into_service(self) -> RouterService {
        RouterService { site: self }
    }

    /// Returns the service for `axum::serve`, together with a listener of [`listen`](Self::listen).
    pub fn into_make_service(
        self,
    ) -> IntoMakeServiceWithConnectInfo<RouterService, ConnectionInfo> {
        let service = self.into_service();
        axum::ServiceExt::<Request>::into_make_service_with_connect_info(service)
    }
}

/// The routers of a site behind its decision.
///
/// `ConnectInfo<SocketAddr>` works in the handlers. A request that is served as no host, where the
/// policy of its group says so, is answered 404.
///
/// # Examples
/// ```
/// use axum::Router;
/// use coalesce_site::Site;
///
/// async fn serve(site: Site<Router>) -> std::io::Result<()> {
///     axum::serve(site.listen("127.0.0.1:8443").await?, site.into_make_service()).await
/// }
/// ```
#[derive(Clone)]
pub struct RouterService {
    site: Site<Router>,
}

impl Service<Request> for RouterService {
    type Response = Response;
    type Error = Infallible;
    type Future = ResponseFuture<RouteFuture<Infallible>, Body>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A router is always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let snapshot = self.site.newest();
        // Decide with the snapshot in which the router is looked up.
        snapshot.layer.layer(Dispatch { snapshot: &snapshot }).call(request)
    }
}

/// Passes a request to the router of the host in its proof.
struct Dispatch<'a> {
    snapshot: &'a Snapshot<Router>,
}

impl Service<Request> for Dispatch<'_> {
    type Response = Response;
    type Error = Infallible;
    type Future = RouteFuture<Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request) -> RouteFuture<Infallible> {
        let host = served_host(request.extensions(), self.snapshot);
        peer::show(request.extensions_mut());
        let mut router = host.map(|host| host.value().clone()).unwrap_or_default();
        router.call(request)
    }
}

impl fmt::Debug for RouterService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouterService").field("site", &self.site).finish()
    }
}
