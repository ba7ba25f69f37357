//! The client: a pool, and the policies of its hosts.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use coalesce_core::{HostBuf, OriginBuf};
use coalesce_pool::{Coalescing, Policy, PoolKey, RequestFacts, RequestKind};
use http::header::HOST;
use http::{Method, Request, Response, Uri};
use http_body::Body;
use tokio::time::timeout;

use crate::body::{RequestBody, ResponseBody};
use crate::connect::ProxyConfig;
use crate::driver::Driver;
use crate::error::{BoxError, Error, ErrorKind};
use crate::metrics;
use crate::options::RequestOptions;
use crate::trail::Explanation;

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

/// The settings of a client that its requests need.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) policy: Arc<Policy>,
    /// The hosts with a policy of their own.
    pub(crate) hosts: HashMap<HostBuf, Arc<Policy>>,
    pub(crate) proxy: Option<ProxyConfig>,
    pub(crate) request_timeout: Option<Duration>,
    pub(crate) replay_limit: usize,
}

impl Client {
    pub(crate) fn with(driver: Driver, settings: Settings) -> Self {
        Self { driver, settings: Arc::new(settings) }
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
        self.request(get_request(uri)?).await
    }

    /// Sends a request, whose URI is absolute.
    ///
    /// [`RequestOptions`] in its extensions replace the settings of the client. The response has a
    /// [`Trail`](crate::Trail) in its extensions.
    ///
    /// # Errors
    /// Returns an [`Error`] if the URI is not absolute, has user information, or is neither `http`
    /// nor `https`; if a Host field names another authority; and if there is no answer.
    ///
    /// # Cancellation
    /// The client resets the stream of the request if the future is dropped.
    pub async fn request<B>(&self, request: Request<B>) -> Result<Response<ResponseBody>, Error>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let limit = self.settings.replay_limit;
        let request = request.map(|body| RequestBody::new(body).replayable(limit));
        let answer = self.exchange(request).await;
        if let Err(error) = &answer {
            metrics::failed(error);
        }
        answer
    }

    async fn exchange(
        &self,
        request: Request<RequestBody>,
    ) -> Result<Response<ResponseBody>, Error> {
        let facts = self.facts(&request)?;
        let answer = self.driver.send(request, facts);
        match self.settings.request_timeout {
            None => answer.await,
            Some(limit) => match timeout(limit, answer).await {
                Ok(answer) => answer,
                Err(passed) => Err(Error::new(ErrorKind::Timeout, passed)),
            },
        }
    }

    /// Judges each open connection for a GET request to a URI, and says which may carry it.
    ///
    /// The host is resolved, unless a proxy does that, and nothing is sent to it.
    ///
    /// # Errors
    /// Returns an [`Error`] if the URI is not one that [`get`](Self::get) takes.
    pub async fn explain<U>(&self, uri: U) -> Result<Explanation, Error>
    where
        U: TryInto<Uri>,
        U::Error: Into<http::Error>,
    {
        let facts = self.facts(&get_request(uri)?)?;
        Ok(Explanation::new(self.driver.explain(&facts).await))
    }

    /// Refuses new requests, waits until the bodies of open ones have ended, and closes all
    /// connections.
    pub async fn close(&self) {
        self.driver.close().await;
    }

    fn facts(&self, request: &Request<RequestBody>) -> Result<RequestFacts, Error> {
        let origin = origin(request.uri())?;
        check_host_field(request, &origin)?;
        let options = request.extensions().get::<RequestOptions>();
        let mut key = PoolKey::new(origin);
        key.partition = options.map(|it| it.partition.clone()).unwrap_or_default();
        let proxy = self.settings.proxy.as_ref();
        key.proxy = proxy.and_then(|proxy| proxy.for_origin(&key.origin.as_origin()));
        let policy = self.policy(&key.origin, options);
        let mut facts = RequestFacts::new(key);
        facts.policy = policy;
        facts.body = request.body().repetition();
        facts.idempotent = request.method().is_idempotent();
        let protocol = request.extensions().get::<hyper::ext::Protocol>();
        if request.method() == Method::CONNECT && protocol.is_some() {
            facts.kind = RequestKind::ExtendedConnect;
        }
        Ok(facts)
    }

    /// Returns the policy of the host, changed as the options say. The policy of a host limits the
    /// options: a request can share less than its host, and not more.
    fn policy(&self, origin: &OriginBuf, options: Option<&RequestOptions>) -> Arc<Policy> {
        let (hosts, common) = (&self.settings.hosts, &self.settings.policy);
        let own =
            if hosts.is_empty() { None } else { hosts.get(&origin.as_origin().host().to_buf()) };
        let policy = own.unwrap_or(common);
        let coalesce = options.and_then(|it| it.coalesce).map(Coalescing::from);
        let may_choose = |it: &Coalescing| own.is_none() || shares_less(*it, policy.coalescing);
        let coalesce = coalesce.filter(may_choose);
        let dns = options.and_then(|it| it.dns);
        if coalesce.is_none() && dns.is_none() {
            return Arc::clone(policy);
        }
        let mut policy = Policy::clone(policy);
        policy.coalescing = coalesce.unwrap_or(policy.coalescing);
        policy.dns = dns.unwrap_or(policy.dns);
        Arc::new(policy)
    }
}

/// Returns whether a choice shares fewer connections than another one. A choice that is not known
/// here shares none.
fn shares_less(choice: Coalescing, than: Coalescing) -> bool {
    let rank = |choice| match choice {
        Coalescing::AnyOrigin => 3,
        Coalescing::Address => 2,
        Coalescing::OwnOrigin => 1,
        _ => 0,
    };
    rank(choice) < rank(than)
}

fn get_request<U>(uri: U) -> Result<Request<RequestBody>, Error>
where
    U: TryInto<Uri>,
    U::Error: Into<http::Error>,
{
    let uri = uri.try_into().map_err(|it| Error::new(ErrorKind::Request, it.into()))?;
    let mut request = Request::new(RequestBody::default());
    *request.uri_mut() = uri;
    Ok(request)
}

/// Returns the origin of a URI (RFC 9110 §4.3.1). User information in it is an error (RFC 9110
/// §4.2.4).
fn origin(uri: &Uri) -> Result<OriginBuf, Error> {
    let refused = |message: String| Error::new(ErrorKind::Request, message);
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        // The URI may have a password, which must not reach a log.
        return Err(refused("found no scheme or no host, expected an absolute URI".into()));
    };
    let authority = authority.as_str();
    if authority.contains('@') {
        return Err(refused(
            "found user information in the URI; send an authorization field".into(),
        ));
    }
    let origin = format!("{scheme}://{authority}").parse();
    origin.map_err(|error: coalesce_core::OriginError| {
        refused(format!("{scheme}://{authority}: {error}"))
    })
}

/// Refuses a Host field that names another authority than the URI, because a connection is chosen
/// by the URI (RFC 9113 §8.3.1).
fn check_host_field(request: &Request<RequestBody>, origin: &OriginBuf) -> Result<(), Error> {
    let scheme = request.uri().scheme_str().unwrap_or_default();
    for field in request.headers().get_all(HOST) {
        let same = field.to_str().is_ok_and(|host| {
            let named: Result<OriginBuf, _> = format!("{scheme}://{host}").parse();
            named.is_ok_and(|named| named == *origin)
        });
        if !same {
            let message = format!("found the Host field {field:?}, expected that of {origin}");
            return Err(Error::new(ErrorKind::Request, message));
        }
    }
    Ok(())
}
