//! Makes connections.

use std::net::SocketAddr;
use std::time::Duration;

use coalesce_core::{Host, OriginBuf, Scheme};
use coalesce_pool::{Endpoint, PoolKey, Protocol, TlsConfigurationId, Verification};
use tokio::net::TcpStream;

use super::error::Cause;
use super::limits::{CONNECT_TIMEOUT, HAPPY_EYEBALLS_DELAY};
use super::target::{DialTarget, Dialed, Io, PeerTls};
use super::{eyeballs, tcp, tls};
use crate::error::BoxError;
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
}

impl DialerConfig {
    /// Makes the usual settings.
    pub(crate) fn new(tls: Vec<TlsConfig>) -> Self {
        Self { tls, connect_timeout: CONNECT_TIMEOUT, happy_eyeballs_delay: HAPPY_EYEBALLS_DELAY }
    }
}

/// Makes connections, and answers for their certificates.
#[derive(Debug)]
pub(crate) struct Dialer {
    tls: Vec<TlsSetup>,
    connect_timeout: Duration,
    happy_eyeballs_delay: Duration,
}

impl Dialer {
    /// Makes a dialer.
    pub(crate) fn new(config: DialerConfig) -> Self {
        Self {
            tls: config.tls.into_iter().map(TlsSetup::new).collect(),
            connect_timeout: config.connect_timeout,
            happy_eyeballs_delay: config.happy_eyeballs_delay,
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

    async fn attempt(
        &self,
        target: DialTarget,
        handshaking: &mut (dyn FnMut(SocketAddr) + Send),
    ) -> Result<Dialed, Cause> {
        let (stream, peer) = self.connect(&target.key.origin, &target.endpoints).await?;
        self.secure(&target, stream, peer, handshaking).await
    }

    /// Connects TCP to an endpoint of the origin.
    async fn connect(
        &self,
        origin: &OriginBuf,
        endpoints: &[Endpoint],
    ) -> Result<(TcpStream, SocketAddr), Cause> {
        let origin = origin.as_origin();
        let addresses = match (origin.host(), endpoints) {
            (Host::Ip(address), []) => {
                eyeballs::order(&[Endpoint::new((address, origin.port()).into())])
            }
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
        let setup = self.setup(id).ok_or(Cause::TlsConfiguration(id.get()))?;
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
