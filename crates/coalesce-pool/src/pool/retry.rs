//! Requests that are sent again: after a 421, and where the server did not process them.

use alloc::vec::Vec;
use core::time::Duration;

use crate::answer::{Answer, AnswerAction, record_answer};
use crate::candidate::ConnectionState;
use crate::limits::{LOST_RETRIES_MAX, UNPROCESSED_RETRIES_MAX};
use crate::pool::output::{Failure, Output, Unprocessed};
use crate::pool::state::{Place, State};
use crate::trail::{ConnectionId, RequestId, TrailStep};

/// Delivers an answer, or sends the request once more on a connection for its origin alone.
pub(super) fn answer(state: &mut State, id: RequestId, status: u16, ended: bool, now: Duration) {
    let Some(request) = state.requests.get_mut(&id) else { return };
    let Place::Sent { connection, delivered: false, .. } = request.place else { return };
    let Some(found) = state.connections.get_mut(&connection) else { return };
    let refused_before = found.status.has_refused(&request.facts.key.origin.as_origin());
    let mut answer = Answer::new(status);
    answer.attempt = 1_u32.saturating_add(u32::from(request.alone));
    answer.ended = ended;
    let (facts, memory) = (&found.facts, &mut state.memory);
    let action = record_answer(facts, &mut found.status, &request.facts, &answer, memory, now);
    // Others for the origin may have waited for this connection.
    if !refused_before && found.status.has_refused(&request.facts.key.origin.as_origin()) {
        state.affected.insert(request.facts.key.clone());
    }
    match action {
        AnswerAction::RetryAlone { .. } if !state.budget.spend(&state.config, now) => {
            request.trail.push(TrailStep::OverBudget { connection });
            deliver(state, id);
        }
        AnswerAction::Deliver => deliver(state, id),
        AnswerAction::RetryAlone { reset } => {
            request.alone = true;
            request.trail.push(TrailStep::Misdirected { connection });
            state.leave(id, now);
            state.output(Output::Discard { request: id, connection, reset });
            state.enqueue(id);
        }
    }
}

fn deliver(state: &mut State, id: RequestId) {
    let Some(request) = state.requests.get_mut(&id) else { return };
    if let Place::Sent { delivered, .. } = &mut request.place {
        *delivered = true;
    }
    let trail = core::mem::take(&mut request.trail);
    state.output(Output::Deliver { request: id, trail });
}

/// Sends a request again that the server did not process, if that is possible. The method does not
/// matter (RFC 9113 §8.7).
///
/// A connection that gives a request back unsent is at its end, so it takes no others. If it has
/// served requests, it has become stale, which does not count as a retry: each such connection
/// gives the request back once.
pub(super) fn unprocessed(state: &mut State, id: RequestId, how: Unprocessed, now: Duration) {
    let Some(connection) = unanswered(state, id) else { return };
    let not_sent = how == Unprocessed::NotSent;
    let used_before = not_sent && end_of_use(state, connection);
    let Some(request) = state.requests.get_mut(&id) else { return };
    let whole = not_sent || request.facts.body.can_be_sent_again();
    let again = whole && (used_before || request.unprocessed < UNPROCESSED_RETRIES_MAX);
    request.unprocessed = request.unprocessed.saturating_add(u8::from(!used_before));
    let Some(connection) = state.leave(id, now) else { return };
    state.note(id, TrailStep::Unprocessed { connection });
    if !again {
        state.fail(id, Failure::Unprocessed);
    } else if not_sent {
        state.enqueue(id);
    } else {
        retry(state, id, connection, now);
    }
}

/// Sends a request again whose connection ended before the answer, if a server may process it twice
/// and the connection may have been stale (RFC 9112 §9.3.1). Otherwise the request fails.
pub(super) fn lost(state: &mut State, id: RequestId, now: Duration) {
    let Some(connection) = unanswered(state, id) else { return };
    let used_before = end_of_use(state, connection);
    let Some(request) = state.requests.get_mut(&id) else { return };
    let again = used_before
        && request.facts.idempotent
        && request.facts.body.can_be_sent_again()
        && request.lost < LOST_RETRIES_MAX;
    request.lost = request.lost.saturating_add(1);
    state.leave(id, now);
    state.note(id, TrailStep::Lost { connection });
    if again {
        retry(state, id, connection, now);
    } else {
        state.fail(id, Failure::Lost);
    }
}

/// Sends a request again, if the budget of retries allows that.
fn retry(state: &mut State, id: RequestId, connection: ConnectionId, now: Duration) {
    if state.budget.spend(&state.config, now) {
        state.enqueue(id);
    } else {
        state.note(id, TrailStep::OverBudget { connection });
        state.fail(id, Failure::RetryBudget);
    }
}

/// Returns the connection on which a request waits for its answer.
fn unanswered(state: &State, id: RequestId) -> Option<ConnectionId> {
    match state.requests.get(&id)?.place {
        Place::Sent { connection, delivered: false, .. } => Some(connection),
        _ => None,
    }
}

/// Stops using a connection, and returns whether it has served requests.
fn end_of_use(state: &mut State, id: ConnectionId) -> bool {
    let Some(found) = state.connections.get_mut(&id) else { return false };
    let served = found.status.requests_served > 0;
    if found.status.state == ConnectionState::Open {
        found.status.state = ConnectionState::Draining;
        state.affect_by(id);
    }
    served
}

/// Stops using a connection. The server has not processed requests on streams above `last_stream`
/// (RFC 9113 §6.8). A request whose stream is not known may have been processed, so it stays.
pub(super) fn goaway(state: &mut State, id: ConnectionId, last_stream: u32, now: Duration) {
    let Some(found) = state.connections.get_mut(&id) else { return };
    found.status.state = ConnectionState::Draining;
    state.affect_by(id);
    let Some(found) = state.connections.get(&id) else { return };
    let requests: Vec<_> = found.requests.iter().copied().collect();
    for request in requests {
        let place = state.requests.get(&request).map(|it| it.place);
        if let Some(Place::Sent { stream: Some(stream), .. }) = place
            && stream > last_stream
        {
            unprocessed(state, request, Unprocessed::Refused, now);
        }
    }
}
