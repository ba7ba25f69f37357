//! Sends the requests that wait, and makes the connections that they need.

use alloc::vec::Vec;
use core::time::Duration;

use coalesce_core::HostBuf;

use crate::candidate::{Candidate, Protocol};
use crate::choose::{Choice, choose};
use crate::judge::{Eligibility, Inquiry, judge};
use crate::key::PoolKey;
use crate::limits::WAITING_KINDS_MAX;
use crate::pool::leader;
use crate::pool::output::{Failure, Output};
use crate::pool::state::{
    Attempt, Connection, Group, LeaderWait, Place, Queue, Request, Resolution, State, StreamWait,
};
use crate::refusal::{Grounds, Refusal};
use crate::trail::{AttemptId, CandidateId, ConnectionId, RequestId, TrailStep};

/// The result of a step for a request.
enum Next {
    /// It has left the queue.
    Gone,
    /// It waits for an event.
    Waits,
}

/// Judges all waiting requests again.
pub(super) fn assign_all(state: &mut State, now: Duration) {
    let keys: Vec<_> = state.groups.keys().cloned().collect();
    for key in keys {
        assign(state, &key, now);
    }
}

/// Judges the waiting requests of one key, the oldest first. If one waits on, those behind it in
/// its queue would get the same result.
pub(super) fn assign(state: &mut State, key: &PoolKey, now: Duration) {
    let mut blocked: Vec<usize> = Vec::new();
    while blocked.len() < WAITING_KINDS_MAX
        && let Some((at, id)) = state.groups.get(key).and_then(|group| group.next(&blocked))
    {
        match step(state, key, id, now) {
            Next::Gone => state.dequeue(key, id),
            Next::Waits => blocked.push(at),
        }
    }
    state.tidy_group(key);
}

fn step(state: &mut State, key: &PoolKey, id: RequestId, now: Duration) -> Next {
    let Some((choice, steps)) = choice(state, key, id, now) else { return Next::Gone };
    match choice {
        Choice::Reuse { candidate: CandidateId::Connection(connection), grounds } => {
            note(state, id, &steps);
            send(state, key, id, connection, grounds);
            return Next::Gone;
        }
        Choice::Verify { candidate: CandidateId::Connection(connection) } => {
            verify(state, connection, key.origin.as_origin().host().to_buf());
            return Next::Waits;
        }
        Choice::Resolve { .. } => {
            resolve(state, key);
            return Next::Waits;
        }
        Choice::Wait { .. } => return Next::Waits,
        _ => {}
    }
    match connect(state, key, id, now) {
        Ok(()) => Next::Waits,
        Err(failure) => {
            note(state, id, &steps);
            state.fail(id, failure);
            Next::Gone
        }
    }
}

/// Chooses among the candidates. A request that another connection refused gets only those that
/// have served its origin alone.
fn choice(
    state: &State,
    key: &PoolKey,
    id: RequestId,
    now: Duration,
) -> Option<(Choice<CandidateId>, Vec<TrailStep>)> {
    let (request, group) = (state.requests.get(&id)?, state.groups.get(key)?);
    let inquiry = Inquiry::new(&request.facts, group.known_endpoints(), &state.memory, now);
    let candidates = state.candidates(request.alone.then_some(key));
    let mut steps = Vec::new();
    let choice = choose(candidates, &inquiry, |candidate, result| {
        steps.push(TrailStep::Judged { candidate, result });
    });
    Some((choice, steps))
}

fn note(state: &mut State, id: RequestId, steps: &[TrailStep]) {
    for step in steps {
        state.note(id, *step);
    }
}

fn send(
    state: &mut State,
    key: &PoolKey,
    id: RequestId,
    connection: ConnectionId,
    grounds: Grounds,
) {
    let Some(request) = state.requests.get_mut(&id) else { return };
    let Some(found) = state.connections.get_mut(&connection) else { return };
    request.place = Place::Sent { connection, stream: None, delivered: false };
    request.trail.push(TrailStep::Sent { connection, grounds });
    found.requests.insert(id);
    found.status.streams_active = found.status.streams_active.saturating_add(1);
    found.status.shared |= found.facts.key.origin != key.origin;
    found.status.alone |= request.needs_own();
    if let Some(group) = state.groups.get_mut(key) {
        (group.stream, group.failed) = (StreamWait::NotYet, false);
    }
    state.output(Output::Send { request: id, connection });
}

fn verify(state: &mut State, connection: ConnectionId, host: HostBuf) {
    let Some(found) = state.connections.get_mut(&connection) else { return };
    if found.verifying.insert(host.clone()) {
        state.output(Output::Verify { connection, host });
    }
}

