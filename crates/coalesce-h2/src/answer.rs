//! The answers that the adapter gives itself.

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, DATE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use crate::date::{date, write_date};
use crate::engine::{DATA, END_HEADERS, END_STREAM, HEADERS, push_header, push_integer};
use crate::uploads::Upload;

/// The content of a 421. Never a routing detail: the same bytes for every reason, so that nobody
/// learns from them which names exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MisdirectedContent {
    /// `{"error":"misdirected_request"}` as `application/json`.
    #[default]
    Json,
    /// None.
    Empty,
    /// The user's own.
    Custom {
        /// The `content-type` field.
        content_type: HeaderValue,
        /// The bytes.
        body: Bytes,
    },
}

/// The longest content of a 421 that is sent without `h2`, and the longest field block: whoever
/// sends more does not count bytes. Each fits a frame of any client (RFC 9113 §4.2).
const EARLY_LEN_MAX: usize = 1_024;

/// The answers of a server, made once and shared by its connections.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    pub(crate) misdirected: Answer,
    /// The same as frames.
    pub(crate) early: Option<Early>,
    pub(crate) bad_request: Answer,
    pub(crate) method_not_allowed: Answer,
}

impl Answers {
    pub(crate) fn new(content: &MisdirectedContent, allow: HeaderValue) -> Self {
        let misdirected = match content {
            MisdirectedContent::Json => {
                Answer::json(StatusCode::MISDIRECTED_REQUEST, br#"{"error":"misdirected_request"}"#)
            }
            MisdirectedContent::Empty => {
                Answer::new(StatusCode::MISDIRECTED_REQUEST, None, Bytes::new())
            }
            MisdirectedContent::Custom { content_type, body } => Answer::new(
                StatusCode::MISDIRECTED_REQUEST,
                Some(content_type.clone()),
                body.clone(),
            ),
        };
        let bad_request = Answer::json(StatusCode::BAD_REQUEST, br#"{"error":"bad_request"}"#);
        // RFC 9110 §15.5.6: a 405 names the methods that are allowed.
        let mut method_not_allowed =
            Answer::json(StatusCode::METHOD_NOT_ALLOWED, br#"{"error":"method_not_allowed"}"#);
        method_not_allowed.fields.insert(ALLOW, allow);
        let early = Early::new(&misdirected);
        Self { misdirected, early, bad_request, method_not_allowed }
    }
}

/// One answer: status, fields, content.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    fields: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(status: StatusCode, body: &'static [u8]) -> Self {
        let json = HeaderValue::from_static("application/json");
        Self::new(status, Some(json), Bytes::from_static(body))
    }

    fn new(status: StatusCode, content_type: Option<HeaderValue>, body: Bytes) -> Self {
        let mut fields = HeaderMap::with_capacity(4);
        // RFC 9110 §15.1 lets nobody cache a 421 by heuristics; this says it to everybody else.
        fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        fields.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        if let Some(content_type) = content_type {
            fields.insert(CONTENT_TYPE, content_type);
        }
        Self { status, fields, body }
    }

    /// Answers a stream and ends it.
    ///
    /// # Errors
    /// The stream is gone already: nobody is left to be told.
    pub(crate) fn send(
        &self,
        method: &Method,
        respond: SendResponse<Bytes>,
    ) -> Result<(), h2::Error> {
        let content = self.content(method);
        let mut stream = self.send_fields(&content, respond)?;
        if content.is_empty() { Ok(()) } else { stream.send_data(content, true) }
    }

    /// Answers a stream whose request body is still coming; see [`Upload`].
    ///
    /// # Errors
    /// The stream is gone already: nobody is left to be told.
    pub(crate) fn send_to_upload(
        &self,
        method: &Method,
        respond: SendResponse<Bytes>,
        body: RecvStream,
    ) -> Result<Upload, h2::Error> {
        let content = self.content(method);
        let stream = self.send_fields(&content, respond)?;
        Upload::new(stream, content, body)
    }

    /// RFC 9110 §9.3.2: the answer to HEAD has the fields and no content.
    fn content(&self, method: &Method) -> Bytes {
        if *method == Method::HEAD { Bytes::new() } else { self.body.clone() }
    }

    fn send_fields(
        &self,
        content: &Bytes,
        mut respond: SendResponse<Bytes>,
    ) -> Result<SendStream<Bytes>, h2::Error> {
        let mut response = Response::new(());
        *response.status_mut() = self.status;
        *response.headers_mut() = self.fields.clone();
        response.headers_mut().insert(DATE, date());
        respond.send_response(response, content.is_empty())
    }
}

/// An answer as it goes over the wire, for any stream of any connection: no field of it enters or
/// needs a dynamic table (RFC 7541 §6.2.2).
#[derive(Clone, Debug)]
pub(crate) struct Early {
    /// A HEADERS frame up to the date, and what follows the date.
    before: Vec<u8>,
    after: Vec<u8>,
    content_len: u32,
}

/// Where a frame header names its stream (RFC 9113 §4.1).
const STREAM_AT: usize = 5;

impl Early {
    /// `None` if there is too much of it.
    fn new(answer: &Answer) -> Option<Self> {
        let body = &answer.body;
        let mut block = Vec::new();
        push_field(STATUS_INDEX, answer.status.as_str().as_bytes(), &mut block);
        for (name, index) in [(CACHE_CONTROL, 24), (CONTENT_LENGTH, 28), (CONTENT_TYPE, 31)] {
            if let Some(value) = answer.fields.get(name) {
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
            after.extend_from_slice(body);
        }
        Some(Self { before, after, content_len: u32::try_from(body.len()).ok()? })
    }

    /// What the answer takes of flow-control windows.
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

/// Appends what begins with a frame header, for this stream.
fn push_for(stream_id: u32, frame: &[u8], out: &mut Vec<u8>) {
    let at = out.len() + STREAM_AT;
    out.extend_from_slice(frame);
    if let Some(field) = out.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *field = stream_id.to_be_bytes();
    }
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
