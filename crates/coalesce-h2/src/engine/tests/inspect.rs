//! The bytes that `h2` gets, and the engine's notes.

use coalesce_core::HostField;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::ExtendedConnect;
use super::super::frame::{CONTINUATION, END_HEADERS, END_STREAM, HEADERS, PADDED};
use super::super::stream_notes::Target;
use super::client::{Client, Layout, PREFACE, block_frames, chunks, decode, frame, layout, parse};
use super::encoder::{
    Encoder, Header, Headers, INCREMENTAL, PLAIN, Representation, Style, Styled, USUAL, Used,
    headers, style,
};
use super::harness;
use super::model;
use super::support::{passing, read_all, read_pieces};

/// Returns the bytes for `h2` and the notes; checks the invariants on the way.
fn inspect(bytes: &[u8]) -> (Vec<u8>, Vec<Target>) {
    harness::inspect(&[bytes]);
    harness::answer(&[bytes]);
    let (outcome, _) = read_all(bytes);
    assert!(!outcome.lost_sync, "the observer lost sync");
    (outcome.bytes, outcome.targets)
}

/// Returns one header list on stream 1 as an independent decoder reads it behind the engine.
fn inspect_list(list: &Headers, style: Style) -> (Headers, Vec<Target>) {
    let mut client = Client::default();
    let (bytes, targets) = inspect(&client.headers(1, list, style).bytes);
    (decode(&bytes).remove(0).1, targets)
}

fn get(authority: &[u8]) -> Headers {
    headers([
        (":method", b"GET"),
        (":scheme", b"https"),
        (":authority", authority),
        (":path", b"/"),
    ])
}

#[test]
fn ordinary_request_passes_unchanged_without_a_note() {
    let mut client = Client::default();
    client.headers(1, &get(b"a.test"), USUAL).headers(3, &get(b"a.test:8443"), USUAL);
    assert_eq!(inspect(&client.bytes), (client.bytes, Vec::new()));
}

#[test]
fn request_with_host_only_is_noted_with_its_scheme() {
    let list = headers([(":method", b"GET"), (":scheme", b"http"), ("host", b"a.test")]);
    let mut client = Client::default();
    client.headers(1, &list, USUAL).headers(3, &list, USUAL);
    let (bytes, targets) = inspect(&client.bytes);
    assert_eq!(bytes, client.bytes);
    assert_eq!(targets.len(), 2);
    for target in targets {
        assert_eq!(target.authority(), None);
        assert_eq!(target.host(), HostField::One(b"a.test"));
        assert_eq!(target.scheme(), Some(&b"http"[..]));
    }
}

#[test]
fn request_without_a_target_needs_no_note() {
    let list = headers([(":method", b"GET"), (":scheme", b"http"), (":path", b"/")]);
    assert_eq!(inspect_list(&list, USUAL), (list, Vec::new()));
}

#[test]
fn two_host_fields_are_counted() {
    let list = headers([(":scheme", b"https"), ("host", b"a.test"), ("host", b"b.test")]);
    let (shown, targets) = inspect_list(&list, USUAL);
    assert_eq!(shown, list);
    assert_eq!(targets[0].host(), HostField::Several);
}

#[test]
fn refused_authority_becomes_letters_and_is_noted() {
    for authority in [&b"a b"[..], b"%61.test", b"\xc3\xa4.test", b"\xff\xfe", b"[", &[b' '; 500]] {
        for huffman_value in [false, true] {
            let style = Style { huffman_value, ..PLAIN };
            let (shown, targets) = inspect_list(&get(authority), style);
            assert_eq!(shown, get(&vec![b'a'; authority.len()]));
            assert_eq!(targets.len(), 1);
            assert_eq!(targets[0].authority(), Some(authority));
            assert_eq!(targets[0].host(), HostField::Absent);
            assert_eq!(targets[0].scheme(), Some(&b"https"[..]));
        }
    }
}

#[test]
fn refused_host_becomes_letters_beside_a_valid_authority() {
    let mut list = get(b"a.test");
    list.push((b"host".to_vec(), b"b\0".to_vec()));
    list.push((b"host".to_vec(), b"c\x7f".to_vec()));
    let (shown, targets) = inspect_list(&list, USUAL);
    assert_eq!(shown[4..], headers([("host", b"aa"), ("host", b"aa")]));
    assert_eq!(targets[0].authority(), Some(&b"a.test"[..]));
    assert_eq!(targets[0].host, Some((*b"b\0").into()));
    assert_eq!(targets[0].host(), HostField::Several);
}

