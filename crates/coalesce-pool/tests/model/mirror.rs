//! The record of the connections, and the rules again, written for clarity alone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use coalesce_core::{HostBuf, IdentifierSet, PresentedIdentifier};
use coalesce_pool::{
    Coalescing, ConnectionFacts, ConnectionId, Endpoint, LeafDigest, Partition, PoolKey, Protocol,
    RequestFacts, RequestId, TlsFacts, limits,
};

const HOSTS: [&str; 6] =
    ["a.one.test", "b.one.test", "c.one.test", "a.two.test", "b.two.test", "a.deep.one.test"];

/// The time for which a refusal is remembered.
const MEMORY: Duration = limits::REFUSAL_TTL;

/// Returns the key of a request: one of six hosts, rarely in another partition.
pub(crate) fn key_of(at: usize, detail: u8) -> PoolKey {
    let mut key = PoolKey::new(origin(at).parse().expect("an origin"));
    if detail.is_multiple_of(11) {
        key.partition = Partition::new("other");
    }
    key
}

fn origin(at: usize) -> String {
    format!("https://{}", HOSTS[at % HOSTS.len()])
}

pub(crate) fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 443))
}

/// Returns the names of a certificate that covers the host of the key.
pub(crate) fn names_of(key: &PoolKey, detail: u8) -> Vec<String> {
    let host = key.origin.as_origin().host().to_string();
    match detail % 4 {
        0 => vec![host],
        1 => vec![host, "*.one.test".to_owned()],
        2 => vec![host, "*.one.test".to_owned(), "*.two.test".to_owned()],
        _ => HOSTS.map(str::to_owned).to_vec(),
    }
}

/// Returns the payload of an ORIGIN frame with these hosts.
pub(crate) fn payload(hosts: &[usize]) -> Vec<u8> {
    let entry = |at: &usize| {
        let origin = origin(*at);
        let len = u16::try_from(origin.len()).expect("a short name").to_be_bytes();
        [&len[..], origin.as_bytes()].concat()
    };
    hosts.iter().flat_map(entry).collect()
}

pub(crate) struct Certificate {
    pub(crate) names: Vec<String>,
    pub(crate) kind: u8,
}

impl Certificate {
    /// Returns the facts of a connection with this certificate. One kind in sixteen speaks
    /// HTTP/1.1, another has sent a client certificate, a third expires soon.
    pub(crate) fn facts(&self, key: PoolKey, peer: SocketAddr, now: Duration) -> ConnectionFacts {
        let names = self.names.iter().map(|name| PresentedIdentifier::parse_dns(name.as_bytes()));
        let set = IdentifierSet::build(names.map(|name| name.expect("a name"))).expect("few names");
        let protocol = if self.kind == 1 { Protocol::Http1 } else { Protocol::Http2 };
        let lifetime = Duration::from_secs(if self.kind == 3 { 1 } else { 1_000_000 });
        let leaf = LeafDigest::new([u8::try_from(self.names.len()).expect("few names"); 32]);
        let mut facts = ConnectionFacts::new(key, peer, protocol);
        let mut tls = TlsFacts::new(Arc::new(set), leaf, now + lifetime);
        tls.client_certificate_sent = self.kind == 2;
        facts.tls = Some(tls);
        facts
    }

    fn covers(&self, host: &str) -> bool {
        self.names.iter().any(|name| match name.strip_prefix("*.") {
            Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest == parent),
            None => name == host,
        })
    }
}

#[allow(clippy::struct_excessive_bools, reason = "a record for clarity alone")]
struct Open {
    facts: ConnectionFacts,
    certificate: Certificate,
    requests: BTreeSet<RequestId>,
    streams_max: u32,
    settled: bool,
    draining: bool,
    accepted: BTreeSet<HostBuf>,
    refused: BTreeSet<PoolKey>,
    announced: Option<BTreeSet<String>>,
    lost_origins: bool,
    /// Whether it has carried another origin, and whether it has carried a retry.
    shared: bool,
    alone: bool,
}

impl Open {
    fn server(&self) -> (LeafDigest, SocketAddr) {
        (self.facts.tls.as_ref().expect("TLS").leaf, self.facts.peer)
    }
}

#[derive(Default)]
pub(crate) struct Mirror {
    open: BTreeMap<ConnectionId, Open>,
    addresses: BTreeMap<PoolKey, BTreeSet<SocketAddr>>,
    memory: Vec<(LeafDigest, SocketAddr, String, Duration)>,
}

impl Mirror {
    pub(crate) fn open_ids(&self) -> Vec<ConnectionId> {
        self.open.keys().copied().collect()
    }

    pub(crate) fn unsettled(&self) -> BTreeSet<ConnectionId> {
        self.open.iter().filter(|(_, it)| !it.settled).map(|(id, _)| *id).collect()
    }

    pub(crate) fn learn(&mut self, key: &PoolKey, endpoints: &[Endpoint]) {
        let known = self.addresses.entry(key.clone()).or_default();
        known.extend(endpoints.iter().map(|endpoint| endpoint.address));
    }

