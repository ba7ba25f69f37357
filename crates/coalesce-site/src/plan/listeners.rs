//! Reads the listeners of a plan.

use std::net::{Ipv4Addr, SocketAddr};

use coalesce_core::NamePattern;

use crate::error::{Notes, Subject};
use crate::listener_settings::{ListenerSettings, PortRule};
use crate::names::pattern;
use crate::plan::model::{Plan, PlannedListener};
use crate::settings::{DEFAULT_HOST, PORTS, check_ports};

/// The name of the listener of a builder without listeners.
const ONLY: &str = "main";

const HOSTNAME: &str = "hostname";

/// Reads every listener. Default hosts are looked up after the hosts are read.
pub(crate) fn read(plan: &mut Plan, notes: &mut Notes) {
    if !plan.has_named_listeners() {
        plan.listeners.push(PlannedListener {
            name: ONLY.to_owned(),
            address: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            hostname: None,
            ports: PortRule { only: None, beside: plan.settings.ports.clone() },
            default_host: None,
        });
        return;
    }
    for (name, settings) in &plan.settings.listeners {
        let subject = Subject::Listener(name.clone());
        if plan.listeners.iter().any(|earlier| earlier.name == *name) {
            let reason = "a listener of this name was added before";
            notes.error(&subject.field("listener"), reason);
        }
        let ListenerSettings { address, hostname, ports, .. } = settings;
        let mut ports = ports.clone();
        ports.beside.extend(&plan.settings.ports);
        check_ports(&subject.field(PORTS), &settings.ports.beside, notes);
        if let Some(only) = &ports.only {
            check_ports(&subject.field(PORTS), only, notes);
            if only.is_empty() {
                notes.error(&subject.field(PORTS), "no port; at least one expected");
            }
        }
        if let Some(hostname) = hostname {
            let at = subject.item(HOSTNAME, hostname);
            if let Some(NamePattern::Ip(_)) = notes.take(&at, pattern(hostname)) {
                let reason = format!("{hostname:?} is an address; a name or a wildcard expected");
                notes.error(&at, reason);
            }
        }
        let (name, hostname) = (name.clone(), hostname.clone());
        let listener =
            PlannedListener { name, address: *address, hostname, ports, default_host: None };
        let earlier = plan.listeners.iter().filter(|earlier| earlier.address == *address);
        for earlier in earlier {
            check_together(&subject, earlier, &listener, notes);
        }
        plan.listeners.push(listener);
    }
}

/// Checks a listener with an earlier one on the same address.
fn check_together(
    subject: &Subject,
    earlier: &PlannedListener,
    listener: &PlannedListener,
    notes: &mut Notes,
) {
    let name = &earlier.name;
    let Some((one, other)) = earlier.hostname.as_deref().zip(listener.hostname.as_deref()) else {
        // The system chooses a port for each.
        if listener.address.port() != 0 {
            let reason = format!("already the address of listener {name:?}");
            notes.error(&subject.field("address"), reason);
        }
        return;
    };
    if pattern(one) == pattern(other) {
        let reason = format!("listener {name:?} on this address has this hostname");
        notes.error(&subject.item(HOSTNAME, other), reason);
    }
    if earlier.ports != listener.ports {
        let reason = format!("listener {name:?} on this address has other ports");
        notes.error(&subject.field(PORTS), reason);
    }
}

/// Looks up the default host of each listener. If all groups and listeners are known, also reports
/// listeners without hosts.
pub(crate) fn find_hosts(plan: &mut Plan, whole: bool, notes: &mut Notes) {
    let of_all = plan.settings.default_host.clone();
    let found_for_all = of_all.as_deref().map(|name| {
        plan.host_called(name).ok_or_else(|| {
            let reason = format!("no host has the name {name:?}");
            notes.error(&Subject::Site.field(DEFAULT_HOST), reason);
        })
    });
    for number in 0..plan.listeners.len() {
        let Some(listener) = plan.listeners.get(number) else { continue };
        let subject = Subject::Listener(listener.name.clone());
        let own = plan.settings.listeners.get(number);
        let own = own.and_then(|(_, settings)| settings.default_host.as_deref());
        let (subject_of_default, host) = match own {
            None => (&Subject::Site, found_for_all.and_then(Result::ok)),
            Some(name) => {
                let host = plan.host_called(name);
                if host.is_none() {
                    let reason = format!("no host has the name {name:?}");
                    notes.error(&subject.field(DEFAULT_HOST), reason);
                }
                (&subject, host)
            }
        };
        if let Some(found) = host
            && whole
            && !plan.is_on(found, number)
        {
            let label = plan.hosts.get(found).map_or("", |host| host.label.as_str());
            let reason = format!("the group of host {label:?} is not on this listener");
            notes.error(&subject_of_default.field(DEFAULT_HOST), reason);
        }
        if whole && !plan.hosts.is_empty() && plan.hosts_of(number).next().is_none() {
            notes.error(&subject.field("host"), "no host is on this listener");
        }
        if let Some(listener) = plan.listeners.get_mut(number) {
            listener.default_host = host;
        }
    }
}
