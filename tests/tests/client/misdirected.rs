//! What follows a 421 (RFC 9110 §15.5.20).

use bytes::Bytes;
use coalesce_client::Client;
use futures_util::future::join_all;
use futures_util::stream;
use http::{Method, Request};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};

use crate::asking::{Answered, builder, fixed, get, page, read};
use crate::gate::patiently;
use crate::origin::{Answer, Origin, Script};
use crate::place::Place;

/// The code of a stream that the client gives up (RFC 9113 §7).
const CANCEL: u32 = 0x8;

const HOSTS: &[(&str, &[u8])] = &[("a", &[1]), ("b", &[1])];

async fn one(script: Script) -> (Place, Origin, Client) {
    let place = Place::new();
    let server = Origin::start(place.address(1), script).await;
    let client = builder().resolver(fixed(place, HOSTS)).build().unwrap();
    (place, server, client)
}

fn both() -> Script {
    Script::new(&["a", "b"])
}

fn post<B>(url: &str, body: B) -> Request<B> {
    Request::builder().method(Method::POST).uri(url).body(body).expect("a request")
}

/// Returns the connection and the length of the content of each request for `b`.
fn of_b(server: &Origin) -> Vec<(usize, usize)> {
    let log = server.log();
    let of_b = log.requests.iter().filter(|it| it.host == "b");
    of_b.map(|it| (it.connection, it.content)).collect()
}

#[tokio::test]
async fn post_with_a_replayable_body_is_sent_again_in_full() {
    for length in [0, 1, 90_000] {
        let (place, server, client) = one(both().serves_alone(&["b"])).await;
        page(&client, place, "a").await;
        let body = Full::new(Bytes::from(vec![b'x'; length]));
        let answered = read(client.request(post(&place.url("b", "/"), body))).await.unwrap();
        assert_eq!((answered.status, &*answered.content), (200, "b"));
        assert_eq!(of_b(&server), [(0, length), (1, length)]);
        let log = server.log();
        assert!(log.requests.iter().skip(1).all(|it| it.method == "POST"));
    }
}

/// A body that is a stream beyond what the client keeps.
fn one_shot(pieces: usize) -> StreamBody<impl futures_util::Stream<Item = Piece> + Send + 'static> {
    StreamBody::new(stream::iter(
        (0..pieces).map(|_| Ok(Frame::data(Bytes::from(vec![b'x'; 10_000])))),
    ))
}

type Piece = Result<Frame<Bytes>, std::io::Error>;

#[tokio::test]
async fn post_with_a_body_beyond_the_limit_gets_its_421() {
    let (place, server, client) = one(both().serves_alone(&["b"])).await;
    page(&client, place, "a").await;
    let request = post(&place.url("b", "/"), one_shot(20));
    let answered = read(client.request(request)).await.unwrap();
    assert_eq!(answered.status, 421);
    assert_eq!(of_b(&server), [(0, 200_000)]);
    // The next request knows.
    let request = post(&place.url("b", "/"), one_shot(20));
    let answered = read(client.request(request)).await.unwrap();
    assert_eq!(answered.status, 200);
    assert_eq!(of_b(&server), [(0, 200_000), (1, 200_000)]);
}

/// The rest of the upload is given up when the answer has come.
#[tokio::test]
async fn upload_is_cancelled_after_an_early_421() {
    let (place, server, client) = one(both().serves_alone(&["b"]).early()).await;
    page(&client, place, "a").await;
    let endless = StreamBody::new(stream::pending::<Piece>());
    let answered = read(client.request(post(&place.url("b", "/"), endless))).await.unwrap();
    assert_eq!(answered.status, 421);
    server.until("the reset of the upload", |log| !log.resets.is_empty()).await;
    let resets = server.log().resets.clone();
    assert!(matches!(resets[..], [(0, _, CANCEL)]), "{resets:?}");
    // Other requests of the connection go on.
    page(&client, place, "a").await;
    assert_eq!(server.log().connections.len(), 1);
}

/// The connection goes on for other requests.
#[tokio::test]
async fn early_421_is_delivered_while_the_upload_goes_on() {
    let (place, server, client) = one(both().serves_alone(&["b"]).early()).await;
    page(&client, place, "a").await;
    let endless = StreamBody::new(stream::pending::<Piece>());
    let answered = read(client.request(post(&place.url("b", "/"), endless))).await.unwrap();
    assert_eq!(answered.status, 421);
    page(&client, place, "a").await;
    assert_eq!(server.log().connections.len(), 1);
}

