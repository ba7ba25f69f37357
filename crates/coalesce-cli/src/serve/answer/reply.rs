//! The way to answer one request, and what is noted of it.

use bytes::Bytes;
use h2::SendStream;
use h2::server::SendResponse;
use http::{HeaderMap, Response};

use crate::serve::access_log::Entry;

/// A request that has no answer yet.
#[derive(Debug)]
pub(in crate::serve) struct Reply {
    pub(super) respond: SendResponse<Bytes>,
    /// For the access log, where there is one; written when this is dropped.
    entry: Option<Box<Entry>>,
}

/// An answer whose content is on its way.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) stream: SendStream<Bytes>,
    entry: Option<Box<Entry>>,
}

impl Reply {
    pub(in crate::serve) fn new(respond: SendResponse<Bytes>, entry: Option<Box<Entry>>) -> Self {
        Self { respond, entry }
    }

    /// Begins the answer, which may be all of it.
    pub(super) fn begin(
        mut self,
        head: Response<()>,
        no_content: bool,
    ) -> Result<Sending, h2::Error> {
        let status = head.status().as_u16();
        let stream = self.respond.send_response(head, no_content)?;
        if let Some(entry) = &mut self.entry {
            entry.status = Some(status);
            entry.complete = no_content;
        }
        Ok(Sending { stream, entry: self.entry })
    }
}

impl Sending {
    /// Sends a piece of the content.
    pub(super) fn data(&mut self, data: Bytes, last: bool) -> Result<(), h2::Error> {
        let len = data.len();
        self.stream.send_data(data, last)?;
        if let Some(entry) = &mut self.entry {
            entry.bytes = entry.bytes.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
            entry.complete = last;
        }
        Ok(())
    }

    /// Ends the answer with trailers.
    pub(super) fn trailers(&mut self, trailers: HeaderMap) -> Result<(), h2::Error> {
        self.stream.send_trailers(trailers)?;
        if let Some(entry) = &mut self.entry {
            entry.complete = true;
        }
        Ok(())
    }
}
