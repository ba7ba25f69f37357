//! hyper servers with and without the layer, on one thread.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use coalesce_core::{
    Authoritative, AuthorityTable, ClientCertificates, GroupId, GroupPolicy, IdentifierSet,
    NamePattern, PresentedIdentifier, VirtualHostId,
};
use coalesce_tower::{CoalesceLayer, ConnectionInfo};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::task::LocalSet;
use tower::Layer;

use crate::client::{Client, Protocol};

/// The code between hyper and the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Between {
    /// Nothing: hyper's service is a function.
    Nothing,
    /// `CoalesceLayer::serve`.
    Serve,
    /// tower, with the facts of the connection in the extensions of each request.
    Facts,
    /// tower with the facts and the layer.
    Layer,
}

/// The host of the connection.
pub const SERVED: &str = "www.example.test";

/// A host that the server has but this connection does not serve.
pub const MISDIRECTED: &str = "cdn.example.test";

/// Makes `requests` for `host` on one connection, and returns after all are answered.
///
/// # Panics
/// Panics if the connection fails.
pub async fn run(protocol: Protocol, between: Between, host: &'static str, requests: u32) {
    let client = Client::new(protocol, host, requests);
    let hello = |_| std::future::ready(Ok::<_, Infallible>(response()));
    match between {
        Between::Nothing => serve(protocol, client, hyper::service::service_fn(hello)).await,
        Between::Serve => {
            let application = |_: Request<Incoming>, _: Authoritative| {
                std::future::ready(Ok::<_, Infallible>(response()))
            };
            serve(protocol, client, layer().serve(&info(), application)).await;
        }
        Between::Facts => {
            let service = info().layer(tower::service_fn(hello));
            serve(protocol, client, TowerToHyperService::new(service)).await;
        }
        Between::Layer => {
            let service = info().layer(layer().layer(tower::service_fn(hello)));
            serve(protocol, client, TowerToHyperService::new(service)).await;
        }
    }
}

fn response() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(b"hello world\n")));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

async fn serve<S, R>(protocol: Protocol, client: Client, service: S)
where
    S: Service<Request<Incoming>, Response = Response<R>, Error = Infallible> + 'static,
    S::Future: 'static,
    R: Body<Data = Bytes, Error = Infallible> + 'static,
{
    let io = TokioIo::new(client);
    let served = match protocol {
        Protocol::Http1 => {
            let builder = hyper::server::conn::http1::Builder::new();
            builder.serve_connection(io, service).await
        }
        Protocol::Http2 => {
            let builder = hyper::server::conn::http2::Builder::new(LocalExecutor);
            builder.serve_connection(io, service).await
        }
    };
    served.expect("the connection ends in peace");
}

#[derive(Clone, Copy, Debug)]
struct LocalExecutor;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

/// Runs `work` to its end on this thread.
///
/// # Panics
/// Panics if the runtime cannot be made.
pub fn on_this_thread<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    LocalSet::new().block_on(&runtime, work)
}

fn layer() -> CoalesceLayer<Arc<AuthorityTable<Vec<u8>>>> {
    let group = GroupId::new(0);
    let mut table = AuthorityTable::builder();
    table.group(group, GroupPolicy::default()).expect("a group");
    for (id, name) in (0..).zip([SERVED, MISDIRECTED, "img.example.test", "api.example.test"]) {
        let name = NamePattern::parse(name.as_bytes()).expect("a name");
        table.entry(name, VirtualHostId::new(id), group).expect("an entry");
    }
    CoalesceLayer::new(Arc::new(table.build().expect("a table")))
}

fn info() -> ConnectionInfo {
    let name = PresentedIdentifier::parse_dns(SERVED.as_bytes()).expect("a name");
    let presented = Arc::new(IdentifierSet::build([name]).expect("a set"));
    let server_name = coalesce_core::DnsName::parse(SERVED.as_bytes()).ok();
    let clients = ClientCertificates::NotAsked;
    ConnectionInfo::tls(presented, server_name, GroupId::new(0), clients, [443])
}

#[cfg(test)]
mod tests {
    use allocation_counter::measure;

    use super::*;

    /// Returns the allocations of one request, on a connection that has already served a hundred.
    /// Rounding removes buffers that grow now and then.
    fn allocations(protocol: Protocol, between: Between) -> u64 {
        let allocated = |requests| {
            measure(|| on_this_thread(run(protocol, between, SERVED, requests))).count_total
        };
        (allocated(300) - allocated(100) + 100) / 200
    }

    /// Counts in whole servers, so that moves and wrappers are included.
    #[test]
    fn served_request_allocates_the_same_with_the_layer() {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            // Makes the allocations that a process does only once.
            on_this_thread(run(protocol, Between::Layer, SERVED, 10));
            let bare = allocations(protocol, Between::Nothing);
            assert!(bare > 0, "the counter counts");
            assert_eq!(allocations(protocol, Between::Serve), bare);
            let facts = allocations(protocol, Between::Facts);
            assert_eq!(allocations(protocol, Between::Layer), facts);
            assert!(facts > bare, "an extension is not free: {facts}");
        }
    }
}
