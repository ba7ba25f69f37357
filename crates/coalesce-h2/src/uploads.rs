//! Refused requests whose bodies are still coming.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use h2::{RecvStream, SendStream};

/// A refused request whose body is still coming, and the answer to it.
///
/// When this is dropped, `h2` sends `RST_STREAM(NO_ERROR)` (RFC 9113 §8.1) and gives the
/// connection's window back for whatever arrives late. That has to wait until the content has the
/// window that it needs (`reset_waits_behind_content_without_window` and
/// `connection_does_not_end_while_content_of_a_dropped_stream_has_no_window` in
/// `tests/h2_behaviour`).
#[derive(Debug)]
pub(crate) struct Upload {
    stream: SendStream<Bytes>,
    /// The content that has no window yet.
    left: Bytes,
    body: RecvStream,
}

/// What became of an upload.
#[derive(Eq, PartialEq)]
enum Progress {
    /// All is said, or nobody is left to be told: it is to be dropped.
    Over,
    /// Content was given to `h2`, and the next turn is after it is written.
    Written,
    /// The client's turn, which wakes the task.
    Waiting,
}

impl Upload {
    /// An upload whose answer, but for this content, was sent on `stream`.
    ///
    /// # Errors
    /// The stream is gone already: nobody is left to be told.
    pub(crate) fn new(
        stream: SendStream<Bytes>,
        content: Bytes,
        body: RecvStream,
    ) -> Result<Self, h2::Error> {
        let mut upload = Self { stream, left: content, body };
        upload.write()?;
        Ok(upload)
    }

    /// Goes on as far as the client lets it. What comes of the body meanwhile is let go.
    fn poll(&mut self, context: &mut Context<'_>) -> Progress {
        if self.left.is_empty() {
            return Progress::Over;
        }
        loop {
            match self.body.poll_data(context) {
                Poll::Ready(Some(Ok(data))) => {
                    // The stream may be over by now, and its window with it.
                    let _ = self.body.flow_control().release_capacity(data.len());
                }
                Poll::Ready(Some(Err(_))) => return Progress::Over,
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        // Where it is ready, there is something to write; else it wakes the task once there is.
        if let Poll::Ready(None | Some(Err(_))) = self.stream.poll_capacity(context) {
            return Progress::Over;
        }
        match self.write() {
            Ok(0) => Progress::Waiting,
            Ok(_) => Progress::Written,
            Err(_) => Progress::Over,
        }
    }

    /// Gives `h2` the content for which there is window, and says how much that is.
    fn write(&mut self) -> Result<usize, h2::Error> {
        self.stream.reserve_capacity(self.left.len());
        let content = self.left.split_to(self.stream.capacity().min(self.left.len()));
        let len = content.len();
        if len > 0 {
            self.stream.send_data(content, self.left.is_empty())?;
        }
        Ok(len)
    }
}

/// The uploads of one connection.
#[derive(Debug, Default)]
pub(crate) struct Uploads {
    /// Those that are to be reset when the answers have been written.
    answered: Vec<Upload>,
    /// Those that something is left to say to.
    waiting: Vec<(Upload, Arc<UploadWaker>)>,
    task: Arc<Mutex<Option<Waker>>>,
    #[cfg(test)]
    polls: usize,
}

/// The waker of one upload. Each has its own, so that a client that lets many uploads wait does not
/// have all of them polled whenever it sends something else.
///
/// `h2` may wake it from anywhere, so this is the one place of the crate that needs atomics.
#[derive(Debug)]
struct UploadWaker {
    /// True if the upload has something to do.
    woken: AtomicBool,
    task: Arc<Mutex<Option<Waker>>>,
}

impl Wake for UploadWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        let task = lock(&self.task).take();
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl Uploads {
    pub(crate) fn push(&mut self, upload: Upload) {
        if upload.left.is_empty() {
            self.answered.push(upload);
        } else {
            let waker = UploadWaker { woken: AtomicBool::new(true), task: Arc::clone(&self.task) };
            self.waiting.push((upload, Arc::new(waker)));
        }
    }

    /// Goes on with those that have something to do. Called when the answers have been written;
    /// says whether there is nothing to be written for this, so that the task can wait.
    pub(crate) fn poll(&mut self, context: &Context<'_>) -> bool {
        let mut idle = self.answered.is_empty();
        self.answered.clear();
        if self.waiting.is_empty() {
            return idle;
        }
        lock(&self.task).get_or_insert_with(|| context.waker().clone()).clone_from(context.waker());
        self.waiting.retain_mut(|(upload, own)| {
            if !own.woken.swap(false, Ordering::AcqRel) {
                return true;
            }
            #[cfg(test)]
            {
                self.polls += 1;
            }
            let waker = Waker::from(Arc::clone(own));
            let progress = upload.poll(&mut Context::from_waker(&waker));
            if progress == Progress::Written {
                own.woken.store(true, Ordering::Release);
            }
            idle &= progress == Progress::Waiting;
            progress != Progress::Over
        });
        idle
    }
}

fn lock(task: &Mutex<Option<Waker>>) -> MutexGuard<'_, Option<Waker>> {
    // Nothing panics while it is held.
    task.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use coalesce_core::{
        AuthorityTable, ClientCertificates, GroupId, IdentifierSet, RequestTarget,
        ServerConnection, decide,
    };
    use h2::client;
    use http::Request;

    use crate::Builder;

    /// Each upload is looked at when it comes, and when its own client has something for it:
    /// whatever else is said on the connection, and however many wait.
    #[tokio::test]
    async fn what_waits_costs_nothing_while_others_speak() {
        const WAITING: usize = 200;
        const PINGS: usize = 100;
        let (client_io, server_io) = tokio::io::duplex(64 * 1024);
        let server = tokio::spawn(async move {
            let table = AuthorityTable::builder().build().unwrap();
            let nothing = IdentifierSet::build([]).unwrap();
            let judge = |target: &RequestTarget<'_>| {
                let connection = ServerConnection::tls(
                    &nothing,
                    GroupId::new(1),
                    ClientCertificates::NotAsked,
                    443,
                );
                decide(&table, &connection, target)
            };
            let mut connection = Builder::new().handshake(server_io, judge).await.unwrap();
            while connection.accept().await.is_some() {}
            connection.uploads.polls
        });
        let mut builder = client::Builder::new();
        let (client, mut connection) =
            builder.initial_window_size(0).handshake::<_, bytes::Bytes>(client_io).await.unwrap();
        let mut pings = connection.ping_pong().unwrap();
        let driver = tokio::spawn(connection);
        let mut uploads = Vec::new();
        for _ in 0..WAITING {
            let mut client = client.clone().ready().await.unwrap();
            let request = Request::post("https://a.test/").body(()).unwrap();
            let (response, send) = client.send_request(request, false).unwrap();
            let response = response.await.unwrap();
            assert_eq!(response.status(), 421);
            uploads.push((response, send));
        }
        for _ in 0..PINGS {
            pings.ping(h2::Ping::opaque()).await.unwrap();
        }
        driver.abort();
        let polls = server.await.unwrap();
        assert!((WAITING..=3 * WAITING).contains(&polls), "{polls} polls");
    }
}