#[test]
fn index_to_a_rewritten_entry_is_noted_again() {
    let mut client = Client::default();
    client.headers(1, &get(b"a b"), USUAL).headers(3, &get(b"a b"), USUAL);
    let (bytes, targets) = inspect(&client.bytes);
    assert_eq!(decode(&bytes), [(1, get(b"aaa")), (3, get(b"aaa"))]);
    assert_eq!(targets.len(), 2);
    assert!(targets.iter().all(|target| target.authority() == Some(b"a b")));
    assert_eq!(targets[1].stream_id, 3);
    // The second block has indices only, so none of its octets changes.
    assert!(bytes.ends_with(&frame(HEADERS, 5, 3, &[0x82, 0x87, 0xbe, 0x84])));
}

#[test]
fn empty_authority_outside_the_table_is_dropped() {
    let without = headers([(":method", b"GET"), (":scheme", b"https"), (":path", b"/")]);
    let indexed = Style { representation: Representation::Indexed, ..PLAIN };
    for style in [PLAIN, indexed, Style { representation: Representation::Never, ..PLAIN }] {
        let (shown, targets) = inspect_list(&get(b""), style);
        assert_eq!(shown, without);
        assert_eq!(targets[0].authority(), Some(&b""[..]));
    }
}

#[test]
fn empty_authority_that_enters_the_table_is_left_to_h2() {
    let (shown, _) = inspect_list(&get(b""), INCREMENTAL);
    assert_eq!(shown, get(b""));

    // Once the value is in the table, an index to it can be dropped.
    let mut client = Client::default();
    client.headers(1, &get(b""), INCREMENTAL).block(3, &[0x82, 0xbf, 0x84]);
    let (bytes, targets) = inspect(&client.bytes);
    assert_eq!(decode(&bytes)[1].1, headers([(":method", b"GET"), (":path", b"/")]));
    assert_eq!(targets[1].stream_id, 3);
    assert_eq!(targets[1].authority(), Some(&b""[..]));
}

#[test]
fn header_block_may_become_empty() {
    let mut client = Client::default();
    client.block(1, &[0x81]).headers(3, &get(b"a.test"), USUAL);
    let (bytes, targets) = inspect(&client.bytes);
    assert_eq!(decode(&bytes), [(1, Vec::new()), (3, get(b"a.test"))]);
    assert_eq!(targets.len(), 1);
}

#[test]
fn empty_block_passes() {
    let mut client = Client::default();
    client.block(1, &[]).headers(3, &get(b"a.test"), USUAL);
    assert_eq!(inspect(&client.bytes), (client.bytes, Vec::new()));
}

#[test]
fn two_authorities_pass_without_a_note() {
    let mut list = get(b"a.test");
    list.insert(0, (b":authority".to_vec(), Vec::new()));
    let (shown, targets) = inspect_list(&list, PLAIN);
    assert_eq!((shown, targets), (list, Vec::new()));

    // A value that is not UTF-8 would end the connection, so it is replaced.
    let mut list = get(b"a.test");
    list.insert(0, (b":authority".to_vec(), b"\xff".to_vec()));
    let (shown, targets) = inspect_list(&list, USUAL);
    assert_eq!(shown[0].1, b"a");
    assert_eq!(shown[3].1, b"a.test");
    assert_eq!(targets, []);
}

#[test]
fn padding_and_priority_survive_a_rewrite() {
    let mut client = Client::default();
    let block = client.encoder.block(&get(b"a b c d e f g h"), PLAIN);
    let layout = Layout { padding: Some(7), priority: true, cuts: Vec::new(), open: true };
    client.frame(&block_frames(1, &block, &layout)).headers(3, &get(b"a.test"), USUAL);
    let (bytes, _) = inspect(&client.bytes);
    assert_eq!(decode(&bytes), [(1, get(&[b'a'; 15])), (3, get(b"a.test"))]);
    let frames = parse(&bytes[PREFACE.len()..]);
    assert_eq!(frames[1].flags & (PADDED | END_HEADERS), PADDED | END_HEADERS);
    assert_eq!(frames[1].payload[..6], [7, 0x80, 0, 0, 0, 15]);
    assert!(frames[1].payload.ends_with(b"/\0\0\0\0\0\0\0"));
}

