//! The server connection: it accepts, decides, and passes on or answers.

use std::fmt;
use std::future::poll_fn;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use coalesce_core::{Authoritative, RequestTarget, Verdict};
use coalesce_http::target::TargetError;
use coalesce_http::{Decide, MisdirectedContent, Refusal, log};
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderValue, Request};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::answer::{Answers, send, send_to_upload};
use crate::engine::{Engine, ExtendedConnect, Settings, Shared, SyncState, Target};
use crate::error::{Error, Excess};
use crate::limits;
use crate::origin::{Announcer, OriginSet};
use crate::refusal_limit::Left;
use crate::target::{path_is_well_formed, remove_placeholders, with_target};
use crate::transport::Transport;
use crate::uploads::Uploads;

/// Settings of a server connection. The defaults are the constants of [`limits`].
///
/// # Examples
/// ```
/// use std::num::NonZeroU32;
///
/// use coalesce_h2::{Builder, MisdirectedContent};
///
/// let builder = Builder::new()
///     .misdirected_content(MisdirectedContent::Empty)
///     .refused_in_a_row(NonZeroU32::new(1000))
///     .concurrent_streams(50)
///     .stream_window_bytes(1 << 20)
///     .connection_window_bytes(4 << 20);
/// ```
#[derive(Clone, Debug)]
pub struct Builder {
    h2: h2::server::Builder,
    answers: Arc<Answers>,
    refused_in_a_row: Option<NonZeroU32>,
    extended_connect: ExtendedConnect,
    origins: OriginSet,
    batch_writes: bool,
    answer_early: bool,
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// Makes the default settings.
    pub fn new() -> Self {
        let mut h2 = h2::server::Builder::new();
        h2.max_concurrent_streams(limits::CONCURRENT_STREAMS_MAX)
            .max_header_list_size(limits::HEADER_LIST_BYTES_MAX)
            .initial_window_size(limits::STREAM_WINDOW_BYTES)
            .initial_connection_window_size(limits::CONNECTION_WINDOW_BYTES)
            .max_send_buffer_size(limits::SEND_BUFFER_BYTES)
            .max_concurrent_reset_streams(limits::RESET_STREAMS_REMEMBERED)
            .reset_stream_duration(limits::RESET_STREAM_DURATION)
            .max_local_error_reset_streams(Some(limits::STREAM_ERRORS_MAX))
            // `h2` must accept an extended CONNECT, so that a misdirected one gets a 421. The
            // engine withholds the setting from the client unless it is to be announced.
            .enable_connect_protocol();
        Self {
            h2,
            answers: Arc::default(),
            refused_in_a_row: NonZeroU32::new(limits::REFUSED_IN_A_ROW_MAX),
            extended_connect: ExtendedConnect::Withheld,
            origins: OriginSet::default(),
            batch_writes: true,
            answer_early: true,
        }
    }

    /// Sets the content of a 421.
    #[must_use]
    pub fn misdirected_content(mut self, content: MisdirectedContent) -> Self {
        Arc::make_mut(&mut self.answers).set_misdirected_content(content);
        self
    }

    /// Sets the `allow` field of a 405 to `CONNECT` (RFC 9110 §10.2.1).
    #[must_use]
    pub fn allow(mut self, methods: HeaderValue) -> Self {
        Arc::make_mut(&mut self.answers).set_allow(methods);
        self
    }

    /// Sets the number of refusals in a row that end the connection, even if other streams are
    /// open. `None` means no limit. Default: [`limits::REFUSED_IN_A_ROW_MAX`].
    #[must_use]
    pub const fn refused_in_a_row(mut self, max: Option<NonZeroU32>) -> Self {
        self.refused_in_a_row = max;
        self
    }

    /// Announces extended `CONNECT` (RFC 8441 §3). Default: not announced.
    ///
    /// The group's [`ConnectPolicy`](coalesce_core::ConnectPolicy) must accept it too.
    #[must_use]
    pub const fn announce_extended_connect(mut self) -> Self {
        self.extended_connect = ExtendedConnect::Announced;
        self
    }

    /// Announces an origin set right after the first SETTINGS frame, before all other frames
    /// (RFC 8336 §2.1). Default: the empty set, which is not announced.
    ///
    /// A client that heeds the set may use the connection for its origins without DNS, and uses it
    /// for no others. [`ServerConnection::origins`](coalesce_core::ServerConnection::origins)
    /// documents the content of a set. [`Connection::announce`] adds origins later.
    #[must_use]
    pub fn origin_set(mut self, origins: OriginSet) -> Self {
        self.origins = origins;
        self
    }

