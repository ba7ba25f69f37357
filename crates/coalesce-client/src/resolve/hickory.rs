//! The resolver of hickory.

use std::error::Error as StdError;
use std::fmt;
use std::future::ready;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use coalesce_core::DnsNameBuf;
use coalesce_pool::Alpn;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::Query as DnsQuery;
use hickory_resolver::proto::rr::rdata::svcb::{SVCB, SvcParamKey, SvcParamValue};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{Hosts, TokioResolver};

use super::contract::{EndpointStream, Question, Resolve};
use super::limits::{ADDRESSES_PER_ANSWER_MAX, RESOLUTION_DELAY, TTL_MAX};
use super::records::{HttpsRecord, Query, QueryError, RecordKind, Records, Reply, Service};
use super::run::{Looking, Lookup, Resolution, SearchList};
use crate::error::BoxError;

/// Asks DNS servers for A, AAAA and HTTPS records (RFC 9460), in parallel.
///
/// | rule | source |
/// | --- | --- |
/// | an answer waits 50 ms for the others, and later ones follow | RFC 8305 §3 |
/// | a host has its addresses, even if the query for HTTPS records fails | RFC 9460 §3 |
/// | an alias is followed, at most 8 times | RFC 9460 §2.4.2 |
/// | a record with an unknown mandatory parameter is ignored | RFC 9460 §8 |
/// | answers are remembered for their time to live, at most an hour | RFC 2308, RFC 8767 |
///
/// An endpoint for HTTP/3 alone is marked by its protocols, and the client makes no connection to
/// it. Encrypted ClientHello is not used.
///
/// # Examples
/// ```no_run
/// use coalesce_client::HickoryResolver;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let system = HickoryResolver::from_system()?;
/// let other = HickoryResolver::with_servers(["192.0.2.53:53".parse()?])?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct HickoryResolver {
    resolution: Arc<Resolution<Hickory>>,
}

/// The error of a configuration of DNS.
///
/// # Examples
/// ```
/// use coalesce_client::HickoryResolver;
///
/// let error = HickoryResolver::with_servers([]).unwrap_err();
/// assert_eq!(error.to_string(), "the configuration of DNS is not usable: no server");
/// ```
#[derive(Debug)]
pub struct DnsConfigError(BoxError);

impl DnsConfigError {
    fn new(error: impl Into<BoxError>) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for DnsConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration of DNS is not usable: {}", self.0)
    }
}

impl StdError for DnsConfigError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.0.as_ref())
    }
}

impl HickoryResolver {
    /// Asks the servers of the system's configuration, for example `/etc/resolv.conf`. For hosts in
    /// the system's hosts file, DNS is not asked. Both files are read once.
    ///
    /// # Errors
    /// Returns [`DnsConfigError`] if the configuration cannot be read.
    pub fn from_system() -> Result<Self, DnsConfigError> {
        let (config, options) = read_system_conf().map_err(DnsConfigError::new)?;
        let parse = |name: &Name| name.to_ascii().parse().ok();
        let list = if config.search().is_empty() {
            config.domain().into_iter().filter_map(parse).collect()
        } else {
            config.search().iter().filter_map(parse).collect()
        };
        let search = SearchList { ndots: options.ndots, suffixes: list };
        let hosts = Hosts::from_system().unwrap_or_else(|error| {
            tracing::debug!(%error, "the hosts file cannot be read");
            Hosts::default()
        });
        let lookup = Hickory::new(config, options, hosts)?;
        Ok(Self::build(lookup, search, RESOLUTION_DELAY))
    }

    /// Asks these servers by UDP, and by TCP if an answer is truncated.
    ///
    /// # Errors
    /// Returns [`DnsConfigError`] if there is no server.
    pub fn with_servers(
        servers: impl IntoIterator<Item = SocketAddr>,
    ) -> Result<Self, DnsConfigError> {
        Self::with_servers_and_delay(servers, RESOLUTION_DELAY)
    }

    fn with_servers_and_delay(
        servers: impl IntoIterator<Item = SocketAddr>,
        delay: Duration,
    ) -> Result<Self, DnsConfigError> {
        let servers: Vec<NameServerConfig> = servers.into_iter().map(server).collect();
        if servers.is_empty() {
            return Err(DnsConfigError("no server".into()));
        }
        let config = ResolverConfig::from_name_servers(servers);
        let search = SearchList { ndots: 0, suffixes: Vec::new() };
        let lookup = Hickory::new(config, ResolverOpts::default(), Hosts::default())?;
        Ok(Self::build(lookup, search, delay))
    }

    fn build(lookup: Hickory, search: SearchList, delay: Duration) -> Self {
        Self { resolution: Arc::new(Resolution::new(lookup, search, delay)) }
    }
}

fn server(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}

impl Resolve for HickoryResolver {
    fn resolve(&self, question: Question) -> EndpointStream {
        self.resolution.resolve(question)
    }
}

/// Answers queries from the hosts file and with hickory.
struct Hickory {
    resolver: TokioResolver,
    hosts: Hosts,
}

impl Hickory {
    fn new(
        config: ResolverConfig,
        options: ResolverOpts,
        hosts: Hosts,
    ) -> Result<Self, DnsConfigError> {
        let provider = TokioRuntimeProvider::default();
        let mut builder =
            TokioResolver::builder_with_config(config, provider).with_options(options);
        let options = builder.options_mut();
        // Whole resolutions are remembered instead.
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        Ok(Self { resolver: builder.build().map_err(DnsConfigError::new)?, hosts })
    }

    /// Returns the addresses of a name in the hosts file. `None` if it has another family or none.
    fn in_hosts(&self, name: &Name, record_type: RecordType) -> Option<lookup::Lookup> {
        self.hosts.lookup_static_host(&DnsQuery::query(name.clone(), record_type))
    }

