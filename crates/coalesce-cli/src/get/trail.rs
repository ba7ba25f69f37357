//! The steps of a request, from the trail of the client.

use coalesce_client::Trail;
use coalesce_pool::{CandidateId, Eligibility, Grounds, Refusal, TrailStep};
use http::Version;

use crate::get::report::{Event, RequestReport, Step};

/// The rule behind a 421, and behind a request that is sent again.
const MISDIRECTED: &str = "RFC 9110 §15.5.20";
const UNPROCESSED: &str = "RFC 9113 §8.7";

/// Adds the connection and the steps of a trail to a report.
pub(super) fn note(trail: &Trail, report: &mut RequestReport) {
    report.connection = trail.connection();
    report.peer = trail.peer();
    report.trail = trail.pool().steps().iter().filter_map(step).collect();
    report.trail_left_out = trail.pool().left_out();
    report.retries = trail.misdirected();
    report.grounds = trail.grounds().map(Grounds::code);
}

fn step(step: &TrailStep) -> Option<Step> {
    Some(match step {
        TrailStep::Judged { candidate, result, .. } => judged(*candidate, *result),
        TrailStep::Sent { connection, grounds, .. } => Step {
            event: Event::Sent,
            connection: Some(connection.get()),
            code: grounds.code(),
            description: grounds.to_string(),
            rule: None,
        },
        TrailStep::Misdirected { connection, .. } => Step {
            event: Event::Misdirected,
            connection: Some(connection.get()),
            code: "misdirected",
            description: "the server answered 421".to_owned(),
            rule: Some(MISDIRECTED),
        },
        TrailStep::Unprocessed { connection, .. } => Step {
            event: Event::Unprocessed,
            connection: Some(connection.get()),
            code: "unprocessed",
            description: "the server did not process the request".to_owned(),
            rule: Some(UNPROCESSED),
        },
        TrailStep::Lost { connection, .. } => Step {
            event: Event::Lost,
            connection: Some(connection.get()),
            code: "lost",
            description: "the connection ended before the answer".to_owned(),
            rule: None,
        },
        _ => return None,
    })
}

fn judged(candidate: CandidateId, result: Eligibility) -> Step {
    let connection = match candidate {
        CandidateId::Connection(id) => Some(id.get()),
        _ => None,
    };
    let (event, description, rule) = match result {
        Eligibility::Refused(refusal) => {
            (Event::Refused, refusal.to_string(), Some(Refusal::rule(refusal)))
        }
        Eligibility::Eligible(grounds) => (Event::Eligible, grounds.to_string(), None),
        Eligibility::Unverified => {
            (Event::Eligible, "the certificate must be verified for the host".to_owned(), None)
        }
        _ => (Event::Eligible, "the host must have the connected address".to_owned(), None),
    };
    Step { event, connection, code: result.code(), description, rule }
}

/// Returns the name of a protocol.
pub(super) const fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}
