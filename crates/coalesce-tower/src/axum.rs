//! axum's own ways.

use axum::Router;
use axum::extract::Request;
use axum::extract::connect_info::IntoMakeServiceWithConnectInfo;
use coalesce_http::Decide;

use crate::connection::ConnectionInfo;
use crate::decide::Undecided;
use crate::layer::{Coalesce, CoalesceLayer};

impl<D: for<'a> Decide<Undecided<'a>>> CoalesceLayer<D> {
    /// What `axum::serve` takes: the whole router behind this layer, with the facts of each
    /// connection of a `Listener` in its requests.
    ///
    /// ```no_run
    /// # async fn run(
    /// #     listener: coalesce_tower::Listener,
    /// #     layer: coalesce_tower::CoalesceLayer<coalesce_core::AuthorityTable>,
    /// # ) -> std::io::Result<()> {
    /// use axum::{Router, routing::get};
    /// use coalesce_tower::VirtualHost;
    ///
    /// let hello = |host: VirtualHost| async move { format!("virtual host {}\n", host.id()) };
    /// let router = Router::new().route("/", get(hello));
    /// axum::serve(listener, layer.around(router)).await
    /// # }
    /// ```
    pub fn around(
        &self,
        router: Router,
    ) -> IntoMakeServiceWithConnectInfo<Coalesce<Router, D>, ConnectionInfo> {
        let service = tower_layer::Layer::layer(self, router);
        axum::ServiceExt::<Request>::into_make_service_with_connect_info(service)
    }
}
