//! A resolver that knows a fixed map.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use coalesce_core::{DnsName, DnsNameBuf};
use coalesce_pool::Endpoint;

use super::contract::{EndpointStream, Question, Resolve};
use super::stream;

/// Resolves hosts by a fixed map, and asks another resolver for the rest.
///
/// An entry for a host and a port comes before one for the host, and that before one for any host.
///
/// # Examples
/// ```
/// use std::net::{IpAddr, Ipv4Addr, SocketAddr};
///
/// use coalesce_client::{FixedResolver, SystemResolver};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let address = IpAddr::from([192, 0, 2, 10]);
/// let resolver = FixedResolver::new()
///     // The port of the origin.
///     .host("a.example.test", [address])
///     // Another port.
///     .host("b.example.test", [SocketAddr::from((address, 8443))])
///     // As `--resolve` of curl.
///     .entry("c.example.test:443:192.0.2.11,[2001:db8::1]")?
///     .fallback(SystemResolver::default());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct FixedResolver {
    entries: HashMap<Key, Vec<Answer>>,
    fallback: Option<Arc<dyn Resolve>>,
}

/// A host and a port. `None` means any.
type Key = (Option<DnsNameBuf>, Option<u16>);

#[derive(Clone, Copy, Debug)]
enum Answer {
    Address(FixedAddress),
    Endpoint(Endpoint),
}

/// An address of a [`FixedResolver`], with a port or with that of the origin.
///
/// # Examples
/// ```
/// use std::net::{IpAddr, SocketAddr};
///
/// use coalesce_client::FixedAddress;
///
/// let address = IpAddr::from([192, 0, 2, 10]);
/// assert_ne!(FixedAddress::from(address), SocketAddr::from((address, 443)).into());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedAddress {
    ip: IpAddr,
    port: Option<u16>,
}

impl From<IpAddr> for FixedAddress {
    fn from(ip: IpAddr) -> Self {
        Self { ip, port: None }
    }
}

impl From<SocketAddr> for FixedAddress {
    fn from(address: SocketAddr) -> Self {
        Self { ip: address.ip(), port: Some(address.port()) }
    }
}

impl FixedResolver {
    /// Makes a resolver that knows no host.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds addresses of a host, for every port. A host that is not a DNS name is never asked for,
    /// so it has no effect.
    #[must_use]
    pub fn host<A: Into<FixedAddress>>(
        self,
        host: &str,
        addresses: impl IntoIterator<Item = A>,
    ) -> Self {
        let answers = addresses.into_iter().map(|it| Answer::Address(it.into())).collect();
        self.with(host, answers)
    }

    /// Adds endpoints of a host, with their protocols.
    #[must_use]
    pub fn endpoints(self, host: &str, endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        self.with(host, endpoints.into_iter().map(Answer::Endpoint).collect())
    }

    /// Adds an entry in the form of `--resolve` of curl: `HOST:PORT:ADDRESS[,ADDRESS]...`. An IPv6
    /// address may be in brackets, and the host may be `*`. An address may have another port, which
    /// curl does not know: `192.0.2.1:8443`, `[2001:db8::1]:8443`.
    ///
    /// # Errors
    /// Returns [`FixedEntryError`] if the entry has another form.
    pub fn entry(mut self, entry: &str) -> Result<Self, FixedEntryError> {
        let error = |expected| FixedEntryError { entry: entry.to_owned(), expected };
        let mut parts = entry.strip_prefix('+').unwrap_or(entry).splitn(3, ':');
        let (host, port) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let addresses = parts.next().ok_or_else(|| error("HOST:PORT:ADDRESS"))?;
        let host = match host {
            "*" => None,
            _ => Some(host.parse().map_err(|_| error("a DNS name or * before the first colon"))?),
        };
        let port = port.parse().map_err(|_| error("a port from 0 to 65535 after the host"))?;
        let answers: Option<Vec<Answer>> = addresses.split(',').map(parse_address).collect();
        let answers =
            answers.ok_or_else(|| error("addresses with commas between after the port"))?;
        self.entries.entry((host, Some(port))).or_default().extend(answers);
        Ok(self)
    }

    /// Asks this resolver for every host without an entry.
    #[must_use]
    pub fn fallback(mut self, resolver: impl Resolve) -> Self {
        self.fallback = Some(Arc::new(resolver));
        self
    }

    fn with(mut self, host: &str, answers: Vec<Answer>) -> Self {
        if let Ok(name) = DnsName::parse(host.as_bytes()) {
            self.entries.entry((Some(name.to_buf()), None)).or_default().extend(answers);
        }
        self
    }

    fn find(&self, question: &Question) -> Option<&[Answer]> {
        let (name, port) = (Some(question.name.clone()), Some(question.port));
        let keys = [(name.clone(), port), (name, None), (None, port)];
        keys.iter().find_map(|key| self.entries.get(key)).map(Vec::as_slice)
    }
}

