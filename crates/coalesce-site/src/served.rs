//! The host and the proof of a request that may be served.

use coalesce_core::{Authoritative, ServedAs};

use crate::served_host::ServedHost;
use crate::snapshot::Snapshot;

/// The host and the proof of a request that may be served.
///
/// # Examples
/// ```
/// use coalesce_site::Served;
///
/// fn status<T>(served: &Served<T>) -> u16 {
///     match served.host {
///         Some(_) => 200,
///         // The policy of a group hands over requests of no host.
///         None => 404,
///     }
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Served<T> {
    /// The host; `None` for tunnels, and for requests without a host that the group's policy passes
    /// on.
    pub host: Option<ServedHost<T>>,
    /// The proof that the connection may serve the request.
    pub proof: Authoritative,
}

impl<T> Served<T> {
    /// Looks the host of a proof up in the snapshot whose tables made the proof.
    pub(crate) fn new(proof: Authoritative, snapshot: &Snapshot<T>) -> Self {
        let host = match proof.served_as() {
            ServedAs::VirtualHost(id) => snapshot.host(id).cloned(),
            ServedAs::Unlisted | ServedAs::Tunnel => None,
        };
        Self { host, proof }
    }
}