#[test]
fn block_of_several_frames_becomes_one_frame() {
    for (authority, shown) in [(&b"a.test"[..], &b"a.test"[..]), (&[b' '; 100], &[b'a'; 100])] {
        let mut client = Client::default();
        let block = client.encoder.block(&get(authority), PLAIN);
        let cuts = vec![1, 3, 0, 2, 1];
        let layout = Layout { padding: Some(7), priority: true, cuts, open: false };
        client.frame(&block_frames(1, &block, &layout)).headers(3, &get(b"a.test"), USUAL);
        let (bytes, _) = inspect(&client.bytes);
        assert_eq!(decode(&bytes), [(1, get(shown)), (3, get(b"a.test"))]);
        let frames = parse(&bytes[PREFACE.len()..]);
        let kinds: Vec<_> = frames.iter().map(|frame| frame.kind).collect();
        assert_eq!(kinds[1..], [HEADERS, HEADERS]);
        assert_eq!(frames[1].flags & (PADDED | END_HEADERS), PADDED | END_HEADERS);
        assert_eq!(frames[1].payload[..6], [7, 0x80, 0, 0, 0, 15]);
    }
}

#[test]
fn block_longer_than_a_frame_keeps_its_frames() {
    for (authority, shown) in [(&b"a.test"[..], &b"a.test"[..]), (&[b' '; 100], &[b'a'; 100])] {
        let mut list = get(authority);
        list.push((b"x".to_vec(), vec![b'y'; 17_000]));
        let mut client = Client::default();
        let block = client.encoder.block(&list, PLAIN);
        let layout = Layout { cuts: vec![1, 50, 0, 16_000], ..Layout::default() };
        client.frame(&block_frames(1, &block, &layout));
        let (bytes, _) = inspect(&client.bytes);
        list[2].1 = shown.to_vec();
        assert_eq!(decode(&bytes), [(1, list)]);
        let frames = parse(&bytes[PREFACE.len()..]);
        let kinds: Vec<_> = frames.iter().map(|frame| frame.kind).collect();
        assert_eq!(kinds[1..], [HEADERS, 9, 9, 9, 9]);
        assert_eq!(kinds[2], CONTINUATION);
    }
}

#[test]
fn trailers_change_the_table_but_are_never_noted() {
    let mut client = Client::default();
    client.headers(3, &get(b"a.test"), USUAL);
    let trailers = headers([("host", b"c\0"), (":authority", b"x y"), ("host", b"b.test")]);
    client.headers(3, &trailers, USUAL).headers(1, &trailers, USUAL);
    client.headers(2, &trailers, USUAL).headers(5, &get(b"x y"), USUAL);
    let (bytes, targets) = inspect(&client.bytes);
    let shown = headers([("host", b"aa"), (":authority", b"aaa"), ("host", b"b.test")]);
    let expected =
        [(3, get(b"a.test")), (3, shown.clone()), (1, shown.clone()), (2, shown), (5, get(b"aaa"))];
    assert_eq!(decode(&bytes), expected);
    assert_eq!(targets.len(), 1);
    assert_eq!(targets[0].stream_id, 5);
    assert_eq!(targets[0].authority(), Some(&b"x y"[..]));
}

/// Without that flag `h2` resets the stream, so the application never sees the placeholder.
#[test]
fn malformed_trailers_do_not_end_their_stream() {
    let good = headers([("x", b"y"), ("host", b"b.test")]);
    let bad = [
        headers([("x", b"y\0")]),
        headers([("X", b"y")]),
        headers([("host", b"c\0"), ("x", b"y")]),
        headers([(":path", b"/")]),
        headers([(":method", b"GET")]),
        headers([(":authority", b"")]),
        headers([(":protocol", b"x")]),
    ];
    for style in [USUAL, PLAIN, INCREMENTAL] {
        let mut client = Client::default();
        client.headers(1, &get(b"a.test"), style);
        client.headers(1, &good, style);
        for list in bad.iter().chain(&bad) {
            client.headers(1, list, style);
        }
        let (bytes, targets) = inspect(&client.bytes);
        assert_eq!(targets, []);
        let frames = parse(&bytes[PREFACE.len()..]);
        let ends = frames.iter().filter(|frame| frame.kind == HEADERS);
        let ends: Vec<_> = ends.map(|frame| frame.flags & END_STREAM != 0).collect();
        assert_eq!(ends[..2], [true, true], "{style:?}");
        assert_eq!(ends[2..], [false; 14], "{style:?}");
    }
}

