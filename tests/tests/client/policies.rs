//! Policies that more than one test uses.

use coalesce_client::{ClientBuilder, DnsPolicy};

/// Lets hosts of an origin set go without DNS, whatever evidence there is.
pub(crate) fn waived(builder: ClientBuilder) -> ClientBuilder {
    builder.coalesce(coalesce_client::Coalesce::Origins).dns_policy(DnsPolicy::WaivedByOriginSet)
}
