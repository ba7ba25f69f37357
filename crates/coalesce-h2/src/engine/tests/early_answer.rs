//! Early answers below `h2`: the requests that are answered, and the bytes that reach `h2`.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::Shared;
use super::super::frame::{DATA, HEADERS, RST_STREAM, SETTINGS, WINDOW_UPDATE};
use super::client::{Client, Layout, block_frames, chunks, decode, frame, layout, parse};
use super::encoder::{
    Encoder, Headers, PLAIN, Representation, Style, Styled, USUAL, Used, headers, style,
};
use super::harness;
use super::support::{Asked, answering, show};
use crate::MisdirectedContent;

/// Enough window for all answers of a test.
const GRANT: u32 = 100_000;

fn grant(increment: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, 0, &increment.to_be_bytes())
}

/// A client that has granted window.
fn client() -> Client {
    let mut client = Client::default();
    client.frame(&grant(GRANT));
    client
}

/// Returns the bytes for `h2` and the refused streams; checks the invariants on the way.
fn refuse(bytes: &[u8]) -> (Vec<u8>, Vec<u32>) {
    harness::answer(&[bytes]);
    let asked = Asked::default();
    let engine = Shared::new(answering(&asked, &MisdirectedContent::Json));
    let shown = show(bytes, &engine);
    let answers = std::mem::take(engine.lock().answers_out.bytes());
    // Answers that were taken back are resets.
    let mut frames = parse(&answers);
    frames.retain(|frame| matches!(frame.kind, HEADERS | RST_STREAM));
    (shown, frames.iter().map(|frame| frame.stream_id).collect())
}

/// Returns the refused requests of these blocks, sent on streams 1, 3, ….
fn refused(blocks: &[Vec<u8>]) -> Vec<u32> {
    let mut client = client();
    for (block, id) in blocks.iter().zip((1..).step_by(2)) {
        client.block(id, block);
    }
    refuse(&client.bytes).1
}

fn get(authority: &str) -> Headers {
    headers([
        (":method", b"GET"),
        (":scheme", b"https"),
        (":authority", authority.as_bytes()),
        (":path", b"/"),
    ])
}

/// Encodes a block that changes no table: indices for the static table's fields, and literals in
/// this style for the others.
fn block_as(list: &Headers, style: Style) -> Vec<u8> {
    const STATIC: [&[u8]; 6] = [b"GET", b"POST", b"http", b"https", b"/", b"/index.html"];
    let mut block = Vec::new();
    for (name, value) in list {
        let is_static =
            matches!(&**name, b":method" | b":scheme" | b":path") && STATIC.contains(&&**value);
        Encoder::default().field(name, value, if is_static { USUAL } else { style }, &mut block);
    }
    block
}

fn plain(list: &Headers) -> Vec<u8> {
    block_as(list, PLAIN)
}

#[test]
fn refused_request_is_not_shown_to_h2() {
    let mut client = client();
    let before = client.bytes.len();
    // Huffman code, padding and priority make no difference.
    let list = get("b.test");
    let coded = Style { huffman_value: true, representation: Representation::Never, ..PLAIN };
    let block = plain(&list);
    client.block(1, &block).block(3, &block_as(&list, coded));
    let dressed = Layout { padding: Some(7), priority: true, ..Layout::default() };
    client.frame(&block_frames(5, &block, &dressed));
    let (shown, refused) = refuse(&client.bytes);
    assert_eq!(refused, [1, 3, 5]);
    assert_eq!(shown.len(), before);
}

#[test]
fn refused_requests_may_use_indices_of_the_table() {
    let list = [get("b.test"), headers([("x-a", b"1"), ("te", b"trailers")])].concat();
    let mut client = client();
    // The first block fills the table, so `h2` must see it; the second has indices only.
    client.headers(1, &list, USUAL).headers(3, &list, USUAL).headers(5, &get("a.test"), USUAL);
    client.headers(7, &list, USUAL);
    let (shown, refused) = refuse(&client.bytes);
    assert_eq!(refused, [3, 7]);
    assert_eq!(decode(&shown), [(1, list), (5, get("a.test"))]);
}

