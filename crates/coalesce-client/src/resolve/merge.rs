//! Merges the answers for A, AAAA and HTTPS records of a host into its endpoints. A state machine
//! without sockets and without a clock.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use coalesce_core::DnsNameBuf;
use coalesce_pool::{Alpn, Endpoint};

use super::contract::Question;
use super::limits::{ALIASES_MAX, ENDPOINTS_MAX, HTTPS_WAIT, SERVICES_MAX, TARGETS_MAX};
use super::records::{HttpsRecord, Query, QueryError, RecordKind, Records, Reply, Service};

/// The resolution of one host.
///
/// The endpoints of HTTPS records come first, by priority, then the plain addresses, because a
/// client falls back to them (RFC 9460 §3). An address that an HTTPS record has described gets no
/// plain endpoint: it may serve HTTP/3 alone.
#[derive(Debug)]
pub(super) struct Merge {
    delay: Duration,
    question: Question,
    queries: VecDeque<Query>,
    /// The host of the question, its aliases and its targets.
    hosts: Vec<HostState>,
    /// The last alias.
    alias: Option<DnsNameBuf>,
    aliases: usize,
    https: HttpsState,
    /// When the first address came.
    first_at: Option<Duration>,
    /// When the last address came that was missing.
    addresses_at: Option<Duration>,
    given: Vec<Endpoint>,
    failure: Option<String>,
}

#[derive(Debug)]
struct HostState {
    name: DnsNameBuf,
    v4: Option<Vec<IpAddr>>,
    v6: Option<Vec<IpAddr>>,
}

#[derive(Debug)]
enum HttpsState {
    Open,
    Done(Vec<Service>),
}

impl Merge {
    /// Starts the resolution. Endpoints wait for each other for `delay` at most.
    pub(super) fn new(question: Question, delay: Duration) -> Self {
        let mut merge = Self {
            delay,
            queries: VecDeque::new(),
            hosts: Vec::new(),
            alias: None,
            aliases: 0,
            https: HttpsState::Done(Vec::new()),
            first_at: None,
            addresses_at: None,
            given: Vec::new(),
            failure: None,
            question,
        };
        if merge.question.https
            && let Some(owner) = https_owner(&merge.question)
        {
            merge.https = HttpsState::Open;
            merge.queries.push_back(Query { name: owner, kind: RecordKind::Https });
        }
        merge.ask_addresses(merge.question.name.clone());
        merge
    }

    /// Returns the next query to send.
    pub(super) fn poll_query(&mut self) -> Option<Query> {
        self.queries.pop_front()
    }

    /// Takes the answer to a query.
    pub(super) fn handle_reply(&mut self, now: Duration, query: &Query, reply: &Reply) {
        if let Err(QueryError::Failed(reason)) = &reply.result {
            self.failure.get_or_insert_with(|| reason.clone());
        }
        match (query.kind, &reply.result) {
            (RecordKind::Https, Ok(Records::Https(records))) => self.https_records(records),
            (RecordKind::Https, _) => self.https = HttpsState::Done(Vec::new()),
            (kind, Ok(Records::Addresses(found))) => self.addresses(now, query, kind, found),
            (kind, _) => self.addresses(now, query, kind, &[]),
        }
    }

    /// Returns the endpoints that are new, if it is time for them.
    pub(super) fn poll_endpoints(&mut self, now: Duration) -> Option<Vec<Endpoint>> {
        let released = !self.given.is_empty()
            || !self.is_open()
            || self.delay_ends_at().is_some_and(|end| end <= now);
        if !released {
            return None;
        }
        let mut new = self.new_endpoints();
        new.truncate(ENDPOINTS_MAX.saturating_sub(self.given.len()));
        self.given.extend(&new);
        (!new.is_empty()).then_some(new)
    }

