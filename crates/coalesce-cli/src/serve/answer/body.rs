//! Content in both directions, at the pace of the slower end.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::serve::answer::pace::{Pace, TooSlow};
use crate::serve::answer::reply::{Reply, Sending, head};
use crate::serve::answer::upstream_fields;
use crate::serve::limits::CHUNK_BYTES_MAX;

/// The reason why content was not sent to its end.
#[derive(Debug)]
enum SendError<E> {
    /// The client has reset the stream or closed the connection.
    ClientGone,
    /// The client reads more slowly than the lowest pace.
    TooSlow,
    /// The content is longer or shorter than the head says.
    WrongLength,
    /// The content failed before it arrived here.
    Content(E),
}

impl<E: fmt::Display> fmt::Display for SendError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientGone => f.write_str("the client has left"),
            Self::TooSlow => f.write_str("the client takes content too slowly"),
            Self::WrongLength => {
                f.write_str("the content does not have the length that was declared")
            }
            Self::Content(error) => write!(f, "the content broke off: {error}"),
        }
    }
}

/// Sends an answer whose content arrives in pieces.
pub(super) async fn send_streaming<B>(answer: Response<B>, reply: Reply, method: &Method)
where
    B: Body<Data = Bytes>,
    B::Error: fmt::Display,
{
    let (parts, content) = answer.into_parts();
    let status = parts.status;
    let no_content = *method == Method::HEAD || content.is_end_stream();
    // RFC 9110 §8.6: the length of these is that of other content.
    let is_of_other = *method == Method::HEAD || status == StatusCode::NOT_MODIFIED;
    let declared = if is_of_other { None } else { length(&parts.headers) };
    if no_content && declared.is_some_and(|length| length > 0) {
        tracing::debug!("an answer without content declares a length");
        return reply.reset(Reason::INTERNAL_ERROR);
    }
    let Ok(mut sending) = reply.begin(head(status, parts.headers), no_content) else { return };
    if !no_content && let Err(error) = send(&mut sending, content, declared).await {
        tracing::debug!(%error, "answer broken off");
        return;
    }
    tracing::debug!(status = status.as_u16(), %method, "answered");
}

/// Sends `content` piece by piece as the client makes room. Resets the stream if the content breaks
/// off, so the client cannot take a part for the whole.
async fn send<B>(
    answer: &mut Sending,
    content: B,
    mut left: Option<u64>,
) -> Result<(), SendError<B::Error>>
where
    B: Body<Data = Bytes>,
{
    let mut content = pin!(content);
    let mut pace = Pace::default();
    loop {
        let frame = tokio::select! {
            biased;
            frame = content.frame() => frame,
            // The client may leave while the server waits for content.
            _ = poll_fn(|context| answer.stream.poll_reset(context)) => {
                return Err(SendError::ClientGone);
            }
        };
        match frame {
            None => {
                is_whole(answer, left)?;
                return answer.data(Bytes::new(), true).map_err(|_| SendError::ClientGone);
            }
            Some(Err(error)) => {
                answer.stream.send_reset(Reason::INTERNAL_ERROR);
                return Err(SendError::Content(error));
            }
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    let last = content.is_end_stream();
                    left = subtract(answer, left, data.len())?;
                    if last {
                        is_whole(answer, left)?;
                    }
                    send_piece(answer, data, last, &mut pace).await?;
                    if last {
                        return Ok(());
                    }
                }
                Err(frame) => {
                    if let Ok(mut trailers) = frame.into_trailers() {
                        is_whole(answer, left)?;
                        upstream_fields::trailers(&mut trailers);
                        return answer.trailers(trailers).map_err(|_| SendError::ClientGone);
                    }
                }
            },
        }
    }
}

/// Returns how much of the declared length is left after a piece of this length. Content that is
/// longer resets the stream before any of the piece is sent.
fn subtract<E>(
    answer: &mut Sending,
    left: Option<u64>,
    piece: usize,
) -> Result<Option<u64>, SendError<E>> {
    let Some(left) = left else { return Ok(None) };
    let rest = u64::try_from(piece).ok().and_then(|piece| left.checked_sub(piece));
    if rest.is_none() {
        answer.stream.send_reset(Reason::INTERNAL_ERROR);
        return Err(SendError::WrongLength);
    }
    Ok(rest)
}

