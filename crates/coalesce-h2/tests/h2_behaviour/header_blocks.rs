//! The header blocks for which `h2` resets a stream, answers, or ends the connection, and the
//! fields that it shows of the others. The engine exists because of the first half of these tests.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use h2::Reason;
use h2::server::Builder;
use http::HeaderValue;
use http::header::HOST;

use crate::peer::{
    CONTINUATION, ENABLE_CONNECT_PROTOCOL, END_HEADERS, END_STREAM, Frames, HEADER_TABLE_SIZE,
    HEADERS, PADDED, PRIORITY, SETTINGS, Server, block, frame, get, inserted, literal, parse,
    request, upload,
};

/// The decision must see such an authority, because it answers 400 or 421. So the engine replaces
/// the value by a placeholder.
#[test]
fn authority_that_http_cannot_parse_resets_its_stream() {
    let hard: [&[u8]; 5] = [b"a b", b"[", b"a%zz", b"a/b", b"a?b"];
    for authority in hard {
        let mut server = Server::new();
        let frames = server.answer_to(&request(1, &get(authority)));
        let shown = authority.escape_ascii();
        assert_eq!(frames.reset_of(1), Some(Reason::PROTOCOL_ERROR), "{shown}");
        server.assert_alive(3);
    }
}

/// Without the engine, one such request would end all other requests of its connection.
#[test]
fn authority_that_is_not_utf8_ends_the_connection() {
    let mut server = Server::new();
    let frames = server.answer_to(&request(1, &get(b"\xff")));
    assert!(frames.goaway().is_some());
    assert!(matches!(server.ended, Some(Err(_))));
}

/// No placeholder has the length of an empty value, so the engine drops the field or relies on this
/// reset.
#[test]
fn empty_authority_resets_its_stream() {
    let mut server = Server::new();
    let frames = server.answer_to(&request(1, &get(b"")));
    assert_eq!(frames.reset_of(1), Some(Reason::PROTOCOL_ERROR));
    server.assert_alive(3);
}

/// The engine's notes keep one value of each field, because a request with two never arrives.
#[test]
fn repeated_pseudo_header_field_resets_its_stream() {
    for name in [":method", ":scheme", ":authority", ":path"] {
        let mut fields = get(b"a.test");
        let value: &[u8] = if name == ":path" { b"/" } else { b"https" };
        fields.extend(literal(name, value));
        let mut server = Server::new();
        let frames = server.answer_to(&request(1, &fields));
        assert_eq!(frames.reset_of(1), Some(Reason::PROTOCOL_ERROR), "{name}");
        server.assert_alive(3);
    }
}

/// The decision must see such a `Host`, because it answers 400.
#[test]
fn host_that_http_cannot_hold_ends_the_connection() {
    let mut fields = get(b"a.test");
    fields.extend(literal("host", b"b\0"));
    let mut server = Server::new();
    let frames = server.answer_to(&request(1, &fields));
    assert!(frames.goaway().is_some());
}

/// RFC 9113 §8.1.1 requires a stream error. So the engine replaces such a field, and the server
/// half resets the stream.
#[test]
fn malformed_field_ends_the_connection() {
    let malformed: [(&str, &[u8]); 16] = [
        ("Upper", b"1"),
        ("a b", b"1"),
        ("a:b", b"1"),
        ("a\0", b"1"),
        ("\u{e4}", b"1"),
        (":odd", b"1"),
        (":", b"1"),
        ("x-a", b"\0"),
        ("x-a", b"a\rb"),
        ("x-a", b"a\nb"),
        ("x-a", b"\x7f"),
        (":method", b"G ET"),
        (":method", b""),
        (":status", b"20"),
        (":path", b"/\xff"),
        (":protocol", b"\xff"),
    ];
    for (name, value) in malformed {
        let mut server = Server::new();
        let frames =
            server.answer_to(&request(1, &[get(b"a.test"), literal(name, value)].concat()));
        assert!(frames.goaway().is_some(), "{name:?}: {}", value.escape_ascii());
    }
}

