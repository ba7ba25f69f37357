//! ORIGIN frames (RFC 8336), honest and hostile.

use coalesce_client::{Client, ClientBuilder};
use coalesce_tests::raw;

use crate::asking::{asking, builder, fixed, page, read};
use crate::dns::Dns;
use crate::gate::Gate;
use crate::origin::{Answer, Origin, Script, origin_frame};
use crate::place::{Place, name};
use crate::policies::waived;

/// The type of ORIGIN.
const ORIGIN: u8 = 0xc;

fn origin(place: Place, host: &str) -> String {
    format!("https://{}:{}", name(host), place.port())
}

async fn start(place: Place, script: Script, hosts: &[(&str, &[u8])]) -> (Origin, Client) {
    start_with(place, script, hosts, |builder| builder).await
}

async fn start_with(
    place: Place,
    script: Script,
    hosts: &[(&str, &[u8])],
    more: fn(ClientBuilder) -> ClientBuilder,
) -> (Origin, Client) {
    let server = Origin::start(place.address(1), script).await;
    let client = more(builder().resolver(fixed(place, hosts))).build().unwrap();
    (server, client)
}

const SAME: &[(&str, &[u8])] = &[("a", &[1]), ("b", &[1]), ("c", &[1])];

fn three() -> Script {
    Script::new(&["a", "b", "c"])
}

#[tokio::test]
async fn host_outside_of_the_origin_set_gets_its_own_connection() {
    let place = Place::new();
    let (server, client) = start(place, three().origins(&[origin(place, "a")]), SAME).await;
    page(&client, place, "a").await;
    let answered = page(&client, place, "b").await;
    assert!(answered.says("origin_set"), "{}", answered.trail);
    assert_eq!(server.log().server_names(), ["a", "b"]);
}

/// An empty frame leaves the origin of the server name (RFC 8336 §2.3).
#[tokio::test]
async fn empty_origin_frame_leaves_the_own_origin() {
    let place = Place::new();
    let (server, client) = start(place, three().origins::<&str>(&[]), SAME).await;
    for host in ["a", "b", "a"] {
        page(&client, place, host).await;
    }
    assert_eq!(server.log().server_names(), ["a", "b"]);
}

/// By default an origin set does not replace the address (RFC 8336 §4).
#[tokio::test]
async fn host_of_the_origin_set_needs_the_address_by_default() {
    let place = Place::new();
    let script = three().origins(&[origin(place, "a"), origin(place, "b")]);
    let (_server, client) = start(place, script, &[("a", &[1]), ("b", &[9])]).await;
    page(&client, place, "a").await;
    assert!(read(client.get(&*place.url("b", "/"))).await.is_err());
}

#[tokio::test]
async fn waiver_lets_a_host_of_the_origin_set_go_without_dns() {
    let place = Place::new();
    let dns = Dns::start(place).await;
    dns.host("a", &[place.ip(1)]);
    let script = three().origins(&["a", "b", "c"].map(|host| origin(place, host)));
    let server = Origin::start(place.address(1), script).await;
    let client = waived(asking(&dns)).build().unwrap();
    page(&client, place, "a").await;
    let asked = dns.questions();
    for host in ["b", "c"] {
        page(&client, place, host).await;
    }
    assert_eq!(dns.questions(), asked, "a question for a host of the origin set");
    assert!(asked <= 3);
    assert_eq!(server.log().accepted, 1);
}

/// The certificate is needed in any case (RFC 8336 §2.4).
#[tokio::test]
async fn origin_set_does_not_replace_the_certificate() {
    let place = Place::new();
    let script =
        Script::new(&["a"]).origins(&[origin(place, "a"), origin(place, "b")]).certificate(&["b"]);
    let (server, client) = start_with(place, script, SAME, waived).await;
    page(&client, place, "a").await;
    let answered = page(&client, place, "b").await;
    assert!(answered.says("certificate"), "{}", answered.trail);
    assert_eq!(server.log().server_names(), ["a", "b"]);
}