/// Checks that nothing of the declared length is left. Content that is shorter resets the stream.
fn is_whole<E>(answer: &mut Sending, left: Option<u64>) -> Result<(), SendError<E>> {
    if left.is_some_and(|left| left > 0) {
        answer.stream.send_reset(Reason::INTERNAL_ERROR);
        return Err(SendError::WrongLength);
    }
    Ok(())
}

/// Sends one piece as the window allows.
async fn send_piece<E>(
    answer: &mut Sending,
    mut data: Bytes,
    last: bool,
    pace: &mut Pace,
) -> Result<(), SendError<E>> {
    if data.is_empty() && last {
        return answer.data(data, true).map_err(|_| SendError::ClientGone);
    }
    while !data.is_empty() {
        answer.stream.reserve_capacity(data.len().min(CHUNK_BYTES_MAX));
        let mut room = answer.stream.capacity();
        while room == 0 {
            let begun = Instant::now();
            let more = poll_fn(|context| poll_room(&mut answer.stream, context));
            if let Ok(more) = timeout(pace.time_left(), more).await {
                room = more.ok_or(SendError::ClientGone)?;
            }
            if pace.waited(begun.elapsed()) == Err(TooSlow) {
                answer.stream.send_reset(Reason::CANCEL);
                return Err(SendError::TooSlow);
            }
        }
        let piece = data.split_to(room.min(data.len()));
        pace.moved(piece.len());
        let sent = answer.data(piece, last && data.is_empty());
        sent.map_err(|_| SendError::ClientGone)?;
    }
    Ok(())
}

/// Polls for room for the next piece; `None` if the client has left. Waiting for room alone would
/// not notice that.
fn poll_room(stream: &mut SendStream<Bytes>, context: &mut Context<'_>) -> Poll<Option<usize>> {
    if let Poll::Ready(room) = stream.poll_capacity(context) {
        return Poll::Ready(room.and_then(Result::ok));
    }
    stream.poll_reset(context).map(|_| None)
}

/// The progress of a request's content, shared by the content and the code that waits for the
/// answer.
#[derive(Clone, Debug)]
pub(super) struct UploadProgress(Arc<Progress>);

#[derive(Debug)]
struct Progress {
    last: Mutex<Instant>,
    is_answered: AtomicBool,
    is_waiting: AtomicBool,
    is_too_slow: AtomicBool,
    has_ended: AtomicBool,
}

impl UploadProgress {
    pub(super) fn new() -> Self {
        Self(Arc::new(Progress {
            last: Mutex::new(Instant::now()),
            is_answered: AtomicBool::new(false),
            is_waiting: AtomicBool::new(false),
            is_too_slow: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
        }))
    }

    /// Returns the time of the last progress.
    pub(super) fn last(&self) -> Instant {
        // An instant is valid at any moment, even after a panic.
        *self.0.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn moved(&self) {
        *self.0.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Records that the answer has begun. From now on the client may pause, because in some
    /// protocols requests and answers alternate.
    pub(super) fn answered(&self) {
        self.0.is_answered.store(true, Ordering::Relaxed);
    }

    /// Returns true if the server waits for the client.
    pub(super) fn is_waiting(&self) -> bool {
        self.0.is_waiting.load(Ordering::Relaxed)
    }

    /// Returns true if the content broke off because the client is too slow.
    pub(super) fn is_too_slow(&self) -> bool {
        self.0.is_too_slow.load(Ordering::Relaxed)
    }

    /// Returns whether the content was read to its end.
    pub(super) fn has_ended(&self) -> bool {
        self.0.has_ended.load(Ordering::Relaxed)
    }

    fn ended(&self) {
        self.0.has_ended.store(true, Ordering::Relaxed);
    }
}

/// The reason why the content of a request breaks off.
#[derive(Debug)]
pub(super) enum UploadError {
    /// The client has reset the stream, or its content is malformed.
    Client(h2::Error),
    /// The client sends more slowly than the lowest pace.
    TooSlow,
}

impl fmt::Display for UploadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(error) => error.fmt(f),
            Self::TooSlow => f.write_str("the client sends content too slowly"),
        }
    }
}

