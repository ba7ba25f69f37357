//! Listeners of a site, and requests as if a listener had accepted them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use coalesce_core::Scheme;
use coalesce_tls::{Acceptor, HandshakeRefused};
use coalesce_tower::{ConnectionInfo, Listener};
use http::{Request, Version, request};
use tokio::net::{TcpListener, ToSocketAddrs};

use crate::site::Site;
use crate::site_listener::SiteListener;

impl<T: Send + Sync + 'static> Site<T> {
    /// Listens on `address` for the one listener of the site, instead of on the builder's address,
    /// and logs the resulting address. Listeners that share an address count as one here. The
    /// newest snapshot makes each handshake. If the server announces extended `CONNECT` (RFC 8441),
    /// as `axum::serve` does, the announcement reaches only clients whose group accepts it
    /// ([`GroupSettings::connect`](crate::GroupSettings::connect)).
    ///
    /// The listener bounds its connections and ends silent ones; [`Listener::with_limits`] changes
    /// the limits.
    ///
    /// # Errors
    /// The system's errors, and [`io::ErrorKind::InvalidInput`] if the site has listeners on
    /// several addresses.
    pub async fn listen(&self, address: impl ToSocketAddrs) -> io::Result<Listener> {
        self.listen_on(TcpListener::bind(address).await?)
    }

    /// Listens on a socket that is bound already, as [`listen`](Self::listen) does.
    ///
    /// # Errors
    /// Those of [`listen`](Self::listen).
    pub fn listen_on(&self, socket: TcpListener) -> io::Result<Listener> {
        let only = match self.newest().tables.listeners.as_slice() {
            // Listeners that share the address can all be reached by the first name.
            [only] => Ok(only.names.first().cloned().unwrap_or_default()),
            several => {
                let count = several.len();
                let reason =
                    format!("the site has {count} addresses; choose one by a listener's name");
                Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
            }
        };
        self.listen_named_on(&only?, socket)
    }

    /// Listens on the address of the listener with this name. Listeners that share an address have
    /// one socket: call this with the name of one of them.
    ///
    /// # Errors
    /// The system's errors, and [`io::ErrorKind::NotFound`] if there is no such listener.
    pub async fn listen_named(&self, name: &str) -> io::Result<Listener> {
        let address = self.snapshot().listener(name).map(SiteListener::address);
        let address = address.ok_or_else(|| no_listener(name))?;
        self.listen_named_on(name, TcpListener::bind(address).await?)
    }

    /// Listens on a socket that is bound already, for the listener with this name.
    ///
    /// # Errors
    /// Those of [`listen_named`](Self::listen_named).
    pub fn listen_named_on(&self, name: &str, socket: TcpListener) -> io::Result<Listener> {
        let address = socket.local_addr()?;
        let snapshot = self.snapshot();
        let member = snapshot.listener(name).and_then(|listener| listener.members.first());
        let id = member.map(|(_, id)| *id).ok_or_else(|| no_listener(name))?;
        self.bound_to(name, address.port());
        tracing::info!(%address, "listening");
        let (site, policies) = (self.clone(), self.clone());
        let listener = Listener::newest_tls(socket, move || {
            let (handshakes, ports) = site.newest().tables.accepting(id);
            (Acceptor::new(handshakes), ports)
        });
        Ok(listener.extended_connect(move |info| {
            policies.newest().tables.takes_extended_connect(info.handshake_facts())
        }))
    }

    /// Starts a request for the root of this host, as it would come on a connection that was made
    /// for this very name, to the first listener, from a client on this machine: for tests of
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
        let snapshot = self.newest();
        let listener = snapshot.tables.listeners.first();
        let listener = listener.ok_or(HandshakeRefused::AbsentServerName)?;
        let facts = listener.handshakes.choose_by_name(Some(name))?.facts;
        let client = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let info = ConnectionInfo::handshake(&facts, listener.ports.clone());
        let default = Scheme::Https.default_port();
        let uri = match listener.ports.as_slice().first() {
            Some(port) if !listener.ports.contains(default) => format!("https://{name}:{port}/"),
            _ => format!("https://{name}/"),
        };
        // HTTP/2, because HTTP/1.1 would need a `Host` besides the URI.
        let request = Request::builder().version(Version::HTTP_2).uri(uri);
        Ok(request.extension(info.with_peer(client)))
    }
}

fn no_listener(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("no listener has the name {name:?}"))
}
