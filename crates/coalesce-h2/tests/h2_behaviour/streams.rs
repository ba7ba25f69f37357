//! The streams that `h2` hands out, counts, resets and forgets.

use std::time::Duration;

use h2::Reason;
use h2::server::Builder;
use http::Response;

use crate::peer::{
    ACK, DATA, END_STREAM, Frames, PING, RST_STREAM, Server, WINDOW_UPDATE, frame, get, request,
    reset, upload, window_update,
};

/// The engine's notes and waiting verdicts are queues in this order; an entry of an earlier stream
/// belongs to one that `h2` refused.
#[test]
fn streams_are_handed_out_in_the_order_of_their_identifiers() {
    let requests = [
        request(1, &get(b"a.test")),
        upload(3),
        request(5, &get(b"a b")),
        request(7, &get(b"a.test")),
        request(11, &get(b"a.test")),
    ];
    let mut server = Server::new();
    let ids: Vec<_> = server.send(&requests.concat()).iter().map(|it| it.id).collect();
    assert_eq!(ids, [1, 3, 7, 11]);
}

/// A note or a verdict of such a stream is dropped with the next one.
#[test]
fn stream_beyond_the_limit_is_refused_and_not_handed_out() {
    let mut server = Server::with(Builder::new().max_concurrent_streams(1), &[]);
    let held = server.send(&upload(1));
    let frames = server.answer_to(&upload(3));
    assert_eq!(frames.reset_of(3), Some(Reason::REFUSED_STREAM));
    drop(held);
    server.run();
    server.assert_alive(5);
}

/// The engine counts the client's resets itself: `limits::RESETS_MAX`.
#[test]
fn stream_that_is_reset_before_it_is_accepted_is_handed_out_all_the_same() {
    let mut server = Server::new();
    let accepted = server.send(&[request(1, &get(b"a.test")), reset(1)].concat());
    assert_eq!(accepted.iter().map(|it| it.id).collect::<Vec<_>>(), [1]);
    server.assert_alive(3);
}

/// For `h2` a stream that was answered early is idle, so the engine drops its frames.
#[test]
fn frame_on_an_idle_stream_ends_the_connection() {
    for frame in [reset(5), window_update(5, 1), frame(DATA, END_STREAM, 5, b"x")] {
        let mut server = Server::new();
        server.assert_alive(1);
        let frames = server.answer_to(&frame);
        assert_eq!(frames.goaway().map(|goaway| goaway.1), Some(Reason::PROTOCOL_ERROR));
    }
}

/// The engine passes such frames on, once `h2` was shown a later stream.
#[test]
fn frame_on_a_stream_that_was_passed_over_is_ignored() {
    let mut server = Server::new();
    server.assert_alive(5);
    for frame in [reset(3), window_update(3, 1)] {
        let frames = server.answer_to(&frame);
        assert_eq!((frames.len(), server.ended), (0, None));
    }
    server.assert_alive(7);
}

/// A stream that was answered early must not be opened a second time.
#[test]
fn headers_on_a_stream_that_was_passed_over_end_the_connection() {
    let mut server = Server::new();
    server.assert_alive(5);
    let frames = server.answer_to(&request(3, &get(b"a.test")));
    assert!(frames.goaway().is_some(), "{frames:?}");
}

/// The engine moves a frame that must end the connection to stream 0. A block on an even stream
/// opens no stream.
#[test]
fn headers_on_stream_0_or_an_even_stream_end_the_connection() {
    for stream in [0, 2] {
        let mut server = Server::new();
        let frames = server.answer_to(&request(stream, &get(b"a.test")));
        let code = frames.goaway().map(|goaway| goaway.1);
        assert_eq!(code, Some(Reason::PROTOCOL_ERROR), "stream {stream}");
    }
}

/// The engine passes such frames on, on every stream.
#[test]
fn reset_or_window_update_of_another_length_ends_the_connection() {
    for kind in [RST_STREAM, WINDOW_UPDATE] {
        let mut server = Server::new();
        server.assert_alive(1);
        let frames = server.answer_to(&frame(kind, 0, 1, &[0; 5]));
        assert!(frames.goaway().is_some(), "{kind}");
    }
}

