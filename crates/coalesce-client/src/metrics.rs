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
    count_steps(&route.trail);
    let grounds = route.trail.carrier().map_or("", |(_, grounds)| grounds.code());
    metrics::counter!(ANSWERED, "grounds" => grounds).increment(1);
}

/// Counts a request without an answer.
pub(crate) fn failed(error: &Error) {
    if let Some(trail) = error.trail() {
        count_steps(trail.pool());
    }
    metrics::counter!(FAILED, "reason" => error.code()).increment(1);
}

/// Counts the refusals and the 421s of a trail.
fn count_steps(trail: &Trail) {
    for step in trail.steps() {
        match step {
            TrailStep::Judged { result: Eligibility::Refused(refusal), .. } => {
                metrics::counter!(REFUSED, "reason" => refusal.code()).increment(1);
            }
            TrailStep::Misdirected { .. } => metrics::counter!(MISDIRECTED).increment(1),
            _ => {}
        }
    }
}
