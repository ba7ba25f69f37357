//! The way of a request through the pool, with a description of each candidate.

use std::net::SocketAddr;
use std::sync::Arc;

use coalesce_pool::{CandidateId, Eligibility, PoolKey, Protocol};

/// A connection, or an attempt to make one, as it is described to users.
#[derive(Clone, Debug)]
pub(crate) struct CandidateInfo {
    /// The purpose of the connection.
    pub(crate) key: PoolKey,
    /// The real peer and the protocol. `None` for an attempt.
    pub(crate) made: Option<(SocketAddr, Protocol)>,
}

/// The way of one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Route {
    pub(crate) trail: coalesce_pool::Trail,
    /// The candidates in the trail, each one once. A candidate that has ended may be missing.
    pub(crate) candidates: Vec<(CandidateId, Arc<CandidateInfo>)>,
}

/// The judgement of every candidate for a request that is not sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Judged {
    pub(crate) candidates: Vec<(CandidateId, Arc<CandidateInfo>, Eligibility)>,
}

impl Route {
    /// Returns the description of a candidate in the trail.
    pub(crate) fn find(&self, candidate: CandidateId) -> Option<&CandidateInfo> {
        let mut candidates = self.candidates.iter();
        candidates.find(|(id, _)| *id == candidate).map(|(_, info)| info.as_ref())
    }
}