#[test]
fn blocks_that_change_a_table_are_shown() {
    let block = plain(&get("b.test"));
    let resized = [&[0x20][..], &block].concat();
    let inserted = [&block[..], &[0x40, 1, b'x', 1, b'y']].concat();
    // Too large for the table, so it empties the table.
    let too_large = [&block[..], &[0x40, 1, b'x', 0x7f, 0x81, 0x1f], &[b'y'; 4096][..]].concat();
    assert_eq!(refused(&[inserted, too_large, resized, block]), [7]);
}

#[test]
fn blocks_of_several_frames_or_with_a_body_are_shown() {
    let block = plain(&get("b.test"));
    let mut client = client();
    client.frame(&block_frames(1, &block, &Layout { cuts: vec![3], ..Layout::default() }));
    client.frame(&block_frames(3, &block, &Layout { open: true, ..Layout::default() }));
    client.frame(&frame(DATA, 1, 3, b""));
    client.block(5, &block);
    let (shown, refused) = refuse(&client.bytes);
    assert_eq!(refused, [5]);
    assert_eq!(decode(&shown).len(), 2);
}

#[test]
fn only_certainly_well_formed_requests_are_refused() {
    let with = |fields: &[(&str, &[u8])]| {
        let mut list = get("b.test");
        let fields = fields.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec()));
        list.extend(fields);
        plain(&list)
    };
    let instead = |name: &str, value: &[u8]| {
        let mut list = get("b.test");
        list.iter_mut().find(|field| field.0 == name.as_bytes()).unwrap().1 = value.to_vec();
        plain(&list)
    };
    let without = |name: &str| {
        let mut list = get("b.test");
        list.retain(|field| field.0 != name.as_bytes());
        plain(&list)
    };
    let first = |name: &str| {
        let list = get("b.test");
        plain(&[headers([("x-a", b"1")]), list, headers([(name, b"/")])].concat())
    };
    let doubtful = [
        with(&[(":path", b"/")]),
        with(&[(":method", b"GET")]),
        with(&[(":scheme", b"https")]),
        with(&[(":authority", b"b.test")]),
        with(&[(":status", b"200")]),
        with(&[(":protocol", b"websocket")]),
        with(&[(":unknown", b"1")]),
        with(&[("x-a", b"1"), (":path", b"/")]),
        first("x-b"),
        without(":path"),
        without(":method"),
        without(":scheme"),
        without(":authority"),
        instead(":method", b"CONNECT"),
        instead(":method", b"HEAD"),
        instead(":method", b"OPTIONS"),
        instead(":method", b"get"),
        instead(":method", b""),
        instead(":scheme", b"HTTPS"),
        instead(":scheme", b"ftp"),
        instead(":scheme", b""),
        instead(":path", b""),
        instead(":path", b"*"),
        instead(":path", b"x"),
        instead(":path", b"https://b.test/"),
        instead(":path", b"/#fragment"),
        instead(":path", b"/a b"),
        instead(":path", b"/\xff"),
        instead(":authority", b""),
        instead(":authority", b"b test"),
        instead(":authority", b"\xff"),
        instead(":authority", &[b'b'; 65]),
        with(&[("host", b"b.test")]),
        with(&[("host", b"a.test")]),
        with(&[("Upper", b"1")]),
        with(&[("", b"1")]),
        with(&[("x a", b"1")]),
        with(&[("connection", b"close")]),
        with(&[("keep-alive", b"1")]),
        with(&[("proxy-connection", b"1")]),
        with(&[("transfer-encoding", b"chunked")]),
        with(&[("upgrade", b"h2c")]),
        with(&[("te", b"trailers")]),
        with(&[("te", b"gzip")]),
        with(&[("content-length", b"0")]),
        with(&[("content-length", b"1")]),
        with(&[("x-a", b"\0")]),
        with(&[("x-a", b"\n")]),
        with(&[("x-a", b"\x7f")]),
        with(&[("x-a", b" 1")]),
        with(&[("x-a", b"1\t")]),
        // Huffman code with the wrong padding, and EOS.
        [plain(&get("b.test")), b"\0\x01x\x81\x18".to_vec()].concat(),
        [plain(&get("b.test")), b"\0\x01x\x84\xff\xff\xff\xff".to_vec()].concat(),
        [plain(&get("b.test")), b"\0\x82\x18\x18\x01x".to_vec()].concat(),
        // The block ends within a field.
        [plain(&get("b.test")), b"\0\x01x".to_vec()].concat(),
        // Unknown indices, and static entries that no request has.
        [plain(&get("b.test")), vec![0x80]].concat(),
        [plain(&get("b.test")), vec![0x88]].concat(),
        [plain(&get("b.test")), vec![0x9c]].concat(),
        [plain(&get("b.test")), vec![0xa6]].concat(),
        [plain(&get("b.test")), vec![0xb9]].concat(),
        [plain(&get("b.test")), vec![0xbe]].concat(),
        vec![],
    ];
    for block in &doubtful {
        assert_eq!(refused(std::slice::from_ref(block)), [], "{}", block.escape_ascii());
    }
    let well_formed = [
        with(&[]),
        with(&[("x-a", b""), ("x-a", b"~\t \x80\xff"), ("cookie", b"a=b"), ("accept", b"*/*")]),
        instead(":path", b"/a-b/c%20d?e=f&g#".strip_suffix(b"#").unwrap()),
        instead(":scheme", b"http"),
        instead(":authority", b"b.test:8443"),
        instead(":authority", &[b'b'; 64]),
        [&[0x83, 0x87, 0x85, 0x01, 6][..], b"b.test"].concat(),
        // `accept-encoding: gzip, deflate`, of the static table.
        [plain(&get("b.test")), vec![0x90]].concat(),
    ];
    for block in well_formed {
        assert_eq!(refused(std::slice::from_ref(&block)), [1], "{}", block.escape_ascii());
    }
}

