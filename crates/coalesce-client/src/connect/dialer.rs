//! Makes connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use coalesce_core::{DnsName, Host, Scheme};
use coalesce_pool::{Endpoint, PoolKey, Protocol, TlsConfigurationId, Verification};
use tokio::net::TcpStream;

use super::connector::Connector;
use super::error::Cause;
use super::limits::{CONNECT_TIMEOUT, HAPPY_EYEBALLS_DELAY};
use super::proxy::ProxyConfig;
use super::target::{DialTarget, Dialed, Io, PeerTls};
use super::{eyeballs, tcp, tls, tunnel};
use crate::error::BoxError;
use crate::resolve::{self, Question, Resolve, SystemResolver};
use crate::tls_config::{TlsConfig, TlsSetup};
use crate::verify;

/// The settings of a [`Dialer`].
#[derive(Debug)]
pub(crate) struct DialerConfig {
    /// The TLS configurations. The number of each is its place.
    pub(crate) tls: Vec<TlsConfig>,
    /// The time for a whole attempt, including TLS.
    pub(crate) connect_timeout: Duration,
    /// The time between two TCP connects of an attempt.
    pub(crate) happy_eyeballs_delay: Duration,
    /// The proxy that the keys of targets may name.
    pub(crate) proxy: Option<ProxyConfig>,
    /// Resolves the host of the proxy.
    pub(crate) proxy_resolver: Arc<dyn Resolve>,
    /// Makes all connections that need no proxy.
    pub(crate) connector: Option<Connector>,
}

impl DialerConfig {
    /// Makes the usual settings.
    pub(crate) fn new(tls: Vec<TlsConfig>) -> Self {
        Self {
            tls,
            connect_timeout: CONNECT_TIMEOUT,
            happy_eyeballs_delay: HAPPY_EYEBALLS_DELAY,
            proxy: None,
            proxy_resolver: Arc::new(SystemResolver::default()),
            connector: None,
        }
    }
}

/// Makes connections, and answers for their certificates.
#[derive(Debug)]
pub(crate) struct Dialer {
    tls: Vec<TlsSetup>,
    connect_timeout: Duration,
    happy_eyeballs_delay: Duration,
    proxy: Option<ProxyConfig>,
    proxy_resolver: Arc<dyn Resolve>,
    connector: Option<Connector>,
}

impl Dialer {
    /// Makes a dialer.
    pub(crate) fn new(config: DialerConfig) -> Self {
        Self {
            tls: config.tls.into_iter().map(TlsSetup::new).collect(),
            connect_timeout: config.connect_timeout,
            happy_eyeballs_delay: config.happy_eyeballs_delay,
            proxy: config.proxy,
            proxy_resolver: config.proxy_resolver,
            connector: config.connector,
        }
    }

    /// Makes one connection. Calls `handshaking` when TCP is connected and TLS begins.
    ///
    /// Dropping the future cancels the attempt.
    pub(crate) async fn dial(
        &self,
        target: DialTarget,
        handshaking: &mut (dyn FnMut(SocketAddr) + Send),
    ) -> Result<Dialed, BoxError> {
        let origin = target.key.origin.clone();
        let attempt = self.attempt(target, handshaking);
        let result = tokio::time::timeout(self.connect_timeout, attempt).await;
        result.unwrap_or(Err(Cause::Timeout(self.connect_timeout))).map_err(|it| it.of(&origin))
    }

    /// Runs the verifier again, on the chain of a connection for another host.
    ///
    /// This takes 100 microseconds or more, so it does not belong under a lock.
    pub(crate) fn verify(
        &self,
        id: TlsConfigurationId,
        tls: &PeerTls,
        host: &Host<'_>,
    ) -> Verification {
        match self.setup(id).and_then(TlsSetup::verifier) {
            Some(verifier) => verify::verify(verifier, tls, host),
            None => Verification::Rejected,
        }
    }

    fn setup(&self, id: TlsConfigurationId) -> Option<&TlsSetup> {
        self.tls.get(usize::try_from(id.get()).ok()?)
    }

    fn known_setup(&self, id: TlsConfigurationId) -> Result<&TlsSetup, Cause> {
        self.setup(id).ok_or(Cause::TlsConfiguration(id.get()))
    }

