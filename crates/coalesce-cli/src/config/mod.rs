//! The configuration: what the user wrote, checked as a whole before anything starts.

mod answer;
mod check;
mod entries;
pub(crate) mod files;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod groups;
mod hosts;
mod kept;
mod listeners;
mod load;
pub(crate) mod model;
mod overlaps;
mod ports;
mod source;
mod table;
mod tls_policy;
mod watched;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use coalesce_core::{
    GroupId, GroupPolicy, ListenerId, ListenerTable, PortListeners, Scheme, ServerConnection,
    VirtualHostId,
};
use coalesce_tls::{HandshakeFacts, HandshakeTable, TlsPolicy};
use rustls::crypto::CryptoProvider;

pub(crate) use answer::{Answer, TextAnswer, Upstream, UpstreamProtocol};
pub(crate) use check::example;
pub(crate) use groups::id as group_id;
pub(crate) use hosts::{Coverage, Shown};
pub(crate) use kept::Kept;
pub(crate) use load::virtual_host_id;
pub(crate) use overlaps::Overlap;
pub(crate) use source::ConfigErrors;
pub(crate) use watched::files_named;

use crate::table_image::Table;

/// A configuration that loads.
#[derive(Debug)]
pub(crate) struct Site {
    /// Which names are served, as which virtual host, in which group.
    pub(crate) table: Arc<Table>,
    pub(crate) listeners: Vec<Listener>,
    /// Where metrics are served.
    pub(crate) admin: Option<SocketAddr>,
    /// Whether connections announce their origin sets (RFC 8336).
    pub(crate) announces_origins: bool,
    /// By the number of their [`GroupId`]: those of the file in its order, then those that virtual
    /// hosts make by their own fields.
    groups: Vec<Group>,
    /// By the number of their [`VirtualHostId`], in the order of the file.
    virtual_hosts: Vec<VirtualHost>,
    /// Listeners that share a port and overlap.
    pub(crate) overlaps: Vec<Overlap>,
    /// What loads and yet may not be meant.
    pub(crate) warnings: Vec<String>,
}

/// One address to listen on, for one listener or for several that share it.
#[derive(Debug)]
pub(crate) struct Listener {
    /// As it is called; of several, all their names.
    pub(crate) name: String,
    names: Vec<String>,
    pub(crate) address: SocketAddr,
    /// The ports that requests may name, when the file says so.
    pub(crate) ports: Option<Vec<u16>>,
    pub(crate) handshakes: Arc<HandshakeTable>,
    /// Which of the listeners that share the address is responsible for which hosts.
    pub(crate) hostnames: Option<Arc<ListenerTable<Vec<u8>>>>,
    /// The listeners, by their numbers in the file, and their ids.
    members: Vec<(usize, ListenerId)>,
}

/// A coalescing group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: String,
    /// The names of groups that are equal to it, and so the same.
    pub(crate) also: Vec<String>,
    pub(crate) policy: GroupPolicy,
    /// What its handshakes must meet.
    pub(crate) tls: Arc<TlsPolicy>,
}

/// A virtual host.
#[derive(Debug)]
pub(crate) struct VirtualHost {
    pub(crate) name: String,
    /// The names that the configuration itself gives it. A compiled table may have more.
    pub(crate) names: Vec<ConfiguredName>,
    pub(crate) group: GroupId,
    pub(crate) certificate: Arc<Shown>,
    pub(crate) answer: Answer,
}

/// A name of a virtual host in the configuration.
#[derive(Debug)]
pub(crate) struct ConfiguredName {
    /// As it was written.
    pub(crate) text: String,
    /// Where, counted from 1.
    pub(crate) line: usize,
}

/// Where a connection stands in one site, and in no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    group: GroupId,
    /// The number of its listener, where several share the address.
    listener: Option<usize>,
}

/// What a compiled table that the configuration names is to the one who loads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CompiledTable {
    /// The table that is served; it must fit the configuration.
    Served,
    /// Not looked at, because it is about to be made.
    Ignored,
}

impl Site {
    pub(crate) fn load(path: &Path) -> Result<Self, ConfigErrors> {
        Self::load_after(path, &Kept::default())
    }

    /// The same for a server that loads more than once: connections and sessions of the sites that
    /// were loaded with the same `kept` go on, as far as their rules have not changed.
    pub(crate) fn load_after(path: &Path, kept: &Kept) -> Result<Self, ConfigErrors> {
        load::load(path, CompiledTable::Served, kept)
    }

    /// The site of the configuration's own names, whatever `table` it has.
    pub(crate) fn load_without_table(path: &Path) -> Result<Self, ConfigErrors> {
        load::load(path, CompiledTable::Ignored, &Kept::default())
    }

