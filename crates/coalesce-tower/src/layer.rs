//! The layer, and the service it makes.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use coalesce_http::{Decide, MisdirectedContent, Refusal};
use http::{HeaderValue, Method, Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use crate::answer::{answer, leaves_content};
use crate::body::AnswerBody;
use crate::connection::ConnectionInfo;
use crate::decide::Undecided;
use crate::future::ResponseFuture;
use crate::gateway::{Forwarding, GatewayFields, TrustedGateways};
use crate::judge::Rules;
use crate::lines::{refusal_limit, say};
use crate::open_request::OpenRequest;

/// Decides every request before the application gets it, and answers the others itself.
///
/// Put it around the whole application, not around a part of it: requests reach all other parts
/// undecided. With axum that is `layer.layer(router)`, since `Router::layer` wraps only the routes
/// that were added before.
///
/// # Examples
/// ```
/// use coalesce_core::AuthorityTable;
/// use coalesce_tower::{CoalesceLayer, MisdirectedContent};
/// use http::HeaderValue;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let layer = CoalesceLayer::new(AuthorityTable::builder().build()?)
///     .misdirected_content(MisdirectedContent::Empty)
///     .allow(HeaderValue::from_static("GET, HEAD, POST"));
/// # Ok(()) }
/// ```
pub struct CoalesceLayer<D> {
    rules: Arc<Rules<D>>,
}

impl<D: for<'a> Decide<Undecided<'a>>> CoalesceLayer<D> {
    /// A layer that decides by `decide`: an [`AuthorityTable`](coalesce_core::AuthorityTable), or a
    /// closure over the newest one.
    pub fn new(decide: D) -> Self {
        Self { rules: Arc::new(Rules::new(decide)) }
    }
}

impl<D: for<'a> Decide<Undecided<'a>> + Clone> CoalesceLayer<D> {
    /// The same layer with another content of a 421.
    #[must_use]
    pub fn misdirected_content(self, content: MisdirectedContent) -> Self {
        self.changed(|rules| rules.answers.set_misdirected_content(content))
    }

    /// The same layer with other methods that a 405 to `CONNECT` says are allowed (RFC 9110
    /// §10.2.1). `GET, HEAD` by default.
    #[must_use]
    pub fn allow(self, methods: HeaderValue) -> Self {
        self.changed(|rules| rules.answers.set_allow(methods))
    }

    /// The same layer, which believes what these gateways say of their clients in these fields, as
    /// RFC 9110 §7.4 allows. Who is one of them is seen by [`ConnectionInfo::peer`].
    ///
    /// # Security
    /// That of [`TrustedGateways`].
    ///
    /// # Examples
    /// ```
    /// use coalesce_core::{AuthorityTable, GroupId};
    /// use coalesce_tower::{CoalesceLayer, GatewayFields, TrustedGateways};
    /// use http::HeaderName;
    ///
    /// let networks = ["10.0.0.5/32".parse().unwrap()];
    /// let gateways = TrustedGateways::new(networks, |_| Some(GroupId::new(1)));
    /// let fields = GatewayFields::new(HeaderName::from_static("x-forwarded-proto"));
    /// let layer = CoalesceLayer::new(AuthorityTable::builder().build().unwrap())
    ///     .trusted_gateways(gateways, fields);
    /// ```
    #[must_use]
    pub fn trusted_gateways(self, gateways: TrustedGateways, fields: GatewayFields) -> Self {
        self.changed(|rules| rules.forwarding = Some(Forwarding { gateways, fields }))
    }

    /// The same layer, which removes from requests the fields in which a client could pass for a
    /// gateway, unless they come from one of the [`trusted_gateways`](Self::trusted_gateways).
    ///
    /// These are `Forwarded` (RFC 7239), `Client-Cert` (RFC 9440), `X-Forwarded-…`, `X-Original-…`,
    /// `X-Real-IP` and their like, also with `_` for `-`, and those of [`GatewayFields`].
    ///
    /// # Security
    /// Applications prefer such a field to the authority that was decided: the extractor `Host` of
    /// axum-extra reads `Forwarded` and `X-Forwarded-Host` before it reads `Host`. A client could
    /// then choose the tenant, or the host in a link, of a request that was decided for another
    /// one. Use this unless a gateway writes these fields; a listed gateway has to remove what its
    /// clients send. Trailers are not looked at, since a layer does not see them.
    ///
    /// # Examples
    /// ```
    /// use coalesce_core::AuthorityTable;
    /// use coalesce_tower::CoalesceLayer;
    ///
    /// let table = AuthorityTable::builder().build().unwrap();
    /// let layer = CoalesceLayer::new(table).strip_forwarded_fields();
    /// ```
    #[must_use]
    pub fn strip_forwarded_fields(self) -> Self {
        self.changed(|rules| rules.strips_claims = true)
    }

    fn changed(self, change: impl FnOnce(&mut Rules<D>)) -> Self {
        Self { rules: Arc::new(self.rules.changed(change)) }
    }
}

#[cfg(feature = "hyper")]
impl<D> CoalesceLayer<D> {
    pub(crate) fn rules(&self) -> &Arc<Rules<D>> {
        &self.rules
    }
}

impl<D> Clone for CoalesceLayer<D> {
    fn clone(&self) -> Self {
        Self { rules: self.rules.clone() }
    }
}

impl<S, D> Layer<S> for CoalesceLayer<D> {
    type Service = Coalesce<S, D>;

    fn layer(&self, inner: S) -> Coalesce<S, D> {
        Coalesce { inner, rules: self.rules.clone() }
    }
}

/// A service behind a [`CoalesceLayer`].
///
/// Each request carries a [`ConnectionInfo`] in its extensions, which whatever accepted the
/// connection put there. One without is answered 500: a server that does not say what its
/// connections are serves nothing.
///
/// # Allocation
/// None is added on the way of a request that is served, but for a `Host` that has to be replaced
/// beside an absolute-form target, and for a box around a body whose length is not known, on the
/// connections of a listener: as long as there is one, the connection is not idle.
///
/// # Examples
/// ```
/// use coalesce_core::AuthorityTable;
/// use coalesce_tower::{Coalesce, CoalesceLayer};
/// use tower_layer::Layer;
///
/// fn service<S>(application: S) -> Coalesce<S, AuthorityTable> {
///     let table = AuthorityTable::builder().build().unwrap();
///     CoalesceLayer::new(table).layer(application)
/// }
/// ```
pub struct Coalesce<S, D> {
    inner: S,
    rules: Arc<Rules<D>>,
}

impl<S: Clone, D> Clone for Coalesce<S, D> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), rules: self.rules.clone() }
    }
}