    async fn attempt(
        &self,
        target: DialTarget,
        handshaking: &mut (dyn FnMut(SocketAddr) + Send),
    ) -> Result<Dialed, Cause> {
        let origin = target.key.origin.as_origin();
        let Some(name) = &target.key.proxy else {
            if let Some(connector) = &self.connector {
                let dialed = connector.dial(origin, target.http1_only).await;
                return dialed.map_err(Cause::Connector);
            }
            let (stream, peer) =
                self.connect(&origin.host(), origin.port(), &target.endpoints).await?;
            return self.secure(&target, stream, peer, handshaking).await;
        };
        let proxy = self.proxy.as_ref().filter(|it| it.name() == name);
        let proxy = proxy.ok_or_else(|| Cause::UnknownProxy(name.clone()))?;
        let tunnel = self.tunnel(proxy, &target.key).await;
        let (io, peer) =
            tunnel.map_err(|it| Cause::Proxy { proxy: name.clone(), cause: Box::new(it) })?;
        self.secure(&target, io, peer, handshaking).await
    }

    /// Opens a tunnel through the proxy.
    async fn tunnel(
        &self,
        proxy: &ProxyConfig,
        key: &PoolKey,
    ) -> Result<(Box<dyn Io>, SocketAddr), Cause> {
        let host = proxy.host();
        let endpoints = match host {
            Host::Name(name) => self.resolve(name, proxy.port()).await.map_err(Cause::Resolve)?,
            _ => Vec::new(),
        };
        let (stream, peer) = self.connect(&host, proxy.port(), &endpoints).await?;
        let mut io: Box<dyn Io> = if proxy.scheme() == Scheme::Https {
            let setup = self.known_setup(key.tls_configuration)?;
            let name = verify::server_name(&host).ok_or(Cause::ServerName)?;
            let secured = setup.proxy_connector().connect(name, stream).await;
            Box::new(secured.map_err(|error| Cause::Tls { peer, error })?)
        } else {
            Box::new(stream)
        };
        tunnel::open(&mut io, &key.origin.as_origin(), proxy.authorization())
            .await
            .map_err(|error| Cause::Tunnel { peer, error })?;
        Ok((io, peer))
    }

    /// Resolves the host of the proxy.
    async fn resolve(&self, name: DnsName<'_>, port: u16) -> Result<Vec<Endpoint>, BoxError> {
        let question = Question { name: name.to_buf(), port, https: false };
        resolve::collect(self.proxy_resolver.resolve(question)).await
    }

    /// Connects TCP to one of the endpoints, or to the host itself if it is an address.
    async fn connect(
        &self,
        host: &Host<'_>,
        port: u16,
        endpoints: &[Endpoint],
    ) -> Result<(TcpStream, SocketAddr), Cause> {
        let addresses = match (host, endpoints) {
            (Host::Ip(address), []) => eyeballs::order(&[Endpoint::new((*address, port).into())]),
            _ => eyeballs::order(endpoints),
        };
        if addresses.is_empty() {
            return Err(Cause::NoAddress);
        }
        tcp::connect(addresses, self.happy_eyeballs_delay).await.map_err(Cause::Tcp)
    }

    /// Makes the TLS handshake, if the origin needs one.
    async fn secure<T: Io + 'static>(
        &self,
        target: &DialTarget,
        io: T,
        peer: SocketAddr,
        handshaking: &mut (dyn FnMut(SocketAddr) + Send),
    ) -> Result<Dialed, Cause> {
        let PoolKey { origin, partition, tls_configuration, .. } = &target.key;
        let origin = origin.as_origin();
        if origin.scheme() == Scheme::Http {
            return Ok(Dialed { io: Box::new(io), peer, protocol: Protocol::Http1, tls: None });
        }
        let id = *tls_configuration;
        let setup = self.known_setup(id)?;
        let name = verify::server_name(&origin.host()).ok_or(Cause::ServerName)?;
        handshaking(peer);
        let connector = setup.connector(partition, target.http1_only);
        let (stream, tls) = tls::handshake(setup, connector, name, io)
            .await
            .map_err(|error| Cause::Tls { peer, error })?;
        let protocol = match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Protocol::Http2,
            _ => Protocol::Http1,
        };
        Ok(Dialed { io: Box::new(stream), peer, protocol, tls: Some(tls) })
    }
}