fn parse_address(text: &str) -> Option<Answer> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(Answer::Address(address.into()));
    }
    let ip = match text.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
        Some(bracketed) => IpAddr::V6(bracketed.parse::<Ipv6Addr>().ok()?),
        None => text.parse().ok()?,
    };
    Some(Answer::Address(FixedAddress { ip, port: None }))
}

impl Resolve for FixedResolver {
    fn resolve(&self, question: Question) -> EndpointStream {
        let Some(answers) = self.find(&question) else {
            return match &self.fallback {
                Some(resolver) => resolver.resolve(question),
                None => stream::once(Err(format!("no address for {}", question.name).into())),
            };
        };
        let endpoints = answers.iter().map(|answer| match *answer {
            Answer::Address(FixedAddress { ip, port }) => {
                Endpoint::new((ip, port.unwrap_or(question.port)).into())
            }
            Answer::Endpoint(endpoint) => endpoint,
        });
        stream::once(Ok(endpoints.collect()))
    }
}

/// The error of an entry that is not `HOST:PORT:ADDRESS`.
///
/// # Examples
/// ```
/// use coalesce_client::FixedResolver;
///
/// let error = FixedResolver::new().entry("a.example.test:https:192.0.2.1").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "entry \"a.example.test:https:192.0.2.1\": \
///      expected a port from 0 to 65535 after the host",
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedEntryError {
    entry: String,
    expected: &'static str,
}

impl fmt::Display for FixedEntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {:?}: expected {}", self.entry, self.expected)
    }
}

impl std::error::Error for FixedEntryError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::testing::{addresses, question};

    async fn found(resolver: &FixedResolver, host: &str, port: u16) -> Vec<String> {
        addresses(resolver.resolve(question(host, port))).await.unwrap()
    }

    #[tokio::test]
    async fn address_without_a_port_gets_that_of_the_origin() {
        let ip = IpAddr::from([192, 0, 2, 1]);
        let resolver = FixedResolver::new()
            .host("a.test", [ip])
            .host("B.test.", [SocketAddr::from((ip, 8443))])
            .host("not a name", [ip]);
        assert_eq!(found(&resolver, "a.test", 444).await, ["192.0.2.1:444"]);
        assert_eq!(found(&resolver, "b.test", 444).await, ["192.0.2.1:8443"]);
    }

    #[tokio::test]
    async fn entry_for_a_port_comes_before_the_host_and_that_before_any_host() {
        let resolver = FixedResolver::new()
            .entry("*:443:192.0.2.9")
            .and_then(|it| it.entry("a.test:443:192.0.2.1,[2001:db8::1],2001:db8::2"))
            .and_then(|it| it.entry("+a.test:443:192.0.2.2"))
            .unwrap()
            .host("a.test", [IpAddr::from([192, 0, 2, 3])]);
        let all = ["192.0.2.1:443", "[2001:db8::1]:443", "[2001:db8::2]:443", "192.0.2.2:443"];
        assert_eq!(found(&resolver, "a.test", 443).await, all);
        assert_eq!(found(&resolver, "a.test", 444).await, ["192.0.2.3:444"]);
        assert_eq!(found(&resolver, "b.test", 443).await, ["192.0.2.9:443"]);
        let mapped = FixedResolver::new().entry("a.test:443:192.0.2.1:8443,[2001:db8::1]:8443");
        let expected = ["192.0.2.1:8443", "[2001:db8::1]:8443"];
        assert_eq!(found(&mapped.unwrap(), "a.test", 443).await, expected);
        let error = addresses(resolver.resolve(question("b.test", 444))).await.unwrap_err();
        assert_eq!(error.to_string(), "no address for b.test");
    }

    #[tokio::test]
    async fn fallback_is_asked_for_unknown_hosts() {
        let other = FixedResolver::new().host("b.test", [IpAddr::from([192, 0, 2, 2])]);
        let resolver =
            FixedResolver::new().host("a.test", [IpAddr::from([192, 0, 2, 1])]).fallback(other);
        assert_eq!(found(&resolver, "a.test", 443).await, ["192.0.2.1:443"]);
        assert_eq!(found(&resolver, "b.test", 443).await, ["192.0.2.2:443"]);
    }

    #[test]
    fn entry_of_another_form_is_an_error() {
        for (entry, expected) in [
            ("a.test:443", "HOST:PORT:ADDRESS"),
            ("a b:443:192.0.2.1", "a DNS name or * before the first colon"),
            ("-a.test:443:192.0.2.1", "a DNS name or * before the first colon"),
            ("a.test:65536:192.0.2.1", "a port from 0 to 65535 after the host"),
            ("a.test:443:b.test", "addresses with commas between after the port"),
            ("a.test:443:", "addresses with commas between after the port"),
            ("a.test:443:[192.0.2.1]", "addresses with commas between after the port"),
        ] {
            let error = FixedResolver::new().entry(entry).unwrap_err();
            assert_eq!(error.to_string(), format!("entry {entry:?}: expected {expected}"));
        }
    }
}
