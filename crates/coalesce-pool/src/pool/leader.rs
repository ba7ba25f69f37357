//! Leaders: at a cold start one attempt goes first, and those that its connection may carry wait.

use core::slice;
use core::time::Duration;

use coalesce_core::{Host, Origin, Scheme};

use crate::candidate::Protocol;
use crate::endpoint::{Endpoint, comparable};
use crate::key::PoolKey;
use crate::pool::served_hosts::Server;
use crate::pool::state::{Group, LeaderWait, State};
use crate::trail::AttemptId;

/// The labels in which the hosts of a leader and of those that wait for it agree. Two labels are
/// not always a registrable domain, but a wrong guess costs one wait and shares nothing.
const SHARED_LABELS: usize = 2;

/// Decides whether a group waits for the connection of another one, and until when.
///
/// The group waits for one leader: for the rest of its handshake, and then for its SETTINGS. Each
/// of the two waits ends after `leader_wait`.
pub(super) fn wait(state: &State, key: &PoolKey, group: &Group, now: Duration) -> LeaderWait {
    let until = now.saturating_add(state.config.leader_wait);
    match group.leader {
        LeaderWait::Over => LeaderWait::Over,
        LeaderWait::NotYet => match find(state, key, &group.endpoints, now) {
            Some((attempt, settling)) => LeaderWait::For { attempt, settling, until },
            None => LeaderWait::NotYet,
        },
        LeaderWait::For { until, .. } if now >= until => LeaderWait::Over,
        LeaderWait::For { attempt, settling: false, .. }
            if state.attempts.contains_key(&attempt) =>
        {
            group.leader
        }
        LeaderWait::For { attempt, settling, .. } => {
            let made = state.connections.values().find(|it| it.attempt == attempt);
            let unsettled = made.is_some_and(|it| !it.status.settings_received);
            match (unsettled, settling) {
                (true, true) => group.leader,
                (true, false) => LeaderWait::For { attempt, settling: true, until },
                (false, _) => LeaderWait::Over,
            }
        }
    }
}

/// Finds an attempt, or a connection without SETTINGS, that may soon carry requests of the key.
fn find(
    state: &State,
    key: &PoolKey,
    endpoints: &[Endpoint],
    now: Duration,
) -> Option<(AttemptId, bool)> {
    let met = state.served.of(&key.partition, &key.origin.as_origin().host(), now);
    let attempts = state.attempts.iter().filter(|(_, attempt)| {
        let peer = attempt.peer.map(Endpoint::new);
        let theirs = peer.as_ref().map_or(&attempt.endpoints[..], slice::from_ref);
        !attempt.alone && may_lead(&attempt.key, key, theirs, endpoints, &met)
    });
    let settling = state.connections.values().filter(|it| {
        !it.status.settings_received
            && !it.status.alone
            && it.facts.protocol == Protocol::Http2
            && may_lead(&it.facts.key, key, &[Endpoint::new(it.facts.peer)], endpoints, &met)
    });
    let attempts = attempts.map(|(id, _)| (*id, false));
    attempts.chain(settling.map(|it| (it.attempt, true))).next()
}

/// Returns whether a connection for `leader` is likely to serve `key`: the terms agree, they share
/// an address, and the names are neighbours or a server there has served both.
fn may_lead(
    leader: &PoolKey,
    key: &PoolKey,
    theirs: &[Endpoint],
    endpoints: &[Endpoint],
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
        && share_address(theirs, endpoints)
        && (are_neighbours(&one, &other) || have_met(&one.host(), theirs, endpoints, met))
}

/// Returns whether one of the servers has served the leader, at an address of both.
fn have_met(leader: &Host<'_>, theirs: &[Endpoint], ours: &[Endpoint], met: &[&Server]) -> bool {
    met.iter().any(|server| {
        let is_at = |list: &[Endpoint]| list.iter().any(|it| server.is_at(it.address));
        server.has_served(leader) && is_at(theirs) && is_at(ours)
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
