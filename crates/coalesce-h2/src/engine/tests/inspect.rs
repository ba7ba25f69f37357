//! What `h2` gets to see, and what is recorded beside it.

use coalesce_core::HostField;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::ExtendedConnect;
use super::super::frame::{CONTINUATION, END_HEADERS, HEADERS, PADDED};
use super::super::header_check::h2_refuses;
use super::super::stream_notes::Target;
use super::super::table::Kind;
use super::client::{Client, Layout, PREFACE, block_frames, chunks, decode, frame, layout, parse};
use super::encoder::{
    Encoder, Header, Headers, INCREMENTAL, PLAIN, Representation, Style, Styled, USUAL, Used,
    headers, style,
};
use super::harness;
use super::support::{passing, read_all, read_pieces};

/// What `h2` gets of these bytes, and the records; asserts the invariants on the way.
fn inspect(bytes: &[u8]) -> (Vec<u8>, Vec<Target>) {
    harness::inspect(&[bytes]);
    harness::answer(&[bytes]);
    let (outcome, _) = read_all(bytes);
    assert!(!outcome.lost_sync, "the observer lost sync");
    (outcome.bytes, outcome.targets)
}

/// What `h2` gets of one header list on stream 1, as another decoder reads it.
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
fn an_ordinary_request_passes_unchanged_and_unrecorded() {
    let mut client = Client::default();
    client.headers(1, &get(b"a.test"), USUAL).headers(3, &get(b"a.test:8443"), USUAL);
    assert_eq!(inspect(&client.bytes), (client.bytes, Vec::new()));
}

