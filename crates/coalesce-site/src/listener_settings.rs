//! The settings of a listener.

use std::net::SocketAddr;

/// A listener: an address, and the rules for the connections that come to it.
///
/// A site without listeners has one named `main` for all hosts, on every address that it is bound
/// to.
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
    /// If set, requests may name these ports only, and not the port that the listener is bound to.
    pub(crate) only: Option<Vec<u16>>,
    /// Ports that requests may name besides the bound one.
    pub(crate) beside: Vec<u16>,
}

impl ListenerSettings {
    /// Makes a listener for this address. For port 0, the system chooses a port.
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