/// The reserve keeps as much window as the content of answers takes, here none.
#[test]
fn answer_without_content_takes_no_window() {
    let mut client = client();
    client.block(1, &plain(&get("b.test"))).frame(&grant(GRANT));
    for (content, whole) in [(MisdirectedContent::Empty, true), (MisdirectedContent::Json, false)] {
        let asked = Asked::default();
        let shown = show(&client.bytes, &Shared::new(answering(&asked, &content)));
        assert_eq!(asked.0.get(), 1, "{content:?}");
        let grants = shown.windows(grant(0).len()).filter(|bytes| *bytes == grant(GRANT));
        assert_eq!(grants.count() == 2, whole, "{content:?}");
    }
}

/// A due grant waits for the end of the frame, which never comes.
#[test]
fn end_within_a_frame_ends_the_connection() {
    let mut client = client();
    client.block(1, &plain(&get("b.test")));
    client.frame(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]));
    let content = frame(DATA, 0, 3, b"content");
    for len in 1..content.len() {
        let bytes = [&*client.bytes, &content[..len]].concat();
        let (shown, refused) = refuse(&bytes);
        assert_eq!(refused, [1]);
        assert!(shown.ends_with(&content[..len]));
    }
}

/// One step of a client.
#[derive(Clone, Debug)]
enum Step {
    Request(Vec<Styled>, Option<usize>, Layout),
    Grant(u32),
    Reset(u32),
    Update(u32),
    Settings(u16, u32),
}

