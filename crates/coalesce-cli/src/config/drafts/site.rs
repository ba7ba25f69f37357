//! Everything that was read, before it is checked and built.

use coalesce_core::NamePattern;

use crate::config::drafts::certificates::Certificate;
use crate::config::drafts::groups::Groups;
use crate::config::drafts::hosts::HostDraft;
use crate::config::drafts::listeners::ListenerDraft;
use crate::config::entries::Faults;
use crate::config::site::Listener;

/// Everything that was read.
#[derive(Debug)]
pub(crate) struct SiteDraft<'a> {
    pub(crate) listeners: &'a [ListenerDraft],
    pub(crate) groups: &'a Groups<'a>,
    pub(crate) hosts: &'a [HostDraft],
    pub(crate) certificates: &'a [Certificate],
}

impl<'a> SiteDraft<'a> {
    /// The virtual hosts of the listener with this number.
    pub(crate) fn hosts_of(
        &self,
        listener: usize,
    ) -> impl Iterator<Item = (usize, &'a HostDraft)> + use<'a, '_> {
        self.hosts.iter().enumerate().filter(move |(number, _)| self.is_on(*number, listener))
    }

    /// Whether the virtual host with this number is on the listener with that one.
    pub(crate) fn is_on(&self, host: usize, listener: usize) -> bool {
        let group = self.hosts.get(host).and_then(|host| self.groups.drafts.get(host.group?));
        group.is_some_and(|group| group.listeners.contains(&listener))
    }

    /// Whether the virtual host with this number is on a listener of this port.
    pub(crate) fn is_on_port(&self, host: usize, port: &Listener) -> bool {
        port.members.iter().any(|(listener, _)| self.is_on(host, *listener))
    }

    /// Whether the configuration itself gives this name to the virtual host with this number.
    pub(crate) fn has_name(&self, host: usize, pattern: &NamePattern<'_>) -> bool {
        let mut names = self.hosts.get(host).into_iter().flat_map(|host| &host.names);
        names.any(|name| NamePattern::parse(name.get_ref().as_bytes()).as_ref() == Ok(pattern))
    }

    /// The default virtual host of each listener, by number.
    pub(crate) fn defaults(&self, faults: &mut Faults) -> Vec<Option<usize>> {
        let mut defaults = Vec::with_capacity(self.listeners.len());
        for (number, listener) in self.listeners.iter().enumerate() {
            let Some(wanted) = &listener.default_virtual_host else {
                defaults.push(None);
                continue;
            };
            let name = wanted.get_ref();
            let found = self.hosts.iter().position(|host| host.name.get_ref() == name);
            match found {
                None => {
                    let message = format!("no [[virtual_host]] has the name {name:?}");
                    faults.add(wanted.span(), message);
                }
                Some(host) if !self.hosts_of(number).any(|(of, _)| of == host) => {
                    let message =
                        format!("the group of virtual_host {name:?} is not on this listener");
                    faults.add(wanted.span(), message);
                }
                Some(_) => {}
            }
            defaults.push(found);
        }
        defaults
    }

    pub(crate) fn every_listener_has_hosts(&self, faults: &mut Faults) {
        // A host without group may belong to any listener.
        if self.hosts.iter().any(|host| host.group.is_none()) {
            return;
        }
        for (number, listener) in self.listeners.iter().enumerate() {
            if self.hosts_of(number).next().is_none() && !self.hosts.is_empty() {
                faults.add(listener.at.clone(), "no virtual host is on this listener");
            }
        }
    }
}
