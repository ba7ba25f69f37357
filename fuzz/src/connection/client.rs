//! The octets of one client: requests of every form in frames of every form. Clients that break the
//! protocol also send invalid frames and octets.

use std::collections::{BTreeSet, VecDeque};

use arbitrary::{Result, Unstructured};

use super::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADER_TABLE_SIZE, HEADERS,
    INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, PADDED, PING, PREFACE, PRIORITIZED, PRIORITY, RST_STREAM,
    SETTINGS, WINDOW_UPDATE,
};
use crate::generate::{self, seldom};
use crate::model::{Facts, Method, Request, Transport, World};

/// The server's dynamic table, in octets (RFC 7541 §4.1, RFC 9113 §6.5.2).
const TABLE_MAX: usize = 4_096;

/// Far below the windows that a server starts with.
const UPLOADED_MAX: usize = 40_000;

/// Fewer than a server counts as an attack.
const RESETS_MAX: usize = 3;

/// Fewer than a server counts as an attack.
const CONTINUATIONS_MAX: usize = 4;

/// Fields that make a request malformed, and trailers (RFC 9113 §8.1.1).
const MALFORMED: &[(&[u8], &[u8])] = &[
    (b"X-A", b"1"),
    (b"x a", b""),
    (b"x:a", b"1"),
    (b":odd", b"1"),
    (b"x-a", b"\0"),
    (b"x-a", b"1\r\n2"),
    (b"x-a", b" 1"),
    (b"x-a", b"1\t"),
];

/// The octets of a client, and facts about them.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) sent: Vec<u8>,
    pub(super) pieces: Vec<Vec<u8>>,
    /// Whether the frames keep to the protocol.
    pub(super) orderly: bool,
    /// The streams with a request, and those of them that the client has reset, or that the server
    /// has to reset for malformed trailers.
    pub(super) asked: BTreeSet<u32>,
    pub(super) reset: BTreeSet<u32>,
    /// The streams whose request is malformed.
    pub(super) malformed: BTreeSet<u32>,
    /// The streams that the client has neither ended nor reset.
    pub(super) unfinished: BTreeSet<u32>,
    /// The largest dynamic table that the client allows the server.
    pub(super) header_table_max: usize,
    /// Whether the client takes back table size or window while answers may be waiting for it.
    pub(super) shrinks: bool,
}

/// Generates a client on a connection with `facts`. Its first request is `first`.
pub(super) fn script(
    u: &mut Unstructured<'_>,
    world: &World,
    facts: &Facts,
    first: &Request,
) -> Result<Script> {
    let piece_len = *u.choose(&[usize::MAX, 4_096, 100, 13, 1])?;
    let mut client = Client::new(facts);
    client.settings(u)?;
    if u.arbitrary()? {
        client.frame(SETTINGS, ACK, 0, &[]);
    }
    client.ask(u, first)?;
    for _ in 0..u.int_in_range(0..=24)? {
        match u.int_in_range(0..=15)? {
            0..=6 => {
                let request = generate::another_request(u, world, facts)?;
                client.ask(u, &request)?;
            }
            7 | 8 => client.upload(u)?,
            9 => client.grant(u)?,
            10 => client.settings(u)?,
            11 => client.frame(PING, 0, 0, b"8 octets"),
            12 => client.unremarkable(u)?,
            13 => client.reset(u)?,
            14 => client.disorder(u)?,
            _ => client.trailers(u)?,
        }
    }
    let pieces = client.sent.chunks(piece_len).map(<[u8]>::to_vec).collect();
    Ok(Script {
        sent: client.sent,
        pieces,
        orderly: client.orderly,
        asked: client.asked,
        reset: client.reset,
        malformed: client.malformed,
        unfinished: client.open.into_iter().collect(),
        header_table_max: client.header_table_max,
        shrinks: client.shrinks,
    })
}

struct Client {
    scheme: &'static str,
    sent: Vec<u8>,
    orderly: bool,
    next_stream: u32,
    asked: BTreeSet<u32>,
    reset: BTreeSet<u32>,
    malformed: BTreeSet<u32>,
    /// The streams that the client has not ended.
    open: Vec<u32>,
    uploaded: usize,
    header_table_max: usize,
    initial_window: u32,
    shrinks: bool,
    table: Table,
}