/// RFC 9113 §8.2.1 and RFC 9110 §8.6 call such a request malformed. So the engine checks for both.
#[test]
fn blank_at_an_edge_and_second_content_length_are_accepted() {
    let lists: [&[(&str, &[u8])]; 3] = [
        &[("x-a", b" 1")],
        &[("x-a", b"1\t")],
        &[("content-length", b"0"), ("content-length", b"0")],
    ];
    for list in lists {
        let fields = [get(b"a.test"), block(list)].concat();
        assert_eq!(Server::new().send(&request(1, &fields)).len(), 1, "{list:?}");
    }
}

/// So the engine shows such a block in one frame.
#[test]
fn malformed_block_of_several_frames_ends_the_connection() {
    let fields = [get(b"a.test"), literal("connection", b"close")].concat();
    let first = frame(HEADERS, END_STREAM, 1, &fields);
    let second = frame(CONTINUATION, END_HEADERS, 1, &literal("x-a", b"1"));
    let frames = Server::new().answer_to(&[first, second].concat());
    assert!(frames.goaway().is_some());

    // All in one frame, the same fields reset the stream.
    let mut server = Server::new();
    let fields = [fields, literal("x-a", b"1")].concat();
    let frames = server.answer_to(&request(1, &fields));
    assert_eq!(frames.reset_of(1), Some(Reason::PROTOCOL_ERROR));
    server.assert_alive(3);
}

/// The engine removes `END_STREAM` from malformed trailers because of this.
#[test]
fn trailers_without_end_stream_reset_their_stream() {
    let mut server = Server::new();
    let mut accepted = server.send(&upload(1)).remove(0);
    let frames = server.answer_to(&frame(HEADERS, END_HEADERS, 1, &literal("x-a", b"1")));
    assert_eq!(frames.reset_of(1), Some(Reason::PROTOCOL_ERROR));
    let body = accepted.request.body_mut();
    let data = body.poll_data(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(data, Poll::Ready(Some(Err(_)))), "the body ends with an error");
    server.assert_alive(3);
}

/// The decision needs the scheme. Without the engine's note, such a request is refused.
#[test]
fn scheme_without_authority_is_not_shown() {
    let fields = [(":method", &b"GET"[..]), (":scheme", b"https"), (":path", b"/"), ("host", b"h")];
    let mut server = Server::new();
    let accepted = server.send(&request(1, &block(&fields)));
    let uri = accepted[0].request.uri();
    assert_eq!((uri.scheme(), uri.authority(), uri.path()), (None, None, "/"));
}

/// RFC 9113 §8.3.1 requires a `:path` in every request, so `target` checks it.
#[test]
fn missing_path_without_authority_is_shown_as_the_root() {
    let fields = [(":method", &b"GET"[..]), (":scheme", b"https"), ("host", b"h")];
    let mut server = Server::new();
    let accepted = server.send(&request(1, &block(&fields)));
    let path = accepted[0].request.uri().path_and_query();
    assert_eq!(path.map(http::uri::PathAndQuery::as_str), Some("/"));
}

/// With an authority, `h2` requires the path itself.
#[test]
fn missing_path_beside_an_authority_resets_its_stream() {
    let fields = [(":method", &b"GET"[..]), (":scheme", b"https"), (":authority", b"a.test")];
    let mut server = Server::new();
    let frames = server.answer_to(&request(1, &block(&fields)));
    assert_eq!(frames.reset_of(1), Some(Reason::PROTOCOL_ERROR));
    server.assert_alive(3);
}

/// An early answer is right for such a request, because `h2` would hand it out.
#[test]
fn regular_fields_are_accepted_in_any_number() {
    let mut fields = get(b"a.test");
    fields.extend(block(&[("x-a", b"1"), ("x-a", b"\xff"), ("cookie", b"a=b"), ("cookie", b"")]));
    assert_eq!(Server::new().send(&request(1, &fields)).len(), 1);
}

