//! Requests in every form: early and late answers are equal, and requests that may be malformed are
//! answered late.

use bytes::Bytes;
use coalesce_h2::{Builder, MisdirectedContent};
use http::HeaderValue;

use super::client::{
    Answer, DATA, END_HEADERS, END_STREAM, HEADERS, frame, get, indexed, literal, request,
};
use super::server::{BODY_421, PLENTY, connect};

/// `PROTOCOL_ERROR` (RFC 9113 §7).
const PROTOCOL_ERROR: u32 = 0x1;

/// Returns the answer on stream 1; `early` is true if an early answer is possible.
async fn ask(builder: Builder, bytes: &[u8], early: bool) -> (Answer, Option<u32>, Vec<String>) {
    let (server, mut raw) = connect(builder, if early { PLENTY } else { 0 }).await;
    raw.send(bytes).await;
    raw.settle().await;
    (raw.answers.remove(&1).unwrap_or_default(), raw.gone, server.decided())
}

/// Returns each kind of content, and the bytes sent for it.
fn contents() -> [(MisdirectedContent, Vec<u8>); 4] {
    let custom = |body: &[u8]| MisdirectedContent::Custom {
        content_type: HeaderValue::from_static("text/plain; charset=utf-8"),
        body: Bytes::copy_from_slice(body),
    };
    let long = vec![b'x'; 1_024];
    [
        (MisdirectedContent::Json, BODY_421.to_vec()),
        (MisdirectedContent::Empty, Vec::new()),
        (custom(b"not here\n"), b"not here\n".to_vec()),
        (custom(&long), long),
    ]
}

/// Early and late answers have the same fields and content.
#[tokio::test]
async fn early_answer_equals_the_late_one() {
    let get = get("cdn.test");
    let inserting = [&get[..], &[0x40], &literal(b"x-a", b"1")[1..]].concat();
    let upload = [frame(HEADERS, END_HEADERS, 1, &get), frame(DATA, END_STREAM, 1, b"x")].concat();
    for (content, sent) in contents() {
        let builder = || Builder::new().misdirected_content(content.clone());
        let (early, ..) = ask(builder(), &request(1, &get), true).await;
        assert!(early.is_early());
        assert_eq!(early.content, sent);
        assert_eq!(early.status(), Some("421"));
        let names: Vec<_> = early.fields.iter().map(|(name, _)| &**name).collect();
        let mut wanted = vec![":status", "cache-control", "content-length", "content-type", "date"];
        wanted.retain(|&name| name != "content-type" || !sent.is_empty());
        assert_eq!(names, wanted);
        let long_ways = [&request(1, &inserting), &upload, &request(1, &get)];
        for (nth, bytes) in long_ways.into_iter().enumerate() {
            // The last request lacks window, which an answer without content does not need.
            if nth == 2 && sent.is_empty() {
                continue;
            }
            let (late, ..) = ask(builder(), bytes, nth < 2).await;
            assert!(!late.is_early());
            assert_eq!(late.undated(), early.undated());
            assert_eq!(late.content, early.content);
            assert!(late.ended && late.reset.is_none_or(|code| code == 0));
        }
    }
}

/// RFC 9113 §4.2: no frame is longer than the client accepts, whatever the user configures.
#[tokio::test]
async fn answer_longer_than_a_frame_is_late() {
    for (content_type_len, body_len) in [(20_000, 5), (5, 1_025), (5, 20_000)] {
        let content_type = HeaderValue::from_str(&"x".repeat(content_type_len)).unwrap();
        let body = Bytes::from(vec![b'x'; body_len]);
        let content = MisdirectedContent::Custom { content_type, body };
        let builder = Builder::new().misdirected_content(content);
        let (answer, ..) = ask(builder, &request(1, &get("cdn.test")), true).await;
        assert!(!answer.is_early());
        assert_eq!(answer.content.len(), body_len);
        assert_eq!(answer.field("content-type").unwrap().len(), content_type_len);
    }
}

