//! Listeners of a site, and requests as if a listener had accepted them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use coalesce_core::Scheme;
use coalesce_tls::{Acceptor, HandshakeRefused};
use coalesce_tower::{ConnectionInfo, Listener};
use http::{Request, Version, request};
use tokio::net::{TcpListener, ToSocketAddrs};

use crate::site::Site;

impl<T: Send + Sync + 'static> Site<T> {
    /// Listens on `address`, and logs the address that it got. Each handshake is made by the newest
    /// snapshot.
    ///
    /// Requests may name the port that the socket is bound to, and those of
    /// [`SiteBuilder::ports`](crate::SiteBuilder::ports) at this moment.
    ///
    /// # Errors
    /// Those of the system.
    pub async fn listen(&self, address: impl ToSocketAddrs) -> io::Result<Listener> {
        self.listen_on(TcpListener::bind(address).await?)
    }

    /// Listens on a socket that is bound already, as [`listen`](Self::listen) does.
    ///
    /// # Errors
    /// Those of the system.
    pub fn listen_on(&self, socket: TcpListener) -> io::Result<Listener> {
        let address = socket.local_addr()?;
        tracing::info!(%address, "listening");
        let port = address.port();
        self.bound_to(port);
        let mut ports = vec![port];
        ports.extend(&self.newest().plan.settings.ports);
        let site = self.clone();
        Ok(Listener::newest_tls(
            socket,
            move || Acceptor::new(site.newest().tables.handshakes.clone()),
            ports,
        ))
    }

    /// Starts a request for the root of this host, as it would come on a connection that was made
    /// for this very name, to a listener at port 443, from a client on this machine: for tests of
    /// handlers.
    ///
    #[cfg_attr(feature = "axum", doc = "```")]
    #[cfg_attr(not(feature = "axum"), doc = "```ignore")]
    /// # use axum::{Router, body::Body};
    /// # use coalesce_site::Site;
    /// # use tower_service::Service;
    /// # async fn test(site: Site<Router>) -> Result<(), Box<dyn std::error::Error>> {
    /// let request = site.for_host("shop.test")?.body(Body::empty())?;
    /// let response = site.into_service().call(request).await?;
    /// assert_eq!(response.status(), 200);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`HandshakeRefused`] if no handshake leads to this name.
    pub fn for_host(&self, name: &str) -> Result<request::Builder, HandshakeRefused> {
        let facts = self.newest().tables.handshakes.choose_by_name(Some(name))?.facts;
        let client = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let info = ConnectionInfo::handshake(&facts, Scheme::Https.default_port());
        // HTTP/2, because HTTP/1.1 wants a `Host` beside the URI.
        let request = Request::builder().version(Version::HTTP_2).uri(format!("https://{name}/"));
        Ok(request.extension(info.with_peer(client)))
    }
}
