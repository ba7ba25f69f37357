//! Refused requests whose bodies are still arriving.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use h2::{RecvStream, SendStream};

/// A refused request whose body is still arriving, and its answer.
///
/// When an upload is dropped, `h2` sends `RST_STREAM(NO_ERROR)` (RFC 9113 §8.1) and returns the
/// window of late data to the connection. The drop has to wait until the client has granted the
/// window for the content (`reset_waits_behind_content_without_window` and
/// `connection_does_not_end_while_content_of_a_dropped_stream_has_no_window` in
/// `tests/h2_behaviour`).
#[derive(Debug)]
pub(crate) struct Upload {
    stream: SendStream<Bytes>,
    /// The content that waits for window.
    left: Bytes,
    body: RecvStream,
}

/// The state of an upload after a poll.
#[derive(Eq, PartialEq)]
enum Progress {
    /// The answer is complete, or the client has reset the stream. The upload can be dropped.
    Over,
    /// `h2` has taken content. The upload is polled again after `h2` has written it.
    Written,
    /// The upload waits for window. A grant of the client wakes the task.
    Waiting,
}

impl Upload {
    /// Makes an upload of a stream on which the fields of the answer were sent.
    ///
    /// # Errors
    /// The client has reset the stream, so no answer is needed.
    pub(crate) fn new(
        stream: SendStream<Bytes>,
        content: Bytes,
        body: RecvStream,
    ) -> Result<Self, h2::Error> {
        let mut upload = Self { stream, left: content, body };
        upload.write()?;
        Ok(upload)
    }

    /// Sends as much content as the window allows, and discards the body that has arrived.
    fn poll(&mut self, context: &mut Context<'_>) -> Progress {
        if self.left.is_empty() {
            return Progress::Over;
        }
        loop {
            match self.body.poll_data(context) {
                Poll::Ready(Some(Ok(data))) => {
                    // This fails if the stream has ended, and its window with it.
                    let _ = self.body.flow_control().release_capacity(data.len());
                }
                Poll::Ready(Some(Err(_))) => return Progress::Over,
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        // `Ready` means that there is window. `Pending` registers the waker for it.
        if let Poll::Ready(None | Some(Err(_))) = self.stream.poll_capacity(context) {
            return Progress::Over;
        }
        match self.write() {
            Ok(0) => Progress::Waiting,
            Ok(_) => Progress::Written,
            Err(_) => Progress::Over,
        }
    }

    /// Passes `h2` the content that has window, and returns its length.
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
    /// Complete answers. Their streams are reset after the answers were written.
    answered: Vec<Upload>,
    /// Answers with content left.
    waiting: Vec<(Upload, Arc<UploadWaker>)>,
    task: Arc<Mutex<Option<Waker>>>,
    #[cfg(test)]
    polls: usize,
}

/// The waker of one upload. With one waker for all, a client with many waiting uploads would cause
/// a poll of each of them by any other frame.
///
/// `h2` may wake it on any thread, so only this type of the crate needs atomics.
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

    /// Polls the uploads that were woken. Call this after the answers were written. Returns true if
    /// the uploads have nothing to write, so that the task can wait.
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
    // No code panics while it holds the lock.
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

    /// An upload is polled when it arrives and when its stream gets window, but not for other
    /// frames.
    #[tokio::test]
    async fn waiting_uploads_are_not_polled_for_other_frames() {
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
