//! Clients, and their answers in the form that the tests compare.

use std::future::Future;
use std::net::Ipv4Addr;
use std::pin::Pin;

use bytes::Bytes;
use coalesce_client::{
    Client, ClientBuilder, Error, FixedResolver, HickoryResolver, RequestOptions, ResponseBody,
    TlsConfig, Trail,
};
use http::{Method, Request};
use http_body_util::{BodyExt, Empty};

use crate::certificates;
use crate::dns::Dns;
use crate::gate::{PATIENCE, patiently};
use crate::place::{Place, name};

/// Returns a builder that trusts the CA of the tests, and whose times never pass in a test.
pub(crate) fn builder() -> ClientBuilder {
    Client::builder()
        .tls(trusting())
        .connect_timeout(PATIENCE)
        .request_timeout(PATIENCE)
        .idle_timeout(PATIENCE)
}

pub(crate) fn trusting() -> TlsConfig {
    TlsConfig::with_roots(certificates::roots()).expect("one root")
}

/// Resolves each host to numbers of addresses of a place; 0 is `0.0.0.0`.
pub(crate) fn fixed(place: Place, hosts: &[(&str, &[u8])]) -> FixedResolver {
    hosts.iter().fold(FixedResolver::new(), |resolver, (host, numbers)| {
        let address = |&number: &u8| match number {
            0 => (Ipv4Addr::UNSPECIFIED, place.port()).into(),
            _ => place.address(number),
        };
        resolver.host(&name(host), numbers.iter().map(address))
    })
}

/// Returns a client that asks this DNS server.
pub(crate) fn asking(dns: &Dns) -> ClientBuilder {
    builder().resolver(HickoryResolver::with_servers([dns.address()]).expect("a server"))
}

/// An answer with its content.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    /// The host that the server saw.
    pub(crate) content: String,
    pub(crate) trail: Trail,
}

impl Answered {
    /// Returns whether the trail has this code.
    pub(crate) fn says(&self, code: &str) -> bool {
        self.trail.steps().iter().any(|step| step.code() == code)
    }
}

/// Reads a response to its end.
pub(crate) fn read<'a>(
    response: impl Future<Output = Result<http::Response<ResponseBody>, Error>> + 'a,
) -> Pin<Box<dyn Future<Output = Result<Answered, Error>> + 'a>> {
    // The future of a response is some kilobytes long.
    let response = Box::pin(response);
    Box::pin(patiently("an answer", async {
        let (head, body) = response.await?.into_parts();
        let trail = head.extensions.get::<Trail>().expect("each answer has a trail").clone();
        let content = body.collect().await?.to_bytes();
        let content = String::from_utf8_lossy(&content).into_owned();
        Ok(Answered { status: head.status.as_u16(), content, trail })
    }))
}

/// Gets a URL.
pub(crate) async fn get(client: &Client, url: &str) -> Answered {
    read(client.get(url)).await.unwrap_or_else(|error| panic!("{url}: {error:?}"))
}

/// Gets the page of a host, and checks that it is the page of this host.
pub(crate) async fn page(client: &Client, place: Place, host: &str) -> Answered {
    let answered = get(client, &place.url(host, "/")).await;
    assert_eq!((answered.status, &*answered.content), (200, host), "{}", answered.trail);
    answered
}

/// Makes a request without content in a partition.
pub(crate) fn in_partition(url: &str, partition: &str) -> Request<Empty<Bytes>> {
    let mut request = Request::new(Empty::new());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = url.parse().expect("a URL");
    request.extensions_mut().insert(RequestOptions::new().partition(partition));
    request
}
