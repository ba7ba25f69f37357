//! A listener whose socket is bound, and what its connections share.

use std::net::SocketAddr;

use coalesce_site::SiteListener;

use crate::serve::observe::handshakes::ListenerMeters;
use crate::serve::observe::recorder::Observers;

/// A listener with its socket, which outlives every snapshot.
#[derive(Clone, Debug)]
pub(super) struct BoundListener {
    pub(super) name: String,
    /// Where the configuration says.
    pub(super) configured: SocketAddr,
    /// Where it is, with the port that the system chose.
    pub(super) address: SocketAddr,
}

impl BoundListener {
    /// Whether this is the socket of `listener`. Listeners that share an address, told apart by
    /// their hostnames, may come and go: the socket is that of the address.
    pub(super) fn is(&self, listener: &SiteListener) -> bool {
        let same = listener.is_shared() || listener.name() == self.name;
        listener.address() == self.configured && same
    }
}

/// What the connections of one listener share.
#[derive(Debug)]
pub(super) struct ListenerContext {
    /// The number of the listener, in the order in which they were bound.
    pub(super) number: usize,
    pub(super) bound: BoundListener,
    pub(super) meters: ListenerMeters,
    pub(super) observers: Observers,
}
