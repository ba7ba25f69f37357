//! hyper's own service, for one connection, with the proof as an argument.

use std::fmt;
use std::sync::Arc;

use coalesce_core::Authoritative;
use coalesce_http::Decide;
use http::{Method, Request, Response};
use http_body::Body;

use crate::answer::{answer, leaves_content};
use crate::body::ResponseBody;
use crate::connection::ConnectionInfo;
use crate::decide::Undecided;
use crate::future::{ResponseFuture, WrappedFuture};
use crate::judge::Rules;
use crate::layer::CoalesceLayer;

impl<D: for<'a> Decide<Undecided<'a>>> CoalesceLayer<D> {
    /// A [`hyper::service::Service`] for the connection that `info` is of. `application` gets each
    /// request that may be served, and the proof of it by value: there is no way to call it
    /// without.
    ///
    /// # Allocation
    /// None for a request that is served: the proof travels as an argument, not in the extensions.
    ///
    /// # Examples
    /// ```
    /// use std::convert::Infallible;
    ///
    /// use bytes::Bytes;
    /// use coalesce_core::{AuthorityTable, Authoritative};
    /// use coalesce_tower::{Accepted, CoalesceLayer};
    /// use http_body_util::Full;
    /// use hyper::body::Incoming;
    /// use hyper_util::rt::{TokioExecutor, TokioIo};
    /// use hyper_util::server::conn::auto::Builder;
    ///
    /// /// The application, which no request reaches without a proof.
    /// async fn hello(
    ///     request: http::Request<Incoming>,
    ///     proof: Authoritative,
    /// ) -> Result<http::Response<Full<Bytes>>, Infallible> {
    ///     let text = format!("{} of {:?}\n", request.uri().path(), proof.virtual_host());
    ///     Ok(http::Response::new(Full::from(text)))
    /// }
    ///
    /// async fn serve(layer: &CoalesceLayer<AuthorityTable>, accepted: Accepted) {
    ///     let service = layer.serve(accepted.info(), hello);
    ///     let builder = Builder::new(TokioExecutor::new());
    ///     if let Err(error) = builder.serve_connection(TokioIo::new(accepted), service).await {
    ///         println!("{error}");
    ///     }
    /// }
    /// ```
    pub fn serve<F, B, U>(&self, info: &ConnectionInfo, application: F) -> ConnectionService<F, D>
    where
        F: Fn(Request<B>, Authoritative) -> U,
    {
        ConnectionService { info: info.clone(), application, rules: self.rules().clone() }
    }
}

/// The service of one connection, made by [`CoalesceLayer::serve`].
pub struct ConnectionService<F, D> {
    info: ConnectionInfo,
    application: F,
    rules: Arc<Rules<D>>,
}

impl<F, D, B, U, R, E> hyper::service::Service<Request<B>> for ConnectionService<F, D>
where
    F: Fn(Request<B>, Authoritative) -> U,
    B: Body,
    U: Future<Output = Result<Response<R>, E>>,
    D: for<'a> Decide<Undecided<'a>>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = E;
    type Future = WrappedFuture<U, R>;

    fn call(&self, mut request: Request<B>) -> Self::Future {
        let open = self.info.open_request();
        let future = match self.rules.judge(&self.info, &mut request) {
            Ok(proof) => {
                let is_connect = request.method() == Method::CONNECT;
                ResponseFuture::application((self.application)(request, proof), is_connect, open)
            }
            Err(refusal) => {
                if leaves_content(&request) {
                    self.info.set_leaves_content();
                }
                ResponseFuture::answer(answer(&self.rules.answers, refusal, &request))
            }
        };
        future.into()
    }
}

impl<F: Clone, D> Clone for ConnectionService<F, D> {
    fn clone(&self) -> Self {
        let Self { info, application, rules } = self;
        Self { info: info.clone(), application: application.clone(), rules: rules.clone() }
    }
}

impl<F, D> fmt::Debug for ConnectionService<F, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionService").field("info", &self.info).finish_non_exhaustive()
    }
}
