//! Connections that end: those that are idle, drained, or replaced by another one.

use alloc::vec::Vec;
use core::time::Duration;

use crate::candidate::ConnectionState;
use crate::pool::retry;
use crate::pool::state::{Connection, Place, State};
use crate::superseded::{Closing, superseded};
use crate::trail::ConnectionId;

/// Closes a connection without requests that has no further use: GOAWAY was received, or another
/// connection replaces it (RFC 8336 §2.4).
pub(super) fn close_if_useless(state: &mut State, id: ConnectionId) {
    let Some(found) = state.connections.get(&id) else { return };
    if !found.requests.is_empty() {
        return;
    }
    let draining = found.status.state != ConnectionState::Open;
    if draining || is_replaced(state, found) {
        state.close(id);
    }
}

fn is_replaced(state: &State, connection: &Connection) -> bool {
    let one = (&connection.facts, &connection.status);
    let mut others = state.connections.values();
    connection.status.origin_set().is_initialised()
        && !connection.needed
        && others.any(|it| superseded(one, (&it.facts, &it.status)) == Some(Closing::Now))
}

/// Closes the connections that a connection replaces, or itself, after its origin set has grown.
pub(super) fn close_replaced(state: &mut State, id: ConnectionId) {
    close_if_useless(state, id);
    let Some(grown) = state.connections.get(&id) else { return };
    let by = (&grown.facts, &grown.status);
    let replaced = state.connections.iter().filter(|(_, it)| {
        it.requests.is_empty()
            && !it.needed
            && superseded((&it.facts, &it.status), by) == Some(Closing::Now)
    });
    let replaced: Vec<_> = replaced.map(|(id, _)| *id).collect();
    for id in replaced {
        state.close(id);
    }
}

/// Closes the connections that have been idle for too long.
pub(super) fn close_idle(state: &mut State, now: Duration) {
    while let Some((since, id)) = state.idle.first().copied()
        && since.saturating_add(state.config.idle_timeout) <= now
    {
        state.close(id);
    }
}

/// Forgets a connection that has ended. Its requests without an answer are lost.
pub(super) fn lost(state: &mut State, id: ConnectionId, now: Duration) {
    let Some(found) = state.connections.get(&id) else { return };
    let requests: Vec<_> = found.requests.iter().copied().collect();
    for request in requests {
        let place = state.requests.get(&request).map(|it| it.place);
        if let Some(Place::Sent { delivered: true, .. }) = place {
            state.requests.remove(&request);
        } else {
            retry::lost(state, request, now);
        }
    }
    if let Some(found) = state.connections.get(&id)
        && let Some(group) = state.groups.get_mut(&found.facts.key)
    {
        group.failed = false;
    }
    state.remove(id);
}
