//! The settings of a listener.

use std::net::SocketAddr;

/// Where connections come in: an address, and what is true for the connections there.
///
/// A site without listeners of its own has one that is called `main`, for all hosts, on whichever
/// addresses it is bound to.
///
/// # Examples
/// ```
/// use coalesce_site::ListenerSettings;
///
/// let shop = ListenerSettings::new(([0, 0, 0, 0], 8443).into())
///     .hostname("**.shop.test")
///     .ports([443])
///     .default_host("www.shop.test");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerSettings {
    pub(crate) address: SocketAddr,
    pub(crate) hostname: Option<String>,
    pub(crate) ports: PortRule,
    pub(crate) default_host: Option<String>,
}

/// The ports that requests may name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PortRule {
    /// If there are some, the port that the listener is bound to is not one of them.
    pub(crate) only: Option<Vec<u16>>,
    /// Ports beside that one.
    pub(crate) beside: Vec<u16>,
}

impl ListenerSettings {
    /// Makes a listener for this address. The system chooses a port in the place of port 0.
    pub fn new(address: SocketAddr) -> Self {
        let ports = PortRule::default();
        Self { address, hostname: None, ports, default_host: None }
    }

    /// Shares the address with other listeners that have a hostname: of them, the one with the most
    /// specific hostname is responsible for a host, both when a ClientHello names it and when a
    /// request does (Kubernetes Gateway API, GEP-3567). Requests for hosts of another listener are
    /// answered 421.
    ///
    /// | hostname | the listener is responsible for |
    /// | --- | --- |
    /// | `shop.test` | that name |
    /// | `*.shop.test` | every name with exactly one more label |
    /// | `**.shop.test` | every name with one or more further labels |
    /// | `*` | every other name, and clients that send no server name |
    #[must_use]
    pub fn hostname(mut self, hostname: impl Into<String>) -> Self {
        self.hostname = Some(hostname.into());
        self
    }

    /// Sets ports that requests may name beside the one that the listener is bound to: 443, if
    /// clients reach it through a port map.
    #[must_use]
    pub fn ports(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.ports.beside = ports.into_iter().collect();
        self
    }

    /// Sets the ports that requests may name, instead of the one that the listener is bound to.
    #[must_use]
    pub fn only_ports(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.ports.only = Some(ports.into_iter().collect());
        self
    }

    /// Sets the default host of this listener, as
    /// [`SiteBuilder::default_host`](crate::SiteBuilder::default_host) does for all others.
    #[must_use]
    pub fn default_host(mut self, name: impl Into<String>) -> Self {
        self.default_host = Some(name.into());
        self
    }
}