#[tokio::test]
async fn later_frame_adds_origins() {
    let (place, gate) = (Place::new(), Gate::closed());
    let held = gate.clone();
    let script = three().origins(&[origin(place, "a")]).answers(move |request| {
        let answer = Answer::Status(200);
        if request.path == "/held" { Answer::After(held.clone(), answer.into()) } else { answer }
    });
    let (server, client) = start(place, script, SAME).await;
    page(&client, place, "a").await;
    server.send(0, origin_frame(&[origin(place, "b")]));
    // An answer behind the frame shows that the client has read it.
    page(&client, place, "a").await;
    page(&client, place, "b").await;
    assert_eq!(server.log().accepted, 1);
    gate.open();
}

/// A 421 takes the origin out of the set (RFC 8336 §2.3), and later frames do not bring it back.
#[tokio::test]
async fn refused_origin_leaves_the_set() {
    let place = Place::new();
    let script = three().origins(&[origin(place, "a"), origin(place, "b")]).serves_alone(&["b"]);
    let (server, client) = start(place, script, SAME).await;
    for host in ["a", "b"] {
        page(&client, place, host).await;
    }
    server.close(1).await;
    for host in ["a", "b"] {
        page(&client, place, host).await;
    }
    let log = server.log();
    let of_b: Vec<usize> =
        log.requests.iter().filter(|it| it.host == "b").map(|it| it.connection).collect();
    assert_eq!(of_b, [0, 1, 2]);
}

/// Frames that the client must ignore: entries that do not parse, other streams, flags.
#[tokio::test]
async fn malformed_frames_are_ignored() {
    let place = Place::new();
    let narrow = origin_frame(&[origin(place, "a")]);
    let payload = &narrow[9..];
    let ignored = [
        raw::frame(ORIGIN, 0, 1, payload),
        raw::frame(ORIGIN, 1, 0, payload),
        raw::frame(ORIGIN, 8, 0, payload),
    ];
    let (server, client) = start(place, three().opening(ignored), SAME).await;
    for host in ["a", "b"] {
        page(&client, place, host).await;
    }
    assert_eq!(server.log().accepted, 1, "the frames count for nothing");

    let place = Place::new();
    let entries = ["null", "", "https://", "ftp://x", "https://*.example.test", "\u{fffd}"];
    let entries: Vec<String> = entries.iter().map(|&it| it.to_owned()).collect();
    let script = three().origins(&[&entries[..], &[origin(place, "b")]].concat());
    let (server, client) = start(place, script, SAME).await;
    for host in ["a", "b", "c"] {
        page(&client, place, host).await;
    }
    assert_eq!(server.log().server_names(), ["a", "c"]);
}

/// A million entries: the client keeps a bounded set, and the connection serves its own host.
#[tokio::test]
async fn endless_origin_set_leaves_the_connection_to_its_own_host() {
    let place = Place::new();
    // 16,384 octets are the longest frame (RFC 9113 §4.2).
    let frames = (0..1_000_u32).map(|frame| {
        let entries: Vec<String> =
            (0..1_000).map(|entry| format!("https://x{:x}", frame * 1_000 + entry)).collect();
        origin_frame(&entries)
    });
    let script = three().opening(frames).origins(&[origin(place, "b")]);
    assert!(script.opening.len() > 10_000_000);
    let (server, client) = start_with(place, script, SAME, waived).await;
    for host in ["a", "a", "b"] {
        page(&client, place, host).await;
    }
    assert_eq!(server.log().connections.first().map(|it| &*it.server_name), Some("a"));
    let log = server.log();
    let of_b: Vec<usize> =
        log.requests.iter().filter(|it| it.host == "b").map(|it| it.connection).collect();
    assert_eq!(of_b, [1]);
}

/// A connection whose set is a proper subset of another's gets no new requests, and is closed when
/// it is idle (RFC 8336 §2.4).
#[tokio::test]
async fn connection_with_the_smaller_set_is_closed() {
    let place = Place::new();
    let (server, client) = start(place, three().origins(&[origin(place, "a")]), SAME).await;
    for host in ["a", "b"] {
        page(&client, place, host).await;
    }
    // The connection of `b` now has both, and that of `a` only one.
    server.send(1, origin_frame(&["a", "b"].map(|host| origin(place, host))));
    page(&client, place, "b").await;
    page(&client, place, "a").await;
    server.until("the end of the smaller connection", |log| !log.connections[0].open).await;
    let log = server.log();
    assert_eq!(log.server_names(), ["a", "b"]);
    assert_eq!(log.requests.last().map(|it| it.connection), Some(1));
}
