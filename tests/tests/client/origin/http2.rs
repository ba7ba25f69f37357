//! HTTP/2 frame by frame, so that a script may do what no library does.

use std::collections::HashMap;

use coalesce_tests::raw::{
    self, ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE, RST_STREAM,
    SETTINGS,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::log::Order;
use super::script::{Answer, goaway};
use super::served::Served;

/// A flag of DATA and HEADERS (RFC 9113 §6.1).
const PADDED: u8 = 0x8;
/// A flag of HEADERS (RFC 9113 §6.2).
const PRIORITY: u8 = 0x20;

enum Event {
    Frame(raw::Frame),
    Order(Order),
    Answer(u32, Answer, String),
    End,
}

/// An open stream.
#[derive(Debug, Default)]
struct Stream {
    block: Vec<u8>,
    request: Option<[String; 3]>,
    content: usize,
    ended: bool,
    answered: bool,
}

struct Http2 {
    served: Served,
    decoder: loona_hpack::Decoder<'static>,
    streams: HashMap<u32, Stream>,
    out: Vec<u8>,
    events: UnboundedSender<Event>,
    closing: bool,
}

/// Serves a connection to its end.
pub(super) async fn serve<T>(tls: T, served: Served, orders: UnboundedReceiver<Order>)
where
    T: AsyncRead + AsyncWrite + Send + 'static,
{
    let (reader, mut writer) = tokio::io::split(tls);
    let (events, mut next) = mpsc::unbounded_channel();
    tokio::spawn(read(reader, events.clone()));
    tokio::spawn(pass_on(orders, events.clone()));
    let script = served.script();
    script.settings_gate.passed().await;
    let out = [raw::settings(&script.settings), script.opening.clone()].concat();
    let decoder = loona_hpack::Decoder::new();
    let streams = HashMap::new();
    let mut http2 = Http2 { served, decoder, streams, out, events, closing: false };
    loop {
        if !http2.out.is_empty() {
            let written = writer.write_all(&http2.out).await;
            if written.is_err() || writer.flush().await.is_err() {
                break;
            }
            http2.out.clear();
        }
        if http2.closing {
            break;
        }
        match next.recv().await {
            Some(Event::Frame(frame)) => http2.frame(frame),
            Some(Event::Order(Order::Send(bytes))) => http2.out.extend(bytes),
            Some(Event::Answer(stream, answer, host)) => http2.answer(stream, answer, &host),
            Some(Event::Order(Order::Close) | Event::End) | None => break,
        }
    }
    // Fails if the client has closed the connection.
    let _ = writer.shutdown().await;
}

async fn pass_on(mut orders: UnboundedReceiver<Order>, events: UnboundedSender<Event>) {
    while let Some(order) = orders.recv().await {
        // Fails if the connection has ended.
        let _ = events.send(Event::Order(order));
    }
}

async fn read(mut reader: impl AsyncRead + Unpin, events: UnboundedSender<Event>) {
    let mut preface = [0; PREFACE.len()];
    let begun = reader.read_exact(&mut preface).await;
    if begun.is_ok() {
        assert_eq!(preface, PREFACE, "the client begins with its preface");
        while let Some(frame) = read_frame(&mut reader).await {
            if events.send(Event::Frame(frame)).is_err() {
                return;
            }
        }
    }
    let _ = events.send(Event::End);
}

async fn read_frame(reader: &mut (impl AsyncRead + Unpin)) -> Option<raw::Frame> {
    let mut header = [0; 9];
    reader.read_exact(&mut header).await.ok()?;
    let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = header;
    let mut payload = vec![0; u32::from_be_bytes([0, l0, l1, l2]) as usize];
    reader.read_exact(&mut payload).await.ok()?;
    Some(raw::Frame { kind, flags, stream: u32::from_be_bytes([s0, s1, s2, s3]), payload })
}

impl Http2 {
    fn frame(&mut self, frame: raw::Frame) {
        let raw::Frame { kind, flags, stream, payload } = frame;
        match kind {
            SETTINGS if flags & ACK == 0 => self.out.extend(raw::frame(SETTINGS, ACK, 0, &[])),
            PING if flags & ACK == 0 => self.out.extend(raw::frame(PING, ACK, 0, &payload)),
            RST_STREAM => {
                let code = u32::from_be_bytes(payload[..4].try_into().expect("a code"));
                self.served.reset(stream, code);
                self.streams.remove(&stream);
            }
            HEADERS | CONTINUATION => {
                let block = if kind == HEADERS { unpadded(flags, &payload) } else { &payload };
                let entry = self.streams.entry(stream).or_default();
                entry.block.extend_from_slice(block);
                entry.ended |= kind == HEADERS && flags & END_STREAM != 0;
                if flags & END_HEADERS != 0 {
                    self.head(stream);
                }
            }
            DATA => self.data(stream, flags, &payload),
            _ => {}
        }
    }

    fn head(&mut self, stream: u32) {
        let entry = self.streams.get_mut(&stream).expect("an open stream");
        let block = std::mem::take(&mut entry.block);
        let fields = self.decoder.decode(&block).expect("a header block");
        let field = |name: &str| {
            let found = fields.iter().find(|(found, _)| &**found == name.as_bytes());
            found.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
        };
        entry.request = Some([field(":method"), field(":authority"), field(":path")]);
        if entry.ended || self.served.script().early {
            self.request(stream);
        }
    }

    fn data(&mut self, stream: u32, flags: u8, payload: &[u8]) {
        let length = u32::try_from(payload.len()).expect("a short frame");
        if length > 0 {
            self.out.extend(raw::window_update(0, length));
        }
        let Some(entry) = self.streams.get_mut(&stream) else { return };
        if length > 0 && flags & END_STREAM == 0 && !self.served.script().early {
            self.out.extend(raw::window_update(stream, length));
        }
        entry.content += payload.len();
        if flags & END_STREAM != 0 {
            entry.ended = true;
            if entry.answered {
                self.streams.remove(&stream);
            } else {
                self.request(stream);
            }
        }
    }

    fn request(&mut self, stream: u32) {
        let open = self.streams.len();
        let entry = self.streams.get_mut(&stream).expect("an open stream");
        entry.answered = true;
        let [method, authority, path] = entry.request.take().expect("a head");
        let (host, answer) = self.served.request([method, authority, path], entry.content, open);
        self.answer(stream, answer, &host);
    }

    fn answer(&mut self, stream: u32, answer: Answer, host: &str) {
        match answer {
            // The client may have reset the stream while the answer waited.
            _ if !self.streams.contains_key(&stream) => {}
            Answer::Status(status) => self.response(stream, status, &[], host),
            Answer::With(status, name, value) => {
                let field = raw::literal(name.as_bytes(), value.as_bytes());
                self.response(stream, status, &field, host);
            }
            Answer::Reset(code) => {
                self.out.extend(raw::frame(RST_STREAM, 0, stream, &code.to_be_bytes()));
                self.streams.remove(&stream);
            }
            Answer::GoAway(last) => self.out.extend(goaway(last)),
            Answer::Close => self.closing = true,
            Answer::After(gate, answer) => {
                let (events, host) = (self.events.clone(), host.to_owned());
                tokio::spawn(async move {
                    gate.passed().await;
                    // Fails if the connection has ended.
                    let _ = events.send(Event::Answer(stream, *answer, host));
                });
            }
            Answer::Never => {}
        }
    }

    fn response(&mut self, stream: u32, status: u16, field: &[u8], host: &str) {
        // A literal without indexing, whose name is entry 8 of the static table.
        let block = [&[0x08], &*raw::string(status.to_string().as_bytes()), field].concat();
        self.out.extend(raw::frame(HEADERS, END_HEADERS, stream, &block));
        self.out.extend(raw::frame(DATA, END_STREAM, stream, host.as_bytes()));
        if self.streams.get(&stream).is_some_and(|it| it.ended) {
            self.streams.remove(&stream);
        }
    }
}

/// Returns the block of a HEADERS frame without padding and priority (RFC 9113 §6.2).
fn unpadded(flags: u8, payload: &[u8]) -> &[u8] {
    let (before, after) = match flags & PADDED {
        0 => (0, 0),
        _ => (1, usize::from(payload[0])),
    };
    let before = if flags & PRIORITY == 0 { before } else { before + 5 };
    &payload[before..payload.len() - after]
}
