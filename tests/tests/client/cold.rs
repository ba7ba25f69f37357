//! Cold starts: requests that meet no finished connection.

use coalesce_client::FixedResolver;
use futures_util::future::join_all;

use crate::asking::{builder, fixed, get, page};
use crate::gate::Gate;
use crate::hole::BlackHole;
use crate::origin::{Origin, Script};
use crate::place::{Place, name};

#[tokio::test]
async fn burst_to_one_host_opens_one_connection() {
    let place = Place::new();
    let server = Origin::start(place.address(1), Script::new(&["a"])).await;
    let client = builder().resolver(fixed(place, &[("a", &[1])])).build().unwrap();
    join_all((0..1_000).map(|_| page(&client, place, "a"))).await;
    let log = server.log();
    assert_eq!((log.accepted, log.connections.len(), log.requests.len()), (1, 1, 1_000));
}

/// Enough hosts to see one connection for each, and few enough for the verifier of a debug build.
const SANDBOXES: usize = 300;

/// A load balancer with one wildcard certificate in front of as many hosts as there are sandboxes.
#[tokio::test]
async fn hosts_of_one_wildcard_open_one_connection() {
    let place = Place::new();
    let server = Origin::start(place.address(1), Script::new(&["*.sandbox"])).await;
    let everywhere = format!("*:{}:{}", place.port(), place.ip(1));
    let resolver = FixedResolver::new().entry(&everywhere).unwrap();
    let client = builder().resolver(resolver).build().unwrap();
    let hosts: Vec<String> = (0..SANDBOXES).map(|number| format!("{number}.sandbox")).collect();
    // Six calls one after the other, which are six handshakes with a pool by host.
    for host in &hosts[..6] {
        page(&client, place, host).await;
    }
    join_all(hosts.iter().map(|host| page(&client, place, host))).await;
    let log = server.log();
    assert_eq!((log.accepted, log.connections.len(), log.requests.len()), (1, 1, SANDBOXES + 6));
}

#[tokio::test]
async fn cold_burst_to_many_hosts_of_one_wildcard_opens_one_connection() {
    let place = Place::new();
    let server = Origin::start(place.address(1), Script::new(&["*.sandbox"])).await;
    let everywhere = format!("*:{}:{}", place.port(), place.ip(1));
    let resolver = FixedResolver::new().entry(&everywhere).unwrap();
    let client = builder().leader_wait(crate::gate::PATIENCE).resolver(resolver).build().unwrap();
    let hosts: Vec<String> = (0..SANDBOXES).map(|number| format!("{number}.sandbox")).collect();
    join_all(hosts.iter().map(|host| page(&client, place, host))).await;
    let log = server.log();
    assert_eq!((log.accepted, log.connections.len(), log.requests.len()), (1, 1, SANDBOXES));
}

/// The median page of the published measurements: 14 hosts of five operators, 76 requests.
#[tokio::test]
async fn page_opens_one_connection_for_each_operator() {
    let place = Place::new();
    let mut servers = Vec::new();
    for operator in 1..=5 {
        let script = Script::new(&[&format!("*.o{operator}")]);
        servers.push(Origin::start(place.address(operator), script).await);
    }
    let operator = |host: u8| host % 5 + 1;
    let hosts = (0..14).map(|host| (host, format!("h{host}.o{}", operator(host))));
    let hosts: Vec<(u8, String)> = hosts.collect();
    let resolver = hosts.iter().fold(FixedResolver::new(), |resolver, (host, text)| {
        resolver.host(&name(text), [place.address(operator(*host))])
    });
    let client = builder().leader_wait(crate::gate::PATIENCE).resolver(resolver).build().unwrap();
    let requests = (0..76).map(|number| &hosts[number % hosts.len()].1);
    join_all(requests.map(|host| page(&client, place, host))).await;
    let found: Vec<usize> = servers.iter().map(|server| server.log().accepted).collect();
    assert_eq!(found, [1; 5]);
}

/// The leader's handshake hangs: the other host waits for it no longer than `leader_wait`, and its
/// own connection then serves both.
#[tokio::test]
async fn hanging_leader_delays_no_other_host() {
    let (place, gate) = (Place::new(), Gate::closed());
    let script = Script::new(&["a", "b"]).holds(&gate, |connection| connection == 0);
    let server = Origin::start(place.address(1), script).await;
    let client = builder().resolver(fixed(place, &[("a", &[1]), ("b", &[1])])).build().unwrap();
    let leader = async {
        page(&client, place, "a").await;
    };
    let other = async {
        server.until("the connection of the leader", |log| log.accepted == 1).await;
        page(&client, place, "b").await;
    };
    tokio::join!(leader, other);
    let log = server.log();
    assert_eq!(log.server_names(), ["b"]);
    assert_eq!(log.requests.len(), 2);
    gate.open();
}

/// Hosts of different domains race. The loser is covered before its own handshake ends.
#[tokio::test]
async fn loser_of_a_race_uses_the_connection_of_the_winner() {
    let (place, gate) = (Place::new(), Gate::closed());
    let script = Script::new(&["a", "b.example.org"]).holds(&gate, |connection| connection == 1);
    let server = Origin::start(place.address(1), script).await;
    let hosts: &[(&str, &[u8])] = &[("a", &[1]), ("b.example.org", &[1])];
    let client = builder().resolver(fixed(place, hosts)).build().unwrap();
    tokio::join!(page(&client, place, "a"), page(&client, place, "b.example.org"));
    let log = server.log();
    assert_eq!((log.connections.len(), log.requests.len()), (1, 2));
    gate.open();
}

#[tokio::test]
async fn silent_address_is_passed_over_by_happy_eyeballs() {
    let place = Place::new();
    let server = Origin::start(place.address(1), Script::new(&["a"])).await;
    let _hole = BlackHole::start(place.address(9)).await;
    let client = builder().resolver(fixed(place, &[("a", &[9, 1])])).build().unwrap();
    get(&client, &place.url("a", "/")).await;
    assert_eq!(server.log().requests.len(), 1);
}