impl Client {
    fn new(facts: &Facts) -> Self {
        Self {
            scheme: match facts.transport {
                Transport::Tls | Transport::GatewayHttps => "https",
                Transport::Cleartext | Transport::GatewayHttp => "http",
            },
            sent: PREFACE.to_vec(),
            orderly: true,
            next_stream: 1,
            asked: BTreeSet::new(),
            reset: BTreeSet::new(),
            malformed: BTreeSet::new(),
            open: Vec::new(),
            uploaded: 0,
            header_table_max: TABLE_MAX,
            initial_window: 65_535,
            shrinks: false,
            table: Table::default(),
        }
    }

    fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let [.., l0, l1, l2] = payload.len().to_be_bytes();
        self.sent.extend_from_slice(&[l0, l1, l2, kind, flags]);
        self.sent.extend_from_slice(&stream.to_be_bytes());
        self.sent.extend_from_slice(payload);
    }

    /// Sends valid SETTINGS (RFC 9113 §6.5.2).
    fn settings(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let mut payload = Vec::new();
        for _ in 0..u.int_in_range(0..=2)? {
            let (id, values): (u16, &[u32]) = *u.choose(&[
                (HEADER_TABLE_SIZE, &[0, 100, 4_096, 65_536][..]),
                (INITIAL_WINDOW_SIZE, &[0, 1, 31, 1_000, 65_535, 1 << 20]),
                (0x2, &[0]),
                (0x3, &[0, 1, 100]),
                (MAX_FRAME_SIZE, &[16_384, 100_000, (1 << 24) - 1]),
                (0x6, &[0, 100, 65_536]),
                (0xabcd, &[7]),
            ])?;
            let value = *u.choose(values)?;
            match id {
                HEADER_TABLE_SIZE => {
                    self.header_table_max = self.header_table_max.max(value as usize);
                    self.shrinks |= (value as usize) < TABLE_MAX && !self.asked.is_empty();
                }
                INITIAL_WINDOW_SIZE => {
                    self.shrinks |= value < self.initial_window && !self.asked.is_empty();
                    self.initial_window = value;
                }
                _ => {}
            }
            payload.extend_from_slice(&id.to_be_bytes());
            payload.extend_from_slice(&value.to_be_bytes());
        }
        self.frame(SETTINGS, 0, 0, &payload);
        Ok(())
    }

    /// Sends a request on the next stream.
    fn ask(&mut self, u: &mut Unstructured<'_>, request: &Request) -> Result<()> {
        let stream = self.next_stream;
        self.next_stream += 2;
        self.asked.insert(stream);
        let block = self.block(u, request)?;
        let ends = u.ratio(2, 3)?;
        if !ends {
            self.open.push(stream);
        }
        self.headers(u, stream, ends, &block)
    }

    /// Sends a header block in HEADERS, and sometimes CONTINUATION, sometimes with padding and
    /// priority.
    fn headers(
        &mut self,
        u: &mut Unstructured<'_>,
        stream: u32,
        ends: bool,
        block: &[u8],
    ) -> Result<()> {
        let cut = if seldom(u, 6)? { u.int_in_range(0..=block.len())? } else { block.len() };
        let (first, mut rest) = block.split_at(cut);
        let mut flags = if ends { END_STREAM } else { 0 };
        let mut payload = Vec::new();
        let padding: u8 = if seldom(u, 8)? { u.arbitrary()? } else { 0 };
        if padding > 0 {
            flags |= PADDED;
            payload.push(padding);
        }
        if seldom(u, 8)? {
            flags |= PRIORITIZED;
            payload.extend_from_slice(&[0, 0, 0, 0, 16]);
        }
        payload.extend_from_slice(first);
        payload.extend(std::iter::repeat_n(0, usize::from(padding)));
        if rest.is_empty() {
            flags |= END_HEADERS;
        }
        self.frame(HEADERS, flags, stream, &payload);
        for left in (0..CONTINUATIONS_MAX).rev() {
            if rest.is_empty() {
                break;
            }
            let len = if left == 0 { rest.len() } else { u.int_in_range(1..=rest.len())? };
            let (fragment, after) = rest.split_at(len);
            let flags = if after.is_empty() { END_HEADERS } else { 0 };
            self.frame(CONTINUATION, flags, stream, fragment);
            rest = after;
        }
        Ok(())
    }

    /// Encodes the fields of a request: pseudo-header fields, then the others (RFC 9113 §8.3).
    fn block(&mut self, u: &mut Unstructured<'_>, request: &Request) -> Result<Vec<u8>> {
        let own_scheme = self.scheme.as_bytes();
        let scheme = match &request.scheme {
            Some(scheme) => Some(&**scheme),
            None => (!seldom(u, 16)?).then_some(own_scheme),
        };
        let method: &[u8] = match request.method {
            Method::Ordinary => u.choose(&[&b"GET"[..], b"GET", b"POST", b"HEAD", b"PUT"])?,
            Method::Connect | Method::ExtendedConnect => b"CONNECT",
        };
        let mut fields: Vec<(&[u8], &[u8])> = vec![(b":method", method)];
        if request.method != Method::Connect {
            fields.extend(scheme.map(|scheme| (&b":scheme"[..], scheme)));
            fields.push((b":path", *u.choose(&[&b"/"[..], b"/", b"/a?b"])?));
        }
        if request.method == Method::ExtendedConnect {
            fields.push((b":protocol", b"websocket"));
        }
        fields
            .extend(request.authority.as_deref().map(|authority| (&b":authority"[..], authority)));
        fields.extend(request.hosts.iter().map(|host| (&b"host"[..], &**host)));
        if seldom(u, 4)? {
            fields.push((b"x-a", *u.choose(&[&b"1"[..], b"", b"2"])?));
        }
        if seldom(u, 8)? {
            fields.push(*u.choose(MALFORMED)?);
            self.malformed.insert(self.next_stream.saturating_sub(2));
        }
        let mut block = Vec::new();
        if seldom(u, 16)? {
            // Empties the table and restores its size (RFC 7541 §4.2).
            self.table.entries.clear();
            integer(&mut block, 0x20, 5, 0);
            integer(&mut block, 0x20, 5, TABLE_MAX);
        }
        for (name, value) in fields {
            self.table.encode(u, &mut block, name, value)?;
        }
        Ok(block)
    }

    /// Sends DATA on a stream that the client has not ended.
    fn upload(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        if self.open.is_empty() {
            return Ok(());
        }
        let at = u.choose_index(self.open.len())?;
        let stream = self.open[at];
        let len = *u.choose(&[0, 1, 1_000, 16_384])?;
        let len = if self.uploaded + len > UPLOADED_MAX { 0 } else { len };
        self.uploaded += len;
        let ends = seldom(u, 3)?;
        self.frame(DATA, u8::from(ends), stream, &vec![b'u'; len]);
        if ends {
            self.open.swap_remove(at);
        }
        Ok(())
    }

    /// Sends trailers (RFC 9113 §8.1).
    fn trailers(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let Some(stream) = self.open.pop() else { return Ok(()) };
        let mut block = Vec::new();
        self.table.encode(u, &mut block, b"x-a", b"1")?;
        if seldom(u, 4)? {
            let (name, value) = *u.choose(MALFORMED)?;
            self.table.encode(u, &mut block, name, value)?;
            self.reset.insert(stream);
        }
        self.headers(u, stream, true, &block)
    }

    fn any_stream(&self, u: &mut Unstructured<'_>) -> Result<u32> {
        Ok(1 + 2 * u.int_in_range(0..=(self.next_stream - 3) / 2)?)
    }

    /// Grants window to the connection, or to a stream that was opened.
    fn grant(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let stream = if u.arbitrary()? { self.any_stream(u)? } else { 0 };
        let increment: u32 = *u.choose(&[1, 31, 1_000, 1 << 16])?;
        self.frame(WINDOW_UPDATE, 0, stream, &increment.to_be_bytes());
        Ok(())
    }

    /// Sends frames that the server must ignore (RFC 9113 §5.5, §5.3.2).
    fn unremarkable(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let stream = self.any_stream(u)?;
        if u.arbitrary()? {
            self.frame(PRIORITY, 0, stream, &[0, 0, 0, 0, 9]);
        } else {
            self.frame(u.int_in_range(0xa..=u8::MAX)?, u.arbitrary()?, stream, b"whatever");
        }
        Ok(())
    }

    fn reset(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let stream = self.any_stream(u)?;
        if self.reset.len() < RESETS_MAX && self.reset.insert(stream) {
            self.open.retain(|open| *open != stream);
            self.frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes());
        }
        Ok(())
    }

    /// Sends anything.
    fn disorder(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        self.orderly = false;
        let len = u.int_in_range(0..=32)?.min(u.len());
        let octets = u.bytes(len)?;
        let stream = match u.int_in_range(0..=3)? {
            0 => 0,
            1 => self.next_stream,
            2 => self.any_stream(u)?,
            _ => u.arbitrary()?,
        };
        match u.int_in_range(0..=3)? {
            0 => self.sent.extend_from_slice(octets),
            1 => self.headers(u, stream, true, octets)?,
            _ => self.frame(u.int_in_range(0..=0xc)?, u.arbitrary()?, stream, octets),
        }
        // Later requests may use a higher stream.
        self.next_stream = self.next_stream.max(stream & 0xff | 1);
        Ok(())
    }
}