/// Alt-Svc on a 421 is ignored (RFC 7838 §6 lets a 421 name no alternative).
#[tokio::test]
async fn alternative_services_of_a_421_are_ignored() {
    let script = both().answers(|request| match (&*request.host, &*request.server_name) {
        ("b", "a") => Answer::With(421, "alt-svc", "h2=\":9\"".to_owned()),
        _ => Answer::Status(200),
    });
    let (place, server, client) = one(script).await;
    page(&client, place, "a").await;
    page(&client, place, "b").await;
    assert_eq!(of_b(&server), [(0, 0), (1, 0)]);
}

#[tokio::test]
async fn refusal_is_remembered_beyond_the_connection() {
    let (place, server, client) = one(both().serves_alone(&["b"])).await;
    for host in ["a", "b"] {
        page(&client, place, host).await;
    }
    for connection in [0, 1] {
        server.close(connection).await;
    }
    for host in ["a", "b"] {
        page(&client, place, host).await;
    }
    assert_eq!(server.log().server_names(), ["a", "b", "a", "b"]);
    assert_eq!(of_b(&server), [(0, 0), (1, 0), (3, 0)]);
}

/// Gets `b` a thousand times at once on a connection of `a`.
async fn thousand(place: Place, server: &Origin, client: &Client) -> Vec<Answered> {
    page(client, place, "a").await;
    assert_eq!(server.log().requests.len(), 1);
    let urls: Vec<String> =
        (0..1_000).map(|number| place.url("b", &format!("/{number}"))).collect();
    patiently("all answers", join_all(urls.iter().map(|url| get(client, url)))).await
}

#[tokio::test]
async fn thousand_parallel_requests_are_served_after_a_421() {
    let (place, server, client) = one(both().serves_alone(&["b"])).await;
    let answers = thousand(place, &server, &client).await;
    assert!(answers.iter().all(|it| (it.status, &*it.content) == (200, "b")));
    let log = server.log();
    assert!(log.requests.len() <= 2_001, "{}", log.requests.len());
    assert_eq!(log.server_names(), ["a", "b"]);
}

#[tokio::test]
async fn thousand_parallel_requests_to_a_server_of_only_421_end() {
    let (place, server, client) = one(both().never_serves(&["b"])).await;
    let answers = thousand(place, &server, &client).await;
    assert!(answers.iter().all(|it| it.status == 421));
    let log = server.log();
    assert!(log.requests.len() <= 2_001, "{}", log.requests.len());
    assert!((0..1_000).all(|number| log.count("b", &format!("/{number}")) <= 2));
}

/// An answer that only looks like a refusal is not repeated.
#[tokio::test]
async fn other_statuses_are_the_answer() {
    for status in [400, 404, 429, 503] {
        let script = both()
            .answers(move |request| Answer::Status(if request.host == "b" { status } else { 200 }));
        let (place, server, client) = one(script).await;
        page(&client, place, "a").await;
        let answered = get(&client, &place.url("b", "/")).await;
        assert_eq!(answered.status, status);
        assert_eq!(of_b(&server), [(0, 0)]);
    }
}

/// The stream of a request that the caller gives up is reset, and the connection goes on.
#[tokio::test]
async fn request_that_is_given_up_resets_its_stream() {
    let script = both().answers(|request| match &*request.path {
        "/never" => Answer::Never,
        _ => Answer::Status(200),
    });
    let (place, server, client) = one(script).await;
    let url = place.url("a", "/never");
    tokio::select! {
        answered = client.get(&*url) => panic!("an answer: {answered:?}"),
        () = server.until("the request", |log| log.count("a", "/never") == 1) => {}
    }
    server.until("the reset of the stream", |log| !log.resets.is_empty()).await;
    page(&client, place, "a").await;
    let log = server.log();
    assert!(matches!(log.resets[..], [(0, _, CANCEL)]), "{:?}", log.resets);
    assert_eq!(log.connections.len(), 1);
}

/// A response whose body the caller drops does not hold up the others.
#[tokio::test]
async fn dropped_body_frees_its_stream() {
    let (place, server, client) = one(both()).await;
    for _ in 0..200 {
        let response = client.get(&*place.url("a", "/")).await.unwrap();
        drop(response.into_body().into_data_stream());
    }
    page(&client, place, "a").await;
    assert_eq!(server.log().connections.len(), 1);
}