/// Misdirected requests that are malformed, possibly malformed, or special get the same answers as
/// without early answers.
#[tokio::test]
async fn special_requests_are_answered_late() {
    let authority = indexed(0x01, b"cdn.test");
    let list = |parts: &[&[u8]]| parts.concat();
    let with = |field: &[u8]| [&get("cdn.test")[..], field].concat();
    let method = |method: &[u8]| list(&[&indexed(0x02, method), &[0x87, 0x84], &authority]);
    let path = |path: &[u8]| list(&[&[0x82, 0x87], &authority, &indexed(0x04, path)]);
    let blocks = [
        // Pseudo-header fields: repeated, missing, after regular fields, unknown, of responses.
        with(&[0x84]),
        with(&[0x82]),
        with(&[0x87]),
        with(&[0x86]),
        with(&authority),
        with(&indexed(0x01, b"api.test")),
        with(&literal(b":unknown", b"1")),
        with(&[0x88]),
        list(&[&[0x87, 0x84], &authority]),
        list(&[&[0x82, 0x84], &authority]),
        list(&[&[0x82, 0x87], &authority]),
        list(&[&[0x82, 0x87, 0x84], &literal(b"x-a", b"1"), &authority]),
        // Names and values.
        with(&literal(b"X-A", b"1")),
        with(&literal(b"x a", b"1")),
        with(&literal(b"x-a", b"\0")),
        with(&literal(b"x-a", b"a\r\nb: c")),
        with(&literal(b"connection", b"close")),
        with(&literal(b"transfer-encoding", b"chunked")),
        with(&literal(b"upgrade", b"h2c")),
        with(&literal(b"keep-alive", b"1")),
        with(&literal(b"proxy-connection", b"1")),
        with(&literal(b"te", b"gzip")),
        with(&literal(b"te", b"trailers")),
        with(&literal(b"content-length", b"1")),
        with(&literal(b"content-length", b"0")),
        with(&literal(b"content-length", b"x")),
        with(&literal(b"host", b"cdn.test")),
        with(&literal(b"host", b"api.test")),
        // Methods.
        method(b"HEAD"),
        method(b"OPTIONS"),
        method(b"get"),
        method(b"G ET"),
        method(b""),
        method(b"CONNECT"),
        list(&[&indexed(0x02, b"CONNECT"), &authority]),
        [method(b"CONNECT"), literal(b":protocol", b"websocket")].concat(),
        with(&literal(b":protocol", b"websocket")),
        // Paths.
        path(b""),
        path(b"*"),
        path(b"x"),
        path(b"https://cdn.test/"),
        path(b"/#x"),
        path(b"/a b"),
        path(b"/\xff"),
        list(&[&indexed(0x02, b"OPTIONS"), &[0x87], &authority, &indexed(0x04, b"*")]),
        // Schemes.
        list(&[&[0x82], &indexed(0x06, b"HTTPS"), &[0x84], &authority]),
        list(&[&[0x82], &indexed(0x06, b"ftp"), &[0x84], &authority]),
        list(&[&[0x82], &indexed(0x06, b""), &[0x84], &authority]),
        // Authorities.
        list(&[&[0x82, 0x87, 0x84], &indexed(0x01, b"")]),
        list(&[&[0x82, 0x87, 0x84], &indexed(0x01, b"cdn test")]),
        list(&[&[0x82, 0x87, 0x84], &indexed(0x01, b"\xff")]),
        list(&[&[0x82, 0x87, 0x84], &indexed(0x01, &[b'x'; 100])]),
        list(&[&[0x82, 0x87, 0x84, 0x81]]),
        list(&[&[0x82, 0x87, 0x84], &literal(b"host", b"cdn.test")]),
        // Invalid HPACK.
        with(&[0x00, 1, b'x', 0x81, 0x18]),
        with(&[0x00, 1, b'x', 0x84, 0xff, 0xff, 0xff, 0xff]),
        with(&[0x00, 1, b'x']),
        with(&[0x80]),
        with(&[0xbe]),
        with(&[0x3f, 0xe1, 0x7f]),
        Vec::new(),
    ];
    let malformed_target = [
        // A value that is not an authority is malformed, early or late.
        list(&[&[0x82, 0x87, 0x84], &indexed(0x01, b"user@cdn.test")]),
        list(&[&[0x82, 0x87, 0x84], &indexed(0x01, b"cdn.test:99999")]),
    ];
    for block in blocks.iter().chain(&malformed_target) {
        let bytes = request(1, block);
        let early = ask(Builder::new(), &bytes, true).await;
        let late = ask(Builder::new(), &bytes, false).await;
        assert!(!early.0.is_early(), "{}", block.escape_ascii());
        assert_eq!(early.0.status(), late.0.status(), "{}", block.escape_ascii());
        assert_eq!((early.0.content, early.0.reset), (late.0.content, late.0.reset));
        assert_eq!((early.1, early.2), (late.1, late.2), "{}", block.escape_ascii());
    }
}