    /// Returns the time at which [`poll_endpoints`](Self::poll_endpoints) or
    /// [`is_done`](Self::is_done) changes without an answer.
    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        if self.given.is_empty()
            && let Some(end) = self.delay_ends_at()
        {
            return Some(end);
        }
        self.https_ends_at()
    }

    /// Returns whether no more endpoints follow.
    pub(super) fn is_done(&self, now: Duration) -> bool {
        !self.is_open() || self.https_ends_at().is_some_and(|end| end <= now)
    }

    /// Returns the reason why a query failed. A query without records has not failed.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Returns all endpoints that were given.
    pub(super) fn into_endpoints(self) -> Vec<Endpoint> {
        self.given
    }

    fn is_open(&self) -> bool {
        matches!(self.https, HttpsState::Open) || self.addresses_open()
    }

    fn addresses_open(&self) -> bool {
        self.hosts.iter().any(|it| it.v4.is_none() || it.v6.is_none())
    }

    fn delay_ends_at(&self) -> Option<Duration> {
        Some(self.first_at?.saturating_add(self.delay))
    }

    fn https_ends_at(&self) -> Option<Duration> {
        let waits = !self.addresses_open() && self.first_at.is_some();
        self.addresses_at.filter(|_| waits).map(|at| at.saturating_add(HTTPS_WAIT))
    }

    fn ask_addresses(&mut self, name: DnsNameBuf) {
        if self.hosts.iter().any(|it| it.name == name) {
            return;
        }
        for kind in [RecordKind::Aaaa, RecordKind::A] {
            self.queries.push_back(Query { name: name.clone(), kind });
        }
        self.hosts.push(HostState { name, v4: None, v6: None });
    }

    fn addresses(&mut self, now: Duration, query: &Query, kind: RecordKind, found: &[IpAddr]) {
        let Some(host) = self.hosts.iter_mut().find(|it| it.name == query.name) else { return };
        let slot = if kind == RecordKind::A { &mut host.v4 } else { &mut host.v6 };
        *slot = Some(found.to_vec());
        if !found.is_empty() {
            self.first_at.get_or_insert(now);
        }
        self.addresses_at = Some(now);
    }

    /// Follows an alias, or takes the services. A set with an alias has no services
    /// (RFC 9460 §2.4.1).
    fn https_records(&mut self, records: &[HttpsRecord]) {
        let alias = records.iter().find_map(|record| match record {
            HttpsRecord::Alias(target) => Some(target.clone()),
            HttpsRecord::Service(_) => None,
        });
        match alias {
            Some(Some(target)) => self.follow(target),
            // The target `.` says that the service does not exist, which a client may ignore
            // (RFC 9460 §2.5.1).
            Some(None) => self.https = HttpsState::Done(Vec::new()),
            None => self.services(records),
        }
    }

    fn follow(&mut self, target: DnsNameBuf) {
        let known = self.hosts.iter().any(|it| it.name == target);
        if self.aliases >= ALIASES_MAX || known {
            self.https = HttpsState::Done(Vec::new());
            return;
        }
        self.aliases = self.aliases.saturating_add(1);
        self.queries.push_back(Query { name: target.clone(), kind: RecordKind::Https });
        self.ask_addresses(target.clone());
        self.alias = Some(target);
    }

    fn services(&mut self, records: &[HttpsRecord]) {
        let mut services: Vec<Service> = records
            .iter()
            .filter_map(|record| match record {
                HttpsRecord::Service(service) => Some(service.clone()),
                HttpsRecord::Alias(_) => None,
            })
            .collect();
        services.sort_by_key(|it| it.priority);
        services.truncate(SERVICES_MAX);
        let targets: Vec<DnsNameBuf> = services.iter().filter_map(|it| it.target.clone()).collect();
        let hosts_max = self.hosts.len().saturating_add(TARGETS_MAX);
        for target in targets {
            if self.hosts.len() < hosts_max {
                self.ask_addresses(target);
            }
        }
        self.https = HttpsState::Done(services);
    }

    /// Returns the addresses of a host, IPv6 first (RFC 8305 §4).
    fn known(&self, name: &DnsNameBuf) -> Vec<IpAddr> {
        let host = self.hosts.iter().find(|it| it.name == *name);
        let lists = host.into_iter().flat_map(|it| [&it.v6, &it.v4]);
        lists.flatten().flatten().copied().collect()
    }

    fn new_endpoints(&self) -> Vec<Endpoint> {
        let mut new = Vec::new();
        let owner = self.alias.as_ref().unwrap_or(&self.question.name);
        let services = match &self.https {
            HttpsState::Done(services) => services.as_slice(),
            HttpsState::Open => &[],
        };
        for service in services {
            let mut addresses = self.known(service.target.as_ref().unwrap_or(owner));
            if addresses.is_empty() {
                addresses.clone_from(&service.hints);
            }
            let port = service.port.unwrap_or(self.question.port);
            for address in addresses {
                self.add(&mut new, (address, port).into(), service.alpn);
            }
        }
        for name in [owner, &self.question.name] {
            for address in self.known(name) {
                let address = SocketAddr::from((address, self.question.port));
                if !new.iter().any(|it| it.address == address) {
                    self.add(&mut new, address, Alpn::UNSAID);
                }
            }
        }
        new
    }

    /// Adds an endpoint that is new. An address that was given without protocols cannot be
    /// described any more.
    fn add(&self, new: &mut Vec<Endpoint>, address: SocketAddr, alpn: Alpn) {
        let mut endpoint = Endpoint::new(address);
        endpoint.alpn = alpn;
        let described = |it: &&Endpoint| it.address == address;
        let settled = self
            .given
            .iter()
            .filter(described)
            .any(|it| it.alpn == alpn || it.alpn == Alpn::UNSAID || alpn == Alpn::UNSAID);
        if !settled && !new.contains(&endpoint) {
            new.push(endpoint);
        }
    }
}

/// Returns the name at which a client looks for the HTTPS records of an origin (RFC 9460 §9.1).
/// `None` if that name would be too long.
fn https_owner(question: &Question) -> Option<DnsNameBuf> {
    if question.port == 443 {
        return Some(question.name.clone());
    }
    format!("_{}._https.{}", question.port, question.name).parse().ok()
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