    pub(crate) fn open(
        &mut self,
        id: ConnectionId,
        facts: ConnectionFacts,
        certificate: Certificate,
    ) {
        let http1 = facts.protocol == Protocol::Http1;
        let open = Open {
            facts,
            certificate,
            requests: BTreeSet::new(),
            streams_max: if http1 { 1 } else { 100 },
            settled: http1,
            draining: false,
            accepted: BTreeSet::new(),
            refused: BTreeSet::new(),
            announced: None,
            lost_origins: false,
            shared: false,
            alone: false,
        };
        assert!(self.open.insert(id, open).is_none(), "{id} is used twice");
    }

    fn find(&mut self, id: ConnectionId) -> &mut Open {
        self.open.get_mut(&id).expect("an open connection")
    }

    pub(crate) fn accept(&mut self, id: ConnectionId, host: &HostBuf) {
        if let Some(open) = self.open.get_mut(&id) {
            open.accepted.insert(host.clone());
        }
    }

    pub(crate) fn settle(&mut self, id: ConnectionId, streams_max: Option<u32>) {
        let open = self.find(id);
        if open.facts.protocol == Protocol::Http2 {
            open.settled = true;
            open.streams_max = streams_max.expect("a limit");
        }
    }

    pub(crate) fn announce(&mut self, id: ConnectionId, hosts: &[usize]) {
        let open = self.find(id);
        if open.facts.protocol == Protocol::Http2 {
            let own = open.facts.key.origin.to_string();
            let set = open.announced.get_or_insert_with(|| BTreeSet::from([own]));
            set.extend(hosts.iter().map(|at| origin(*at)));
        }
    }

    pub(crate) fn lose_origins(&mut self, id: ConnectionId) {
        self.find(id).lost_origins = true;
    }

    pub(crate) fn drain(&mut self, id: ConnectionId) {
        self.find(id).draining = true;
    }

    /// Notes that a connection gave a request back, or was lost under it.
    pub(crate) fn end_use(&mut self, id: ConnectionId) {
        if let Some(open) = self.open.get_mut(&id) {
            open.draining = true;
        }
    }

    pub(crate) fn close(&mut self, id: ConnectionId) {
        self.open.remove(&id);
    }

    /// Closes a connection at the wish of the pool.
    pub(crate) fn close_idle(&mut self, id: ConnectionId) {
        let closed = self.open.remove(&id).expect("an open connection");
        assert!(closed.requests.is_empty(), "closed with requests");
    }

    pub(crate) fn leave(&mut self, id: ConnectionId, request: RequestId) {
        if let Some(open) = self.open.get_mut(&id) {
            open.requests.remove(&request);
        }
    }

    pub(crate) fn refuse(&mut self, id: ConnectionId, key: &PoolKey, now: Duration) {
        let Some(open) = self.open.get_mut(&id) else { return };
        open.refused.insert(key.clone());
        let (leaf, peer) = open.server();
        self.memory.push((leaf, peer, key.origin.to_string(), now + MEMORY));
    }

    /// Checks that a connection may carry a request, and notes that it does. Returns whether it was
    /// made for the origin.
    pub(crate) fn send(
        &mut self,
        id: ConnectionId,
        request: RequestId,
        facts: &RequestFacts,
        misdirected: bool,
        now: Duration,
    ) -> bool {
        let (key, coalescing) = (&facts.key, facts.policy.coalescing);
        let alone = misdirected || coalescing == Coalescing::Off;
        let open = self.open.get(&id).expect("an open connection");
        let own = open.facts.key == *key;
        let streams = u32::try_from(open.requests.len()).expect("few requests");
        assert!(!open.draining, "a draining connection");
        assert!(streams < open.streams_max, "a full connection");
        assert!(!open.refused.contains(key), "a connection that answered 421");
        assert_eq!(open.facts.key.partition, key.partition);
        if !own {
            assert!(coalescing.allows_other_origins(), "another origin under {coalescing:?}");
            self.check_other_origin(open, key, now);
        }
        let open = self.find(id);
        if alone {
            assert!(own && !open.shared, "a request for its origin alone on a shared connection");
            open.alone = true;
        }
        assert!(own || !open.alone, "another origin on a connection for one");
        open.shared |= !own;
        open.requests.insert(request);
        own
    }

    /// Checks the rules for a connection that was made for another origin.
    fn check_other_origin(&self, open: &Open, key: &PoolKey, now: Duration) {
        let (host, origin) = (key.origin.as_origin().host(), key.origin.to_string());
        let tls = open.facts.tls.as_ref().expect("TLS");
        assert_eq!(open.facts.protocol, Protocol::Http2);
        assert!(open.settled, "SETTINGS are missing");
        assert!(!tls.client_certificate_sent, "a client certificate was sent");
        assert!(!open.lost_origins, "origins of the server were lost");
        assert!(now < tls.expires_at, "the certificate has expired");
        assert!(open.certificate.covers(&host.to_string()), "{host} is not covered");
        assert!(open.accepted.contains(&host.to_buf()), "{host} is not verified");
        let known = self.addresses.get(key);
        assert!(known.is_some_and(|known| known.contains(&open.facts.peer)), "another address");
        let announced = open.announced.as_ref();
        assert!(announced.is_none_or(|set| set.contains(&origin)), "{origin} is not announced");
        let remembered = self.memory.iter().any(|(leaf, peer, of, until)| {
            (*leaf, *peer) == open.server() && *of == origin && now < *until
        });
        assert!(!remembered, "the memory has a refusal");
    }
}
