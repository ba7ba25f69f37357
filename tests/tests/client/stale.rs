//! Connections that end: while they are idle, and under a request.

use crate::asking::{builder, fixed, get, page, read};
use crate::gate::Gate;
use crate::origin::{Answer, Origin, REFUSED_STREAM, Script, goaway};
use crate::place::Place;
use coalesce_client::{Client, ErrorKind};

async fn one(script: Script) -> (Place, Origin, Client) {
    let place = Place::new();
    let server = Origin::start(place.address(1), script).await;
    let hosts: &[(&str, &[u8])] = &[("a", &[1]), ("b", &[1])];
    let client = builder().resolver(fixed(place, hosts)).build().unwrap();
    (place, server, client)
}

fn both() -> Script {
    Script::new(&["a", "b"])
}

/// Whether the client has seen the end or not when the next request comes, the request succeeds.
#[tokio::test]
async fn connection_that_the_server_closed_while_idle_is_replaced() {
    for script in [both(), both().http1()] {
        let (place, server, client) = one(script).await;
        for round in 0..5 {
            page(&client, place, "a").await;
            assert_eq!(server.log().connections.len(), round + 1);
            server.close(round).await;
        }
        page(&client, place, "b").await;
    }
}

#[tokio::test]
async fn goaway_while_idle_moves_the_next_request() {
    let (place, server, client) = one(both()).await;
    page(&client, place, "a").await;
    server.send(0, goaway(1));
    // The client closes a connection that is idle and will serve no more.
    server.until("the end of the connection", |log| !log.connections[0].open).await;
    page(&client, place, "b").await;
    assert_eq!(server.log().server_names(), ["a", "b"]);
}

#[tokio::test]
async fn request_above_the_last_stream_of_a_goaway_is_sent_again() {
    let script = both().answers(|request| match (&*request.host, request.before) {
        ("b", 0) => Answer::GoAway(1),
        _ => Answer::Status(200),
    });
    let (place, server, client) = one(script).await;
    page(&client, place, "a").await;
    page(&client, place, "b").await;
    let log = server.log();
    let of_b: Vec<usize> =
        log.requests.iter().filter(|it| it.host == "b").map(|it| it.connection).collect();
    assert_eq!(of_b, [0, 1]);
}

/// The answer of a stream that the GOAWAY does not exclude still comes.
#[tokio::test]
async fn request_below_the_last_stream_of_a_goaway_ends_on_its_connection() {
    let gate = Gate::closed();
    let held = gate.clone();
    let script = both().answers(move |request| match &*request.path {
        "/held" => Answer::After(held.clone(), Box::new(Answer::Status(200))),
        _ => Answer::Status(200),
    });
    let (place, server, client) = one(script).await;
    let url = place.url("a", "/held");
    let first = get(&client, &url);
    let second = async {
        server.until("the request", |log| log.count("a", "/held") == 1).await;
        server.send(0, goaway(1));
        // Requests of another connection show that the first drains.
        while server.log().connections.len() == 1 {
            page(&client, place, "a").await;
        }
        gate.open();
    };
    let (first, ()) = tokio::join!(first, second);
    assert_eq!(first.status, 200);
    assert_eq!(server.log().count("a", "/held"), 1);
}

#[tokio::test]
async fn refused_stream_is_sent_again() {
    let script = both().answers(|request| match request.before {
        0 => Answer::Reset(REFUSED_STREAM),
        _ => Answer::Status(200),
    });
    let (place, server, client) = one(script).await;
    page(&client, place, "a").await;
    assert_eq!(server.log().count("a", "/"), 2);
}

#[tokio::test]
async fn server_that_refuses_every_stream_is_given_up() {
    let script = both().answers(|_| Answer::Reset(REFUSED_STREAM));
    let (place, server, client) = one(script).await;
    let error = read(client.get(&*place.url("a", "/"))).await.expect_err("no answer");
    assert_eq!(error.kind(), ErrorKind::Connection, "{error:?}");
    let sent = server.log().count("a", "/");
    assert!((2..=4).contains(&sent), "sent {sent} times");
}

/// A server that ends the first connection under its first request may have processed it.
#[tokio::test]
async fn request_that_may_have_been_processed_is_not_sent_again() {
    let script = both().answers(|_| Answer::Close);
    let (place, server, client) = one(script).await;
    let error = read(client.get(&*place.url("a", "/"))).await.expect_err("no answer");
    assert_eq!(error.kind(), ErrorKind::Connection, "{error:?}");
    assert_eq!(server.log().count("a", "/"), 1);
}