    fn is_in_hosts(&self, name: &Name) -> bool {
        [RecordType::A, RecordType::AAAA].iter().any(|it| self.in_hosts(name, *it).is_some())
    }
}

impl fmt::Debug for Hickory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hickory").finish_non_exhaustive()
    }
}

/// Returns the name with a dot at its end, so that hickory does not complete it.
fn complete(name: &DnsNameBuf) -> Option<Name> {
    Name::from_ascii(format!("{name}.")).ok()
}

impl Lookup for Hickory {
    fn is_local(&self, name: &DnsNameBuf) -> bool {
        // hickory answers these itself (RFC 6761 §6.3).
        let name_of_loopback = |it: &DnsNameBuf| {
            let text = it.to_string();
            text == "localhost" || text.ends_with(".localhost")
        };
        name_of_loopback(name) || complete(name).is_some_and(|it| self.is_in_hosts(&it))
    }

    fn lookup(&self, query: &Query) -> Looking {
        let (resolver, kind) = (self.resolver.clone(), query.kind);
        let record_type = match kind {
            RecordKind::A => RecordType::A,
            RecordKind::Aaaa => RecordType::AAAA,
            RecordKind::Https => RecordType::HTTPS,
        };
        let Some(name) = complete(&query.name) else {
            return Box::pin(ready(failed(&"the name has no form for DNS")));
        };
        if self.is_in_hosts(&name) {
            let found = self.in_hosts(&name, record_type);
            let absent = Reply { result: Err(QueryError::Absent), ttl: TTL_MAX };
            return Box::pin(ready(found.map_or(absent, |it| found_reply(kind, &it))));
        }
        Box::pin(async move {
            match resolver.lookup(name, record_type).await {
                Ok(found) => found_reply(kind, &found),
                Err(error) => error_reply(&error),
            }
        })
    }
}

fn found_reply(kind: RecordKind, found: &lookup::Lookup) -> Reply {
    let ttl = found.valid_until().saturating_duration_since(Instant::now());
    let data = found.answers().iter().map(|record| &record.data);
    let records = if kind == RecordKind::Https {
        Records::Https(data.filter_map(https_record).collect())
    } else {
        let addresses = data.filter_map(|data| match (kind, data) {
            (RecordKind::A, RData::A(address)) => Some(IpAddr::V4(address.0)),
            (RecordKind::Aaaa, RData::AAAA(address)) => Some(IpAddr::V6(address.0)),
            _ => None,
        });
        Records::Addresses(addresses.take(ADDRESSES_PER_ANSWER_MAX).collect())
    };
    Reply { result: Ok(records), ttl }
}

fn error_reply(error: &NetError) -> Reply {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => {
            // Without SOA there is no time to live (RFC 2308 §5).
            let ttl = Duration::from_secs(none.negative_ttl.unwrap_or(0).into());
            Reply { result: Err(QueryError::Absent), ttl }
        }
        _ => failed(error),
    }
}

fn failed(error: &dyn fmt::Display) -> Reply {
    Reply { result: Err(QueryError::Failed(error.to_string())), ttl: Duration::ZERO }
}

/// Reads an HTTPS record. `None` if this client cannot use it.
fn https_record(data: &RData) -> Option<HttpsRecord> {
    let RData::HTTPS(record) = data else { return None };
    let record: &SVCB = &record.0;
    let target = if record.target_name.is_root() {
        None
    } else {
        Some(record.target_name.to_ascii().parse::<DnsNameBuf>().ok()?)
    };
    if record.svc_priority == 0 {
        return Some(HttpsRecord::Alias(target));
    }
    service(record, target).map(HttpsRecord::Service)
}

fn service(record: &SVCB, target: Option<DnsNameBuf>) -> Option<Service> {
    let mut hints = Vec::new();
    let (mut port, mut ids, mut default_alpn) = (None, None, true);
    for (_, value) in &record.svc_params {
        match value {
            SvcParamValue::Mandatory(keys) if !keys.0.iter().copied().all(is_known) => return None,
            SvcParamValue::Alpn(alpn) => ids = Some(&alpn.0),
            SvcParamValue::NoDefaultAlpn => default_alpn = false,
            SvcParamValue::Port(number) => port = Some(*number),
            SvcParamValue::Ipv4Hint(hint) => {
                hints.extend(hint.0.iter().map(|it| IpAddr::V4(it.0)));
            }
            SvcParamValue::Ipv6Hint(hint) => {
                hints.extend(hint.0.iter().map(|it| IpAddr::V6(it.0)));
            }
            _ => {}
        }
    }
    // IPv6 first (RFC 8305 §4).
    hints.sort_by_key(IpAddr::is_ipv4);
    hints.truncate(ADDRESSES_PER_ANSWER_MAX);
    let alpn = ids.map_or(Alpn::UNSAID, |ids| {
        // The default of HTTPS records is http/1.1 (RFC 9460 §9.1, §7.1.2).
        let default: Option<&[u8]> = default_alpn.then_some(b"http/1.1");
        Alpn::from_ids(ids.iter().map(String::as_bytes).chain(default))
    });
    Some(Service { priority: record.svc_priority, target, port, alpn, hints })
}

/// Returns whether a client may not ignore this parameter without harm (RFC 9460 §8).
fn is_known(key: SvcParamKey) -> bool {
    matches!(
        key,
        SvcParamKey::Alpn
            | SvcParamKey::NoDefaultAlpn
            | SvcParamKey::Port
            | SvcParamKey::Ipv4Hint
            | SvcParamKey::Ipv6Hint
    )
}

#[cfg(test)]
#[path = "hickory_tests.rs"]
mod tests;
