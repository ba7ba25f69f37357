//! DNS: the questions of a client, and answers that fail, wait and change.

use std::sync::Mutex;
use std::task::Poll;

use coalesce_client::{EndpointStream, ErrorKind, Question, Resolve};
use coalesce_pool::Endpoint;
use futures_util::stream;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{RData, RecordType, rdata};
use tokio::sync::mpsc;

use crate::asking::{asking, builder, page, read};
use crate::dns::{Dns, Https, Reply};
use crate::gate::Gate;
use crate::hole::BlackHole;
use crate::origin::{Origin, Script};
use crate::place::Place;

async fn start(names: &[&str]) -> (Place, Dns, Origin) {
    let place = Place::new();
    let dns = Dns::start(place).await;
    let server = Origin::start(place.address(1), Script::new(names)).await;
    (place, dns, server)
}

#[tokio::test]
async fn client_asks_three_questions_for_a_host_and_keeps_the_answers() {
    let (place, dns, server) = start(&["a", "b"]).await;
    for host in ["a", "b"] {
        dns.host(host, &[place.ip(1)]);
    }
    let client = asking(&dns).build().unwrap();
    for host in ["a", "b", "a", "b", "b"] {
        page(&client, place, host).await;
    }
    for host in ["a", "b"] {
        assert_eq!(dns.asked(host, RecordType::A), 1, "{host}");
        assert!(dns.asked(host, RecordType::AAAA) <= 1, "{host}");
    }
    assert!(dns.questions() <= 6, "{}", dns.questions());
    assert_eq!(server.log().accepted, 1);
}

#[tokio::test]
async fn blocked_address_from_dns_is_passed_over() {
    let (place, dns, server) = start(&["a", "b"]).await;
    for host in ["a", "b"] {
        dns.host(host, &["0.0.0.0".parse().unwrap(), place.ip(1)]);
    }
    let client = asking(&dns).build().unwrap();
    for host in ["a", "b"] {
        page(&client, place, host).await;
    }
    assert_eq!(server.log().accepted, 1);
}

#[tokio::test]
async fn https_record_names_another_host_and_port() {
    let (place, dns, server) = start(&["a", "b"]).await;
    // The origin has port 443, where nothing listens.
    let record = Https {
        priority: 1,
        target: "target",
        alpn: &["h2"],
        port: Some(place.port()),
        ..Https::default()
    };
    dns.https("a", [record]);
    dns.host("a", &[place.ip(9)]);
    dns.host("target", &[place.ip(1)]);
    let client = asking(&dns).build().unwrap();
    let answered = read(client.get("https://a.example.test/")).await.unwrap();
    assert_eq!(answered.content, "a");
    assert_eq!(server.log().server_names(), ["a"]);
}

#[tokio::test]
async fn address_that_is_announced_for_http3_alone_is_not_shared() {
    let (place, dns, server) = start(&["a", "b"]).await;
    let other = Origin::start(place.address(2), Script::new(&["a", "b"])).await;
    dns.host("a", &[place.ip(1)]);
    dns.host("b", &[place.ip(2)]);
    dns.host("quic", &[place.ip(1)]);
    dns.host("tcp", &[place.ip(2)]);
    let to = |target, alpn| Https { priority: 1, target, alpn, ..Https::default() };
    dns.https("b", [to("quic", &["h3"]), to("tcp", &["h2"])]);
    let client = asking(&dns).build().unwrap();
    page(&client, place, "a").await;
    page(&client, place, "b").await;
    assert_eq!(server.log().server_names(), ["a"]);
    assert_eq!(other.log().server_names(), ["b"]);
}

#[tokio::test]
async fn host_that_does_not_exist_has_no_answer() {
    let (place, dns, server) = start(&["a", "b"]).await;
    dns.host("a", &[place.ip(1)]);
    let client = asking(&dns).build().unwrap();
    page(&client, place, "a").await;
    let error = read(client.get(&*place.url("b", "/"))).await.expect_err("no answer");
    assert_eq!(error.kind(), ErrorKind::Resolve, "{error:?}");
    assert_eq!(server.log().requests.len(), 1);
}

#[tokio::test]
async fn address_of_another_family_is_passed_over() {
    let (place, dns, server) = start(&["a", "b"]).await;
    let hosts = ["a", "b"];
    for host in hosts {
        // From the range for documentation, so nothing is there.
        dns.addresses(host, &["2001:db8::1".parse().unwrap(), place.ip(1).into()]);
    }
    let client = asking(&dns).build().unwrap();
    for host in hosts {
        page(&client, place, host).await;
    }
    assert_eq!(server.log().accepted, 1);
}

