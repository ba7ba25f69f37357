//! Frames on streams that were answered early.

use coalesce_h2::Builder;

use super::client::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PRIORITY, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, frame, get, literal, request, reset, window_update,
};
use super::server::{PLENTY, connect};

/// `PROTOCOL_ERROR`, `FRAME_SIZE_ERROR` and `STREAM_CLOSED` (RFC 9113 §7).
const PROTOCOL_ERROR: u32 = 0x1;
const STREAM_CLOSED: u32 = 0x5;

/// Attack: a stream is refused, and opened again for a served host. `h2` never saw the first
/// request, and would take the second for a new one.
#[tokio::test]
async fn answered_stream_is_not_opened_again() {
    // With all streams hidden from `h2`, or some of them.
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

/// Attack: an unused identifier below one that was answered early; it is closed (RFC 9113 §5.1.1).
#[tokio::test]
async fn skipped_stream_is_not_opened() {
    for again in ["api.test", "cdn.test"] {
        let (server, mut raw) = connect(Builder::new(), PLENTY).await;
        raw.send(&request(7, &get("cdn.test"))).await;
        assert!(raw.answer(7).await.is_early());
        raw.send(&request(5, &get(again))).await;
        assert_eq!(raw.goaway().await, PROTOCOL_ERROR);
        assert_eq!(server.served(), []);
    }
}

/// Attack: a request on an answered stream, with fields that the transport would rewrite in a
/// request and ignore in trailers. The virtual host `aaaa` has the name of the placeholder.
#[tokio::test]
async fn answered_stream_smuggles_no_request() {
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

/// RFC 9113 §5.1: a client may reset a stream, grant it window or prioritise it before it knows
/// that the stream has ended, and long after.
#[tokio::test]
async fn late_frames_are_harmless() {
    let (server, mut raw) = connect(Builder::new(), PLENTY).await;
    let late = |stream| {
        let priority = frame(PRIORITY, 0, stream, &[0, 0, 0, 0, 15]);
        [reset(stream), window_update(stream, 100), priority].concat()
    };
    // In one write, so that the frames arrive before the answer is written.
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

/// Attack: content and trailers after the end of a request (RFC 9113 §5.1, half-closed (remote)).
#[tokio::test]
async fn frames_after_the_end_of_a_request_are_an_error() {
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
            // A stream error or a connection error.
            let error = raw.answers[&5].reset.or(raw.gone);
            assert!(matches!(error, Some(PROTOCOL_ERROR | STREAM_CLOSED)), "{error:?}");
            assert!(!server.served().contains(&5));
        }
    }
}

/// Attack: frames that are invalid in any state of their stream (RFC 9113 §6.4, §6.5, §6.9).
#[tokio::test]
async fn always_invalid_frames_end_the_connection() {
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
        // `h2` uses one code for all of them.
        assert_eq!(raw.goaway().await, PROTOCOL_ERROR, "{bytes:?}");
    }
}
