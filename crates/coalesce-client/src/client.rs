//! The client: a pool, and the policies of its hosts.

use std::collections::HashMap;
use std::sync::Arc;

use coalesce_core::{HostBuf, OriginBuf};
use coalesce_pool::{Policy, PoolKey, RequestFacts, RequestKind};
use http::{Method, Request, Response, Uri};
use http_body::Body;

use crate::body::{RequestBody, ResponseBody};
use crate::connect::ProxyConfig;
use crate::driver::Driver;
use crate::error::{BoxError, Error, ErrorKind};

/// An HTTP client whose hosts share connections where they may. Clones share its pool.
///
/// # Examples
/// ```no_run
/// use coalesce_client::Client;
///
/// # async fn get() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::builder().build()?;
/// let response = client.get("https://a.example/").await?;
/// println!("{}", response.status());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    driver: Driver,
    settings: Arc<Settings>,
}

#[derive(Debug)]
struct Settings {
    policy: Arc<Policy>,
    hosts: HashMap<HostBuf, Arc<Policy>>,
    proxy: Option<ProxyConfig>,
}

impl Client {
    pub(crate) fn with(
        driver: Driver,
        policy: Arc<Policy>,
        hosts: HashMap<HostBuf, Arc<Policy>>,
        proxy: Option<ProxyConfig>,
    ) -> Self {
        Self { driver, settings: Arc::new(Settings { policy, hosts, proxy }) }
    }

    /// Sends a GET request.
    ///
    /// # Errors
    /// Returns an [`Error`] if there is no answer.
    pub async fn get<U>(&self, uri: U) -> Result<Response<ResponseBody>, Error>
    where
        U: TryInto<Uri>,
        U::Error: Into<http::Error>,
    {
        let uri = uri.try_into().map_err(|it| Error::new(ErrorKind::Request, it.into()))?;
        let mut request = Request::new(RequestBody::default());
        *request.uri_mut() = uri;
        self.request(request).await
    }

    /// Sends a request, whose URI is absolute.
    ///
    /// # Errors
    /// Returns an [`Error`] if there is no answer.
    pub async fn request<B>(&self, request: Request<B>) -> Result<Response<ResponseBody>, Error>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let request = request.map(RequestBody::new);
        let facts = self.facts(&request)?;
        self.driver.send(request, facts).await
    }

    /// Refuses new requests, waits until the bodies of open ones have ended, and closes all
    /// connections.
    pub async fn close(&self) {
        self.driver.close().await;
    }

    fn facts(&self, request: &Request<RequestBody>) -> Result<RequestFacts, Error> {
        let origin = origin(request.uri())?;
        let host = origin.as_origin().host().to_buf();
        let mut key = PoolKey::new(origin);
        let proxy = self.settings.proxy.as_ref();
        key.proxy = proxy.and_then(|proxy| proxy.for_origin(&key.origin.as_origin()));
        let mut facts = RequestFacts::new(key);
        facts.body = request.body().repetition();
        facts.idempotent = request.method().is_idempotent();
        let protocol = request.extensions().get::<hyper::ext::Protocol>();
        if request.method() == Method::CONNECT && protocol.is_some() {
            facts.kind = RequestKind::ExtendedConnect;
        }
        let policy = self.settings.hosts.get(&host).unwrap_or(&self.settings.policy);
        facts.policy = Arc::clone(policy);
        Ok(facts)
    }
}

fn origin(uri: &Uri) -> Result<OriginBuf, Error> {
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(Error::new(ErrorKind::Request, "the URI is not absolute"));
    };
    let authority = authority.as_str();
    let authority = authority.rsplit_once('@').map_or(authority, |(_, rest)| rest);
    let origin = format!("{scheme}://{authority}").parse();
    origin.map_err(|error: coalesce_core::OriginError| Error::new(ErrorKind::Request, error))
}
