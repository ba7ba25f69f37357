//! The answers that the adapter sends without the application.

use bytes::Bytes;
use coalesce_http::{Answer, MisdirectedContent, Refusal};
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, DATE};
use http::{HeaderValue, Method, Response};

use crate::date::{date, write_date};
use crate::engine::frame::{DATA, END_HEADERS, END_STREAM, HEADERS, push_header, set_stream};
use crate::engine::integer::push_integer;
use crate::uploads::Upload;

/// The longest content of a 421 that goes out without `h2`, and the longest field block. A longer
/// answer gains little. Each fits in one frame for any client (RFC 9113 §4.2).
const EARLY_LEN_MAX: usize = 1_024;

/// The answers of a server, made once and shared by its connections.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    all: coalesce_http::Answers,
    /// The 421 as frames.
    pub(crate) early: Option<EarlyTemplate>,
}

impl Answers {
    /// Replaces the content of the 421.
    pub(crate) fn set_misdirected_content(&mut self, content: MisdirectedContent) {
        self.all.set_misdirected_content(content);
        self.early = EarlyTemplate::new(self.all.get(Refusal::Misdirected));
    }

    /// Replaces the methods in the `allow` field of the 405.
    pub(crate) fn set_allow(&mut self, methods: HeaderValue) {
        self.all.set_allow(methods);
    }

    pub(crate) const fn get(&self, refusal: Refusal) -> &Answer {
        self.all.get(refusal)
    }
}

impl Default for Answers {
    fn default() -> Self {
        let all = coalesce_http::Answers::default();
        let early = EarlyTemplate::new(all.get(Refusal::Misdirected));
        Self { all, early }
    }
}

/// Answers a stream and ends it.
///
/// # Errors
/// The client has reset the stream, so no answer is needed.
pub(crate) fn send(
    answer: &Answer,
    method: &Method,
    respond: SendResponse<Bytes>,
) -> Result<(), h2::Error> {
    let content = answer.content(method);
    let mut stream = send_fields(answer, &content, respond)?;
    if content.is_empty() { Ok(()) } else { stream.send_data(content, true) }
}

/// Answers a stream whose request body is still arriving; see [`Upload`].
///
/// # Errors
/// The client has reset the stream, so no answer is needed.
pub(crate) fn send_to_upload(
    answer: &Answer,
    method: &Method,
    respond: SendResponse<Bytes>,
    body: RecvStream,
) -> Result<Upload, h2::Error> {
    let content = answer.content(method);
    let stream = send_fields(answer, &content, respond)?;
    Upload::new(stream, content, body)
}

fn send_fields(
    answer: &Answer,
    content: &Bytes,
    mut respond: SendResponse<Bytes>,
) -> Result<SendStream<Bytes>, h2::Error> {
    let mut response = Response::new(());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.fields().clone();
    response.headers_mut().insert(DATE, date());
    respond.send_response(response, content.is_empty())
}

/// An answer as bytes of the wire, for any stream of any connection: its fields neither enter nor
/// need a dynamic table (RFC 7541 §6.2.2).
#[derive(Clone, Debug)]
pub(crate) struct EarlyTemplate {
    /// The HEADERS frame up to the date.
    before: Vec<u8>,
    /// The DATA frame, which follows the date; empty if the answer has no content.
    after: Vec<u8>,
    content_len: u32,
}

impl EarlyTemplate {
    /// Encodes an answer; `None` if a part is longer than [`EARLY_LEN_MAX`].
    fn new(answer: &Answer) -> Option<Self> {
        let body = answer.content(&Method::GET);
        let mut block = Vec::new();
        push_field(STATUS_INDEX, answer.status().as_str().as_bytes(), &mut block);
        for (name, index) in [(CACHE_CONTROL, 24), (CONTENT_LENGTH, 28), (CONTENT_TYPE, 31)] {
            if let Some(value) = answer.fields().get(name) {
                push_field(index, value.as_bytes(), &mut block);
            }
        }
        let date = date();
        push_field(DATE_INDEX, date.as_bytes(), &mut block);
        if block.len() > EARLY_LEN_MAX || body.len() > EARLY_LEN_MAX {
            return None;
        }
        let mut before = Vec::new();
        let flags = if body.is_empty() { END_HEADERS | END_STREAM } else { END_HEADERS };
        push_header(block.len(), HEADERS, flags, &mut before);
        let fields_len = block.len().checked_sub(date.len())?;
        before.extend_from_slice(block.get(..fields_len)?);
        let mut after = Vec::new();
        if !body.is_empty() {
            push_header(body.len(), DATA, END_STREAM, &mut after);
            after.extend_from_slice(&body);
        }
        Some(Self { before, after, content_len: u32::try_from(body.len()).ok()? })
    }

    /// Returns the bytes of flow-control window that the answer uses.
    pub(crate) const fn content_len(&self) -> u32 {
        self.content_len
    }

    /// Appends the answer for a stream.
    pub(crate) fn write(&self, stream_id: u32, out: &mut Vec<u8>) {
        push_for(stream_id, &self.before, out);
        write_date(out);
        push_for(stream_id, &self.after, out);
    }
}

/// Appends a frame, or its beginning, with the number of the stream in its header.
fn push_for(stream_id: u32, frame: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(frame);
    set_stream(stream_id, out.get_mut(start..).unwrap_or_default());
}

/// `:status` and `date` in the static table (RFC 7541 Appendix A).
const STATUS_INDEX: usize = 8;
const DATE_INDEX: usize = 33;

/// Appends a literal without indexing whose name is in the static table (RFC 7541 §6.2.2).
fn push_field(name: usize, value: &[u8], block: &mut Vec<u8>) {
    push_integer(name, 0x0f, 0, block);
    push_integer(value.len(), 0x7f, 0, block);
    block.extend_from_slice(value);
}