    /// Sets whether answers wait while further requests are ready to be
    /// [accepted](Connection::accept), and then leave together in few TLS records and few writes.
    /// Default: true.
    ///
    /// Switch it off in a server that handles requests one after another and waits between two
    /// calls of `accept`: a finished answer would wait as long. A server that answers at once, or
    /// in a task for each request, loses nothing.
    #[must_use]
    pub const fn batch_writes(mut self, batch: bool) -> Self {
        self.batch_writes = batch;
        self
    }

    /// Sets whether a misdirected request is answered without a stream of `h2`, if its header block
    /// alone shows that it is misdirected. Default: true. The answer is the same.
    #[must_use]
    pub const fn answer_early(mut self, early: bool) -> Self {
        self.answer_early = early;
        self
    }

    /// Sets the number of streams that may be open at once.
    /// Default: [`limits::CONCURRENT_STREAMS_MAX`].
    #[must_use]
    pub fn concurrent_streams(mut self, max: u32) -> Self {
        self.h2.max_concurrent_streams(max);
        self
    }

    /// Sets the largest decoded header list, in bytes. `h2` answers a larger one with 431.
    /// Default: [`limits::HEADER_LIST_BYTES_MAX`].
    #[must_use]
    pub fn header_list_bytes(mut self, max: u32) -> Self {
        self.h2.max_header_list_size(max);
        self
    }

    /// Sets the receive window of each stream (RFC 9113 §6.9.2), in bytes.
    /// Default: [`limits::STREAM_WINDOW_BYTES`].
    #[must_use]
    pub fn stream_window_bytes(mut self, max: u32) -> Self {
        self.h2.initial_window_size(max);
        self
    }

    /// Sets the receive window of the connection, in bytes, which bounds its unread request bodies.
    /// Default: [`limits::CONNECTION_WINDOW_BYTES`].
    #[must_use]
    pub fn connection_window_bytes(mut self, max: u32) -> Self {
        self.h2.initial_connection_window_size(max);
        self
    }

    /// Exchanges the connection prefaces over `io`, and returns the connection.
    ///
    /// # Errors
    /// [`Error`] if the client does not speak HTTP/2 or closes the connection.
    pub async fn handshake<T, D>(self, io: T, decide: D) -> Result<Connection<T, D>, Error>
    where
        T: AsyncRead + AsyncWrite + Unpin,
        D: for<'a> Decide<RequestTarget<'a>>,
    {
        let settings = Settings {
            refused_in_a_row: self.refused_in_a_row,
            answers: Arc::clone(&self.answers),
            answer_early: self.answer_early,
            extended_connect: self.extended_connect,
        };
        let engine = Shared::new(Engine::new(decide, settings));
        let mut announcer = Announcer::default();
        engine.lock().announce(announcer.fresh(&self.origins));
        let inner = self.h2.handshake(Transport::new(io, engine.clone())).await?;
        Ok(Connection {
            inner,
            engine,
            answers: self.answers,
            announcer,
            waker: None,
            batch_writes: self.batch_writes,
            uploads: Uploads::default(),
            state: State::Open,
        })
    }
}

/// A server connection that passes on only the requests that it may serve.
///
/// The connection makes progress only while it is polled. Call [`accept`](Self::accept) until it
/// returns `None`, as with [`h2::server::Connection`].
///
/// # Examples
/// ```
/// use coalesce_core::RequestTarget;
/// use coalesce_h2::{Accepted, Connection, Decide, Error};
/// use tokio::io::{AsyncRead, AsyncWrite};
///
/// /// Serves a connection until it ends, or until `stop` is ready.
/// async fn serve<T, D>(
///     mut connection: Connection<T, D>,
///     handle: impl Fn(Accepted),
///     stop: impl Future<Output = ()>,
/// ) -> Result<(), Error>
/// where
///     T: AsyncRead + AsyncWrite + Unpin,
///     D: for<'a> Decide<RequestTarget<'a>>,
/// {
///     let mut stop = std::pin::pin!(stop);
///     let mut stopping = false;
///     loop {
///         tokio::select! {
///             () = &mut stop, if !stopping => {
///                 stopping = true;
///                 // `accept` returns `None` when the open streams have finished.
///                 connection.graceful_shutdown();
///             }
///             accepted = connection.accept() => match accepted {
///                 Some(accepted) => handle(accepted?),
///                 None => return Ok(()),
///             },
///         }
///     }
/// }
/// ```
pub struct Connection<T, D> {
    inner: h2::server::Connection<Transport<T, D>, Bytes>,
    /// Shared with the transport, which `inner` owns and does not give out.
    engine: Shared<Engine<D>>,
    answers: Arc<Answers>,
    announcer: Announcer,
    /// The waker of the last poll, for announcements.
    waker: Option<Waker>,
    batch_writes: bool,
    /// Answered requests whose bodies are still arriving. This field comes after `inner`, so that
    /// dropping the connection ends their streams first.
    pub(crate) uploads: Uploads,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// No new streams are accepted; the open ones finish.
    Leaving,
    /// GOAWAY was sent.
    SentAway(Excess),
    Closed,
}

