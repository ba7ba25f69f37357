//! The sentence of a log line that helps with a misdirected request.

use coalesce_core::{Authority, Misdirected, RefusalHint, RequestTarget, ServerConnection};
use coalesce_http::log::named_authority;

use crate::config::Site;

/// Returns the sentence for a request that was refused on `connection`.
pub(in crate::serve) fn hint(
    site: &Site,
    connection: &ServerConnection<'_>,
    target: &RequestTarget<'_>,
    reason: Misdirected,
) -> Option<String> {
    if reason != Misdirected::Group {
        return Some(RefusalHint::new(connection, reason)?.to_string());
    }
    let authority = Authority::parse(named_authority(target)?).ok()?;
    let entry = site.authorities().lookup(&authority.host())?;
    let host = site.host(entry.virtual_host)?;
    Some(format!("virtual host {} is in group {}", host.name(), host.group()))
}