/// The header check leaves requests with such fields to `h2`.
#[test]
fn field_that_http2_forbids_resets_its_stream() {
    let forbidden: [(&str, &[u8]); 4] =
        [("connection", b"x"), ("te", b"x"), ("transfer-encoding", b"x"), ("content-length", b"x")];
    for (name, value) in forbidden {
        let fields = [get(b"a.test"), literal(name, value)].concat();
        let mut server = Server::new();
        let frames = server.answer_to(&request(1, &fields));
        assert_eq!(frames.reset_of(1), Some(Reason::PROTOCOL_ERROR), "{name}");
        server.assert_alive(3);
    }
}

/// The decision compares `Host` with `:authority`, and counts the fields.
#[test]
fn host_fields_are_shown_as_they_came() {
    let mut fields = get(b"a.test");
    fields.extend(block(&[("host", b"b.test"), ("host", b" ")]));
    let mut server = Server::new();
    let accepted = server.send(&request(1, &fields));
    let hosts = accepted[0].request.headers().get_all(HOST).iter();
    assert_eq!(hosts.map(HeaderValue::as_bytes).collect::<Vec<_>>(), [&b"b.test"[..], b" "]);
}

/// The engine may put a placeholder into the `:authority` of trailers, because no application sees
/// it.
#[test]
fn authority_in_trailers_is_not_shown() {
    let mut server = Server::new();
    let mut accepted = server.send(&upload(1)).remove(0);
    let trailers = block(&[(":authority", b"a.test"), ("x-a", b"1")]);
    server.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &trailers));
    let body = accepted.request.body_mut();
    let context = &mut Context::from_waker(Waker::noop());
    assert!(matches!(body.poll_data(context), Poll::Ready(None | Some(Err(_)))));
    let trailers = pin!(body.trailers()).poll(context);
    let Poll::Ready(Ok(Some(trailers))) = trailers else { panic!("no trailers: {trailers:?}") };
    let names: Vec<_> = trailers.keys().map(http::HeaderName::as_str).collect();
    assert_eq!(names, ["x-a"]);
    server.assert_alive(3);
}

/// The engine loses sync here, and does not trust the table of `h2` from here on.
#[test]
fn headers_that_depend_on_their_own_stream_are_reset_without_decoding() {
    let on_itself = 1_u32.to_be_bytes();
    let fields = [&on_itself[..], &[0], &*get(b"a.test"), &*inserted("x-a", b"1")].concat();
    let flags = END_HEADERS | END_STREAM | PRIORITY;
    let mut server = Server::new();
    let frames = server.answer_to(&frame(HEADERS, flags, 1, &fields));
    assert_eq!(frames.reset_of(1), Some(Reason::PROTOCOL_ERROR));
    assert_eq!(server.ended, None);
    // Index 62, the first entry of the dynamic table, which `h2` never made.
    let frames = server.answer_to(&request(3, &[&*get(b"a.test"), &[0xbe]].concat()));
    assert!(frames.goaway().is_some());
}

/// The engine leaves the rest of such a connection to `h2`.
#[test]
fn padding_beyond_the_payload_ends_the_connection() {
    let mut server = Server::new();
    let flags = END_HEADERS | END_STREAM | PADDED;
    let frames = server.answer_to(&frame(HEADERS, flags, 1, &[200, 0x82]));
    assert_eq!(frames.goaway().map(|goaway| goaway.1), Some(Reason::PROTOCOL_ERROR));
}

/// The engine leaves the rest of such a connection to `h2`.
#[test]
fn frame_within_a_header_block_ends_the_connection() {
    let mut server = Server::new();
    let open = frame(HEADERS, END_STREAM, 1, &get(b"a.test"));
    let stray = frame(CONTINUATION, END_HEADERS, 3, &[]);
    let frames = server.answer_to(&[open, stray].concat());
    assert_eq!(frames.goaway().map(|goaway| goaway.1), Some(Reason::PROTOCOL_ERROR));
}

