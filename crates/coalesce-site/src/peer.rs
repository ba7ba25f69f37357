//! The client's address where axum's handlers look for it.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use coalesce_tower::ConnectionInfo;
use http::Extensions;

/// Makes the extractor `ConnectInfo<SocketAddr>` work, unless something outside already does.
pub(crate) fn show(extensions: &mut Extensions) {
    if extensions.get::<ConnectInfo<SocketAddr>>().is_some() {
        return;
    }
    if let Some(peer) = ConnectionInfo::from_request(extensions).and_then(ConnectionInfo::peer) {
        extensions.insert(ConnectInfo(peer));
    }
}
