//! Counters of requests, refusals and 421s, by code.

use coalesce_pool::{Eligibility, Trail, TrailStep};

use crate::error::Error;
use crate::route::Route;

/// Requests with an answer, by the grounds of their connection.
const ANSWERED: &str = "coalesce_client_requests_total";
/// Requests without an answer, by the code of the error.
const FAILED: &str = "coalesce_client_failures_total";
/// Connections that were looked at and not used, by the code of the refusal.
const REFUSED: &str = "coalesce_client_refusals_total";
/// Answers with 421 that were not given to the caller.
const MISDIRECTED: &str = "coalesce_client_misdirected_total";

/// Counts a request with an answer.
pub(crate) fn answered(route: &Route) {
    let grounds = steps(&route.trail);
    metrics::counter!(ANSWERED, "grounds" => grounds).increment(1);
}

/// Counts a request without an answer.
pub(crate) fn failed(error: &Error) {
    if let Some(trail) = error.trail() {
        steps(trail.pool());
    }
    metrics::counter!(FAILED, "reason" => error.code()).increment(1);
}

/// Counts the steps of a trail, and returns the code of the grounds of the last connection.
fn steps(trail: &Trail) -> &'static str {
    let mut grounds = "";
    for step in trail.steps() {
        match step {
            TrailStep::Sent { grounds: found, .. } => grounds = found.code(),
            TrailStep::Judged { result: Eligibility::Refused(refusal), .. } => {
                metrics::counter!(REFUSED, "reason" => refusal.code()).increment(1);
            }
            TrailStep::Misdirected { .. } => metrics::counter!(MISDIRECTED).increment(1),
            _ => {}
        }
    }
    grounds
}
