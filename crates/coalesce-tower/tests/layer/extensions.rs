//! Facts and proof in the extensions of a request.

use bytes::Bytes;
use coalesce_core::{ServedAs, VirtualHostId};
use coalesce_tower::{
    AnswerBody, CoalesceLayer, ConnectionInfo, NoVirtualHost, ResponseBody, VirtualHost,
};
use http::{Request, Response};
use http_body_util::combinators::{BoxBody, UnsyncBoxBody};
use http_body_util::{BodyExt, Empty, Full};
use tower::{Layer, ServiceExt, service_fn};

use crate::common::{CONTENT_421, PUBLIC, layer, table, tls};

type Answer = Result<Response<Full<Bytes>>, std::convert::Infallible>;

/// What the application found in the request, or the status of the layer's own answer.
async fn ask(info: Option<ConnectionInfo>, uri: &str) -> Result<Option<VirtualHostId>, u16> {
    let application = service_fn(async |request: Request<Empty<Bytes>>| -> Answer {
        let found = VirtualHost::from_request(request.extensions()).map(|host| host.id());
        let proof =
            ConnectionInfo::from_request(request.extensions()).and_then(ConnectionInfo::proof);
        assert_eq!(proof.unwrap().virtual_host(), found.ok());
        let mut response = Response::new(Full::default());
        response.extensions_mut().insert(found.ok());
        Ok(response)
    });
    let mut request = Request::get(uri).version(http::Version::HTTP_2).body(Empty::new()).unwrap();
    request.extensions_mut().extend(info.into_iter().map(of).fold(http::Extensions::new(), merge));
    let response = layer().layer(application).oneshot(request).await.unwrap();
    match response.extensions().get::<Option<VirtualHostId>>() {
        Some(found) => Ok(*found),
        None => Err(response.status().as_u16()),
    }
}

fn of(info: ConnectionInfo) -> http::Extensions {
    let mut extensions = http::Extensions::new();
    extensions.insert(info);
    extensions
}

fn merge(mut all: http::Extensions, more: http::Extensions) -> http::Extensions {
    all.extend(more);
    all
}

#[tokio::test]
async fn proof_replaces_the_facts() {
    assert_eq!(ask(Some(tls(PUBLIC)), "https://b.test/").await, Ok(Some(VirtualHostId::new(1))));
    assert_eq!(ask(Some(tls(PUBLIC)), "https://cdn.test/").await, Err(421));
}

/// A server that does not say what its connections are serves nothing.
#[tokio::test]
async fn without_facts_nothing_is_served() {
    assert_eq!(ask(None, "https://api.test/").await, Err(500));
}

#[tokio::test]
async fn nobody_copies_a_proof() {
    let application = service_fn(async |request: Request<Empty<Bytes>>| -> Answer {
        let copy = request.extensions().clone();
        assert!(VirtualHost::from_request(request.extensions()).is_ok());
        assert_eq!(VirtualHost::from_request(&copy), Err(NoVirtualHost::Undecided));
        Ok(Response::default())
    });
    let service = tls(PUBLIC).layer(layer().layer(application));
    let request =
        Request::get("https://api.test/").version(http::Version::HTTP_2).body(Empty::new());
    assert_eq!(service.oneshot(request.unwrap()).await.unwrap().status(), 200);
}

/// A layer inside another does not take over what the other one has found.
#[tokio::test]
async fn inner_layer_decides_again() {
    let application =
        service_fn(async |_: Request<Empty<Bytes>>| -> Answer { panic!("not to be served") });
    let nothing = coalesce_core::AuthorityTable::builder().build().unwrap();
    let inner = CoalesceLayer::new(nothing).layer(application);
    let service = tls(PUBLIC).layer(CoalesceLayer::new(table()).layer(inner));
    let request =
        Request::get("https://api.test/").version(http::Version::HTTP_2).body(Empty::new());
    assert_eq!(service.oneshot(request.unwrap()).await.unwrap().status(), 421);
}

#[tokio::test]
async fn what_is_nobodys_has_no_virtual_host() {
    let mut open = coalesce_core::GroupPolicy::default();
    open.unknown_authority = coalesce_core::UnknownAuthority::HandToApplication;
    let mut table = coalesce_core::AuthorityTable::builder();
    table.group(PUBLIC, open).unwrap();
    let application = service_fn(async |request: Request<Empty<Bytes>>| -> Answer {
        let found = VirtualHost::from_request(request.extensions());
        assert_eq!(found, Err(NoVirtualHost::Other(ServedAs::Unlisted)));
        Ok(Response::default())
    });
    let layer = CoalesceLayer::new(table.build().unwrap());
    let request =
        Request::get("https://api.test/").version(http::Version::HTTP_2).body(Empty::new());
    let service = tls(PUBLIC).layer(layer.layer(application));
    assert_eq!(service.oneshot(request.unwrap()).await.unwrap().status(), 200);
}

#[tokio::test]
async fn every_body_that_can_be_made_says_the_same() {
    async fn content<B>() -> Bytes
    where
        B: AnswerBody + http_body::Body<Data = Bytes, Error: std::fmt::Debug>,
    {
        let application =
            service_fn(async |_: Request<Empty<Bytes>>| -> Result<Response<B>, ()> { Err(()) });
        let request =
            Request::get("https://cdn.test/").version(http::Version::HTTP_2).body(Empty::new());
        let service = tls(PUBLIC).layer(layer().layer(application));
        let response = service.oneshot(request.unwrap()).await.unwrap();
        assert_eq!(response.status(), 421);
        response.into_body().collect().await.unwrap().to_bytes()
    }
    assert_eq!(content::<Full<Bytes>>().await, CONTENT_421);
    assert_eq!(content::<BoxBody<Bytes, std::io::Error>>().await, CONTENT_421);
    assert_eq!(content::<UnsyncBoxBody<Bytes, std::io::Error>>().await, CONTENT_421);
    assert_eq!(content::<ResponseBody<Full<Bytes>>>().await, CONTENT_421);
    assert_eq!(content::<axum::body::Body>().await, CONTENT_421);
    assert_eq!(content::<tonic::body::Body>().await, CONTENT_421);
}
