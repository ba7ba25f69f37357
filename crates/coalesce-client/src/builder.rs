//! The settings of a client.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use coalesce_core::HostBuf;
use coalesce_pool::{DnsPolicy, Policy, PoolConfig};

use crate::client::{Client, Settings};
use crate::coalesce::Coalesce;
use crate::connect::{Connector, Dialer, DialerConfig, ProxyConfig};
use crate::driver::{Driver, DriverParts};
use crate::error::{Error, ErrorKind};
use crate::resolve::Resolve;
use crate::tls_config::TlsConfig;

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
    pool: PoolConfig,
    policy: Policy,
    hosts: Vec<(String, Coalesce)>,
    dialer: DialerConfig,
    http1_only: bool,
    request_timeout: Option<Duration>,
    replay_limit: usize,
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
            pool: PoolConfig::default(),
            policy,
            hosts: Vec::new(),
            dialer: DialerConfig::new(Vec::new()),
            http1_only: false,
            request_timeout: None,
            replay_limit: 0,
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

    /// Makes connections with a connector that you have. It takes the place of
    /// [`tls`](Self::tls) and [`happy_eyeballs_delay`](Self::happy_eyeballs_delay), and cannot be
    /// combined with [`proxy`](Self::proxy).
    #[must_use]
    pub fn connector(mut self, connector: Connector) -> Self {
        self.dialer.connector = Some(connector);
        self
    }

    /// Sets whether hosts share connections.
    #[must_use]
    pub fn coalesce(mut self, choice: Coalesce) -> Self {
        self.policy.coalescing = choice.into();
        self
    }

    /// Sets whether one host shares connections, in place of the choice for all.
    /// [`build`](Self::build) refuses a host that is neither a name nor an address.
    #[must_use]
    pub fn coalesce_for(mut self, host: &str, choice: Coalesce) -> Self {
        self.hosts.push((host.to_owned(), choice));
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

    /// Sets the time for a request, until the head of its response. By default there is no limit.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = Some(timeout);
        self
    }

    /// Keeps the bodies of requests that announce at most `bytes` bytes, so that the client can
    /// send them again after a 421. The default is 0: only bodies whose bytes are all there can be.
    #[must_use]
    pub fn replay_limit(mut self, bytes: usize) -> Self {
        self.replay_limit = bytes;
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
        self.dialer.proxy = Some(proxy);
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
    /// Returns an [`Error`] if a host of [`coalesce_for`](Self::coalesce_for) is invalid, or if
    /// there is no TLS configuration or no resolver and those of the system cannot be read.
    pub fn build(mut self) -> Result<Client, Error> {
        if self.dialer.connector.is_some() && self.dialer.proxy.is_some() {
            return Err(Error::new(ErrorKind::Request, "a connector and a proxy exclude another"));
        }
        let tls = match (&self.dialer.connector, self.tls) {
            (Some(connector), _) => {
                connector.tls_config().map_err(|error| Error::new(ErrorKind::Request, error))?
            }
            (None, Some(tls)) => tls,
            (None, None) => default_tls()?,
        };
        let resolver = match self.resolver {
            Some(resolver) => resolver,
            None => default_resolver()?,
        };
        self.policy.client_certificate_hosts = tls.shared_client_certificate_hosts().to_vec();
        self.dialer.tls = vec![tls];
        self.dialer.proxy_resolver = Arc::clone(&resolver);
        let hosts = host_policies(&self.hosts, &self.policy)?;
        let proxy = self.dialer.proxy.clone();
        let driver = Driver::new(DriverParts {
            pool: self.pool,
            resolver,
            dialer: Dialer::new(self.dialer),
            http1_only: self.http1_only,
        });
        let settings = Settings {
            policy: Arc::new(self.policy),
            hosts,
            proxy,
            request_timeout: self.request_timeout,
            replay_limit: self.replay_limit,
        };
        Ok(Client::with(driver, settings))
    }
}

/// Returns the policies of the hosts that have their own.
fn host_policies(
    hosts: &[(String, Coalesce)],
    policy: &Policy,
) -> Result<HashMap<HostBuf, Arc<Policy>>, Error> {
    let policies = hosts.iter().map(|(host, choice)| {
        let parsed: HostBuf = host.parse().map_err(|_| {
            let message = format!("coalesce_for: found {host:?}, expected a host");
            Error::new(ErrorKind::Settings, message)
        })?;
        let mut policy = policy.clone();
        policy.coalescing = (*choice).into();
        Ok((parsed, Arc::new(policy)))
    });
    policies.collect()
}

#[cfg(feature = "native-roots")]
fn default_tls() -> Result<TlsConfig, Error> {
    TlsConfig::with_native_roots().map_err(|error| Error::new(ErrorKind::Settings, error))
}

#[cfg(not(feature = "native-roots"))]
fn default_tls() -> Result<TlsConfig, Error> {
    Err(Error::new(ErrorKind::Settings, "no TLS configuration; call `ClientBuilder::tls`"))
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
