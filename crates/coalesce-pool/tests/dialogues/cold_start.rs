//! Requests that meet no connection: leaders, and one attempt for an origin.

use coalesce_pool::{
    DnsPolicy, Endpoint, OriginFrame, Partition, Policy, PoolKey, Progress, Proxy, RequestFacts,
    Verification,
};

use crate::client::{Client, endpoint, https};

#[test]
fn thousand_requests_of_one_host_make_one_connection() {
    let mut client = Client::new();
    let requests: Vec<_> = (0..1_000).map(|_| client.get("a.example.test")).collect();
    assert_eq!((client.attempts.len(), client.resolved), (1, 1));
    let connection = client.handshake(&["a.example.test"]);
    assert_eq!(client.sent.len(), 100, "the limit before SETTINGS");
    client.settings(connection, 1_000);
    assert_eq!(client.sent.len(), 1_000);
    assert!(requests.iter().all(|request| client.on(*request) == Some(connection)));
    assert!(client.attempts.is_empty());
}

#[test]
fn hosts_of_one_server_wait_for_the_first_handshake_and_its_settings() {
    let mut client = Client::new();
    let [one, two, three] = ["a", "b", "c"].map(|it| client.get(&format!("{it}.example.test")));
    assert_eq!(client.attempts.len(), 1, "the others wait");
    let connection = client.handshake(&["*.example.test"]);
    assert_eq!(client.sent, [(one, connection)]);
    client.settings(connection, 100);
    assert_eq!([client.on(two), client.on(three)], [Some(connection); 2]);
    assert!(client.attempts.is_empty());
}

#[test]
fn hosts_that_the_leader_does_not_cover_connect_at_once() {
    let mut client = Client::new();
    client.get("a.example.test");
    let other = client.get("b.example.test");
    client.connect(&["a.example.test"], 100);
    assert_eq!(client.on(other), None);
    assert_eq!(client.attempts.len(), 1, "its own attempt");
    client.connect(&["b.example.test"], 100);
    assert_eq!(client.on(other), Some(client.made[1]));
}

#[test]
fn silent_leader_delays_others_by_the_leader_wait() {
    let mut client = Client::new();
    client.get("a.example.test");
    client.get("b.example.test");
    assert_eq!(client.attempts.len(), 1);
    assert_eq!(client.pass(), Some(250));
    assert_eq!(client.attempts.len(), 2);
    assert_eq!(client.pool.poll_timeout(), None, "nothing else is due");
}

#[test]
fn missing_settings_delay_others_by_the_leader_wait() {
    let mut client = Client::new();
    client.get("a.example.test");
    client.get("b.example.test");
    client.handshake(&["*.example.test"]);
    assert!(client.attempts.is_empty());
    assert_eq!(client.pass(), Some(250));
    assert_eq!(client.attempts.len(), 1);
}

#[test]
fn other_domain_and_other_address_do_not_wait() {
    let mut client = Client::new();
    client.get("a.example.test");
    client.get("a.other.test");
    assert_eq!(client.attempts.len(), 2);
    client.address = Some("192.0.2.11:443");
    client.get("b.example.test");
    assert_eq!(client.attempts.len(), 3);
}

#[test]
fn failed_leader_lets_others_try() {
    let mut client = Client::new();
    let one = client.get("a.example.test");
    client.get("b.example.test");
    let (attempt, _) = client.attempts.remove(0);
    client.pool.handle_failed(client.now, attempt);
    client.act();
    assert_eq!(client.failed.len(), 1);
    assert_eq!(client.failed[0].0, one);
    assert_eq!(client.attempts.len(), 1);
}

#[test]
fn attempt_is_given_up_when_later_endpoints_lead_to_a_connection() {
    let mut client = Client::new();
    client.get("a.example.test");
    let shared = client.connect(&["*.example.test"], 100);
    client.address = None;
    let request = client.get("b.example.test");
    let key = https("b.example.test").key;
    let tell = |client: &mut Client, endpoint: Endpoint, progress| {
        client.pool.handle_endpoints(client.now, &key, &[endpoint], progress);
        client.act();
    };
    tell(&mut client, endpoint("192.0.2.99:443"), Progress::More);
    assert_eq!(client.attempts.len(), 1);
    tell(&mut client, endpoint("192.0.2.10:443"), Progress::Last);
    assert_eq!(client.on(request), Some(shared));
    assert_eq!(client.cancelled, [client.attempts[0].0]);
}

#[test]
fn handshake_that_has_begun_is_not_given_up() {
    let mut client = Client::new();
    let request = client.get("a.example.test");
    let peer = "192.0.2.10:443".parse().unwrap();
    client.pool.handle_handshaking(client.attempts[0].0, peer);
    client.pool.handle_cancel(client.now, request);
    client.act();
    assert!(client.cancelled.is_empty());
    client.connect(&["a.example.test"], 100);
    client.get("a.example.test");
    assert_eq!(client.sent.len(), 1);
}

#[test]
fn proxy_needs_no_resolution_and_is_not_shared() {
    let mut client = Client::new();
    let via_proxy = |host: &str| {
        let mut key: PoolKey = https(host).key;
        key.proxy = Some(Proxy::new("http://proxy.test:3128"));
        RequestFacts::new(key)
    };
    client.request(via_proxy("a.example.test"));
    client.request(via_proxy("b.example.test"));
    assert_eq!((client.resolved, client.attempts.len()), (0, 2));
}

