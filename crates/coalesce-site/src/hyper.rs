//! The site as hyper's own service, for one connection.

use std::fmt;

use coalesce_core::Authoritative;
use coalesce_tower::{ConnectionInfo, ResponseBody, WrappedFuture};
use http::{Request, Response};
use http_body::Body;

use crate::served::Served;
use crate::site::Site;

impl<T> Site<T> {
    /// Returns the [`hyper::service::Service`] of the connection that `info` is of. `application`
    /// gets each request that may be served, with its host and its proof.
    ///
    /// ```no_run
    /// # use coalesce_site::{Served, Site};
    /// # use http::{Request, Response};
    /// # use http_body_util::Full;
    /// # use hyper::body::{Bytes, Incoming};
    /// # use hyper_util::{rt::{TokioExecutor, TokioIo}, server::conn::auto::Builder};
    /// # async fn run(site: Site<String>) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut listener = site.listen("127.0.0.1:8443").await?;
    /// loop {
    ///     let (accepted, _) = listener.accept().await;
    ///     let hello = |_: Request<Incoming>, served: Served<String>| async move {
    ///         let text = served.host.map(|host| host.value().clone()).unwrap_or_default();
    ///         Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from(text))))
    ///     };
    ///     let service = site.serve_connection(accepted.info(), hello);
    ///     tokio::spawn(async move {
    ///         let builder = Builder::new(TokioExecutor::new());
    ///         builder.serve_connection(TokioIo::new(accepted), service).await
    ///     });
    /// }
    /// # }
    /// ```
    pub fn serve_connection<F, B, U>(
        &self,
        info: &ConnectionInfo,
        application: F,
    ) -> HyperConnection<F, T>
    where
        F: Fn(Request<B>, Served<T>) -> U,
    {
        HyperConnection { site: self.clone(), info: info.clone(), application }
    }
}

/// The service of one connection, made by [`Site::serve_connection`].
///
/// # Examples
/// ```
/// use bytes::Bytes;
/// use coalesce_site::{ConnectionInfo, Site};
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use hyper::body::Incoming;
///
/// fn serve(site: &Site<String>, info: &ConnectionInfo) {
///     let service = site.serve_connection(info, async |_: Request<Incoming>, served| {
///         let text = served.host.map(|host| host.value().clone()).unwrap_or_default();
///         Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from(text)))
///     });
/// }
/// ```
pub struct HyperConnection<F, T> {
    site: Site<T>,
    info: ConnectionInfo,
    application: F,
}

impl<F, T, B, U, R, E> hyper::service::Service<Request<B>> for HyperConnection<F, T>
where
    F: Fn(Request<B>, Served<T>) -> U,
    B: Body,
    U: Future<Output = Result<Response<R>, E>>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = E;
    type Future = WrappedFuture<U, R>;

    fn call(&self, request: Request<B>) -> Self::Future {
        let snapshot = self.site.newest();
        let application = |request: Request<B>, proof: Authoritative| {
            (self.application)(request, Served::new(proof, &snapshot))
        };
        // Decide with the snapshot in which the host is looked up.
        let service = snapshot.layer.serve(&self.info, application);
        hyper::service::Service::call(&service, request)
    }
}

impl<F: Clone, T> Clone for HyperConnection<F, T> {
    fn clone(&self) -> Self {
        let Self { site, info, application } = self;
        Self { site: site.clone(), info: info.clone(), application: application.clone() }
    }
}

impl<F, T> fmt::Debug for HyperConnection<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HyperConnection").field("info", &self.info).finish_non_exhaustive()
    }
}
