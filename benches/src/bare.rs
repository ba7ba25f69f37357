//! The baseline: `h2` and nothing else.
//!
//! Its answers equal those of Coalesce, field for field: 200 and a small text for the one host that
//! it serves, and 421 for every other host. It reads a request body to its end before a 200, and
//! does not read it before a 421. For these answers it does the least possible work: it compares
//! the host with one string.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, DATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};

/// The content of every 200.
pub const CONTENT: &[u8] = b"hello world\n";

/// The prebuilt answers of the server.
#[derive(Debug)]
pub struct Answers {
    host: String,
    /// The answer for the served host.
    pub served: Answer,
    misdirected: Answer,
}

/// An answer that can be sent any number of times.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    fields: HeaderMap,
    body: Bytes,
}

impl Answers {
    /// Makes the answers of a server for one host.
    #[must_use]
    pub fn new(host: String) -> Self {
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        let served = Answer::new(StatusCode::OK, &[(CONTENT_TYPE, text)], CONTENT);
        let misdirected = Answer::new(
            StatusCode::MISDIRECTED_REQUEST,
            &[
                (CACHE_CONTROL, HeaderValue::from_static("no-store")),
                (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            ],
            br#"{"error":"misdirected_request"}"#,
        );
        Self { host, served, misdirected }
    }
}

impl Answer {
    fn new(status: StatusCode, fields: &[(HeaderName, HeaderValue)], body: &'static [u8]) -> Self {
        // Reserves room for all fields, so that no copy of the map grows.
        let mut map = HeaderMap::with_capacity(4);
        map.extend(fields.iter().cloned());
        map.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        Self { status, fields: map, body: Bytes::from_static(body) }
    }

    /// Answers a stream and ends it.
    ///
    /// # Errors
    /// Returns an error if the stream has ended already.
    pub fn send(&self, mut respond: SendResponse<Bytes>) -> Result<(), h2::Error> {
        let mut response = Response::new(());
        *response.status_mut() = self.status;
        *response.headers_mut() = self.fields.clone();
        response.headers_mut().insert(DATE, date());
        respond.send_response(response, false)?.send_data(self.body.clone(), true)
    }
}

/// Serves one connection until it ends, on a tokio runtime.
///
/// # Errors
/// Returns an error if the connection does not end normally.
pub async fn serve<T>(io: T, answers: Arc<Answers>) -> Result<(), h2::Error>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    // The limits of `coalesce_h2::limits`, so that only the work differs.
    let mut connection = h2::server::Builder::new()
        .max_concurrent_streams(coalesce_h2::limits::CONCURRENT_STREAMS_MAX)
        .max_header_list_size(coalesce_h2::limits::HEADER_LIST_BYTES_MAX)
        .initial_window_size(coalesce_h2::limits::STREAM_WINDOW_BYTES)
        .initial_connection_window_size(coalesce_h2::limits::CONNECTION_WINDOW_BYTES)
        .max_concurrent_reset_streams(coalesce_h2::limits::RESET_STREAMS_REMEMBERED)
        .reset_stream_duration(coalesce_h2::limits::RESET_STREAM_DURATION)
        .max_local_error_reset_streams(Some(coalesce_h2::limits::STREAM_ERRORS_MAX))
        .handshake(io)
        .await?;
    while let Some(accepted) = connection.accept().await {
        let (request, respond) = accepted?;
        if request.uri().host() != Some(answers.host.as_str()) {
            answers.misdirected.send(respond)?;
        } else if request.body().is_end_stream() {
            answers.served.send(respond)?;
        } else {
            tokio::spawn(read_and_answer(request.into_body(), respond, answers.clone()));
        }
    }
    Ok(())
}

async fn read_and_answer(
    mut body: RecvStream,
    respond: SendResponse<Bytes>,
    answers: Arc<Answers>,
) -> Result<(), h2::Error> {
    while let Some(data) = body.data().await {
        let len = data?.len();
        body.flow_control().release_capacity(len)?;
    }
    answers.served.send(respond)
}

/// Returns the `date` field, formatted once a second for each thread.
fn date() -> HeaderValue {
    thread_local!(static NOW: RefCell<Option<(u64, HeaderValue)>> = const { RefCell::new(None) });
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    NOW.with_borrow_mut(|cached| match cached {
        Some((of, value)) if *of == second => value.clone(),
        _ => {
            let text = httpdate::fmt_http_date(now);
            let value = HeaderValue::try_from(text).expect("a date is a field value");
            *cached = Some((second, value.clone()));
            value
        }
    })
}