impl<S, D: for<'a> Decide<Undecided<'a>>> Coalesce<S, D> {
    /// Decides a request, and leaves the proof in its [`ConnectionInfo`].
    fn admit<B>(&self, request: &mut Request<B>) -> Result<OpenRequest, Refusal> {
        // Taken out in the meantime, so that nothing is copied and no old proof stays.
        let mut extensions = std::mem::take(request.extensions_mut());
        let admitted = if let Some(info) = ConnectionInfo::from_request_mut(&mut extensions) {
            info.set_proof(None);
            let open = info.open_request();
            self.rules.judge(info, request).map(|proof| {
                info.set_proof(Some(proof));
                open
            })
        } else {
            say(refusal_limit!(), |unlogged| {
                let message = "a request without ConnectionInfo: nothing says what it came on";
                tracing::error!(unlogged, "{message}");
            });
            Err(Refusal::NoConnection)
        };
        *request.extensions_mut() = extensions;
        admitted
    }
}

impl<S, D, B, R> Service<Request<B>> for Coalesce<S, D>
where
    S: Service<Request<B>, Response = Response<R>>,
    D: for<'a> Decide<Undecided<'a>>,
    B: Body,
    R: AnswerBody,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, R>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.admit(&mut request) {
            Ok(open) => {
                let is_connect = request.method() == Method::CONNECT;
                ResponseFuture::application(self.inner.call(request), is_connect, open)
            }
            Err(refusal) => {
                let info = ConnectionInfo::from_request(request.extensions());
                if let Some(info) = info.filter(|_| leaves_content(&request)) {
                    info.set_leaves_content();
                }
                ResponseFuture::answer(answer(&self.rules.answers, refusal, &request))
            }
        }
    }
}

impl<D> fmt::Debug for CoalesceLayer<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CoalesceLayer").finish_non_exhaustive()
    }
}

impl<S, D> fmt::Debug for Coalesce<S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coalesce").finish_non_exhaustive()
    }
}