impl std::error::Error for UploadError {}

/// The content of a request, read from its stream on demand. The window of a piece returns to the
/// client when the piece is read, so at most one window of content is in memory.
#[derive(Debug)]
pub(super) struct RequestBody {
    /// `None` if no content is to come.
    stream: Option<RecvStream>,
    /// The bytes still to come, if the request declares its length.
    left: Option<u64>,
    progress: UploadProgress,
    pace: Pace,
    /// The current wait for the client.
    wait: Option<Wait>,
}

/// A wait for the client since `begun`, until `end` at most.
#[derive(Debug)]
struct Wait {
    begun: Instant,
    end: Pin<Box<Sleep>>,
}

impl RequestBody {
    /// Takes the body of `request`.
    pub(super) fn take(
        request: Request<RecvStream>,
        progress: UploadProgress,
    ) -> (http::request::Parts, Self) {
        let (parts, stream) = request.into_parts();
        let ended = stream.is_end_stream();
        if ended {
            progress.ended();
        }
        let left = if ended { Some(0) } else { length(&parts.headers) };
        (parts, Self::new((!ended).then_some(stream), left, progress))
    }

    fn new(stream: Option<RecvStream>, left: Option<u64>, progress: UploadProgress) -> Self {
        Self { stream, left, progress, pace: Pace::default(), wait: None }
    }

    /// Returns a copy for a second attempt, if the body is empty.
    pub(super) fn copy_if_empty(&self) -> Option<Self> {
        match self.stream {
            None => Some(Self::new(None, Some(0), self.progress.clone())),
            Some(_) => None,
        }
    }

    fn poll_stream(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(None) };
        match ready!(stream.poll_data(context)) {
            Some(Ok(data)) => {
                self.progress.moved();
                self.pace.moved(data.len());
                let taken = u64::try_from(data.len()).unwrap_or(u64::MAX);
                self.left = self.left.map(|left| left.saturating_sub(taken));
                stream.flow_control().release_capacity(data.len())?;
                if stream.is_end_stream() {
                    self.progress.ended();
                }
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(error))),
            None => {
                let trailers = ready!(stream.poll_trailers(context))?;
                self.progress.ended();
                Poll::Ready(trailers.map(|mut trailers| {
                    upstream_fields::request_trailers(&mut trailers);
                    Ok(Frame::trailers(trailers))
                }))
            }
        }
    }

    /// Waits for the client as long as its pace allows.
    fn poll_too_slow(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let time_left = self.pace.time_left();
            self.progress.0.is_waiting.store(true, Ordering::Relaxed);
            let wait = self.wait.get_or_insert_with(|| {
                let begun = Instant::now();
                Wait { begun, end: Box::pin(sleep_until(begun + time_left)) }
            });
            ready!(wait.end.as_mut().poll(context));
            if self.end_wait() == Err(TooSlow) {
                return Poll::Ready(());
            }
        }
    }

    /// Records the time for which the server waited.
    fn end_wait(&mut self) -> Result<(), TooSlow> {
        let Some(wait) = self.wait.take() else { return Ok(()) };
        self.progress.0.is_waiting.store(false, Ordering::Relaxed);
        let waited = self.pace.waited(wait.begun.elapsed());
        let is_answered = self.progress.0.is_answered.load(Ordering::Relaxed);
        if is_answered { Ok(()) } else { waited }
    }
}

/// Returns the declared length of content. `h2` and [`upstream_fields::answer`] leave one value.
fn length(fields: &HeaderMap) -> Option<u64> {
    fields.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let is_too_slow = match self.poll_stream(context) {
            Poll::Ready(frame) => match self.end_wait() {
                Ok(()) => {
                    return Poll::Ready(frame.map(|frame| frame.map_err(UploadError::Client)));
                }
                Err(TooSlow) => Poll::Ready(()),
            },
            Poll::Pending => self.poll_too_slow(context),
        };
        ready!(is_too_slow);
        self.progress.0.is_too_slow.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(UploadError::TooSlow)))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.as_ref().is_none_or(RecvStream::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map(SizeHint::with_exact).unwrap_or_default()
    }
}
