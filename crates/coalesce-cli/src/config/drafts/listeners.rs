//! The listeners of the configuration.

use std::net::SocketAddr;

use coalesce_core::NamePattern;
use coalesce_site::ListenerSettings;
use toml::Spanned;

use crate::config::entries::Faults;
use crate::config::entries::model::{ListenerEntry, Profile};
use crate::config::places::{PartPlaces, Places};
use crate::name_hint::with_name_hint;

/// The pattern of a listener without a hostname.
const ANY: &str = "*";

/// The name of the only listener, if the file gives it none.
const ONLY: &str = "main";

/// Reads every `[[listener]]`. If there is one address, `listen` replaces it.
pub(crate) fn read(
    entries: Vec<Spanned<ListenerEntry>>,
    profile: Option<Profile>,
    listen: Option<SocketAddr>,
    places: &mut Places<'_>,
    faults: &mut Faults,
) -> Vec<(String, ListenerSettings)> {
    let several = entries.len() > 1;
    let shared = profile == Some(Profile::GatewayApi);
    let mut drafts: Vec<(String, SocketAddr, ListenerEntry)> = Vec::with_capacity(entries.len());
    for entry in entries {
        let at = entry.span();
        let entry = entry.into_inner();
        if let Some(name) = &entry.name {
            if let Some(line) = places.listener_line(name.get_ref()) {
                faults.add(name.span(), format!("already the name of the one in line {line}"));
                continue;
            }
        } else if several {
            faults.add(at.clone(), "no name; each of several listeners needs one");
        }
        let name =
            entry.name.as_ref().map_or_else(|| ONLY.to_owned(), |name| name.get_ref().clone());
        let address = faults.take(entry.address.span(), address(entry.address.get_ref()));
        let address = address.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)));
        let mut place = PartPlaces::new(at);
        place.add("address", Some(entry.address.span()));
        place.add("hostname", entry.hostname.as_ref().map(Spanned::span));
        place.add("ports", entry.ports.as_ref().map(Spanned::span));
        place.add("default_host", entry.default_virtual_host.as_ref().map(Spanned::span));
        places.add_listener(name.clone(), place);
        drafts.push((name, address, entry));
    }
    let first = drafts.first().map(|(_, address, _)| *address);
    let one = !several || shared && drafts.iter().all(|(_, address, _)| Some(*address) == first);
    let listen = listen.filter(|_| one);
    let settings = drafts.into_iter().map(|(name, address, entry)| {
        let mut settings = ListenerSettings::new(listen.unwrap_or(address));
        let hostname = hostname(entry.hostname.as_ref(), profile, faults);
        if shared {
            settings = settings.hostname(hostname);
        }
        if let Some(ports) = entry.ports {
            settings = settings.only_ports(ports.into_inner().into_iter().map(Spanned::into_inner));
        }
        if let Some(host) = entry.default_virtual_host {
            settings = settings.default_host(host.into_inner());
        }
        (name, settings)
    });
    settings.collect()
}

/// Turns a hostname of the Gateway API into a pattern: its `*.` matches any depth.
fn hostname(
    written: Option<&Spanned<String>>,
    profile: Option<Profile>,
    faults: &mut Faults,
) -> String {
    let Some(written) = written else { return ANY.to_owned() };
    if profile != Some(Profile::GatewayApi) {
        faults.add(written.span(), "only allowed with profile = \"gateway-api\"");
    }
    let text = written.get_ref();
    let pattern = NamePattern::parse(text.as_bytes())
        .map_err(|error| with_name_hint(&format!("{text:?}: {error}"), text));
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
