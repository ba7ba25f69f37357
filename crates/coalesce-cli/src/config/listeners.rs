//! Listeners: where connections come in.

use std::net::SocketAddr;

use toml::Spanned;

use crate::config::model::ListenerEntry;
use crate::config::source::{Faults, Source};

/// A listener on its way into the site.
#[derive(Debug)]
pub(crate) struct ListenerDraft {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) ports: Option<Vec<u16>>,
    pub(crate) default_virtual_host: Option<Spanned<String>>,
    /// Where its header stands.
    pub(crate) at: std::ops::Range<usize>,
}

/// The name of the one listener, when it has none of its own.
const ONLY: &str = "main";

/// Reads every `[[listener]]`.
pub(crate) fn read(
    entries: Vec<Spanned<ListenerEntry>>,
    source: &Source,
    faults: &mut Faults,
) -> Vec<ListenerDraft> {
    let several = entries.len() > 1;
    let mut drafts: Vec<ListenerDraft> = Vec::with_capacity(entries.len());
    for entry in entries {
        let at = entry.span();
        let entry = entry.into_inner();
        if let Some(name) = &entry.name {
            let same = |earlier: &&ListenerDraft| earlier.name == *name.get_ref();
            if let Some(earlier) = drafts.iter().find(same) {
                let line = source.line_number(earlier.at.start);
                faults.add(name.span(), format!("already the name of the one in line {line}"));
            }
        } else if several {
            faults.add(at.clone(), "no name; each of several listeners needs one");
        }
        let name = entry.name.map_or_else(|| ONLY.to_owned(), Spanned::into_inner);
        let address = address(entry.address.get_ref());
        let address: SocketAddr = faults
            .take(entry.address.span(), address)
            .unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)));
        let same = |earlier: &&ListenerDraft| earlier.address == address && address.port() != 0;
        if let Some(earlier) = drafts.iter().find(same) {
            let message = format!("already the address of listener {:?}", earlier.name);
            faults.add(entry.address.span(), message);
        }
        let ports = entry.ports.as_ref().map(|ports| read_ports(ports, faults));
        let default_virtual_host = entry.default_virtual_host;
        drafts.push(ListenerDraft { name, address, ports, default_virtual_host, at });
    }
    drafts
}

/// Reads an address to listen on.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!(
            "{text:?} is no address to listen on; IP address and port expected, as in \
             \"127.0.0.1:8443\" or \"[::]:443\""
        )
    })
}

fn read_ports(ports: &Spanned<Vec<Spanned<u16>>>, faults: &mut Faults) -> Vec<u16> {
    if ports.get_ref().is_empty() {
        faults.add(ports.span(), "no port; at least one expected, or no list at all");
    }
    for port in ports.get_ref() {
        if *port.get_ref() == 0 {
            faults.add(port.span(), "port 0, which no request can name; 1 to 65535 allowed");
        }
    }
    ports.get_ref().iter().map(|port| *port.get_ref()).collect()
}