/// The outcome for a request.
enum Judgement {
    Serve(Authoritative),
    Answer(Refusal),
    Reset,
}

/// A request that may be served, with its proof.
///
/// # Examples
/// ```
/// use coalesce_h2::Accepted;
///
/// /// Answers a request of the virtual host that its proof names.
/// fn respond(accepted: Accepted) -> Result<(), h2::Error> {
///     let (request, mut respond, proof) = accepted.into_parts();
///     let body = format!("{} of {:?}\n", request.uri().path(), proof.virtual_host());
///     let mut send = respond.send_response(http::Response::new(()), false)?;
///     send.send_data(body.into(), true)
/// }
/// ```
#[derive(Debug)]
pub struct Accepted {
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
    proof: Authoritative,
}

impl Accepted {
    /// Returns the request, its response handle, and the proof that names its virtual host.
    pub fn into_parts(self) -> (Request<RecvStream>, SendResponse<Bytes>, Authoritative) {
        (self.request, self.respond, self.proof)
    }

    /// Returns the request.
    pub const fn request(&self) -> &Request<RecvStream> {
        &self.request
    }

    /// Returns the proof.
    pub const fn proof(&self) -> &Authoritative {
        &self.proof
    }
}

impl<T, D> Connection<T, D>
where
    T: AsyncRead + AsyncWrite + Unpin,
    D: for<'a> Decide<RequestTarget<'a>>,
{
    /// Returns the next request that this connection may serve, and answers all others meanwhile.
    /// Returns `None` when the connection has closed without an error.
    ///
    /// The future is safe to drop: no request is lost.
    ///
    /// # Errors
    /// [`Error`] if the connection ended with an error. The next call returns `None`.
    pub async fn accept(&mut self) -> Option<Result<Accepted, Error>> {
        poll_fn(|context| self.poll_accept(context)).await
    }

    /// Polls for the next request; see [`accept`](Self::accept).
    pub fn poll_accept(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Accepted, Error>>> {
        if self.state == State::Closed {
            return Poll::Ready(None);
        }
        loop {
            let streams_wait = self.begin_accept();
            let Poll::Ready(next) = self.inner.poll_accept(context) else {
                if streams_wait {
                    // `h2` passed on none of the streams, and its writes were collected. Poll again
                    // without collecting, so that they go out.
                    self.engine.lock().handle_none_accepted();
                    continue;
                }
                // `h2` has flushed, so the answers are written as far as the socket accepts them,
                // and their streams may be reset now. An earlier reset would share a TLS record
                // with the answer, and curl 7 then drops the answer, although RFC 9113 §8.1
                // requires a client to keep a complete response that RST_STREAM(NO_ERROR) follows.
                if self.uploads.poll(context) {
                    self.keep(context);
                    return Poll::Pending;
                }
                continue;
            };
            let ended = match (next, self.state) {
                (Some(Ok((request, respond))), _) => match self.admit(request, respond) {
                    Some(accepted) => return Poll::Ready(Some(Ok(accepted))),
                    None => continue,
                },
                (_, State::SentAway(excess)) => Some(Err(excess.into())),
                (Some(Err(error)), _) => Some(Err(error.into())),
                (None, _) => None,
            };
            self.state = State::Closed;
            return Poll::Ready(ended);
        }
    }

    /// Starts collecting writes if more streams probably wait to be accepted, because the writes
    /// can leave with their answers. Returns true if more streams wait.
    fn begin_accept(&mut self) -> bool {
        let mut engine = self.engine.lock();
        let streams_wait = engine.streams_wait();
        engine.set_batching(streams_wait && self.batch_writes);
        let resets = engine.resets();
        drop(engine);
        self.limit_resets(resets);
        streams_wait
    }

    /// Decides a request from `h2`, and answers it unless it may be served.
    fn admit(
        &mut self,
        mut request: Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
    ) -> Option<Accepted> {
        let stream = respond.stream_id().as_u32();
        let (seen, judgement, left) = {
            let mut engine = self.engine.lock();
            engine.handle_accepted();
            // A request after the GOAWAY is not decided. Dropping it resets the stream.
            if let State::SentAway(_) = self.state {
                return None;
            }
            let seen = engine.take_note(stream);
            let judgement = judge(&mut engine, stream, &request, seen.as_ref());
            let left = match judgement {
                Judgement::Serve(_) => Left::Some,
                Judgement::Answer(_) | Judgement::Reset => engine.refused(),
            };
            (seen, judgement, left)
        };
        match judgement {
            Judgement::Serve(proof) => {
                if let Some(seen) = seen {
                    remove_placeholders(&mut request, &seen);
                }
                return Some(Accepted { request, respond, proof });
            }
            Judgement::Answer(refusal) => self.answer(refusal, request, respond),
            Judgement::Reset => respond.send_reset(Reason::PROTOCOL_ERROR),
        }
        if left == Left::Nothing {
            self.send_away(Excess::Refusals);
        }
        None
    }

    /// Announces the origins of `origins` that were not announced before, for example after a
    /// reload. ORIGIN frames cannot take an origin back (RFC 8336 §2.3); requests for a removed one
    /// get a 421.
    ///
    /// The call wakes the task of the connection, and the frames leave at its next poll. After a
    /// GOAWAY no frames are sent.
    pub fn announce(&mut self, origins: &OriginSet) {
        let frames = self.announcer.fresh(origins);
        if frames.is_empty() {
            return;
        }
        self.engine.lock().announce(frames);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn keep(&mut self, context: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
    }

    /// Accepts no new streams and lets the open ones finish (RFC 9113 §6.8). Poll
    /// [`accept`](Self::accept) until it returns `None`, and limit the time: a client that reads no
    /// answers can delay the end for ever.
    pub fn graceful_shutdown(&mut self) {
        if self.state == State::Open {
            self.state = State::Leaving;
        }
        self.engine.lock().close();
        self.inner.graceful_shutdown();
    }

    fn answer(
        &mut self,
        refusal: Refusal,
        request: Request<RecvStream>,
        respond: SendResponse<Bytes>,
    ) {
        let answer = self.answers.get(refusal);
        let (parts, body) = request.into_parts();
        let sent = if body.is_end_stream() {
            send(answer, &parts.method, respond)
        } else {
            let upload = send_to_upload(answer, &parts.method, respond, body);
            upload.map(|upload| self.uploads.push(upload))
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "the stream was gone before its answer");
        }
    }

    /// Ends a connection whose client has reset [`limits::RESETS_MAX`] streams.
    fn limit_resets(&mut self, resets: u32) {
        if resets >= limits::RESETS_MAX {
            self.send_away(Excess::Resets);
        } else if resets >= limits::RESETS_MAX / 2 && self.state == State::Open {
            tracing::debug!("many streams were reset by the client; the open ones are the last");
            self.graceful_shutdown();
        }
    }

    fn send_away(&mut self, excess: Excess) {
        if let State::Open | State::Leaving = self.state {
            tracing::warn!("{}; the connection ends", Error::from(excess));
            self.engine.lock().close();
            self.inner.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
            self.state = State::SentAway(excess);
        }
    }
}

/// Decides a request from the fields that `h2` and the notes of the engine (`seen`) show.
fn judge<D: for<'a> Decide<RequestTarget<'a>>>(
    engine: &mut Engine<D>,
    stream: u32,
    request: &Request<RecvStream>,
    seen: Option<&Target>,
) -> Judgement {
    if seen.is_some_and(Target::is_malformed) {
        log::target_error(TargetError::Field, Some(stream));
        return Judgement::Reset;
    }
    if !path_is_well_formed(request, seen) {
        log::target_error(TargetError::Path, Some(stream));
        return Judgement::Reset;
    }
    if seen.is_none() && !target_is_whole(engine.sync_state(stream), request) {
        log::target_error(TargetError::Unseen, Some(stream));
        return Judgement::Reset;
    }
    let hosts = engine.may_have_hosts();
    let verdict = with_target(request, seen, hosts, |target| engine.verdict(stream, target));
    match verdict {
        Verdict::Serve(proof) => Judgement::Serve(proof),
        Verdict::Misdirected(_) => Judgement::Answer(Refusal::Misdirected),
        Verdict::Malformed(reason) => {
            Refusal::from_malformed(reason.answer()).map_or(Judgement::Reset, Judgement::Answer)
        }
    }
}

/// Returns true if `h2` alone shows the whole target of a request. `h2` drops `:scheme` if there is
/// no `:authority`. The engine records the target of such a request, unless it has lost sync. Then
/// the request may name another origin, so it is refused.
fn target_is_whole(sync_state: SyncState, request: &Request<RecvStream>) -> bool {
    match sync_state {
        SyncState::InSync => true,
        SyncState::LostSync => request.uri().authority().is_some(),
        SyncState::Misleading => false,
    }
}

impl<T, D> fmt::Debug for Connection<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}