#[test]
fn malformed_field_is_noted_and_replaced_at_its_length() {
    let fields: [(&str, &[u8], &str, &[u8]); 14] = [
        ("X", b"y", "a", b"a"),
        ("x y", b"", "aaa", b""),
        ("x:y", b"zz", "aaa", b"aa"),
        (":odd", b"zz", "aaaa", b"aa"),
        ("x\0", b"y", "aa", b"a"),
        ("x", b"y\0", "x", b"aa"),
        ("x", b"y\r\nz", "x", b"aaaa"),
        ("x", b" y", "x", b"aa"),
        ("x", b"y\t", "x", b"aa"),
        ("cookie", b"\x7f", "cookie", b"a"),
        (":method", b"G T", ":method", b"aaa"),
        (":method", b"", "expires", b""),
        (":status", b"20", "expires", b"aa"),
        (":path", b"/\xff", ":path", b"aa"),
    ];
    for (name, value, shown_name, shown_value) in fields {
        for huffman in [false, true] {
            let style = Style { huffman_name: huffman, huffman_value: huffman, ..INCREMENTAL };
            let list = headers([("y", b"1"), (name, value)]);
            let mut client = Client::default();
            // Streams 3 and 5 have indices, or a literal that enters no table.
            client.headers(1, &list, style).headers(3, &list, USUAL).headers(5, &list, PLAIN);
            client.headers(7, &headers([("y", b"1")]), USUAL);
            let (bytes, targets) = inspect(&client.bytes);
            let shown = headers([("y", b"1"), (shown_name, shown_value)]);
            let good = headers([("y", b"1")]);
            let expected = [(1, shown.clone()), (3, shown), (5, good.clone()), (7, good)];
            assert_eq!(decode(&bytes), expected, "{name:?}: {}", value.escape_ascii());
            assert_eq!(targets, [1, 3, 5].map(Target::malformed));
        }
    }
}

/// A valid name stays valid if its entry had a malformed value.
#[test]
fn name_from_an_entry_with_a_malformed_value_is_valid() {
    let named = Style { name_indexed: true, ..INCREMENTAL };
    for (name, shown_name, recorded) in [("x", "x", &[1][..]), ("X", "a", &[1, 3, 5])] {
        let mut client = Client::default();
        client.headers(1, &headers([(name, b"y\0")]), named);
        client.headers(3, &headers([(name, b"good")]), named);
        client.headers(5, &headers([(name, b"good")]), USUAL);
        let (bytes, targets) = inspect(&client.bytes);
        let good: &[u8] = if name == shown_name { b"good" } else { b"aaaa" };
        let shown = |value| headers([(shown_name, value)]);
        assert_eq!(decode(&bytes), [(1, shown(b"aa")), (3, shown(good)), (5, shown(good))]);
        let ids: Vec<_> = targets.iter().map(|target| target.stream_id).collect();
        assert_eq!(ids, recorded);
    }
}

#[test]
fn two_content_lengths_are_noted_whatever_their_values() {
    let mut list = get(b"a.test");
    list.push((b"content-length".to_vec(), b"1".to_vec()));
    for style in [USUAL, PLAIN, Style { name_indexed: false, ..PLAIN }] {
        assert_eq!(inspect_list(&list, style), (list.clone(), Vec::new()));
        let mut twice = list.clone();
        twice.push((b"content-length".to_vec(), b"1".to_vec()));
        assert_eq!(inspect_list(&twice, style), (twice, vec![Target::malformed(1)]));
    }
}

#[test]
fn empty_name_outside_the_table_is_dropped() {
    let mut client = Client::default();
    client.block(1, &[0x82, 0x00, 0x00, 0x01, b'x']).headers(3, &get(b"a.test"), USUAL);
    let (bytes, targets) = inspect(&client.bytes);
    assert_eq!(decode(&bytes)[0].1, headers([(":method", b"GET")]));
    assert_eq!(targets, [Target::malformed(1)]);
}

