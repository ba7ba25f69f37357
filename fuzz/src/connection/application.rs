//! An application that answers at once, or after it has read the upload.

use std::collections::BTreeMap;
use std::task::{Context, Poll};

use bytes::Bytes;
use coalesce_core::Verdict;
use coalesce_h2::Accepted;
use h2::RecvStream;
use h2::server::SendResponse;
use http::Response;

use crate::build::outcome;
use crate::model::Outcome;

/// Lengths of content that fit in a small window, do not fit, or fill the connection's window if
/// there is more.
const CONTENT_LENS: [usize; 4] = [0, 100, 3_000, 12_000];

/// Returns whether the answer to a stream waits for the whole upload.
pub(super) const fn waits(stream: u32) -> bool {
    stream % 8 == 1
}

#[derive(Debug)]
struct Upload {
    body: RecvStream,
    /// Set if the answer waits for the whole upload.
    respond: Option<SendResponse<Bytes>>,
    is_head: bool,
}

#[derive(Debug, Default)]
pub(super) struct Application {
    /// The streams that reached the application, and the content of their proofs.
    pub(super) served: BTreeMap<u32, Outcome>,
    /// The unfinished uploads.
    uploads: Vec<Upload>,
}

impl Application {
    pub(super) fn accept(&mut self, accepted: Accepted) {
        let (request, respond, proof) = accepted.into_parts();
        let stream = respond.stream_id().as_u32();
        let before = self.served.insert(stream, outcome(&Verdict::Serve(proof)));
        assert_eq!(before, None, "stream {stream} came twice");
        let is_head = request.method() == http::Method::HEAD;
        let mut respond = Some(respond);
        if !waits(stream) {
            answer(respond.take(), is_head);
        }
        self.uploads.push(Upload { body: request.into_body(), respond, is_head });
    }

    /// Reads the content that has arrived.
    pub(super) fn read_uploads(&mut self, context: &mut Context<'_>) {
        self.uploads.retain_mut(|Upload { body, respond, is_head }| {
            loop {
                match body.poll_data(context) {
                    Poll::Pending => return true,
                    Poll::Ready(Some(Ok(data))) => {
                        // The stream may have ended already.
                        let _ = body.flow_control().release_capacity(data.len());
                    }
                    Poll::Ready(Some(Err(_)) | None) => {
                        answer(respond.take(), *is_head);
                        return false;
                    }
                }
            }
        });
    }
}

/// Answers 200, unless the client has ended the stream.
fn answer(respond: Option<SendResponse<Bytes>>, is_head: bool) {
    let Some(mut respond) = respond else { return };
    let number = respond.stream_id().as_u32() as usize / 2;
    let len = if is_head { 0 } else { CONTENT_LENS[number % CONTENT_LENS.len()] };
    let Ok(mut send) = respond.send_response(Response::new(()), len == 0) else { return };
    if len > 0 {
        let _ = send.send_data(Bytes::from(vec![b'x'; len]), true);
    }
}