/// Requests in invalid frames (RFC 9113 §6.2).
#[tokio::test]
async fn requests_in_invalid_frames_are_not_answered() {
    const PADDED: u8 = 0x8;
    const PRIORITY: u8 = 0x20;
    let get = get("cdn.test");
    let all = END_HEADERS | END_STREAM;
    let padded = |len: u8| frame(HEADERS, all | PADDED, 1, &[&[len], &get[..]].concat());
    let depends = [&[0, 0, 0, 1, 0], &get[..]].concat();
    for (bytes, reset, gone) in [
        (padded(u8::try_from(get.len()).unwrap()), Some(PROTOCOL_ERROR), None),
        (padded(u8::try_from(get.len() + 1).unwrap()), None, Some(PROTOCOL_ERROR)),
        (padded(255), None, Some(PROTOCOL_ERROR)),
        (frame(HEADERS, all | PADDED, 1, &[]), None, Some(PROTOCOL_ERROR)),
        (frame(HEADERS, all | PRIORITY, 1, &get[..4]), None, Some(PROTOCOL_ERROR)),
        (frame(HEADERS, all | PRIORITY, 1, &depends), Some(PROTOCOL_ERROR), None),
        (request(0, &get), None, Some(PROTOCOL_ERROR)),
        (request(2, &get), None, Some(PROTOCOL_ERROR)),
    ] {
        let (answer, goaway, decided) = ask(Builder::new(), &bytes, true).await;
        assert_eq!((answer.fields.len(), answer.reset, goaway), (0, reset, gone), "{bytes:?}");
        assert_eq!(decided, [] as [&str; 0]);
    }
    // Undefined flags of HEADERS and the reserved bit are ignored.
    let (answer, ..) = ask(Builder::new(), &frame(HEADERS, all | 0xd2, 1, &get), true).await;
    assert!(answer.is_early());
    let (answer, ..) = ask(Builder::new(), &request(0x8000_0001, &get), true).await;
    assert!(answer.is_early());
}

/// Attack: a short block that refers to large entries of the table repeatedly.
#[tokio::test]
async fn list_that_is_too_large_is_refused() {
    let (server, mut raw) = connect(Builder::new(), PLENTY).await;
    let large = [&[0x40, 1, b'x', 0x7f, 0x81, 0x1e][..], &[b'y'; 3_968]].concat();
    raw.send(&request(1, &[get("api.test"), large].concat())).await;
    assert_eq!(raw.answer(1).await.status(), Some("200"));
    raw.send(&request(3, &[get("cdn.test"), vec![0xbe; 10]].concat())).await;
    let answer = raw.answer(3).await;
    assert_eq!(answer.status(), Some("431"));
    assert_eq!(server.decided(), ["api.test"]);
}