    /// Where a connection to the listener of `address` stands in this site, be it the site that the
    /// handshake was made under or a later one. In a site whose groups ask for something else than
    /// the handshake met, the connection is in no group, and every request is misdirected.
    pub(crate) fn place(&self, address: SocketAddr, facts: &HandshakeFacts) -> Place {
        let met = |group: &Group| {
            group.policy.within.is_none() && Arc::ptr_eq(&group.tls, facts.policy())
        };
        let group = match self.group(facts.group()) {
            Some(group) if met(group) => facts.group(),
            _ => self.groups.iter().position(met).map_or(GONE, groups::id),
        };
        let told_apart = |it: &Listener| it.address == address && it.listener_of(facts).is_some();
        Place { group, listener: self.listeners.iter().position(told_apart) }
    }

    /// The connection that stands there.
    pub(crate) fn connection<'a>(
        &'a self,
        place: Place,
        facts: &'a HandshakeFacts,
        ports: &'a [u16],
    ) -> ServerConnection<'a> {
        let connection = facts.connection(ports).with_group(place.group);
        let listener = place.listener.and_then(|number| self.listeners.get(number));
        match listener.and_then(|listener| listener.listener_of(facts)) {
            Some((own, of_port)) => connection.with_listener(own, of_port),
            None => connection,
        }
    }

    /// Replaces the address of the one listener.
    pub(crate) fn listen_on(&mut self, address: SocketAddr) -> Result<(), String> {
        match self.listeners.as_mut_slice() {
            [only] => {
                only.address = address;
                Ok(())
            }
            several => Err(format!(
                "--listen is for configurations with one listener; this one has {}",
                several.len()
            )),
        }
    }

    pub(crate) fn group(&self, id: GroupId) -> Option<&Group> {
        self.groups.get(id.get() as usize)
    }

    /// The group whose connections those of `id` are served on: itself, unless it is a set of names
    /// of another group that have a policy of their own.
    pub(crate) fn home(&self, id: GroupId) -> GroupId {
        self.group(id).and_then(|group| group.policy.within).unwrap_or(id)
    }

    pub(crate) fn virtual_host(&self, id: VirtualHostId) -> Option<&VirtualHost> {
        self.virtual_hosts.get(id.get() as usize)
    }

    pub(crate) fn groups(&self) -> &[Group] {
        &self.groups
    }

    pub(crate) fn virtual_hosts(&self) -> &[VirtualHost] {
        &self.virtual_hosts
    }

    /// Logs what loads and yet may not be meant, and for the curious what was loaded.
    pub(crate) fn log(&self) {
        for warning in &self.warnings {
            tracing::warn!("{warning}");
        }
        tracing::debug!(names = self.table.len(), bytes = self.table.as_bytes().len(), "table");
        for host in &self.virtual_hosts {
            let group = self.group(host.group).map(|group| group.name.as_str());
            let names: Vec<&str> = host.names.iter().map(|name| name.text.as_str()).collect();
            let names = names.join(", ");
            tracing::debug!(virtual_host = host.name, group, names, "loaded");
        }
    }
}

/// The group of connections whose handshakes met what no group asks any more.
const GONE: GroupId = GroupId::new(u32::MAX);

impl Listener {
    /// The listener that a handshake came to, among those that share the address.
    fn listener_of(&self, facts: &HandshakeFacts) -> Option<(ListenerId, &dyn PortListeners)> {
        /// One that is responsible for nothing.
        const NONE: ListenerId = ListenerId::new(u32::MAX);
        let of_port = self.hostnames.as_deref()?;
        Some((facts.listener().unwrap_or(NONE), of_port))
    }

    /// A connection to this listener under the site that it was made under.
    pub(crate) fn connection<'a>(
        &'a self,
        facts: &'a HandshakeFacts,
        ports: &'a [u16],
    ) -> ServerConnection<'a> {
        let connection = facts.connection(ports);
        match self.listener_of(facts) {
            Some((own, of_port)) => connection.with_listener(own, of_port),
            None => connection,
        }
    }

    /// Whether `name` is that of one of the listeners here.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.names.iter().any(|one| one == name)
    }

    /// The ports that requests may name when `bound` is listened on.
    pub(crate) fn ports_when_bound(&self, bound: u16) -> Vec<u16> {
        self.ports.clone().unwrap_or_else(|| vec![bound])
    }

    /// The ports that requests may name, as far as the configuration alone can tell. Of an address
    /// whose port the system will choose it cannot; the one that `https` means stands for it.
    pub(crate) fn ports_when_configured(&self) -> Vec<u16> {
        self.ports_when_bound(match self.address.port() {
            0 => Scheme::Https.default_port(),
            port => port,
        })
    }
}

/// The one provider of cryptography.
pub(crate) fn crypto_provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

#[cfg(test)]
mod tests;