/// Each of the other questions may fail.
#[tokio::test]
async fn failures_of_other_questions_do_not_fail_a_host() {
    for code in [ResponseCode::ServFail, ResponseCode::NXDomain, ResponseCode::Refused] {
        let (place, dns, _server) = start(&["a"]).await;
        dns.host("a", &[place.ip(1)]);
        for kind in [RecordType::AAAA, RecordType::HTTPS] {
            dns.reply("a", kind, Reply::Fails(code));
        }
        let client = asking(&dns).build().unwrap();
        page(&client, place, "a").await;
    }
}

#[tokio::test]
async fn questions_without_answers_do_not_hold_a_host_up() {
    for kind in [RecordType::AAAA, RecordType::HTTPS] {
        let (place, dns, _server) = start(&["a"]).await;
        dns.host("a", &[place.ip(1)]);
        dns.reply("a", kind, Reply::Never);
        let client = asking(&dns).build().unwrap();
        page(&client, place, "a").await;
    }
}

#[tokio::test]
async fn truncated_answer_is_asked_again_over_tcp() {
    let (place, dns, _server) = start(&["a"]).await;
    let records = vec![RData::A(rdata::A(place.ip(1)))];
    dns.reply("a", RecordType::A, Reply::OverTcp(Box::new(Reply::Records(60, records))));
    let client = asking(&dns).build().unwrap();
    page(&client, place, "a").await;
    assert_eq!(dns.asked("a", RecordType::A), 2);
}

/// Without a time to live each request asks again, and the newest answer decides.
#[tokio::test]
async fn answer_that_changes_changes_the_connection() {
    let (place, dns, server) = start(&["a", "b"]).await;
    let other = Origin::start(place.address(2), Script::new(&["a", "b"])).await;
    dns.host("a", &[place.ip(1)]);
    dns.host_with(0, "b", &[place.ip(2)]);
    let client = asking(&dns).build().unwrap();
    for host in ["a", "b"] {
        page(&client, place, host).await;
    }
    assert_eq!((server.log().accepted, other.log().accepted), (1, 1));
    other.close(0).await;
    drop(other);
    dns.host_with(0, "b", &[place.ip(1)]);
    page(&client, place, "b").await;
    let log = server.log();
    assert_eq!((log.accepted, log.count("b", "/")), (1, 1));
}

#[tokio::test]
async fn late_answer_is_waited_for() {
    let (place, dns, server) = start(&["a", "b"]).await;
    let gate = Gate::closed();
    dns.host("a", &[place.ip(1)]);
    let records = Box::new(Reply::Records(60, vec![RData::A(rdata::A(place.ip(1)))]));
    dns.reply("b", RecordType::A, Reply::After(gate.clone(), records));
    let client = asking(&dns).build().unwrap();
    let first = async {
        page(&client, place, "a").await;
        gate.open();
    };
    tokio::join!(page(&client, place, "b"), first);
    assert_eq!(server.log().accepted, 1);
}

/// A resolver whose updates the test sends.
#[derive(Debug)]
struct Updates {
    fixed: Endpoint,
    of_b: Mutex<Option<mpsc::UnboundedReceiver<Vec<Endpoint>>>>,
}

impl Resolve for Updates {
    fn resolve(&self, question: Question) -> EndpointStream {
        if !question.name.to_string().starts_with("b.") {
            return Box::pin(stream::iter([Ok(vec![self.fixed])]));
        }
        let mut updates = self.of_b.lock().unwrap().take().expect("one question for this host");
        Box::pin(stream::poll_fn(move |context| match updates.poll_recv(context) {
            Poll::Ready(update) => Poll::Ready(update.map(Ok)),
            Poll::Pending => Poll::Pending,
        }))
    }
}

/// The first address of `b` is silent. The second, which comes later, is that of a connection that
/// covers `b`, so the attempt is given up.
#[tokio::test]
async fn later_endpoint_ends_an_attempt_that_a_connection_makes_useless() {
    let place = Place::new();
    let server = Origin::start(place.address(1), Script::new(&["a", "b"])).await;
    let hole = BlackHole::start(place.address(9)).await;
    let (updates, of_b) = mpsc::unbounded_channel();
    let fixed = Endpoint::new(place.address(1));
    let client = builder().resolver(Updates { fixed, of_b: Mutex::new(Some(of_b)) });
    let client = client.build().unwrap();
    page(&client, place, "a").await;
    let silent = Endpoint::new(place.address(9));
    updates.send(vec![silent]).unwrap();
    let last = async {
        tokio::task::yield_now().await;
        updates.send(vec![silent, fixed]).unwrap();
    };
    tokio::join!(page(&client, place, "b"), last);
    assert_eq!(server.log().server_names(), ["a"]);
    drop((updates, hole));
}
