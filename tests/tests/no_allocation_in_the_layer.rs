//! Counts that the layer allocates nothing for a served request.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use allocation_counter::{AllocationInfo, measure};
use bytes::Bytes;
use coalesce_core::{
    Authoritative, AuthorityTable, ClientCertificates, CoalescePolicy, GroupId, GroupPolicy,
    IdentifierSet, NamePattern, PresentedIdentifier, VirtualHostId,
};
use coalesce_tower::{CoalesceLayer, ConnectionInfo, VirtualHost};
use http::{Request, Response, Version};
use http_body_util::Empty;
use hyper::service::Service as _;
use tower::{Layer, Service};

const OPEN: GroupId = GroupId::new(1);
const STRICT: GroupId = GroupId::new(2);

fn layer() -> CoalesceLayer<Arc<AuthorityTable<Vec<u8>>>> {
    let mut strict = GroupPolicy::default();
    strict.coalesce = CoalescePolicy::StrictServerName;
    let mut table = AuthorityTable::builder();
    table.group(OPEN, GroupPolicy::default()).unwrap().group(STRICT, strict).unwrap();
    for (id, (name, group)) in (0..).zip([("a.test", OPEN), ("b.test", OPEN), ("s.test", STRICT)]) {
        let pattern = NamePattern::parse(name.as_bytes()).unwrap();
        table.entry(pattern, VirtualHostId::new(id), group).unwrap();
    }
    CoalesceLayer::new(Arc::new(table.build().unwrap()))
}

fn info(group: GroupId) -> ConnectionInfo {
    let names = ["a.test", "b.test", "s.test"];
    let names = names.map(|name| PresentedIdentifier::parse_dns(name.as_bytes()).unwrap());
    let presented = Arc::new(IdentifierSet::build(names).unwrap());
    let server_name = coalesce_core::DnsName::parse(b"s.test").ok();
    ConnectionInfo::tls(presented, server_name, group, ClientCertificates::NotAsked, [443])
}

/// Makes a request as a server library does, with the connection's description in its extensions.
fn request(group: GroupId, version: Version, target: &str, host: Option<&str>) -> Request<Body> {
    let mut request = Request::get(target).version(version).header("accept", "*/*");
    if let Some(host) = host {
        request = request.header("host", host);
    }
    request.extension(info(group)).body(Empty::new()).unwrap()
}

type Body = Empty<Bytes>;

fn poll<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the service is always ready"),
    }
}

const REQUESTS: [(GroupId, Version, &str, Option<&str>); 6] = [
    (OPEN, Version::HTTP_2, "https://a.test/", None),
    (OPEN, Version::HTTP_2, "https://b.test:443/", Some("b.test")),
    (OPEN, Version::HTTP_11, "/", Some("A.test")),
    (OPEN, Version::HTTP_11, "https://a.test/", Some("a.test:443")),
    (OPEN, Version::HTTP_10, "https://a.test/", Some("a.test")),
    (STRICT, Version::HTTP_2, "https://s.test/", None),
];

fn none(counted: AllocationInfo, what: &str) {
    assert_eq!(counted.count_total, 0, "{what}: {counted:?}");
}

#[test]
fn hypers_service_adds_none() {
    for (group, version, target, host) in REQUESTS {
        let application = |_: Request<Body>, proof: Authoritative| {
            assert!(proof.virtual_host().is_some());
            std::future::ready(Ok::<_, Infallible>(Response::new(Body::new())))
        };
        let service = layer().serve(&info(group), application);
        for _ in 0..3 {
            let request = request(group, version, target, host);
            none(
                measure(|| assert_eq!(poll(service.call(request)).unwrap().status(), 200)),
                target,
            );
        }
    }
}

#[test]
fn layer_allocates_nothing() {
    for (group, version, target, host) in REQUESTS {
        let application = tower::service_fn(|request: Request<Body>| {
            assert!(VirtualHost::from_request(request.extensions()).is_ok());
            std::future::ready(Ok::<_, Infallible>(Response::new(axum::body::Body::empty())))
        });
        let mut service = layer().layer(application);
        for _ in 0..3 {
            let request = request(group, version, target, host);
            let empty = measure(|| drop(axum::body::Body::empty())).count_total;
            let counted = measure(|| {
                assert_eq!(poll(service.call(request)).unwrap().status(), 200);
            });
            assert_eq!(counted.count_total, empty, "{target}: {counted:?}");
        }
    }
}

/// Except in one case: `Host` differs from the decided authority, so it is replaced.
#[test]
fn replacing_a_host_costs_one_copy_of_it() {
    let application = tower::service_fn(|request: Request<Body>| {
        assert_eq!(request.headers()["host"], "a.test");
        std::future::ready(Ok::<_, Infallible>(Response::new(
            http_body_util::Full::<Bytes>::default(),
        )))
    });
    let mut service = layer().layer(application);
    let request = request(OPEN, Version::HTTP_11, "https://a.test/", Some("b.test"));
    let counted = measure(|| drop(poll(service.call(request)).unwrap()));
    assert_eq!(counted.count_total, 1, "{counted:?}");
}
