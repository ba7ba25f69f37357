//! The records of DNS, as far as endpoints need them.

use std::net::IpAddr;
use std::time::Duration;

use coalesce_core::DnsNameBuf;
use coalesce_pool::Alpn;

/// The type of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordKind {
    A,
    Aaaa,
    Https,
}

/// A query for the records of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) name: DnsNameBuf,
    pub(super) kind: RecordKind,
}

/// The answer to a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) result: Result<Records, QueryError>,
    /// The time for which the answer may be remembered.
    pub(super) ttl: Duration,
}

/// The records of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Records {
    Addresses(Vec<IpAddr>),
    Https(Vec<HttpsRecord>),
}

/// The reason why a query has no records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum QueryError {
    /// The name, or the type at the name, does not exist.
    Absent,
    /// No server gave an answer.
    Failed(String),
}

/// An HTTPS record that this client can use (RFC 9460 §9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HttpsRecord {
    /// `AliasMode`: the records of another host count. `None` is the target `.`.
    Alias(Option<DnsNameBuf>),
    /// `ServiceMode`.
    Service(Service),
}

/// An HTTPS record in `ServiceMode`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) priority: u16,
    /// The host. `None` is the target `.`, which means the owner.
    pub(super) target: Option<DnsNameBuf>,
    pub(super) port: Option<u16>,
    pub(super) alpn: Alpn,
    pub(super) hints: Vec<IpAddr>,
}
