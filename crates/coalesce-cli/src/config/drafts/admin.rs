//! `[admin]`: where the operator asks.

use coalesce_core::HostBuf;
use toml::Spanned;

use crate::config::drafts::listeners::address;
use crate::config::entries::Faults;
use crate::config::entries::model::AdminEntry;
use crate::config::site::AdminSettings;

/// Reads `[admin]`.
pub(crate) fn read(entry: Spanned<AdminEntry>, faults: &mut Faults) -> AdminSettings {
    let AdminEntry { address: written, hosts } = entry.into_inner();
    let address = faults.take(written.span(), address(written.get_ref()));
    let hosts = hosts.map(Spanned::into_inner).unwrap_or_default();
    let hosts = hosts.into_iter().filter_map(|it| faults.take(it.span(), host(it.get_ref())));
    AdminSettings { address, hosts: hosts.collect() }
}

fn host(text: &str) -> Result<HostBuf, String> {
    text.parse().map_err(|error| {
        format!(
            "{text:?} is no host: {error}; a name or an IP address without scheme and \
             port expected, as in \"metrics.example.test\""
        )
    })
}
