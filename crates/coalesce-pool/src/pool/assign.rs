//! Sends the requests that wait, and makes the connections that they need.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use crate::candidate::{Candidate, ConnectionState, Protocol};
use crate::choose::{Choice, choose};
use crate::endpoint::Endpoint;
use crate::judge::{Eligibility, Inquiry, judge};
use crate::key::PoolKey;
use crate::limits::{TRAIL_STEPS_MAX, WAITING_KINDS_MAX};
use crate::pool::leader;
use crate::pool::output::{Failure, Output};
use crate::pool::state::{
    Attempt, Connection, Group, LeaderWait, Place, Queue, Request, Resolution, State, StreamWait,
};
use crate::refusal::{Grounds, Refusal};
use crate::request::{Coalescing, DnsPolicy};
use crate::trail::{AttemptId, CandidateId, ConnectionId, RequestId, TrailStep};

/// The result of a step for a request.
enum Next {
    /// It has left the queue.
    Gone,
    /// It waits for an event.
    Waits,
}

/// Judges the waiting requests again that the events so far may have helped. Others would get the
/// same result as before.
pub(super) fn assign_affected(state: &mut State, now: Duration) {
    loop {
        if let Some(key) = state.affected.pop_first() {
            assign(state, &key, now);
        } else if let Some(connection) = state.offered.pop_first() {
            offer(state, connection, now);
        } else {
            return;
        }
    }
}

/// Sends a new request at once, if a connection may carry it and no other request of its key waits.
/// This is the usual case, and needs neither a queue nor endpoints.
pub(super) fn send_at_once(state: &mut State, id: RequestId, now: Duration) -> bool {
    let Some(request) = state.requests.get(&id) else { return false };
    if state.connections.is_empty() || state.groups.contains_key(&request.facts.key) {
        return false;
    }
    let mut steps = Steps::of(core::mem::take(&mut state.steps));
    let Some(request) = state.requests.get(&id) else { return false };
    let sent = match choose_for(state, request, None, now, &mut steps) {
        Choice::Reuse { candidate: CandidateId::Connection(connection), grounds } => {
            note(state, id, &steps);
            send(state, id, connection, grounds);
            true
        }
        _ => false,
    };
    state.steps = steps.first;
    sent
}

/// Ends the waits that are over, so that none is due again even if it has no effect now.
pub(super) fn end_waits(state: &mut State, now: Duration) {
    if state.waits.first_key_value().is_none_or(|(due, _)| *due > now) {
        return;
    }
    for (key, group) in &mut state.groups {
        let over = group.waits().filter(|due| *due <= now).count();
        if over == 0 {
            continue;
        }
        for due in group.waits() {
            if due <= now {
                forget_wait(&mut state.waits, due);
            }
        }
        for wait in [&mut group.leader, &mut group.announcer] {
            if wait.until().is_some_and(|until| until <= now) {
                *wait = LeaderWait::Over;
            }
        }
        if matches!(group.stream, StreamWait::Until(due) if due <= now) {
            group.stream = StreamWait::Over;
        }
        state.affected.insert(key.clone());
    }
}

/// Judges the waiting requests that a connection may carry, the oldest first, until it is full.
fn offer(state: &mut State, id: ConnectionId, now: Duration) {
    let Some(found) = state.connections.get(&id) else { return };
    if found.status.room() == 0 || found.status.state != ConnectionState::Open {
        return;
    }
    let heads = state.groups.values().flat_map(|group| {
        let heads = group.queues.iter().filter_map(|queue| queue.ids.front());
        heads.map(move |head| (*head, group))
    });
    let helped = heads.filter(|(head, group)| {
        state.requests.get(head).is_some_and(|request| helps(state, found, request, group, now))
    });
    let mut helped: Vec<_> = helped.map(|(head, _)| head).collect();
    helped.sort_unstable();
    for head in helped {
        if state.connections.get(&id).is_none_or(|found| found.status.room() == 0) {
            return;
        }
        if let Some(request) = state.requests.get(&head)
            && request.place == Place::Waiting
        {
            let key = request.facts.key.clone();
            assign(state, &key, now);
        }
    }
}