fn resolve(state: &mut State, key: &PoolKey) {
    let Some(group) = state.groups.get_mut(key) else { return };
    if group.resolution == Resolution::NotAsked {
        group.resolution = Resolution::Running;
        state.output(Output::Resolve { key: key.clone() });
    }
}

/// Takes the next step towards a connection for a request that no candidate may carry. `Ok` means
/// that the request waits for it.
fn connect(state: &mut State, key: &PoolKey, id: RequestId, now: Duration) -> Result<(), Failure> {
    let (Some(request), Some(group)) = (state.requests.get(&id), state.groups.get(key)) else {
        return Ok(());
    };
    if group.attempt.is_some() {
        return Ok(());
    }
    match own_connections(state, key, request, group, now)? {
        Own::Waits(until) => {
            if let (Some(until), Some(group)) = (until, state.groups.get_mut(key)) {
                group.stream = StreamWait::Until(until);
            }
            return Ok(());
        }
        Own::Useless if group.failed => return Err(Failure::Connect),
        Own::Useless => {}
    }
    if key.proxy.is_none() && group.endpoints.is_empty() && group.resolution != Resolution::Done {
        resolve(state, key);
        return Ok(());
    }
    let endpoints: Vec<_> =
        group.endpoints.iter().filter(|it| it.alpn.allows_tcp()).copied().collect();
    if key.proxy.is_none() && endpoints.is_empty() {
        let more = group.resolution == Resolution::Running;
        return if more { Ok(()) } else { Err(Failure::NoAddress) };
    }
    let alone = group.queues.iter().any(Queue::needs_own);
    if !request.alone && request.facts.policy.coalescing.allows_other_origins() {
        let wait = leader::wait(state, key, group, now);
        if let Some(group) = state.groups.get_mut(key) {
            group.leader = wait;
        }
        if matches!(wait, LeaderWait::For { .. }) {
            return Ok(());
        }
    }
    make_room(state)?;
    let attempt = AttemptId::new(state.next_id());
    let started = Attempt { key: key.clone(), endpoints: endpoints.clone(), peer: None, alone };
    state.attempts.insert(attempt, started);
    if let Some(group) = state.groups.get_mut(key) {
        group.attempt = Some(attempt);
        group.stream = StreamWait::NotYet;
    }
    state.output(Output::Connect { attempt, key: key.clone(), endpoints });
    Ok(())
}

/// The use of the connections that were made for the origin, none of which may carry the request
/// now.
enum Own {
    /// One of them may carry it later: after an event, or at this time another connection is due.
    Waits(Option<Duration>),
    /// None may, so the request needs another one.
    Useless,
}

fn own_connections(
    state: &State,
    key: &PoolKey,
    request: &Request,
    group: &Group,
    now: Duration,
) -> Result<Own, Failure> {
    let inquiry = Inquiry::new(&request.facts, None, &state.memory, now);
    let refused = |it: &Connection, refusal| {
        let result = judge(&Candidate::connected(&it.facts, &it.status), &inquiry);
        result == Eligibility::Refused(refusal)
    };
    let own = || state.own(key).filter(|it| !request.alone || !it.status.shared);
    let mut lacks_extended_connect = false;
    for own in own() {
        if refused(own, Refusal::ExtendedConnect) {
            if own.status.settings_received {
                lacks_extended_connect = true;
            } else {
                return Ok(Own::Waits(None));
            }
        }
    }
    if lacks_extended_connect {
        return Err(Failure::Refused(Refusal::ExtendedConnect));
    }
    let mut full = own().filter(|own| refused(own, Refusal::Full)).peekable();
    if full.peek().is_none() {
        return Ok(Own::Useless);
    }
    if group.failed {
        return Ok(Own::Waits(None));
    }
    // The limit of streams is a guess until SETTINGS arrive.
    let mut multiplexed = true;
    for own in full {
        if own.facts.protocol == Protocol::Http1 {
            multiplexed = false;
        } else if !own.status.settings_received {
            return Ok(Own::Waits(None));
        }
    }
    let due = match group.stream {
        StreamWait::NotYet => now.saturating_add(state.config.stream_wait),
        StreamWait::Until(due) => due,
        StreamWait::Over => return Ok(Own::Useless),
    };
    if multiplexed && now < due { Ok(Own::Waits(Some(due))) } else { Ok(Own::Useless) }
}

/// Closes the connection that has been idle for longest, if there is no room for another one.
fn make_room(state: &mut State) -> Result<(), Failure> {
    let used = state.connections.len().saturating_add(state.attempts.len());
    if used < state.config.connections_max {
        return Ok(());
    }
    let idle = state.connections.iter().filter(|(_, it)| it.requests.is_empty());
    let oldest = idle.min_by_key(|(_, it)| it.idle_since).map(|(id, _)| *id);
    oldest.map(|id| state.close(id)).ok_or(Failure::TooManyConnections)
}
