//! Limits of streams, as servers set them.

use std::time::Duration;

use futures_util::future::join_all;

use crate::asking::{builder, fixed, get, page};
use crate::gate::Gate;
use crate::origin::{Answer, MAX_CONCURRENT_STREAMS, Origin, REFUSED_STREAM, Script};
use crate::place::Place;

const LIMIT: usize = 10;

/// A server that refuses what goes beyond its limit, and holds all answers but that of the
/// page until the gate opens.
fn limited(gate: &Gate) -> Script {
    let gate = gate.clone();
    let limit = u32::try_from(LIMIT).unwrap();
    Script::new(&["a", "b"]).settings(MAX_CONCURRENT_STREAMS, limit).answers(move |request| {
        match &*request.path {
            _ if request.open > LIMIT => Answer::Reset(REFUSED_STREAM),
            "/" => Answer::Status(200),
            _ => Answer::After(gate.clone(), Box::new(Answer::Status(200))),
        }
    })
}

#[tokio::test]
async fn six_cold_requests_use_one_connection() {
    let place = Place::new();
    let server = Origin::start(place.address(1), Script::new(&["a"])).await;
    let client = builder().resolver(fixed(place, &[("a", &[1])])).build().unwrap();
    join_all((0..6).map(|_| page(&client, place, "a"))).await;
    assert_eq!(server.log().connections.len(), 1);
}

/// A request shows that the client knows the limit: its answer follows SETTINGS.
#[tokio::test]
async fn thirty_requests_beyond_ten_streams_are_answered_and_sent_once() {
    for connections in [1_u32, 4] {
        let (place, gate) = (Place::new(), Gate::closed());
        let server = Origin::start(place.address(1), limited(&gate)).await;
        let resolver = fixed(place, &[("a", &[1])]);
        let client =
            builder().connections_per_origin(connections).resolver(resolver).build().unwrap();
        page(&client, place, "a").await;
        let urls: Vec<String> =
            (0..30).map(|number| place.url("a", &format!("/held/{number}"))).collect();
        let answers = join_all(urls.iter().map(|url| get(&client, url)));
        let opening = async {
            server.until("ten requests", |log| log.requests.len() > LIMIT).await;
            gate.open();
        };
        let (answers, ()) = tokio::join!(answers, opening);
        assert!(answers.iter().all(|it| it.status == 200));
        let log = server.log();
        assert_eq!(log.requests.len(), 31);
        assert!(urls.iter().all(|url| {
            let path = url.rsplit_once("/held").map(|(_, number)| format!("/held{number}"));
            log.count("a", &path.unwrap_or_default()) == 1
        }));
        assert!(log.connections.len() <= connections as usize);
        assert!(log.requests.iter().all(|it| it.open <= LIMIT));
    }
}

/// The limit arrives after the requests. The server refuses the rest, which it did not process.
#[tokio::test]
async fn requests_beyond_a_late_limit_are_processed_once() {
    let (place, gate, settings) = (Place::new(), Gate::opened(), Gate::closed());
    let script = limited(&gate).settings_after(&settings);
    let server = Origin::start(place.address(1), script).await;
    let client = builder().resolver(fixed(place, &[("a", &[1])])).build().unwrap();
    let urls: Vec<String> = (0..30).map(|number| place.url("a", &format!("/{number}"))).collect();
    let answers = join_all(urls.iter().map(|url| get(&client, url)));
    let opening = async {
        server.until("the handshake", |log| log.connections.len() == 1).await;
        settings.open();
    };
    let (answers, ()) = tokio::join!(answers, opening);
    assert!(answers.iter().all(|it| it.status == 200));
    let log = server.log();
    for number in 0..30 {
        let path = format!("/{number}");
        let within = log.requests.iter().filter(|it| it.path == path && it.open <= LIMIT);
        assert_eq!(within.count(), 1, "{path}");
    }
}

#[tokio::test]
async fn connections_without_requests_are_closed() {
    let place = Place::new();
    let server = Origin::start(place.address(1), Script::new(&["a"])).await;
    let resolver = fixed(place, &[("a", &[1])]);
    let idle = Duration::from_millis(50);
    let client = builder().idle_timeout(idle).resolver(resolver).build().unwrap();
    join_all((0..6).map(|_| page(&client, place, "a"))).await;
    server
        .until("the end of all connections", |log| log.connections.iter().all(|it| !it.open))
        .await;
    page(&client, place, "a").await;
}

/// Another host waits for the SETTINGS of a connection, and does not open its own.
#[tokio::test]
async fn host_waits_for_late_settings_of_a_connection_that_may_carry_it() {
    let (place, settings) = (Place::new(), Gate::closed());
    let script = Script::new(&["a", "b"]).settings_after(&settings);
    let server = Origin::start(place.address(1), script).await;
    let resolver = fixed(place, &[("a", &[1]), ("b", &[1])]);
    let client = builder().leader_wait(crate::gate::PATIENCE).resolver(resolver).build().unwrap();
    let asking = async { tokio::join!(page(&client, place, "a"), page(&client, place, "b")) };
    let opening = async {
        server.until("the handshake", |log| log.connections.len() == 1).await;
        settings.open();
    };
    tokio::join!(asking, opening);
    assert_eq!(server.log().accepted, 1);
}