/// `limits::STREAM_ERRORS_MAX` bounds them.
#[test]
fn stream_errors_beyond_their_limit_end_the_connection() {
    let mut server = Server::with(Builder::new().max_local_error_reset_streams(Some(2)), &[]);
    for stream in [1, 3] {
        let frames = server.answer_to(&request(stream, &get(b"a b")));
        assert_eq!(
            (frames.reset_of(stream), frames.goaway()),
            (Some(Reason::PROTOCOL_ERROR), None)
        );
    }
    let frames = server.answer_to(&request(5, &get(b"a b")));
    assert_eq!(frames.goaway().map(|goaway| goaway.1), Some(Reason::ENHANCE_YOUR_CALM));
}

/// The adapter's refusals are not errors of the client, so they must not count.
#[test]
fn resets_by_the_application_do_not_count_as_stream_errors() {
    let mut server = Server::with(Builder::new().max_local_error_reset_streams(Some(2)), &[]);
    for stream in [1, 3, 5, 7, 9] {
        let mut accepted = server.send(&upload(stream)).remove(0);
        accepted.respond.send_reset(Reason::PROTOCOL_ERROR);
        server.run();
        assert_eq!(server.frames().reset_of(stream), Some(Reason::PROTOCOL_ERROR));
    }
    server.assert_alive(11);
}

/// Frames that a client sends before it reads the reset must not count against it (RFC 9113 §5.1):
/// `limits::RESET_STREAMS_REMEMBERED`, `limits::RESET_STREAM_DURATION`.
#[test]
fn data_on_a_reset_stream_is_ignored_while_the_stream_is_remembered() {
    let answers = |remembered, duration| {
        let mut builder = Builder::new();
        builder.max_concurrent_reset_streams(remembered).reset_stream_duration(duration);
        let mut server = Server::with(&builder, &[]);
        let mut accepted = server.send(&upload(1)).remove(0);
        accepted.respond.send_reset(Reason::PROTOCOL_ERROR);
        drop(accepted);
        server.run();
        server.frames();
        let frames = server.answer_to(&frame(DATA, 0, 1, b"late"));
        (frames.reset_of(1), frames.goaway(), server.ended)
    };
    assert_eq!(answers(10, Duration::from_secs(30)), (None, None, None));
    assert_ne!(answers(0, Duration::from_secs(30)), (None, None, None));
    assert_ne!(answers(10, Duration::ZERO), (None, None, None));
}

/// `Decisions::close` passes all later requests to `h2`, because the last GOAWAY names the last
/// stream that counts (RFC 9113 §6.8), and `h2` counts only the streams that it was shown.
#[test]
fn graceful_shutdown_takes_streams_until_its_ping_is_answered_and_names_the_last() {
    let mut server = Server::new();
    server.assert_alive(1);
    server.connection.graceful_shutdown();
    server.run();
    let frames = server.frames();
    assert_eq!(frames.goaway(), Some((u32::MAX >> 1, Reason::NO_ERROR)));
    let ping = frames.iter().find(|it| it.kind == PING).unwrap().payload.clone();
    server.assert_alive(3);
    let frames = server.answer_to(&frame(PING, ACK, 0, &ping));
    assert_eq!(frames.goaway(), Some((3, Reason::NO_ERROR)));
}

/// `send_away` ends a connection this way; `h2` hands out no more of the streams that it was shown.
#[test]
fn abrupt_shutdown_names_the_last_stream_and_ends_the_connection() {
    let mut server = Server::new();
    let held = server.send(&upload(1));
    server.connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
    server.run();
    assert_eq!(server.frames().goaway(), Some((1, Reason::ENHANCE_YOUR_CALM)));
    assert_eq!(server.send(&request(3, &get(b"a.test"))).len(), 0);
    assert!(server.ended.is_some());
    drop(held);
}

/// The adapter resets a malformed request whose target it never answers.
#[test]
fn reset_of_an_accepted_stream_goes_out_at_the_next_poll() {
    let mut server = Server::new();
    let mut accepted = server.send(&request(1, &get(b"a.test"))).remove(0);
    accepted.respond.send_reset(Reason::PROTOCOL_ERROR);
    server.run();
    assert_eq!(server.frames().reset_of(1), Some(Reason::PROTOCOL_ERROR));
    server.assert_alive(3);
}

/// An answer to a stream that the client has reset is an error of that stream alone.
#[test]
fn answer_to_a_reset_stream_fails_and_affects_no_other() {
    let mut server = Server::new();
    let mut accepted = server.send(&upload(1)).remove(0);
    server.send(&reset(1));
    let sent = accepted.respond.send_response(Response::new(()), true);
    assert!(sent.is_err(), "{sent:?}");
    server.assert_alive(3);
}
