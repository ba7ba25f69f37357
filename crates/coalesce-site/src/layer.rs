//! The site as a tower layer.

use std::fmt;
use std::task::{Context, Poll};

use coalesce_tower::{AnswerBody, ConnectionInfo, ResponseFuture};
use http::{Extensions, Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use crate::served_host::ServedHost;
use crate::site::Site;
use crate::snapshot::Snapshot;

impl<T> Site<T> {
    /// Returns the layer that decides every request on the newest snapshot. It adds the
    /// [`ServedHost`] to the extensions of each request that it passes on.
    ///
    /// Put it around the whole application. With axum, call `router.layer(site.layer())` after the
    /// last route and the fallback, because `Router::layer` wraps existing routes only.
    pub fn layer(&self) -> SiteLayer<T> {
        SiteLayer { site: self.clone() }
    }
}

/// The layer that [`Site::layer`] returns.
///
/// # Examples
/// ```
/// use axum::Router;
/// use coalesce_site::Site;
///
/// /// Decides each request before a route gets it.
/// fn behind<T: Send + Sync + 'static>(site: &Site<T>, routes: Router) -> Router {
///     routes.layer(site.layer())
/// }
/// ```
pub struct SiteLayer<T> {
    site: Site<T>,
}

impl<S, T> Layer<S> for SiteLayer<T> {
    type Service = SiteService<S, T>;

    fn layer(&self, inner: S) -> SiteService<S, T> {
        SiteService { inner, site: self.site.clone() }
    }
}

/// A service behind a [`SiteLayer`].
///
/// Each request carries a [`ConnectionInfo`] in its extensions, which the site's listener puts
/// there. A request without one is answered 500. One of a connection whose handshake this site has
/// not made is refused.
///
/// # Examples
/// ```
/// use coalesce_site::{Site, SiteService};
/// use tower_layer::Layer;
///
/// fn service<S>(site: &Site<String>, application: S) -> SiteService<S, String> {
///     site.layer().layer(application)
/// }
/// ```
pub struct SiteService<S, T> {
    inner: S,
    site: Site<T>,
}

impl<S, T, B, R> Service<Request<B>> for SiteService<S, T>
where
    S: Service<Request<B>, Response = Response<R>>,
    T: Send + Sync + 'static,
    B: Body,
    R: AnswerBody,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, R>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let snapshot = self.site.newest();
        let admitted = Admitted { inner: &mut self.inner, snapshot: &snapshot };
        // Decide with the snapshot in which the host is looked up.
        snapshot.layer.layer(admitted).call(request)
    }
}

/// The application behind the decision of one snapshot.
struct Admitted<'a, S, T> {
    inner: &'a mut S,
    snapshot: &'a Snapshot<T>,
}

impl<S, T, B> Service<Request<B>> for Admitted<'_, S, T>
where
    S: Service<Request<B>>,
    T: Send + Sync + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        let extensions = request.extensions_mut();
        match served_host(extensions, self.snapshot) {
            Some(host) => drop(extensions.insert(host)),
            // Remove a host that an outer layer has set for another request.
            None => drop(extensions.remove::<ServedHost<T>>()),
        }
        #[cfg(feature = "axum")]
        crate::peer::show(extensions);
        self.inner.call(request)
    }
}

/// Returns the host that the proof of a request names in the snapshot that made the proof.
pub(crate) fn served_host<T>(
    extensions: &Extensions,
    snapshot: &Snapshot<T>,
) -> Option<ServedHost<T>> {
    let proof = ConnectionInfo::from_request(extensions)?.proof()?;
    snapshot.host(proof.virtual_host()?).cloned()
}

impl<T> Clone for SiteLayer<T> {
    fn clone(&self) -> Self {
        Self { site: self.site.clone() }
    }
}

impl<S: Clone, T> Clone for SiteService<S, T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), site: self.site.clone() }
    }
}

impl<T> fmt::Debug for SiteLayer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SiteLayer").field("site", &self.site).finish()
    }
}

impl<S, T> fmt::Debug for SiteService<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SiteService").field("site", &self.site).finish_non_exhaustive()
    }
}