/// Returns whether a request that waits has a next step with this connection.
fn helps(
    state: &State,
    connection: &Connection,
    request: &Request,
    group: &Group,
    now: Duration,
) -> bool {
    let inquiry = Inquiry::new(&request.facts, group.known_endpoints(), &state.memory, now);
    match judge(&Candidate::connected(&connection.facts, &connection.status), &inquiry) {
        Eligibility::Eligible(_) => true,
        Eligibility::Unverified => !connection
            .verifying
            .contains_key(&request.facts.key.origin.as_origin().host().to_buf()),
        Eligibility::Unresolved => group.resolution == Resolution::NotAsked,
        Eligibility::Refused(_) => false,
    }
}

/// Judges the waiting requests of one key, the oldest first. If one waits on, those behind it in
/// its queue would get the same result.
fn assign(state: &mut State, key: &PoolKey, now: Duration) {
    let Some(group) = state.groups.get(key) else { return };
    for due in group.waits() {
        forget_wait(&mut state.waits, due);
    }
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
    if let Some(group) = state.groups.get(key) {
        for due in group.waits() {
            let number = state.waits.entry(due).or_default();
            *number = number.saturating_add(1);
        }
    }
}

fn forget_wait(waits: &mut BTreeMap<Duration, usize>, due: Duration) {
    if let Some(number) = waits.get_mut(&due) {
        *number = number.saturating_sub(1);
        if *number == 0 {
            waits.remove(&due);
        }
    }
}

fn step(state: &mut State, key: &PoolKey, id: RequestId, now: Duration) -> Next {
    let mut steps = Steps::of(core::mem::take(&mut state.steps));
    let next = match choice(state, key, id, now, &mut steps) {
        None => Next::Gone,
        Some(Choice::Reuse { candidate: CandidateId::Connection(connection), grounds }) => {
            note(state, id, &steps);
            send(state, id, connection, grounds);
            Next::Gone
        }
        Some(Choice::Verify { candidate: CandidateId::Connection(connection) }) => {
            verify(state, connection, key);
            Next::Waits
        }
        Some(Choice::Resolve { .. }) => {
            resolve(state, key);
            Next::Waits
        }
        Some(Choice::Wait { .. }) => Next::Waits,
        Some(_) => match connect(state, key, id, now) {
            Ok(()) => Next::Waits,
            Err(failure) => {
                note(state, id, &steps);
                state.fail(id, failure);
                Next::Gone
            }
        },
    };
    state.steps = steps.first;
    next
}

/// The steps of one decision, of which a trail has no room for more than these.
struct Steps {
    first: Vec<TrailStep>,
    left_out: u64,
}

impl Steps {
    /// Makes an empty list in the memory of another one.
    fn of(mut memory: Vec<TrailStep>) -> Self {
        memory.clear();
        Self { first: memory, left_out: 0 }
    }