#[test]
fn other_frames_pass_with_any_payload() {
    let mut client = Client::default();
    // The payload looks like a frame, and the type is unknown.
    let inner = frame(HEADERS, 4, 9, &[0xff; 20]);
    client.headers(1, &get(b"a.test"), USUAL);
    client.frame(&frame(0x0, 0, 1, &inner)).frame(&frame(0xbe, 4, 7, &inner));
    client.headers(3, &get(b"a b"), USUAL);
    let (bytes, targets) = inspect(&client.bytes);
    assert_eq!(decode(&bytes), [(1, get(b"a.test")), (3, get(b"aaa"))]);
    assert_eq!(targets.len(), 1);
}

/// The engine allocates nothing for a well-behaved client after its first requests.
#[test]
fn usual_request_allocates_nothing() {
    let mut client = Client::default();
    let mut list = get(b"www.example.com");
    list.extend(headers([("user-agent", b"an agent"), ("accept", b"*/*")]));
    let mut engine = passing(ExtendedConnect::Withheld);
    engine.handle_read(&mut client.headers(1, &list, USUAL).bytes);
    for (nth, style) in [USUAL, PLAIN, Style { huffman_value: true, ..PLAIN }].iter().enumerate() {
        let ids = [3, 5].map(|id| id + 4 * u32::try_from(nth).unwrap());
        let block = client.encoder.block(&list, *style);
        let mut frames = ids.map(|id| block_frames(id, &block, &Layout::default()));
        engine.handle_read(&mut frames[0]);
        let allocated = allocation_counter::measure(|| {
            engine.handle_read(&mut frames[1]);
        });
        assert_eq!(allocated.count_total, 0, "{style:?}");
    }
}

/// Returns the header list that `h2` must get, and the note of it.
fn expected(id: u32, list: &Headers, used: &[Used], is_request: bool) -> (Headers, Option<Target>) {
    let count = |wanted: &[u8]| list.iter().filter(|(name, _)| name == wanted).count();
    let (authorities, hosts) = (count(b":authority"), count(b"host"));
    let shown = list.iter().zip(used);
    let shown = shown.filter_map(|(it, used)| model::shown(it, *used, is_request, authorities));
    let shown = shown.collect();
    if !is_request {
        return (shown, None);
    }
    if model::is_malformed(list, is_request) {
        return (shown, Some(Target::malformed(id)));
    }
    let refused = list.iter().any(|(name, value)| model::is_refused(name, value));
    let host_only = authorities == 0 && hosts > 0;
    let is_recorded = authorities < 2 && (refused || host_only);
    let of = |wanted: &str| {
        let found = list.iter().find(|(name, _)| name == wanted.as_bytes());
        found.map(|(_, value)| value.clone().into_boxed_slice())
    };
    let target = is_recorded.then(|| Target {
        stream_id: id,
        authority: of(":authority"),
        host: of("host"),
        host_count: hosts,
        scheme: of(":scheme"),
        has_path: of(":path").is_some(),
        is_malformed: false,
    });
    (shown, target)
}

fn field() -> impl Strategy<Value = Header> {
    const NAMES: &[&str] = &[
        ":authority",
        ":scheme",
        "host",
        "x-a",
        "a-longer-name",
        "cookie",
        ":method",
        ":path",
        ":status",
        ":protocol",
        ":odd",
        "X-A",
        "a longer name",
        "content-length",
    ];
    const VALUES: &[&[u8]] = &[
        b"a.test",
        b"",
        b"a b",
        b"\xff\xfe",
        b"a\0",
        b"%61",
        b"https",
        b" a",
        b"a\t",
        b"line\nline",
    ];
    let value = prop_oneof![
        4 => select(VALUES).prop_map(<[u8]>::to_vec),
        1 => vec(32..=255_u8, 0..40),
        1 => vec(128..=255_u8, 200..900),
    ];
    (select(NAMES).prop_map(|name| name.as_bytes().to_vec()), value)
}

/// One action of a client.
#[derive(Clone, Debug)]
enum Act {
    /// A header block on a stream this far after the last one, or on that one.
    Block(u32, Option<usize>, Vec<Styled>, Layout),
    /// Any other frame.
    Frame(u8, Vec<u8>),
}

