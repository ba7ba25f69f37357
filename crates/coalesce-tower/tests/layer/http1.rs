//! HTTP/1.1 as it stands on the wire, through hyper.

use std::convert::Infallible;

use coalesce_tower::ConnectionInfo;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::common::{CONTENT_421, PUBLIC, echo, layer, tls};

/// A connection to a hyper server.
fn connect(info: &ConnectionInfo) -> DuplexStream {
    let (client, server) = tokio::io::duplex(1 << 16);
    let application = |request: http::Request<Incoming>, proof| async move {
        Ok::<_, Infallible>(echo(&request, &proof))
    };
    let service = layer().serve(info, application);
    let io = TokioIo::new(server);
    tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(io, service));
    client
}

/// Reads one response; `head` says that it has no content.
async fn response(client: &mut DuplexStream, head: bool) -> (u16, String, String) {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(client.read_u8().await.expect("a response"));
    }
    let fields = String::from_utf8(text).unwrap().to_lowercase();
    let length =
        fields.split("content-length: ").nth(1).map_or("0", |rest| rest.lines().next().unwrap());
    let mut content = vec![0; if head { 0 } else { length.parse().unwrap() }];
    client.read_exact(&mut content).await.unwrap();
    let status = fields[9..12].parse().unwrap();
    (status, fields, String::from_utf8(content).unwrap())
}

async fn ask(client: &mut DuplexStream, request: &str) -> (u16, String, String) {
    client.write_all(request.as_bytes()).await.unwrap();
    response(client, request.starts_with("HEAD")).await
}

async fn is_closed(client: &mut DuplexStream) -> bool {
    client.read(&mut [0]).await.unwrap() == 0
}

