//! Leaders: at a cold start one attempt goes first, and those that its connection may carry wait.

use core::slice;
use core::time::Duration;

use coalesce_core::{Host, Origin, Scheme};

use crate::candidate::Protocol;
use crate::endpoint::{Endpoint, comparable};
use crate::key::PoolKey;
use crate::pool::served_hosts::Server;
use crate::pool::state::{Group, LeaderWait, Queue, Stage, State};
use crate::trail::AttemptId;

/// The labels in which the hosts of a leader and of those that wait for it agree. Two labels are
/// not always a registrable domain, but a wrong guess costs one wait and shares nothing.
const SHARED_LABELS: usize = 2;

/// Decides whether a group waits for the connection of another one, and until when.
///
/// The group waits for one leader: for the rest of its handshake, and then for its SETTINGS. Each
/// of the two waits ends after `leader_wait`.
pub(super) fn wait(state: &State, key: &PoolKey, group: &Group, now: Duration) -> LeaderWait {
    go_on(state, key, group.leader, Some(&group.endpoints), now)
}

/// Decides whether a group whose policy waives DNS waits for a connection that may announce its
/// origin, and until when. Without this wait, its host would be resolved for nothing.
pub(super) fn wait_for_origins(
    state: &State,
    key: &PoolKey,
    group: &Group,
    now: Duration,
) -> LeaderWait {
    go_on(state, key, group.announcer, None, now)
}

/// Returns what follows a wait. Without endpoints, names alone say who may lead. Each stage of the
/// leader gets its own time.
fn go_on(
    state: &State,
    key: &PoolKey,
    current: LeaderWait,
    endpoints: Option<&[Endpoint]>,
    now: Duration,
) -> LeaderWait {
    let until = now.saturating_add(state.config.leader_wait);
    let (attempt, before) = match current {
        LeaderWait::Over => return LeaderWait::Over,
        LeaderWait::NotYet => {
            let found = find(state, key, endpoints, now);
            return found.map_or(LeaderWait::NotYet, |(attempt, stage)| LeaderWait::For {
                attempt,
                stage,
                until,
            });
        }
        LeaderWait::For { until, .. } if now >= until => return LeaderWait::Over,
        LeaderWait::For { attempt, stage, .. } => (attempt, stage),
    };
    match stage_of(state, attempt) {
        None => LeaderWait::Over,
        Some(reached) if reached == before => current,
        Some(reached) => LeaderWait::For { attempt, stage: reached, until },
    }
}

/// Returns how far an attempt is. `None` if it has ended, or its connection has its SETTINGS.
fn stage_of(state: &State, attempt: AttemptId) -> Option<Stage> {
    if state.attempts.contains_key(&attempt) {
        return Some(Stage::Connecting);
    }
    let made = state.connections.values().find(|it| it.attempt == attempt);
    if let Some(made) = made {
        return (!made.status.settings_received).then_some(Stage::Settling);
    }
    let mut groups = state.groups.values();
    groups.any(|group| group.next_attempt == Some(attempt)).then_some(Stage::Resolving)
}

/// Finds an attempt, or a connection without SETTINGS, that may soon carry requests of the key.
/// Without endpoints, an attempt whose host is being resolved counts too.
fn find(
    state: &State,
    key: &PoolKey,
    endpoints: Option<&[Endpoint]>,
    now: Duration,
) -> Option<(AttemptId, Stage)> {
    let met = state.served.of(&key.partition, &key.origin.as_origin().host(), now);
    let attempts = state.attempts.iter().filter(|(_, attempt)| {
        let peer = attempt.peer.map(Endpoint::new);
        let theirs = peer.as_ref().map_or(&attempt.endpoints[..], slice::from_ref);
        !attempt.alone && may_lead(&attempt.key, key, theirs, endpoints, &met)
    });
    let attempts = attempts.map(|(id, _)| (*id, Stage::Connecting));
    let settling = state.connections.values().filter(|it| {
        !it.status.settings_received
            && !it.status.alone
            && it.facts.protocol == Protocol::Http2
            && may_lead(&it.facts.key, key, &[Endpoint::new(it.facts.peer)], endpoints, &met)
    });
    let settling = settling.map(|it| (it.attempt, Stage::Settling));
    let resolving = state.groups.iter().filter(|(leader, group)| {
        endpoints.is_none()
            && !group.queues.iter().any(Queue::needs_own)
            && may_lead(leader, key, &group.endpoints, None, &met)
    });
    let resolving =
        resolving.filter_map(|(_, group)| Some((group.next_attempt?, Stage::Resolving)));
    attempts.chain(settling).chain(resolving).next()
}