fn step() -> impl Strategy<Value = Step> {
    const AUTHORITIES: &[&str] = &["a.test", "b.test", "a2.test", "c.test", "a b", "\u{ff}"];
    const FIELDS: &[(&str, &str)] =
        &[("x-a", "1"), ("x-b", ""), ("cookie", "a=b"), ("te", "trailers"), ("accept", "*/*")];
    let usual = prop_oneof![3 => Just(None), 2 => Just(Some(USUAL)), 1 => style().prop_map(Some)];
    let request = (
        select(AUTHORITIES),
        select(&["/", "/x", "/a b"][..]),
        vec(select(FIELDS), 0..3),
        prop_oneof![1 => Just(vec![None; 7]), 1 => vec(usual, 7)],
        prop_oneof![8 => Just(None), 1 => (0_usize..=4096).prop_map(Some)],
        prop_oneof![4 => Just(Layout::default()), 1 => layout()],
    );
    let request = request.prop_map(|(authority, path, fields, styles, resize, layout)| {
        let mut list = get(authority);
        list[3].1 = path.into();
        list.extend(fields.iter().map(|&(name, value)| (name.into(), value.into())));
        let styled = list.into_iter().zip(styles).map(|(field, style)| {
            let by_index = matches!(&*field.1, b"GET" | b"https" | b"/");
            (field, style.unwrap_or(if by_index { USUAL } else { PLAIN }))
        });
        Step::Request(styled.collect(), resize, layout)
    });
    let setting = prop_oneof![
        (0_u32..100).prop_map(|value| Step::Settings(4, value)),
        (4_000_u32..9_000).prop_map(|value| Step::Settings(1, value)),
        any::<(u16, u32)>().prop_map(|(setting, value)| Step::Settings(setting, value)),
    ];
    prop_oneof![
        24 => request,
        4 => (1_u32..3_000).prop_map(Step::Grant),
        2 => (0_u32..10).prop_map(Step::Reset),
        2 => (0_u32..10).prop_map(Step::Update),
        1 => setting,
    ]
}

impl Step {
    /// Sends the step; returns the requested list and whether it changed a table.
    fn take(self, id: u32, client: &mut Client) -> Option<(Headers, bool)> {
        let back = |by: u32| id.saturating_sub(2 * by + 2).max(1);
        let bytes = match self {
            Self::Request(fields, resize, layout) => {
                let mut block = Vec::new();
                if let Some(capacity) = resize {
                    client.encoder.resize(capacity, &mut block);
                }
                let mut changes = resize.is_some();
                for ((name, value), style) in &fields {
                    let used = client.encoder.field(name, value, *style, &mut block);
                    changes |= used == Used::Inserted;
                }
                client.frame(&block_frames(id, &block, &layout));
                return Some((fields.into_iter().map(|(field, _)| field).collect(), changes));
            }
            Self::Grant(increment) => grant(increment),
            Self::Reset(by) => frame(RST_STREAM, 0, back(by), &[0, 0, 0, 8]),
            Self::Update(by) => frame(WINDOW_UPDATE, 0, back(by), &[0, 0, 0, 1]),
            Self::Settings(setting, value) => {
                let payload = [&setting.to_be_bytes()[..], &value.to_be_bytes()].concat();
                frame(SETTINGS, 0, 0, &payload)
            }
        };
        client.frame(&bytes);
        None
    }
}

proptest! {
    /// With early answers in between, `h2` reads every other request as it was sent, and every
    /// request that changed a table.
    #[test]
    fn h2_reads_every_request_that_was_not_answered(
        steps in vec(step(), 1..40),
        lengths in vec(1_usize..40, 1..4),
    ) {
        let mut client = client();
        let mut lists = Vec::new();
        let mut id = 1;
        for step in steps {
            if let Some((mut list, changes)) = step.take(id, &mut client) {
                let is_misdirected = !list.remove(2).1.starts_with(b"a");
                lists.push((id, list, changes, is_misdirected));
                id += 2;
            }
        }
        harness::answer(&chunks(&client.bytes, &lengths));
        let (shown, refused) = refuse(&client.bytes);
        for (id, _, changes, is_misdirected) in &lists {
            let is_refused = refused.contains(id);
            prop_assert!(!is_refused || *is_misdirected && !changes, "{id} is not to be answered");
        }
        lists.retain(|(id, ..)| !refused.contains(id));
        let wanted: Vec<_> = lists.into_iter().map(|(id, list, ..)| (id, list)).collect();
        let mut seen = decode(&shown);
        for (_, list) in &mut seen {
            // The authority may be a placeholder, which other tests check.
            prop_assert_eq!(list.remove(2).0, b":authority");
        }
        prop_assert_eq!(seen, wanted);
    }
}