#[test]
fn a_request_with_host_only_is_recorded_with_its_scheme() {
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
fn a_request_without_any_target_needs_no_record() {
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
fn a_refused_authority_becomes_letters_and_is_recorded_as_it_was() {
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
fn a_refused_host_becomes_letters_beside_a_good_authority() {
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
fn a_later_index_to_a_rewritten_entry_is_recorded_again() {
    let mut client = Client::default();
    client.headers(1, &get(b"a b"), USUAL).headers(3, &get(b"a b"), USUAL);
    let (bytes, targets) = inspect(&client.bytes);
    assert_eq!(decode(&bytes), [(1, get(b"aaa")), (3, get(b"aaa"))]);
    assert_eq!(targets.len(), 2);
    assert!(targets.iter().all(|target| target.authority() == Some(b"a b")));
    assert_eq!(targets[1].stream_id, 3);
    // The second block is five indices, of which not one octet changes.
    assert!(bytes.ends_with(&frame(HEADERS, 5, 3, &[0x82, 0x87, 0xbe, 0x84])));
}

#[test]
fn an_empty_authority_is_dropped_where_it_enters_no_table() {
    let without = headers([(":method", b"GET"), (":scheme", b"https"), (":path", b"/")]);
    let indexed = Style { representation: Representation::Indexed, ..PLAIN };
    for style in [PLAIN, indexed, Style { representation: Representation::Never, ..PLAIN }] {
        let (shown, targets) = inspect_list(&get(b""), style);
        assert_eq!(shown, without);
        assert_eq!(targets[0].authority(), Some(&b""[..]));
    }
}

#[test]
fn an_empty_authority_that_enters_the_table_stays_for_h2_to_refuse() {
    let (shown, _) = inspect_list(&get(b""), INCREMENTAL);
    assert_eq!(shown, get(b""));

    // Once it is in the table, an index to it can go.
    let mut client = Client::default();
    client.headers(1, &get(b""), INCREMENTAL).block(3, &[0x82, 0xbf, 0x84]);
    let (bytes, targets) = inspect(&client.bytes);
    assert_eq!(decode(&bytes)[1].1, headers([(":method", b"GET"), (":path", b"/")]));
    assert_eq!(targets[1].stream_id, 3);
    assert_eq!(targets[1].authority(), Some(&b""[..]));
}

#[test]
fn a_block_may_become_empty() {
    let mut client = Client::default();
    client.block(1, &[0x81]).headers(3, &get(b"a.test"), USUAL);
    let (bytes, targets) = inspect(&client.bytes);
    assert_eq!(decode(&bytes), [(1, Vec::new()), (3, get(b"a.test"))]);
    assert_eq!(targets.len(), 1);
}

#[test]
fn an_empty_block_is_no_trouble() {
    let mut client = Client::default();
    client.block(1, &[]).headers(3, &get(b"a.test"), USUAL);
    assert_eq!(inspect(&client.bytes), (client.bytes, Vec::new()));
}

#[test]
fn two_authorities_stay_two_and_are_not_recorded() {
    let mut list = get(b"a.test");
    list.insert(0, (b":authority".to_vec(), Vec::new()));
    let (shown, targets) = inspect_list(&list, PLAIN);
    assert_eq!((shown, targets), (list, Vec::new()));

    // A value that is not UTF-8 would end the connection, so it does not stay.
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
fn a_rewritten_block_keeps_its_frames() {
    let mut client = Client::default();
    let block = client.encoder.block(&get(&[b' '; 100]), PLAIN);
    let layout = Layout { cuts: vec![1, 50, 0, 20, 30], ..Layout::default() };
    client.frame(&block_frames(1, &block, &layout));
    let (bytes, _) = inspect(&client.bytes);
    assert_eq!(decode(&bytes), [(1, get(&[b'a'; 100]))]);
    let kinds: Vec<_> = parse(&bytes[PREFACE.len()..]).iter().map(|frame| frame.kind).collect();
    assert_eq!(kinds[1..], [HEADERS, 9, 9, 9, 9, 9]);
    assert_eq!(kinds[2], CONTINUATION);
}

#[test]
fn trailers_count_for_the_table_but_are_never_recorded() {
    let mut client = Client::default();
    client.headers(3, &get(b"a.test"), USUAL);
    let trailers = headers([("host", b"c\0"), (":authority", b"x y"), ("host", b"b.test")]);
    client.headers(3, &trailers, USUAL).headers(1, &trailers, USUAL);
    client.headers(2, &trailers, USUAL).headers(5, &get(b"x y"), USUAL);
    let (bytes, targets) = inspect(&client.bytes);
    // The host stays, for an application to see; the authority is one that a table remembers.
    let shown = headers([("host", b"c\0"), (":authority", b"aaa"), ("host", b"b.test")]);
    // From the second time on, that host is an index.
    let again = headers([(":authority", b"aaa"), ("host", b"b.test")]);
    let expected =
        [(3, get(b"a.test")), (3, shown), (1, again.clone()), (2, again), (5, get(b"aaa"))];
    assert_eq!(decode(&bytes), expected);
    assert_eq!(targets.len(), 1);
    assert_eq!(targets[0].stream_id, 5);
    assert_eq!(targets[0].authority(), Some(&b"x y"[..]));
}

#[test]
fn trailers_do_not_show_the_placeholder_of_a_host() {
    let mut client = Client::default();
    client.headers(1, &headers([("host", b"c\0")]), USUAL);
    client.headers(1, &headers([("host", b"c\0"), ("x", b"y")]), USUAL);
    let (bytes, targets) = inspect(&client.bytes);
    let shown = [(1, headers([("host", b"aa")])), (1, headers([("x", b"y")]))];
    assert_eq!(decode(&bytes), shown);
    assert_eq!(targets.len(), 1);
}

#[test]
fn other_frames_pass_whatever_they_hold() {
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

/// A client that means no harm allocates nothing here once its connection has settled.
#[test]
fn a_usual_request_allocates_nothing() {
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

/// A request as `h2` sees it after what the observer does, and whether it is recorded.
fn expected(list: &Headers, used: &[Used], opens: bool) -> (Headers, bool) {
    let kind = |name: &[u8]| match name {
        b":authority" => Kind::Authority,
        b"host" => Kind::Host,
        _ => Kind::Other,
    };
    let count = |wanted| list.iter().filter(|(name, _)| kind(name) == wanted).count();
    let authorities = count(Kind::Authority);
    let mut refused = false;
    let mut shown = Headers::new();
    for ((name, value), used) in list.iter().zip(used) {
        let kind = kind(name);
        let bad = h2_refuses(kind, value);
        refused |= bad;
        let drops = match kind {
            Kind::Authority => {
                opens && value.is_empty() && authorities == 1 && *used != Used::Inserted
            }
            _ => !opens && *used == Used::Index,
        };
        if bad && drops {
            continue;
        }
        let mut value = value.clone();
        if bad && (kind == Kind::Authority || opens) {
            value.fill(b'a');
        }
        shown.push((name.clone(), value));
    }
    let host_only = authorities == 0 && count(Kind::Host) > 0;
    (shown, opens && authorities < 2 && (refused || host_only))
}

fn field() -> impl Strategy<Value = Header> {
    const NAMES: &[&str] = &[":authority", ":scheme", "host", "x-a", "a-longer-name", "cookie"];
    const VALUES: &[&[u8]] = &[b"a.test", b"", b"a b", b"\xff\xfe", b"a\0", b"%61", b"https"];
    let value = prop_oneof![
        4 => select(VALUES).prop_map(<[u8]>::to_vec),
        1 => vec(32..=255_u8, 0..40),
        1 => vec(128..=255_u8, 200..900),
    ];
    (select(NAMES).prop_map(|name| name.as_bytes().to_vec()), value)
}

/// Something a client sends.
#[derive(Clone, Debug)]
enum Act {
    /// A header block on a stream so many after the last one opened, or on that one.
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

    /// A client, an encoder, an observer and another decoder keep one table between them; every
    /// block shows and records what it should.
    #[test]
    fn every_block_shows_and_records_what_it_should(
        acts in vec(act(), 1..15),
        lengths in vec(1_usize..60, 1..6),
        buf_len in 1_usize..200,
    ) {
        let mut bytes = [PREFACE, &block_frames(1, &[], &Layout::default())].concat();
        let mut encoder = Encoder::default();
        let mut highest = 1;
        let mut lists = vec![(1, Headers::new())];
        let mut recorded = Vec::new();
        for act in acts {
            let (step, resize, mut fields, layout) = match act {
                Act::Block(step, resize, fields, layout) => (step, resize, fields, layout),
                Act::Frame(kind, payload) => {
                    bytes.extend(frame(kind, 0x2d, 1, &payload));
                    continue;
                }
            };
            let id: u32 = highest + step;
            let opens = id % 2 == 1 && id > highest;
            if !opens {
                // The connection ends over such a host in trailers, and with it all tables.
                fields.retain(|((name, value), _)| {
                    name != b"host" || !h2_refuses(Kind::Host, value)
                });
            }
            let mut block = Vec::new();
            if let Some(capacity) = resize {
                encoder.resize(capacity, &mut block);
            }
            let mut used = Vec::new();
            for ((name, value), style) in &fields {
                used.push(encoder.field(name, value, *style, &mut block));
            }
            let list = fields.into_iter().map(|(field, _)| field).collect();
            let (shown, is_recorded) = expected(&list, &used, opens);
            lists.push((id, shown));
            if is_recorded {
                let of = |wanted: &str| {
                    let found = list.iter().find(|(name, _)| name == wanted.as_bytes());
                    found.map(|(_, value)| value.clone().into_boxed_slice())
                };
                recorded.push(Target {
                    stream_id: id,
                    authority: of(":authority"),
                    host: of("host"),
                    host_count: list.iter().filter(|(name, _)| name == b"host").count(),
                    scheme: of(":scheme"),
                    has_path: of(":path").is_some(),
                });
            }
            bytes.extend(block_frames(id, &block, &layout));
            if opens {
                highest = id;
            }
        }
        let pieces = chunks(&bytes, &lengths);
        let (outcome, _) = read_pieces(pieces.iter().copied(), buf_len);
        prop_assert!(!outcome.lost_sync);
        prop_assert_eq!(outcome.targets, recorded);
        let unchanged = decode(&bytes) == lists;
        prop_assert_eq!(decode(&outcome.bytes), lists);
        if unchanged {
            prop_assert!(outcome.bytes == bytes, "bytes changed without need");
        }
        harness::inspect(&pieces);
        harness::answer(&pieces);
    }
}

proptest! {
    #[test]
    fn the_invariants_hold_for_any_bytes(
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

    /// Frames whose headers make sense get further than random bytes.
    #[test]
    fn the_invariants_hold_for_any_frames(
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