#[test]
fn partitions_share_no_connection_and_no_leader() {
    let mut client = Client::new();
    let inside = |host: &str, partition: &str| {
        let mut key = https(host).key;
        key.partition = Partition::new(partition);
        RequestFacts::new(key)
    };
    client.request(inside("a.example.test", "one"));
    client.request(inside("b.example.test", "two"));
    client.request(inside("a.example.test", "two"));
    assert_eq!(client.attempts.len(), 2, "`a` waits for `b` in its partition");
}

#[test]
fn host_that_the_verifier_rejects_gets_its_own_connection() {
    let mut client = Client::new();
    client.get("a.example.test");
    client.connect(&["*.example.test"], 100);
    client.verification = Verification::Rejected;
    let request = client.get("b.example.test");
    assert_eq!((client.on(request), client.attempts.len()), (None, 1));
}

/// Meets two domains of one server, whose connection closes afterwards.
fn met() -> Client {
    let mut client = Client::new();
    let hosts = ["a.example.test", "b.other.test"];
    let requests = hosts.map(|host| client.get(host));
    assert_eq!(client.attempts.len(), 2, "nothing says that they belong together");
    client.connect(&hosts, 100);
    client.attempts.clear();
    for request in requests {
        client.finish(request);
    }
    while client.pass().is_some() {}
    assert_eq!((client.closed.len(), client.cancelled.len()), (1, 1));
    client
}

#[test]
fn hosts_that_one_server_has_served_share_a_leader_at_the_next_cold_start() {
    let mut client = met();
    let other = client.get("b.other.test");
    let request = client.get("a.example.test");
    assert_eq!(client.attempts.len(), 1);
    client.get("c.third.test");
    assert_eq!(client.attempts.len(), 2, "a host that it has not served");
    let connection = client.connect(&["a.example.test", "b.other.test"], 100);
    assert_eq!([client.on(other), client.on(request)], [Some(connection); 2]);
}

#[test]
fn server_that_has_changed_its_certificate_costs_one_wait() {
    let mut client = met();
    client.get("b.other.test");
    let request = client.get("a.example.test");
    client.connect(&["b.other.test"], 100);
    assert_eq!((client.on(request), client.attempts.len()), (None, 1));
}

#[test]
fn memory_of_servers_ends_after_a_day_and_at_the_partition() {
    let mut client = met();
    for host in ["a.example.test", "b.other.test"] {
        let mut facts = https(host);
        facts.key.partition = Partition::new("other");
        client.request(facts);
    }
    assert_eq!(client.attempts.len(), 2);
    let mut client = met();
    client.now += coalesce_pool::limits::SERVED_HOSTS_TTL;
    client.get("b.other.test");
    client.get("a.example.test");
    assert_eq!(client.attempts.len(), 2);
}

#[test]
fn memory_of_servers_does_not_lead_to_another_address() {
    let mut client = met();
    client.get("b.other.test");
    client.address = Some("192.0.2.11:443");
    client.get("a.example.test");
    assert_eq!(client.attempts.len(), 2);
}

/// A request whose policy lets an origin set replace DNS.
fn waived(host: &str) -> RequestFacts {
    let mut policy = Policy::default();
    policy.dns = DnsPolicy::WaivedByOriginSet;
    let mut facts = https(host);
    facts.policy = policy.into();
    facts
}

#[test]
fn hosts_that_need_no_address_wait_for_the_origin_set_of_the_first_before_dns() {
    let mut client = Client::new();
    // The resolution of the first host takes time.
    client.address = None;
    let [one, two, three, other] =
        ["a.example.test", "b.example.test", "c.example.test", "x.other.test"]
            .map(|host| client.request(waived(host)));
    assert_eq!(client.resolved, 2, "one for each of the two sites");
    let peer = endpoint("192.0.2.10:443");
    let key = https("a.example.test").key;
    client.pool.handle_endpoints(client.now, &key, &[peer], Progress::Last);
    client.act();
    client.address = Some("192.0.2.10:443");
    let connection = client.handshake(&["*.example.test"]);
    assert_eq!(client.on(one), Some(connection));
    let payload = b"\0\x16https://b.example.test";
    client.pool.handle_origin(client.now, connection, &OriginFrame::new(0, 0, payload));
    client.act();
    client.settings(connection, 100);
    assert_eq!(client.on(two), Some(connection));
    assert_eq!(client.resolved, 3, "the origin set lacks the third host");
    assert_eq!([client.on(three), client.on(other)], [None; 2]);
}

#[test]
fn host_that_needs_no_address_is_resolved_after_the_leader_wait() {
    let mut client = Client::new();
    client.address = None;
    client.request(waived("a.example.test"));
    client.request(waived("b.example.test"));
    assert_eq!(client.resolved, 1);
    assert_eq!(client.pass(), Some(250));
    assert_eq!(client.resolved, 2);
}

#[test]
fn host_that_needs_no_address_is_resolved_when_the_first_one_has_none() {
    let mut client = Client::new();
    client.address = None;
    client.request(waived("a.example.test"));
    client.request(waived("b.example.test"));
    let key = https("a.example.test").key;
    client.pool.handle_endpoints(client.now, &key, &[], Progress::Last);
    client.act();
    assert_eq!((client.failed.len(), client.resolved), (1, 2));
}
