//! An address to listen on, and its handshakes.

use std::net::SocketAddr;
use std::sync::Arc;

use coalesce_core::{Host, ListenerId, ListenerTable, Ports};
use coalesce_tls::HandshakeTable;

/// An address to listen on, for one listener or for several that share it.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use coalesce_site::SiteListener;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let site = site()?;
/// for listener in site.snapshot().listeners() {
///     let listener: &SiteListener = listener;
///     println!("{} on {}", listener.name(), listener.address());
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct SiteListener {
    pub(crate) name: String,
    pub(crate) names: Vec<String>,
    pub(crate) address: SocketAddr,
    pub(crate) ports: Ports<'static>,
    pub(crate) ports_are_chosen: bool,
    pub(crate) handshakes: Arc<HandshakeTable>,
    /// The listeners' hostnames, if they share the address.
    pub(crate) hostnames: Option<Arc<ListenerTable>>,
    /// The listeners, by their number in the plan, and their ids.
    pub(crate) members: Vec<(usize, ListenerId)>,
}

impl SiteListener {
    /// Returns the name of the listener; of several, all names, joined by `+`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the name of each listener.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the address in the builder.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns true for listeners with hostnames, which may share the address.
    pub fn is_shared(&self) -> bool {
        self.hostnames.is_some()
    }

    /// Returns the ports that requests may name: those of the builder, and the bound port. Before
    /// the listener is bound, that is the port of its address, or the default port of `https`.
    pub fn ports(&self) -> &Ports<'static> {
        &self.ports
    }

    /// Returns the table that makes handshakes.
    pub fn handshakes(&self) -> &Arc<HandshakeTable> {
        &self.handshakes
    }

    /// Returns the name of the listener that is responsible for `host`, if several share the
    /// address. `None` if none is responsible, and for a single listener without a hostname.
    pub fn responsible(&self, host: &Host<'_>) -> Option<&str> {
        let responsible = self.hostnames.as_ref()?.responsible(host)?;
        let at = self.members.iter().position(|(_, id)| *id == responsible)?;
        self.names.get(at).map(String::as_str)
    }

    /// Returns true if `name` is the name of the listener, or of one of them.
    pub fn is_named(&self, name: &str) -> bool {
        self.names.iter().any(|one| one == name)
    }
}