/// The engine's decoder may be laxer than RFC 7541, because `h2` ends the connection.
#[test]
fn hpack_error_ends_the_connection() {
    // Index 0; an index beyond both tables; a literal that ends too early; an empty name; a table
    // size above 4,096; a table size after a field.
    let wrong: [&[u8]; 5] =
        [&[0x80], &[0xfe], &[0x00, 0x05, b'a'], &[0x3f, 0xe2, 0x1f], &[0x82, 0x20]];
    for fields in wrong {
        let mut server = Server::new();
        let frames = server.answer_to(&request(1, fields));
        assert!(frames.goaway().is_some(), "{fields:x?}");
    }
}

/// The engine's decoder accepts the same number of octets.
#[test]
fn hpack_integer_has_five_octets_at_most() {
    // The table size 4,096 (RFC 7541 §5.1), in five octets and in six.
    let five = [&[0x3f, 0xe1, 0x9f, 0x80, 0x00], &*get(b"a.test")].concat();
    let six = [&[0x3f, 0xe1, 0x9f, 0x80, 0x80, 0x00], &*get(b"a.test")].concat();
    let mut server = Server::new();
    assert_eq!(server.send(&request(1, &five)).len(), 1);
    assert!(server.answer_to(&request(3, &six)).goaway().is_some());
}

/// `limits::HEADER_LIST_BYTES_MAX` relies on it.
#[test]
fn header_list_beyond_its_limit_is_answered_431() {
    let mut server = Server::with(Builder::new().max_header_list_size(1_000), &[]);
    let fields = [&*get(b"a.test"), &*literal("x-a", &[b'a'; 1_000])].concat();
    assert_eq!(server.send(&request(1, &fields)).len(), 0);
    let frames = server.frames();
    let answer = frames.iter().find(|it| it.kind == HEADERS && it.stream == 1).unwrap();
    let decoded = loona_hpack::Decoder::new().decode(&answer.payload).unwrap();
    assert!(decoded.contains(&(b":status".to_vec(), b"431".to_vec())));
    server.assert_alive(3);
}

fn extended_connect() -> Vec<u8> {
    block(&[
        (":method", b"CONNECT"),
        (":protocol", b"websocket"),
        (":scheme", b"https"),
        (":authority", b"a.test"),
        (":path", b"/"),
    ])
}

/// A misdirected extended CONNECT must get a 421. So the adapter enables it in `h2`, and the engine
/// removes the setting from the first frame unless it is announced.
#[test]
fn extended_connect_is_handed_out_only_if_it_is_enabled() {
    let mut server = Server::with(Builder::new().enable_connect_protocol(), &[]);
    let accepted = server.send(&request(1, &extended_connect()));
    let protocol = accepted[0].request.extensions().get::<h2::ext::Protocol>();
    assert_eq!(protocol.map(h2::ext::Protocol::as_str), Some("websocket"));

    let mut server = Server::new();
    let frames = server.answer_to(&request(1, &extended_connect()));
    assert_eq!(frames.reset_of(1), Some(Reason::PROTOCOL_ERROR));
}

/// The engine looks for the setting in this frame only.
#[test]
fn extended_connect_is_announced_in_the_first_frame_only() {
    let server = Server::with(Builder::new().enable_connect_protocol(), &[]);
    let frames = parse(&server.pipe.ends().from_server);
    assert!(frames[0].0.settings().contains(&(ENABLE_CONNECT_PROTOCOL, 1)));
    assert!(frames[1..].iter().all(|(it, _)| it.kind != SETTINGS || it.settings().is_empty()));
}

/// An early answer does not signal the size of the table. This is right as long as `h2` need not
/// signal it either (RFC 7541 §4.2).
#[test]
fn larger_header_table_of_the_client_is_not_taken_up() {
    let mut server = Server::with(&Builder::new(), &[(HEADER_TABLE_SIZE, 1 << 16)]);
    let mut accepted = server.send(&request(1, &get(b"a.test"))).remove(0);
    accepted.respond.send_response(http::Response::new(()), true).unwrap();
    server.run();
    let frames = server.frames();
    let answer = frames.iter().find(|it| it.kind == HEADERS).unwrap();
    assert_ne!(answer.payload[0] & 0xe0, 0x20, "a table size of {:x?}", answer.payload);
}
