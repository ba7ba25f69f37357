//! Listeners: where connections come in.

use std::net::SocketAddr;

use coalesce_core::NamePattern;
use toml::Spanned;

use crate::config::carried::Carried;
use crate::config::entries::model::{ListenerEntry, Profile};
use crate::config::entries::{Faults, Source};

/// A listener on its way into the site.
#[derive(Debug)]
pub(crate) struct ListenerDraft {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    /// Whether others may be on the same address, told apart by their hostnames.
    pub(crate) shares_ports: bool,
    /// The pattern of its hostname.
    pub(crate) hostname: String,
    pub(crate) ports: Option<Vec<u16>>,
    pub(crate) default_virtual_host: Option<Spanned<String>>,
    /// Where its header stands.
    pub(crate) at: std::ops::Range<usize>,
}

impl ListenerDraft {
    /// Whether both are on one port. A listener is on its own.
    pub(crate) fn shares_port_with(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
            || self.shares_ports && other.shares_ports && self.address == other.address
    }
}

/// What the other entries are read with, once the listeners are known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) profile: Option<Profile>,
    pub(crate) listeners: &'a [ListenerDraft],
    pub(crate) source: &'a Source,
    pub(crate) carried: &'a Carried,
}

/// The pattern of a listener without a hostname.
const ANY: &str = "*";

/// The name of the one listener, when it has none of its own.
const ONLY: &str = "main";

/// Reads every `[[listener]]`.
pub(crate) fn read(
    entries: Vec<Spanned<ListenerEntry>>,
    profile: Option<Profile>,
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
        let ports = entry.ports.as_ref().map(|ports| read_ports(ports, faults));
        let draft = ListenerDraft {
            name,
            address,
            shares_ports: profile == Some(Profile::GatewayApi),
            hostname: hostname(entry.hostname.as_ref(), profile, faults),
            ports,
            default_virtual_host: entry.default_virtual_host,
            at,
        };
        for earlier in drafts.iter().filter(|earlier| earlier.address == address) {
            let name = &earlier.name;
            if draft.shares_port_with(earlier) {
                if earlier.hostname == draft.hostname {
                    let at = entry.hostname.as_ref().map_or(draft.at.clone(), Spanned::span);
                    faults.add(at, format!("listener {name:?} on this address has this hostname"));
                }
                if earlier.ports != draft.ports {
                    let at = entry.ports.as_ref().map_or(draft.at.clone(), Spanned::span);
                    faults.add(at, format!("listener {name:?} on this address has other ports"));
                }
            } else if address.port() != 0 {
                let message = format!("already the address of listener {name:?}");
                faults.add(entry.address.span(), message);
            }
        }
        drafts.push(draft);
    }
    drafts
}

/// The hostname as the Gateway API has it, as a pattern: its `*.` stands for any depth.
fn hostname(
    written: Option<&Spanned<String>>,
    profile: Option<Profile>,
    faults: &mut Faults,
) -> String {
    let Some(written) = written else { return ANY.to_owned() };
    if profile != Some(Profile::GatewayApi) {
        faults.add(written.span(), "only allowed with profile = \"gateway-api\"");
    }
    let pattern = NamePattern::parse(written.get_ref().as_bytes());
    match faults.take(written.span(), pattern) {
        Some(NamePattern::Exact(name)) => name.to_string(),
        Some(NamePattern::OneLabel(parent)) => NamePattern::AnyDepth(parent).to_string(),
        Some(_) => {
            let message = "a name or *.name expected; without hostname it is every name";
            faults.add(written.span(), message);
            ANY.to_owned()
        }
        None => ANY.to_owned(),
    }
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
