//! Real gateways in front of an axum server behind the layer: nginx and HAProxy from the packages
//! of the system and Envoy from its Python package, unmodified, each with a configuration.
//!
//! Clients speak TLS to the gateway, HTTP/1.1 or HTTP/2. The gateway speaks HTTP/1.1 or HTTP/2 in
//! the clear to the server, and names the client's scheme in a field.

mod application;
mod gateway;

use application::{GRPC_ANSWER, GRPC_PATH, TUNNEL_PATH};
use coalesce_tests::{CONTENT_421, Curl};
use gateway::Gateway;

const VERSIONS: [(&str, &str); 2] = [("--http1.1", "1.1"), ("--http2", "2")];

fn misdirected(answer: &Curl) {
    assert_eq!((answer.status, &answer.body[..]), (421, CONTENT_421), "{answer:?}");
}

#[test]
fn client_of_a_gateway_is_served_by_its_own_scheme_and_host() {
    for gateway in gateway::all() {
        for (flag, version) in VERSIONS {
            let answer = gateway.get("shop.test", &[flag]);
            assert_eq!(
                (answer.status, &answer.version[..]),
                (200, version),
                "{gateway}: {answer:?}"
            );
            assert_eq!(answer.body, "shop.test by https", "{gateway}");
            // A client cannot set the field of the gateway.
            let forged = ["--header", "X-Forwarded-Proto: http"];
            let answer = gateway.get("shop.test", &[&[flag][..], &forged].concat());
            assert_eq!(answer.body, "shop.test by https", "{gateway}: {answer:?}");
            // The gateway has a certificate for it, and the server no such host.
            misdirected(&gateway.get("elsewhere.test", &[flag]));
        }
    }
}

/// Over HTTP/1.1 alone: over HTTP/2 an answer before the end of an upload comes with a reset, by
/// which HAProxy and curl 7 lose the answer.
#[test]
fn misdirected_upload_is_answered_and_leaves_the_gateway_in_step() {
    for gateway in gateway::all().filter(Gateway::speaks_http1) {
        let upload = ["--http1.1", "--data-binary", "@upload"];
        for _ in 0..5 {
            misdirected(&gateway.get("elsewhere.test", &upload));
            let answer = gateway.get("shop.test", &upload);
            assert_eq!(answer.status, 200, "{gateway}: {answer:?}");
        }
    }
}

#[test]
fn grpc_call_reaches_the_server_over_http2_in_the_clear() {
    for gateway in gateway::all() {
        let call = |host: &str, content: &[&str]| {
            let fields = ["--header", "content-type: application/grpc", "--header", "te: trailers"];
            gateway.ask(host, GRPC_PATH, &[&["--http2"], content, &fields].concat())
        };
        let answer = call("shop.test", &["--data-binary", "@call"]);
        assert_eq!((answer.status, answer.exit), (200, 0), "{gateway}: {answer:?}");
        assert_eq!(answer.body.as_bytes(), GRPC_ANSWER, "{gateway}");
        // Without a message: HAProxy and curl 7 lose an answer of fields alone that comes before
        // the upload ends, because hyper resets the stream at once.
        let answer = call("elsewhere.test", &["--request", "POST"]);
        assert_eq!((answer.status, &answer.body[..]), (421, ""), "{gateway}: {answer:?}");
        assert_eq!(answer.header("grpc-status"), Some("14"), "{gateway}");
    }
}

#[test]
fn websocket_is_passed_through() {
    for gateway in gateway::all() {
        let mut socket = gateway.upgrade("shop.test", TUNNEL_PATH);
        assert_eq!(socket.status, 101, "{gateway}: {}", socket.head);
        for message in ["one", "another one"] {
            assert_eq!(socket.echo(message), message, "{gateway}");
        }
        let refused = gateway.upgrade("elsewhere.test", TUNNEL_PATH);
        assert_eq!(refused.status, 421, "{gateway}: {}", refused.head);
    }
}
