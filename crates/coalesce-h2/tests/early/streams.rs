//! Stream identifiers that were answered early, named once more.

use coalesce_h2::Builder;

use super::client::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PRIORITY, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, frame, get, literal, request, reset, window_update,
};
use super::server::{PLENTY, connect};

/// `PROTOCOL_ERROR`, `FRAME_SIZE_ERROR` and `STREAM_CLOSED` (RFC 9113 §7).
const PROTOCOL_ERROR: u32 = 0x1;
const STREAM_CLOSED: u32 = 0x5;

/// Attack: a stream is refused, and opened again for a host that is here. `h2`, which never saw the
/// first request, would take the second for a new one.
#[tokio::test]
async fn a_stream_that_was_answered_is_not_opened_again() {
    // With everything up to the last stream unseen by h2, or with a part.
    for first in [None, Some("api.test")] {
        for again in ["api.test", "cdn.test", "cov.test"] {
            let (server, mut raw) = connect(Builder::new(), PLENTY).await;
            if let Some(host) = first {
                raw.send(&request(1, &get(host))).await;
                raw.answer(1).await;
            }
            raw.send(&request(7, &get("cdn.test"))).await;
            assert!(raw.answer(7).await.is_early());
            raw.send(&request(7, &get(again))).await;
            assert_eq!(raw.goaway().await, PROTOCOL_ERROR);
            assert!(!server.served().contains(&7), "{again}");
        }
    }
}

/// Attack: an identifier below one that was answered early, never used, which is closed by now
/// (RFC 9113 §5.1.1).
#[tokio::test]
async fn a_stream_that_was_passed_over_is_not_opened() {
    for again in ["api.test", "cdn.test"] {
        let (server, mut raw) = connect(Builder::new(), PLENTY).await;
        raw.send(&request(7, &get("cdn.test"))).await;
        assert!(raw.answer(7).await.is_early());
        raw.send(&request(5, &get(again))).await;
        assert_eq!(raw.goaway().await, PROTOCOL_ERROR);
        assert_eq!(server.served(), []);
    }
}

/// Attack: the same, with what the transport would rewrite in a request and take no note of in
/// trailers. The virtual host `aaaa` is what such an authority is replaced by.
#[tokio::test]
async fn nothing_is_smuggled_through_a_stream_that_was_answered() {
    let authority = [&[0x82, 0x87, 0x84], &*literal(b":authority", b"\xff\xfe\xfd\xfc")].concat();
    let host = [&[0x82, 0x86, 0x84], &*literal(b"host", b"api.test")].concat();
    for block in [authority, host] {
        let opening = frame(HEADERS, END_STREAM, 7, &block[..2]);
        let continuation = frame(CONTINUATION, END_HEADERS, 7, &block[2..]);
        for bytes in [request(7, &block), request(5, &block), [opening, continuation].concat()] {
            let (server, mut raw) = connect(Builder::new(), PLENTY).await;
            raw.send(&request(7, &get("cdn.test"))).await;
            assert!(raw.answer(7).await.is_early());
            raw.send(&bytes).await;
            assert_eq!(raw.goaway().await, PROTOCOL_ERROR);
            assert_eq!(server.served(), []);
            assert_eq!(server.decided(), ["cdn.test"]);
        }
    }
}

/// RFC 9113 §5.1: a client may reset a stream, grant it window and give it priority before it
/// knows that the stream is over, and long after.
#[tokio::test]
async fn late_frames_are_harmless() {
    let (server, mut raw) = connect(Builder::new(), PLENTY).await;
    let late = |stream| {
        let priority = frame(PRIORITY, 0, stream, &[0, 0, 0, 0, 15]);
        [reset(stream), window_update(stream, 100), priority].concat()
    };
    // In one write, so that they come before the answer is written.
    raw.send(&[request(1, &get("cdn.test")), late(1)].concat()).await;
    raw.send(&[request(3, &get("api.test")), late(1)].concat()).await;
    raw.send(&[request(5, &get("cdn.test")), late(5), late(1)].concat()).await;
    raw.send(&[request(7, &get("cdn.test")), late(7), late(5)].concat()).await;
    raw.send(&request(9, &get("api.test"))).await;
    assert_eq!(raw.answer(9).await.status(), Some("200"));
    raw.send(&[late(7), late(5), late(1)].concat()).await;
    raw.settle().await;
    assert_eq!(raw.gone, None);
    for early in [1, 5, 7] {
        assert!(raw.answers[&early].is_early());
        assert_eq!(raw.answers[&early].reset, None);
    }
    assert_eq!(server.served(), [3, 9]);
}

/// Attack: content and trailers of a request that had ended (RFC 9113 §5.1, half-closed (remote)).
#[tokio::test]
async fn what_follows_the_end_of_a_request_is_an_error() {
    let trailers = literal(b"x-checksum", b"1");
    for bytes in [
        frame(DATA, 0, 5, b"content"),
        frame(DATA, END_STREAM, 5, b""),
        frame(HEADERS, END_HEADERS | END_STREAM, 5, &trailers),
    ] {
        for seen_after in [false, true] {
            let (server, mut raw) = connect(Builder::new(), PLENTY).await;
            raw.send(&request(5, &get("cdn.test"))).await;
            assert!(raw.answer(5).await.is_early());
            if seen_after {
                raw.send(&request(7, &get("api.test"))).await;
                assert_eq!(raw.answer(7).await.status(), Some("200"));
            }
            raw.send(&bytes).await;
            raw.settle().await;
            // An error of the stream or of the connection.
            let error = raw.answers[&5].reset.or(raw.gone);
            assert!(matches!(error, Some(PROTOCOL_ERROR | STREAM_CLOSED)), "{error:?}");
            assert!(!server.served().contains(&5));
        }
    }
}

/// Attack: frames that are wrong whatever the state of their stream (RFC 9113 §6.4, §6.5, §6.9).
#[tokio::test]
async fn frames_that_are_wrong_anywhere_end_the_connection() {
    for bytes in [
        frame(RST_STREAM, 0, 5, &[0; 3]),
        frame(RST_STREAM, 0, 5, &[0; 5]),
        frame(RST_STREAM, 0, 5, &[]),
        frame(WINDOW_UPDATE, 0, 5, &[0; 3]),
        frame(WINDOW_UPDATE, 0, 5, &[0, 0, 0, 1, 0]),
        frame(WINDOW_UPDATE, 0, 5, &[0; 4]),
        frame(WINDOW_UPDATE, 0, 0, &[0; 4]),
        frame(WINDOW_UPDATE, 0, 0, &[0x80, 0, 0, 0]),
        frame(WINDOW_UPDATE, 0, 0, &[0; 3]),
        frame(WINDOW_UPDATE, 0, 0, &[0; 5]),
        frame(SETTINGS, 0, 5, &[]),
        frame(SETTINGS, 0, 0, &[0; 5]),
        frame(SETTINGS, 1, 0, &[0; 6]),
    ] {
        let (_, mut raw) = connect(Builder::new(), PLENTY).await;
        raw.send(&request(5, &get("cdn.test"))).await;
        assert!(raw.answer(5).await.is_early());
        raw.send(&bytes).await;
        // `h2` has one code for all of them.
        assert_eq!(raw.goaway().await, PROTOCOL_ERROR, "{bytes:?}");
    }
}