fn act() -> impl Strategy<Value = Act> {
    let resize = prop_oneof![6 => Just(None), 1 => (0_usize..=4096).prop_map(Some)];
    let step = prop_oneof![4 => Just(2), 1 => Just(0), 1 => Just(1), 1 => Just(6)];
    let others = select(&[0_u8, 2, 3, 4, 6, 7, 8, 10, 200][..]);
    prop_oneof![
        4 => (step, resize, vec((field(), style()), 0..6), layout())
            .prop_map(|(step, resize, fields, layout)| Act::Block(step, resize, fields, layout)),
        1 => (others, vec(any::<u8>(), 0..50))
            .prop_map(|(kind, payload)| Act::Frame(kind, payload)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// The client, an encoder, the engine and an independent decoder stay in sync; every block is
    /// shown and noted as it must be.
    #[test]
    fn every_block_is_shown_and_noted_as_expected(
        acts in vec(act(), 1..15),
        lengths in vec(1_usize..60, 1..6),
        buf_len in 1_usize..200,
    ) {
        let mut bytes = [PREFACE, &block_frames(1, &[], &Layout::default())].concat();
        let mut encoder = Encoder::default();
        let mut highest = 1;
        let mut lists = vec![(1, Headers::new())];
        let (mut recorded, mut ends, mut changed) = (Vec::new(), vec![true], false);
        for act in acts {
            let (step, resize, fields, layout) = match act {
                Act::Block(step, resize, fields, layout) => (step, resize, fields, layout),
                Act::Frame(kind, payload) => {
                    bytes.extend(frame(kind, 0x2d, 1, &payload));
                    continue;
                }
            };
            let id: u32 = highest + step;
            let opens = id % 2 == 1 && id > highest;
            let mut block = Vec::new();
            if let Some(capacity) = resize {
                encoder.resize(capacity, &mut block);
            }
            let mut used = Vec::new();
            for ((name, value), style) in &fields {
                used.push(encoder.field(name, value, *style, &mut block));
            }
            let list: Headers = fields.into_iter().map(|(field, _)| field).collect();
            let (shown, target) = expected(id, &list, &used, opens);
            lists.push((id, shown));
            recorded.extend(target);
            let is_reset = !opens && model::is_malformed(&list, opens);
            ends.push(!layout.open && !is_reset);
            changed |= is_reset || !layout.cuts.is_empty();
            bytes.extend(block_frames(id, &block, &layout));
            if opens {
                highest = id;
            }
        }
        let pieces = chunks(&bytes, &lengths);
        let (outcome, _) = read_pieces(pieces.iter().copied(), buf_len);
        prop_assert!(!outcome.lost_sync);
        prop_assert_eq!(outcome.targets, recorded);
        changed |= decode(&bytes) != lists;
        prop_assert_eq!(decode(&outcome.bytes), lists);
        let frames = parse(&outcome.bytes[PREFACE.len()..]).into_iter();
        let frames = frames.filter(|frame| frame.kind == HEADERS);
        prop_assert_eq!(frames.map(|it| it.flags & END_STREAM != 0).collect::<Vec<_>>(), ends);
        if !changed {
            prop_assert!(outcome.bytes == bytes, "bytes changed without need");
        }
        harness::inspect(&pieces);
        harness::answer(&pieces);
    }
}

proptest! {
    #[test]
    fn invariants_hold_for_any_bytes(
        chunks in vec(vec(any::<u8>(), 0..100), 0..6),
        preface: bool,
    ) {
        let mut pieces: Vec<&[u8]> = chunks.iter().map(|chunk| &**chunk).collect();
        if preface {
            pieces.insert(0, PREFACE);
        }
        harness::inspect(&pieces);
        harness::answer(&pieces);
    }

    /// Valid frame headers reach further into the engine than random bytes.
    #[test]
    fn invariants_hold_for_any_frames(
        frames in vec((0_u8..11, any::<u8>(), 0_u32..8, vec(any::<u8>(), 0..40)), 0..20),
        breaks in vec(any::<(prop::sample::Index, u8)>(), 0..2),
    ) {
        let mut bytes = PREFACE.to_vec();
        for (kind, flags, stream_id, payload) in frames {
            // Half of all frames are HEADERS.
            bytes.extend(frame(if kind < 6 { HEADERS } else { kind }, flags, stream_id, &payload));
        }
        for (at, octet) in breaks {
            let at = at.index(bytes.len());
            bytes[at] = octet;
        }
        harness::inspect(&[&bytes]);
        harness::answer(&[&bytes]);
    }
}
