//! A terminal middleware for `reqwest-middleware`.

use http_body_util::BodyExt;
use reqwest::{Body, Request, Response, ResponseBuilderExt};
use reqwest_middleware::{Error, Middleware, Next, Result};

use crate::body::RequestBody;
use crate::client::Client;

/// A middleware that sends the requests of a reqwest client with a [`Client`]. It calls no later
/// middleware, so add it last.
///
/// reqwest's client below it sends nothing. So its settings have no effect: those of redirects,
/// cookies, decompression, proxies, TLS, DNS, timeouts and default headers. Use those of the
/// [`Client`], other middlewares, or tower-http's layers around the client. A timeout of the
/// request holds until the head of the response arrives.
///
/// A body of bytes can be sent again after a 421, a stream cannot.
///
/// # Examples
/// ```no_run
/// use coalesce_client::{Client, CoalesceMiddleware, Trail};
/// use reqwest_middleware::ClientBuilder;
///
/// # async fn get() -> Result<(), Box<dyn std::error::Error>> {
/// let client = ClientBuilder::new(reqwest::Client::new())
///     .with(CoalesceMiddleware::new(Client::builder().build()?))
///     .build();
/// let response = client.get("https://a.example/").send().await?;
/// println!("{:?}", response.extensions().get::<Trail>());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct CoalesceMiddleware {
    client: Client,
}

impl CoalesceMiddleware {
    /// Sends requests with this client.
    pub const fn new(client: Client) -> Self {
        Self { client }
    }
}

#[async_trait::async_trait]
impl Middleware for CoalesceMiddleware {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut http::Extensions,
        _next: Next<'_>,
    ) -> Result<Response> {
        let url = request.url().clone();
        let limit = request.timeout().copied();
        let whole = request.body().is_some_and(|body| body.as_bytes().is_some());
        let (mut parts, body) = http::Request::<Body>::try_from(request)?.into_parts();
        parts.extensions.extend(extensions.clone());
        let body = if whole {
            RequestBody::from(body.collect().await?.to_bytes())
        } else {
            RequestBody::new(body)
        };
        let answer = self.client.request(http::Request::from_parts(parts, body));
        let answer = match limit {
            Some(limit) => tokio::time::timeout(limit, answer).await.map_err(Error::middleware)?,
            None => answer.await,
        };
        let (parts, body) = answer.map_err(Error::middleware)?.into_parts();
        let response = http::Response::builder().url(url).body(Body::wrap(body));
        let mut response = response.map_err(Error::middleware)?;
        *response.status_mut() = parts.status;
        *response.version_mut() = parts.version;
        *response.headers_mut() = parts.headers;
        response.extensions_mut().extend(parts.extensions);
        Ok(response.into())
    }
}
