//! A site: what a configuration comes to once all of it was read and checked.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use coalesce_core::{
    CoalescePolicy, GroupId, GroupPolicy, ListenerId, ListenerTable, Ports, Scheme,
    ServerConnection, VirtualHostId,
};
use coalesce_tls::{HandshakeFacts, HandshakeTable, TlsPolicy};
use http::uri::Authority;
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use crate::config::certificate::ShownCertificate;
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
    pub(in crate::config) groups: Vec<Group>,
    /// By the number of their [`VirtualHostId`], in the order of the file.
    pub(in crate::config) virtual_hosts: Vec<VirtualHost>,
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
    pub(in crate::config) names: Vec<String>,
    pub(crate) address: SocketAddr,
    /// The ports that requests may name, when the file says so.
    pub(crate) ports: Option<Ports>,
    pub(crate) handshakes: Arc<HandshakeTable>,
    /// Which of the listeners that share the address is responsible for which hosts.
    pub(crate) hostnames: Option<Arc<ListenerTable>>,
    /// The listeners, by their numbers in the file, and their ids.
    pub(in crate::config) members: Vec<(usize, ListenerId)>,
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
    /// How strict its names are, if its group says otherwise.
    pub(crate) coalesce: Option<CoalescePolicy>,
    pub(crate) certificate: Arc<ShownCertificate>,
    pub(crate) answer: HostAnswer,
}

/// What a virtual host answers.
#[derive(Clone, Debug)]
pub(crate) enum HostAnswer {
    Text(TextAnswer),
    Folder(PathBuf),
    Upstream(UpstreamTarget),
}

/// The same for every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TextAnswer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: HeaderValue,
    pub(crate) body: Bytes,
}

/// Another server, in the clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UpstreamTarget {
    pub(crate) protocol: UpstreamProtocol,
    /// Where to connect.
    pub(crate) authority: Authority,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UpstreamProtocol {
    Http1,
    /// HTTP/2 with prior knowledge (RFC 9113 §3.3).
    H2c,
}

/// A name of a virtual host in the configuration.
#[derive(Debug)]
pub(crate) struct ConfiguredName {
    /// As it was written.
    pub(crate) text: String,
    /// Where, counted from 1.
    pub(crate) line: usize,
}

/// What a listener has in common with others on its port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Overlap {
    pub(crate) listener: String,
    pub(crate) reason: OverlapReason,
    /// The others.
    pub(crate) with: Vec<String>,
}

/// The reasons of the condition. Where both are true it is the certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[allow(clippy::enum_variant_names, reason = "the API's own words")]
pub(crate) enum OverlapReason {
    /// Some host has both hostnames.
    OverlappingHostnames,
    /// The certificates of the one are valid for hosts that the other is responsible for.
    OverlappingCertificates,
}

/// Where a connection stands in one site, and in no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    group: GroupId,
    /// The number of its listener, where several share the address.
    listener: Option<usize>,
}

impl Site {
    /// Where a connection to the listener of `address` stands in this site, be it the site that the
    /// handshake was made under or a later one. In a site whose groups ask for something else than
    /// the handshake met, the connection is in no group, and every request is misdirected.
    pub(crate) fn place(&self, address: SocketAddr, facts: &HandshakeFacts) -> Place {
        let met = |group: &Group| Arc::ptr_eq(&group.tls, facts.policy());
        let group = match self.group(facts.group()) {
            Some(group) if met(group) => facts.group(),
            _ => self.groups.iter().position(met).map_or(GONE, group_id),
        };
        let told_apart = |it: &Listener| it.address == address && it.listener_of(facts).is_some();
        Place { group, listener: self.listeners.iter().position(told_apart) }
    }

    /// The connection that stands there.
    pub(crate) fn connection(
        &self,
        place: Place,
        facts: &HandshakeFacts,
        ports: Ports,
    ) -> ServerConnection<'static> {
        let connection = facts.connection(ports).with_group(place.group);
        let listener = place.listener.and_then(|number| self.listeners.get(number));
        match listener.and_then(|listener| listener.listener_of(facts)) {
            Some((own, of_port)) => connection.with_shared_listener(own, of_port),
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
    fn listener_of(&self, facts: &HandshakeFacts) -> Option<(ListenerId, Arc<ListenerTable>)> {
        /// One that is responsible for nothing.
        const NONE: ListenerId = ListenerId::new(u32::MAX);
        let of_port = self.hostnames.clone()?;
        Some((facts.listener().unwrap_or(NONE), of_port))
    }

    /// A connection to this listener under the site that it was made under.
    pub(crate) fn connection(
        &self,
        facts: &HandshakeFacts,
        ports: Ports,
    ) -> ServerConnection<'static> {
        let connection = facts.connection(ports);
        match self.listener_of(facts) {
            Some((own, of_port)) => connection.with_shared_listener(own, of_port),
            None => connection,
        }
    }

    /// Whether `name` is that of one of the listeners here.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.names.iter().any(|one| one == name)
    }

    /// The ports that requests may name when `bound` is listened on.
    pub(crate) fn ports_when_bound(&self, bound: u16) -> Ports {
        self.ports.clone().unwrap_or_else(|| bound.into())
    }

    /// The ports that requests may name, as far as the configuration alone can tell. Of an address
    /// whose port the system will choose it cannot; the one that `https` means stands for it.
    pub(crate) fn ports_when_configured(&self) -> Ports {
        self.ports_when_bound(match self.address.port() {
            0 => Scheme::Https.default_port(),
            port => port,
        })
    }
}

/// A group's number as its id.
pub(crate) fn group_id(number: usize) -> GroupId {
    // The authority table refuses far fewer groups than a u32 counts.
    GroupId::new(u32::try_from(number).unwrap_or(u32::MAX))
}

/// A virtual host's number as its id.
pub(crate) fn virtual_host_id(number: usize) -> VirtualHostId {
    // The authority table refuses far fewer entries than a u32 counts.
    VirtualHostId::new(u32::try_from(number).unwrap_or(u32::MAX))
}
