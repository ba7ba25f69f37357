//! A bound listener, and the state that its connections share.

use std::net::SocketAddr;

use coalesce_site::SiteListener;

use crate::serve::observe::handshakes::ListenerMeters;
use crate::serve::observe::recorder::Observers;

/// A listener with its socket, which outlives every snapshot.
#[derive(Clone, Debug)]
pub(super) struct BoundListener {
    pub(super) name: String,
    /// The address in the configuration.
    pub(super) configured: SocketAddr,
    /// The actual address, with the port that the system chose.
    pub(super) address: SocketAddr,
}

impl BoundListener {
    /// Returns true if this socket is for `listener`. Listeners that share an address, told apart
    /// by their hostnames, may be added and removed; the socket belongs to the address.
    pub(super) fn is(&self, listener: &SiteListener) -> bool {
        let same = listener.is_shared() || listener.name() == self.name;
        listener.address() == self.configured && same
    }
}

/// The state that the connections of one listener share.
#[derive(Debug)]
pub(super) struct ListenerContext {
    /// The number of the listener, in the order in which they were bound.
    pub(super) number: usize,
    pub(super) bound: BoundListener,
    pub(super) meters: ListenerMeters,
    pub(super) observers: Observers,
}
