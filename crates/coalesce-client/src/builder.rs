//! The settings of a client.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use coalesce_core::HostBuf;
use coalesce_pool::{Coalescing, DnsPolicy, Policy, PoolConfig};

use crate::client::Client;
use crate::connect::{Dialer, DialerConfig, ProxyConfig};
use crate::driver::{Driver, DriverParts};
use crate::error::{Error, ErrorKind};
use crate::resolve::Resolve;
use crate::tls_config::TlsConfig;

/// Whether requests share connections with other hosts.
///
/// # Examples
/// ```
/// use coalesce_client::Coalesce;
///
/// assert_eq!(Coalesce::default(), Coalesce::Address);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Coalesce {
    /// A host uses its own connections, which carry no other host.
    Off,
    /// A host uses its own connections, which may carry others.
    OwnOrigin,
    /// Hosts at the same address share connections. The default.
    #[default]
    Address,
    /// As `Address`, and the server's ORIGIN frames allow more (RFC 8336).
    Origins,
}

impl From<Coalesce> for Coalescing {
    fn from(choice: Coalesce) -> Self {
        match choice {
            Coalesce::Off => Self::Off,
            Coalesce::OwnOrigin => Self::OwnOrigin,
            Coalesce::Address => Self::Address,
            Coalesce::Origins => Self::AnyOrigin,
        }
    }
}

/// Makes a [`Client`].
///
/// # Examples
/// ```
/// use coalesce_client::{Client, Coalesce};
///
/// let builder = Client::builder().coalesce(Coalesce::Off);
/// ```
#[derive(Debug)]
pub struct ClientBuilder {
    tls: Option<TlsConfig>,
    resolver: Option<Arc<dyn Resolve>>,
    proxy: Option<ProxyConfig>,
    pool: PoolConfig,
    policy: Policy,
    hosts: HashMap<String, Coalesce>,
    dialer: DialerConfig,
    http1_only: bool,
}

impl Client {
    /// Starts with the default settings.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }
}

impl ClientBuilder {
    fn new() -> Self {
        let mut policy = Policy::default();
        policy.coalescing = Coalesce::default().into();
        Self {
            tls: None,
            resolver: None,
            proxy: None,
            pool: PoolConfig::default(),
            policy,
            hosts: HashMap::new(),
            dialer: DialerConfig::new(Vec::new()),
            http1_only: false,
        }
    }

    /// Sets how servers are verified. The default is the roots of the operating system.
    #[must_use]
    pub fn tls(mut self, tls: TlsConfig) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Sets the resolver. The default is the system's DNS servers, asked with hickory.
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolve) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// Sets whether hosts share connections.
    #[must_use]
    pub fn coalesce(mut self, choice: Coalesce) -> Self {
        self.policy.coalescing = choice.into();
        self
    }

    /// Sets whether one host shares connections.
    #[must_use]
    pub fn coalesce_for(mut self, host: &str, choice: Coalesce) -> Self {
        self.hosts.insert(host.to_ascii_lowercase(), choice);
        self
    }

    /// Sets whether an origin set replaces the comparison of addresses.
    #[must_use]
    pub fn dns_policy(mut self, policy: DnsPolicy) -> Self {
        self.policy.dns = policy;
        self
    }

    /// Sets the time for a new connection, including TLS.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.dialer.connect_timeout = timeout;
        self
    }

    /// Sets the time between two TCP connects of an attempt.
    #[must_use]
    pub fn happy_eyeballs_delay(mut self, delay: Duration) -> Self {
        self.dialer.happy_eyeballs_delay = delay;
        self
    }

    /// Sets how long a connection without requests stays open.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.pool.idle_timeout = timeout;
        self
    }

    /// Sets how long requests wait for a connection of another host that may carry them.
    #[must_use]
    pub fn leader_wait(mut self, wait: Duration) -> Self {
        self.pool.leader_wait = wait;
        self
    }

    /// Offers HTTP/1.1 alone.
    #[must_use]
    pub fn http1_only(mut self, only: bool) -> Self {
        self.http1_only = only;
        self
    }

    /// Sets a proxy, whose connections no other host uses.
    #[must_use]
    pub fn proxy(mut self, proxy: ProxyConfig) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Sets the most connections for an origin whose streams run out. 0 means no limit.
    #[must_use]
    pub fn connections_per_origin(mut self, most: u32) -> Self {
        self.policy.connections_per_origin = most;
        self
    }

    /// Sets all limits and times of the pool.
    #[must_use]
    pub fn pool(mut self, config: PoolConfig) -> Self {
        self.pool = config;
        self
    }

    /// Makes the client.
    ///
    /// # Errors
    /// Returns an [`Error`] if there are neither roots nor a resolver, and the system's cannot be
    /// read.
    pub fn build(mut self) -> Result<Client, Error> {
        let tls = match self.tls {
            Some(tls) => tls,
            None => default_tls()?,
        };
        let resolver = match self.resolver {
            Some(resolver) => resolver,
            None => default_resolver()?,
        };
        self.policy.client_certificate_hosts = tls.shared_client_certificate_hosts().to_vec();
        self.dialer.tls = vec![tls];
        self.dialer.proxy.clone_from(&self.proxy);
        self.dialer.proxy_resolver = Arc::clone(&resolver);
        let hosts = self.hosts.iter().filter_map(|(host, choice)| {
            let host: HostBuf = host.parse().ok()?;
            let mut policy = self.policy.clone();
            policy.coalescing = (*choice).into();
            Some((host, Arc::new(policy)))
        });
        let hosts = hosts.collect();
        let parts = DriverParts {
            pool: self.pool,
            resolver,
            dialer: Dialer::new(self.dialer),
            http1_only: self.http1_only,
        };
        Ok(Client::with(Driver::new(parts), Arc::new(self.policy), hosts, self.proxy))
    }
}

#[cfg(feature = "native-roots")]
fn default_tls() -> Result<TlsConfig, Error> {
    TlsConfig::with_native_roots().map_err(|error| Error::new(ErrorKind::Request, error))
}

#[cfg(not(feature = "native-roots"))]
fn default_tls() -> Result<TlsConfig, Error> {
    Err(Error::new(ErrorKind::Request, "no TLS configuration: call `ClientBuilder::tls`"))
}

#[cfg(feature = "hickory")]
fn default_resolver() -> Result<Arc<dyn Resolve>, Error> {
    let resolver = crate::resolve::HickoryResolver::from_system();
    Ok(Arc::new(resolver.map_err(|error| Error::new(ErrorKind::Resolve, error))?))
}

#[cfg(not(feature = "hickory"))]
#[allow(clippy::unnecessary_wraps, reason = "the resolver of the other feature can fail")]
fn default_resolver() -> Result<Arc<dyn Resolve>, Error> {
    Ok(Arc::new(crate::resolve::SystemResolver::default()))
}