/// The content of the other side's dynamic table, newest first (RFC 7541 §2.3.2).
#[derive(Default)]
struct Table {
    entries: VecDeque<(Vec<u8>, Vec<u8>)>,
}

impl Table {
    /// Appends a field in one of the forms of RFC 7541 §6.
    fn encode(
        &mut self,
        u: &mut Unstructured<'_>,
        block: &mut Vec<u8>,
        name: &[u8],
        value: &[u8],
    ) -> Result<()> {
        let known = self.entries.iter().position(|(n, v)| n == name && v == value);
        if let Some(at) = known.filter(|_| u.ratio(3, 4).unwrap_or_default()) {
            integer(block, 0x80, 7, 62 + at);
            return Ok(());
        }
        let whole = match (name, value) {
            (b":method", b"GET") => Some(2),
            (b":method", b"POST") => Some(3),
            (b":path", b"/") => Some(4),
            (b":scheme", b"http") => Some(6),
            (b":scheme", b"https") => Some(7),
            _ => None,
        };
        if let Some(index) = whole.filter(|_| u.ratio(3, 4).unwrap_or_default()) {
            integer(block, 0x80, 7, index);
            return Ok(());
        }
        let (form, bits) = *u.choose(&[(0x40, 6), (0x40, 6), (0x00, 4), (0x10, 4)])?;
        let index = match name {
            b":authority" => 1,
            b":method" => 2,
            b":path" => 4,
            b":scheme" => 6,
            b"host" => 38,
            _ => 0,
        };
        let index = if seldom(u, 8)? { 0 } else { index };
        integer(block, form, bits, index);
        if index == 0 {
            integer(block, 0, 7, name.len());
            block.extend_from_slice(name);
        }
        integer(block, 0, 7, value.len());
        block.extend_from_slice(value);
        if form == 0x40 {
            self.entries.push_front((name.to_vec(), value.to_vec()));
            let size = |(name, value): &(Vec<u8>, Vec<u8>)| name.len() + value.len() + 32;
            while self.entries.iter().map(size).sum::<usize>() > TABLE_MAX {
                self.entries.pop_back();
            }
        }
        Ok(())
    }
}

/// Encodes an integer (RFC 7541 §5.1).
fn integer(block: &mut Vec<u8>, first: u8, prefix_bits: u32, value: usize) {
    let max = (1 << prefix_bits) - 1;
    let low = |value: usize| u8::try_from(value & 0x7f).expect("seven bits");
    if value < max {
        block.push(first | low(value));
        return;
    }
    block.push(first | low(max));
    let mut rest = value - max;
    while rest >= 0x80 {
        block.push(low(rest) | 0x80);
        rest >>= 7;
    }
    block.push(low(rest));
}
