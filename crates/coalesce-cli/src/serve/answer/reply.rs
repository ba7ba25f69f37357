//! The reply to one request, and its record for the access log.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use h2::SendStream;
use h2::server::SendResponse;
use http::header::DATE;
use http::{HeaderMap, Response, StatusCode};
use tokio::sync::Semaphore;

use crate::serve::answer::client_certificate::ClientCertificate;
use crate::serve::limits::UPSTREAM_REQUESTS_OF_CLIENT_MAX;
use crate::serve::observe::access_log::RequestRecord;
use crate::serve::shares::ClientId;

/// The client of a connection, shared by its requests.
#[derive(Debug)]
pub(in crate::serve) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) client: ClientId,
    /// The client's certificate, verified by the handshake.
    pub(super) certificate: Option<Box<ClientCertificate>>,
    /// The places of this connection's requests at each upstream, by the number of the upstream.
    at_upstreams: Mutex<HashMap<u64, Arc<Semaphore>>>,
}

impl Peer {
    pub(in crate::serve) fn new(
        address: SocketAddr,
        certificate: Option<Box<ClientCertificate>>,
    ) -> Self {
        let client = ClientId::next();
        Self { address, client, certificate, at_upstreams: Mutex::default() }
    }

    /// Returns the places of this connection at the upstream with this number.
    pub(super) fn places_at(&self, upstream: u64) -> Arc<Semaphore> {
        let mut places = self.at_upstreams.lock().unwrap_or_else(PoisonError::into_inner);
        let places = places.entry(upstream);
        places.or_insert_with(|| Arc::new(Semaphore::new(UPSTREAM_REQUESTS_OF_CLIENT_MAX))).clone()
    }
}

/// A request that has no answer yet.
#[derive(Debug)]
pub(in crate::serve) struct Reply {
    pub(super) respond: SendResponse<Bytes>,
    /// The record for the access log, if there is one; written when dropped.
    record: Option<Box<RequestRecord>>,
}

/// An answer whose content is being sent.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) stream: SendStream<Bytes>,
    record: Option<Box<RequestRecord>>,
}

impl Reply {
    pub(in crate::serve) fn new(
        respond: SendResponse<Bytes>,
        record: Option<Box<RequestRecord>>,
    ) -> Self {
        Self { respond, record }
    }

    /// Resets the stream instead of answering.
    pub(super) fn reset(mut self, reason: h2::Reason) {
        self.respond.send_reset(reason);
    }

    /// Begins the answer, and ends it if it has no content.
    pub(super) fn begin(
        mut self,
        head: Response<()>,
        no_content: bool,
    ) -> Result<Sending, h2::Error> {
        let status = head.status().as_u16();
        let stream = self.respond.send_response(head, no_content)?;
        if let Some(record) = &mut self.record {
            record.status = Some(status);
            record.complete = no_content;
        }
        Ok(Sending { stream, record: self.record })
    }
}

impl Sending {
    /// Sends a piece of the content.
    pub(super) fn data(&mut self, data: Bytes, last: bool) -> Result<(), h2::Error> {
        let len = data.len();
        self.stream.send_data(data, last)?;
        if let Some(record) = &mut self.record {
            record.bytes = record.bytes.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
            record.complete = last;
        }
        Ok(())
    }

    /// Ends the answer with trailers.
    pub(super) fn trailers(&mut self, trailers: HeaderMap) -> Result<(), h2::Error> {
        self.stream.send_trailers(trailers)?;
        if let Some(record) = &mut self.record {
            record.complete = true;
        }
        Ok(())
    }
}

/// Makes a response head with these parts, and a date unless they have one.
pub(super) fn head(status: StatusCode, mut fields: HeaderMap) -> Response<()> {
    fields.entry(DATE).or_insert_with(coalesce_h2::date);
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.headers_mut() = fields;
    response
}