fn get(host: &str) -> String {
    format!("GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

#[tokio::test]
async fn one_connection_is_asked_for_many_hosts_and_each_request_is_decided() {
    let mut client = connect(&tls(PUBLIC));
    for _ in 0..3 {
        let (status, _, content) = ask(&mut client, &get("api.test")).await;
        assert_eq!(
            (status, &content[..]),
            (200, "VirtualHost(VirtualHostId(0)) /x host=api.test\n")
        );
        let (status, _, content) = ask(&mut client, &get("B.test:443")).await;
        assert_eq!(
            (status, &content[..]),
            (200, "VirtualHost(VirtualHostId(1)) /x host=B.test:443\n")
        );
        for other in ["cdn.test", "staff.test", "nobody.test", "api.test:8443"] {
            let (status, fields, content) = ask(&mut client, &get(other)).await;
            assert_eq!((status, &content[..]), (421, CONTENT_421), "{other}");
            assert!(!fields.contains("connection: close"), "{fields}");
        }
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let mut client = connect(&tls(PUBLIC));
    let both = format!("{}{}{}", get("api.test"), get("cdn.test"), get("b.test"));
    client.write_all(both.as_bytes()).await.unwrap();
    for expected in [200, 421, 200] {
        assert_eq!(response(&mut client, false).await.0, expected);
    }
}

/// RFC 9112 §3.2.2.
#[tokio::test]
async fn absolute_form_target_wins_over_host() {
    let mut client = connect(&tls(PUBLIC));
    let absolute =
        |target: &str, host: &str| format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let own = ask(&mut client, &absolute("https://api.test/x", "cdn.test")).await;
    assert_eq!((own.0, &own.2[..]), (200, "VirtualHost(VirtualHostId(0)) /x host=api.test\n"));
    let other = ask(&mut client, &absolute("https://cdn.test/x", "api.test")).await;
    assert_eq!((other.0, &other.2[..]), (421, CONTENT_421));
    let scheme = ask(&mut client, &absolute("http://api.test/x", "api.test")).await;
    assert_eq!(scheme.0, 421, "{scheme:?}");
    let port = ask(&mut client, &absolute("https://api.test:80/x", "api.test")).await;
    assert_eq!(port.0, 421, "{port:?}");
}

#[tokio::test]
async fn what_is_not_understood_gets_400_and_ends_the_connection() {
    let bad = [
        "GET /x HTTP/1.1\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: api.test\r\nHost: api.test\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost:\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: api.test, cdn.test\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: user@api.test\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: api.test:port\r\n\r\n",
        "GET /x HTTP/1.0\r\n\r\n",
        "GET https://api.test/x HTTP/1.1\r\n\r\n",
        "GET https://api.test/x HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET https://user@api.test/x HTTP/1.1\r\nHost: api.test\r\n\r\n",
        "GET api.test HTTP/1.1\r\nHost: api.test\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: api.test\r\n\r\n",
        "CONNECT https://api.test/ HTTP/1.1\r\nHost: api.test\r\n\r\n",
    ];
    for request in bad {
        let mut client = connect(&tls(PUBLIC));
        let (status, fields, _) = ask(&mut client, request).await;
        assert_eq!(status, 400, "{request}");
        assert!(fields.contains("connection: close"), "{request}{fields}");
        assert!(is_closed(&mut client).await, "{request}");
    }
}

#[tokio::test]
async fn other_forms_are_taken_where_they_belong() {
    let mut client = connect(&tls(PUBLIC));
    let star = ask(&mut client, "OPTIONS * HTTP/1.1\r\nHost: api.test\r\n\r\n").await;
    assert_eq!(star.0, 200);
    let tunnel = ask(&mut client, "CONNECT api.test:443 HTTP/1.1\r\nHost: api.test\r\n\r\n").await;
    assert_eq!(tunnel.0, 405);
    assert!(tunnel.1.contains("allow: get, head"), "{}", tunnel.1);
    let mut client = connect(&tls(PUBLIC));
    let old = ask(&mut client, "GET / HTTP/1.0\r\nHost: api.test\r\n\r\n").await;
    assert_eq!(old.0, 200);
}

#[tokio::test]
async fn misdirected_head_leaves_the_connection_in_step() {
    let mut client = connect(&tls(PUBLIC));
    let (status, fields, _) = ask(&mut client, "HEAD /x HTTP/1.1\r\nHost: cdn.test\r\n\r\n").await;
    assert_eq!(status, 421);
    assert!(fields.contains("content-length: 31"));
    assert_eq!(ask(&mut client, &get("api.test")).await.0, 200);
}

/// RFC 9110 §10.1.1: a final status instead of 100; RFC 9112 §9.3: unread content ends the
/// connection.
#[tokio::test]
async fn misdirected_upload_is_refused_unread() {
    let mut client = connect(&tls(PUBLIC));
    let expect = "POST / HTTP/1.1\r\nHost: cdn.test\r\nContent-Length: 9999999\r\nExpect: 100-continue\r\n\r\n";
    let (status, fields, content) = ask(&mut client, expect).await;
    assert_eq!((status, &content[..]), (421, CONTENT_421), "no 100 before it");
    assert!(fields.contains("connection: close"), "{fields}");
    assert!(is_closed(&mut client).await);

    let mut client = connect(&tls(PUBLIC));
    let coming =
        "POST / HTTP/1.1\r\nHost: cdn.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    let (status, fields, _) = ask(&mut client, coming).await;
    assert_eq!(status, 421);
    assert!(fields.contains("connection: close"), "{fields}");
}

/// Whether its content is here already is not known when the answer is made.
#[tokio::test]
async fn misdirected_upload_that_is_whole_ends_the_connection_too() {
    let mut client = connect(&tls(PUBLIC));
    let small = "POST / HTTP/1.1\r\nHost: cdn.test\r\nContent-Length: 5\r\n\r\nhello";
    let (status, fields, content) = ask(&mut client, small).await;
    assert_eq!((status, &content[..]), (421, CONTENT_421));
    assert!(fields.contains("connection: close"), "{fields}");
    assert!(is_closed(&mut client).await);
    // One without content costs no connection.
    let mut client = connect(&tls(PUBLIC));
    for empty in ["Content-Length: 0", "Accept: */*"] {
        let request = format!("POST / HTTP/1.1\r\nHost: cdn.test\r\n{empty}\r\n\r\n");
        let (status, fields, _) = ask(&mut client, &request).await;
        assert_eq!(status, 421);
        assert!(!fields.contains("connection: close"), "{fields}");
    }
    assert_eq!(ask(&mut client, &get("api.test")).await.0, 200);
}

#[tokio::test]
async fn in_the_clear_only_http_origins_are_served() {
    let mut client = connect(&ConnectionInfo::cleartext(PUBLIC, [80]));
    assert_eq!(ask(&mut client, &get("cdn.test")).await.0, 200, "no certificate, no coverage");
    assert_eq!(ask(&mut client, &get("cdn.test:443")).await.0, 421);
    assert_eq!(ask(&mut client, &get("staff.test")).await.0, 421);
    let https = "GET https://cdn.test:80/ HTTP/1.1\r\nHost: cdn.test\r\n\r\n";
    assert_eq!(ask(&mut client, https).await.0, 421);
}