    fn push(&mut self, step: TrailStep) {
        if self.first.len() < TRAIL_STEPS_MAX {
            self.first.push(step);
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
    }
}

fn choice(
    state: &State,
    key: &PoolKey,
    id: RequestId,
    now: Duration,
    steps: &mut Steps,
) -> Option<Choice<CandidateId>> {
    let (request, group) = (state.requests.get(&id)?, state.groups.get(key)?);
    Some(choose_for(state, request, group.known_endpoints(), now, steps))
}

/// Chooses among the candidates. A request that another connection refused gets only those that
/// have served its origin alone.
fn choose_for(
    state: &State,
    request: &Request,
    endpoints: Option<&[Endpoint]>,
    now: Duration,
    steps: &mut Steps,
) -> Choice<CandidateId> {
    let inquiry = Inquiry::new(&request.facts, endpoints, &state.memory, now);
    let candidates = state.candidates(request.alone.then_some(&request.facts.key));
    choose(candidates, &inquiry, |candidate, result| {
        steps.push(TrailStep::Judged { candidate, result });
    })
}

fn note(state: &mut State, id: RequestId, steps: &Steps) {
    if let Some(request) = state.requests.get_mut(&id) {
        request.trail.extend(&steps.first, steps.left_out);
    }
}

fn send(state: &mut State, id: RequestId, connection: ConnectionId, grounds: Grounds) {
    let Some(request) = state.requests.get_mut(&id) else { return };
    let Some(found) = state.connections.get_mut(&connection) else { return };
    request.place = Place::Sent { connection, stream: None, delivered: false };
    request.trail.push(TrailStep::Sent { connection, grounds });
    if found.requests.is_empty() {
        state.idle.remove(&(found.idle_since, connection));
    }
    found.requests.insert(id);
    found.status.streams_active = found.status.streams_active.saturating_add(1);
    found.status.shared |= found.facts.key.origin != request.facts.key.origin;
    found.status.alone |= request.needs_own();
    found.needed |= !request.facts.policy.coalescing.allows_other_origins();
    if !state.groups.is_empty()
        && let Some(group) = state.groups.get_mut(&request.facts.key)
    {
        (group.stream, group.failed, group.unreachable) = (StreamWait::NotYet, false, 0);
    }
    state.output(Output::Send { request: id, connection });
}

fn verify(state: &mut State, connection: ConnectionId, key: &PoolKey) {
    let Some(found) = state.connections.get_mut(&connection) else { return };
    let host = key.origin.as_origin().host().to_buf();
    if let Some(waiting) = found.verifying.get_mut(&host) {
        if !waiting.contains(key) {
            waiting.push(key.clone());
        }
    } else {
        found.verifying.insert(host.clone(), [key.clone()].into());
        state.output(Output::Verify { connection, host });
    }
}

fn resolve(state: &mut State, key: &PoolKey) {
    if state.groups.get(key).is_none_or(|group| group.resolution != Resolution::NotAsked) {
        return;
    }
    let attempt = AttemptId::new(state.next_id());
    if let Some(group) = state.groups.get_mut(key) {
        group.resolution = Resolution::Running;
        group.next_attempt = Some(attempt);
    }
    state.output(Output::Resolve { key: key.clone() });
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
        if !needs_no_addresses(request) || !waits_for_origins(state, key, now) {
            resolve(state, key);
        }
        return Ok(());
    }
    let endpoints: Vec<_> = group.untried().copied().collect();
    if key.proxy.is_none() && endpoints.is_empty() {
        return match group.resolution {
            Resolution::Running => Ok(()),
            _ if group.unreachable > 0 => Err(Failure::Connect),
            _ => Err(Failure::NoAddress),
        };
    }
    let alone = group.queues.iter().any(Queue::needs_own);
    if !request.alone && request.facts.policy.coalescing.allows_other_origins() {
        let wait = leader::wait(state, key, group, now);
        if let Some(group) = state.groups.get_mut(key) {
            group.leader = wait;
        }
        if wait.until().is_some() {
            return Ok(());
        }
    }
    make_room(state)?;
    let named = state.groups.get_mut(key).and_then(|group| group.next_attempt.take());
    let attempt = named.unwrap_or_else(|| AttemptId::new(state.next_id()));
    let started = Attempt { key: key.clone(), endpoints: endpoints.clone(), peer: None, alone };
    state.attempts.insert(attempt, started);
    if let Some(group) = state.groups.get_mut(key) {
        group.attempt = Some(attempt);
        group.stream = StreamWait::NotYet;
    }
    state.affect_waiting(attempt);
    state.output(Output::Connect { attempt, key: key.clone(), endpoints });
    Ok(())
}

/// Returns whether a group waits for a connection that may announce its origin, before its host is
/// resolved.
fn waits_for_origins(state: &mut State, key: &PoolKey, now: Duration) -> bool {
    let Some(group) = state.groups.get(key) else { return false };
    if group.resolution != Resolution::NotAsked {
        return false;
    }
    let wait = leader::wait_for_origins(state, key, group, now);
    if let Some(group) = state.groups.get_mut(key) {
        group.announcer = wait;
    }
    wait.until().is_some()
}

/// Returns whether a connection that announces the origin of a request is enough for it.
fn needs_no_addresses(request: &Request) -> bool {
    let policy = &request.facts.policy;
    !request.alone
        && policy.coalescing == Coalescing::AnyOrigin
        && policy.dns != DnsPolicy::Required
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
    let oldest = state.idle.first().map(|(_, id)| *id);
    oldest.map(|id| state.close(id)).ok_or(Failure::TooManyConnections)
}
