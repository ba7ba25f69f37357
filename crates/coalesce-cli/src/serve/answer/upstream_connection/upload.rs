//! The content of a request on its way to an upstream over HTTP/2.

use std::future::poll_fn;

use bytes::Bytes;
use h2::{Reason, SendStream};
use http_body_util::BodyExt;
use tokio::task::JoinHandle;

use crate::serve::answer::body::RequestBody;
use crate::serve::limits::CHUNK_BYTES_MAX;

/// A task that sends content. It ends when this is dropped.
#[derive(Debug)]
pub(in crate::serve::answer) struct Upload(JoinHandle<()>);

impl Upload {
    pub(super) fn start(content: RequestBody, stream: SendStream<Bytes>) -> Self {
        Self(tokio::spawn(send(content, stream)))
    }

    /// Waits until the content is sent, or the upstream takes no more of it.
    pub(in crate::serve::answer) async fn ended(&mut self) {
        // A task that was cut off has ended too.
        let _ = (&mut self.0).await;
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Sends `content` to its end as the upstream makes room. Content that breaks off resets the
/// stream, so that the upstream does not take a part for the whole.
async fn send(mut content: RequestBody, mut stream: SendStream<Bytes>) {
    loop {
        let frame = tokio::select! {
            frame = content.frame() => frame,
            _ = poll_fn(|context| stream.poll_reset(context)) => return,
        };
        let sent = match frame {
            None => stream.send_data(Bytes::new(), true),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    let last = http_body::Body::is_end_stream(&content);
                    if send_piece(&mut stream, data, last).await.is_some() && !last {
                        continue;
                    }
                    return;
                }
                Err(frame) => match frame.into_trailers() {
                    Ok(trailers) => stream.send_trailers(trailers),
                    Err(_neither) => continue,
                },
            },
            Some(Err(error)) => {
                tracing::debug!(%error, "the content of a request broke off");
                stream.send_reset(Reason::CANCEL);
                return;
            }
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "the upstream takes no more content");
        }
        return;
    }
}

/// Sends one piece as the window allows. Returns `None` if the upstream takes no more.
async fn send_piece(stream: &mut SendStream<Bytes>, mut data: Bytes, last: bool) -> Option<()> {
    if data.is_empty() {
        return stream.send_data(data, last).ok();
    }
    while !data.is_empty() {
        stream.reserve_capacity(data.len().min(CHUNK_BYTES_MAX));
        let room = match stream.capacity() {
            0 => poll_fn(|context| stream.poll_capacity(context)).await?.ok()?,
            room => room,
        };
        let piece = data.split_to(room.min(data.len()));
        if !piece.is_empty() {
            stream.send_data(piece, last && data.is_empty()).ok()?;
        }
    }
    Some(())
}
