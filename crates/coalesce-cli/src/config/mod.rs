//! The configuration: what the user wrote, checked as a whole before anything starts.

mod answer;
mod check;
mod entries;
pub(crate) mod files;
mod groups;
mod hosts;
mod listeners;
mod load;
pub(crate) mod model;
mod source;
mod table;
mod watched;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use coalesce_core::{GroupId, GroupPolicy, Scheme, VirtualHostId};
use coalesce_tls::{GroupTls, HandshakeTable};
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;

pub(crate) use answer::{Answer, TextAnswer, Upstream, UpstreamProtocol};
pub(crate) use groups::id as group_id;
pub(crate) use hosts::{Coverage, Shown};
pub(crate) use load::virtual_host_id;
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
    /// By the number of their [`GroupId`]: those of the file in its order, then those that virtual
    /// hosts make by their own fields.
    groups: Vec<Group>,
    /// By the number of their [`VirtualHostId`], in the order of the file.
    virtual_hosts: Vec<VirtualHost>,
    /// What loads and yet may not be meant.
    pub(crate) warnings: Vec<String>,
}

/// One address to listen on.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    /// The ports that requests may name, when the file says so.
    pub(crate) ports: Option<Vec<u16>>,
    pub(crate) handshakes: Arc<HandshakeTable>,
}

/// A coalescing group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) policy: GroupPolicy,
    /// The CAs whose client certificates the group demands.
    pub(crate) client_roots: Option<Arc<RootCertStore>>,
    /// What every handshake of the group has met.
    pub(crate) tls: GroupTls,
    /// The names of the listeners it is on.
    pub(crate) listeners: BTreeSet<String>,
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
        load::load(path, CompiledTable::Served)
    }

    /// The site of the configuration's own names, whatever `table` it has.
    pub(crate) fn load_without_table(path: &Path) -> Result<Self, ConfigErrors> {
        load::load(path, CompiledTable::Ignored)
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

impl Listener {
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