/// Returns whether a connection for `leader` is likely to serve `key`: the terms agree, they share
/// an address if the addresses are known, and the names are neighbours or a server there has
/// served both.
fn may_lead(
    leader: &PoolKey,
    key: &PoolKey,
    theirs: &[Endpoint],
    endpoints: Option<&[Endpoint]>,
    met: &[&Server],
) -> bool {
    let (one, other) = (leader.origin.as_origin(), key.origin.as_origin());
    leader.partition == key.partition
        && leader.tls_configuration == key.tls_configuration
        && leader.proxy.is_none()
        && key.proxy.is_none()
        && one.scheme() == Scheme::Https
        && other.scheme() == Scheme::Https
        && one.port() == other.port()
        && one.host() != other.host()
        && endpoints.is_none_or(|ours| share_address(theirs, ours))
        && (are_neighbours(&one, &other) || have_met(&one.host(), theirs, endpoints, met))
}

/// Returns whether one of the servers has served the leader, at an address of both as far as the
/// addresses are known.
fn have_met(
    leader: &Host<'_>,
    theirs: &[Endpoint],
    ours: Option<&[Endpoint]>,
    met: &[&Server],
) -> bool {
    met.iter().any(|server| {
        let is_at = |list: &[Endpoint]| list.iter().any(|it| server.is_at(it.address));
        server.has_served(leader) && is_at(theirs) && ours.is_none_or(is_at)
    })
}

fn are_neighbours(one: &Origin<'_>, other: &Origin<'_>) -> bool {
    let (Host::Name(one), Host::Name(other)) = (one.host(), other.host()) else { return false };
    let labels = |bytes| last_labels(bytes);
    labels(one.as_bytes()).eq_ignore_ascii_case(labels(other.as_bytes()))
}

/// Returns the last labels of a name, or all of it if it has fewer.
fn last_labels(name: &[u8]) -> &[u8] {
    let name = name.strip_suffix(b".").unwrap_or(name);
    let dots = name.iter().enumerate().rev().filter(|(_, byte)| **byte == b'.');
    let start = dots.map(|(at, _)| at.saturating_add(1)).nth(SHARED_LABELS.saturating_sub(1));
    name.get(start.unwrap_or(0)..).unwrap_or(name)
}

fn share_address(one: &[Endpoint], other: &[Endpoint]) -> bool {
    one.iter().any(|endpoint| {
        let address = comparable(endpoint.address);
        address.is_some() && other.iter().any(|known| comparable(known.address) == address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_agree_in_their_last_two_labels() {
        for (one, other, expected) in [
            ("https://a.example.test", "https://b.Example.test.", true),
            ("https://a.example.test", "https://example.test", true),
            ("https://a.example.test", "https://a.other.test", false),
            ("https://localhost", "https://localhost", true),
            ("https://a.xample.test", "https://a.example.test", false),
            ("https://192.0.2.1", "https://a.example.test", false),
        ] {
            let [one, other] = [one, other].map(|it| Origin::try_from(it).unwrap());
            assert_eq!(are_neighbours(&one, &other), expected, "{one} {other}");
        }
    }
}
