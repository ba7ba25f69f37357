//! TCP connections to upstreams.

use http::uri::Authority;
use tokio::net::TcpStream;

use crate::serve::answer::upstream_connection::error::UpstreamError;

/// Connects to the server at `to`.
pub(super) async fn connect(to: &Authority) -> Result<TcpStream, UpstreamError> {
    const HTTP_PORT: u16 = 80;
    // The resolver takes an IPv6 address without the brackets of an authority.
    let host = to.host().trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, to.port_u16().unwrap_or(HTTP_PORT)))
        .await
        .map_err(|error| UpstreamError::broken(&error))?;
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    Ok(stream)
}
