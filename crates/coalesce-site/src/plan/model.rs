//! The parts of a plan.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use coalesce_core::{
    AuthorityTable, CoalescePolicy, GroupId, GroupPolicy, NamePattern, VirtualHostId,
};
use coalesce_tls::TlsPolicy;

use crate::error::{SiteWarning, Subject};
use crate::identity::{Identity, SiteCertificate};
use crate::listener_settings::PortRule;
use crate::names::{Coverage, NotCovered, coverage, pattern};
use crate::settings::{Cryptography, Settings};

/// A validated site.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) settings: Settings,
    pub(crate) cryptography: Cryptography,
    pub(crate) listeners: Vec<PlannedListener>,
    /// The groups, by the number of their [`GroupId`].
    pub(crate) groups: Vec<SiteGroup>,
    /// The certificates, each with its alternatives.
    pub(crate) certificates: Vec<Vec<SiteCertificate>>,
    /// The hosts, by the number of their [`VirtualHostId`].
    pub(crate) hosts: Vec<PlannedHost>,
    pub(crate) compiled: Option<CompiledTable>,
    /// The warnings found while reading.
    pub(crate) warnings: Vec<SiteWarning>,
}

/// A compiled table whose bytes were checked.
#[derive(Clone)]
pub(crate) struct CompiledTable {
    /// The name of the table in messages.
    pub(crate) label: String,
    pub(crate) table: Arc<AuthorityTable<Bytes>>,
}

#[derive(Clone, Debug)]
pub(crate) struct PlannedListener {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    /// The hostname as a pattern, for listeners that share their address.
    pub(crate) hostname: Option<String>,
    pub(crate) ports: PortRule,
    /// The number of the default host.
    pub(crate) default_host: Option<usize>,
}

/// A coalescing group of a site. Groups with equal settings are one.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use coalesce_site::SiteGroup;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let site = site()?;
/// let snapshot = site.snapshot();
/// assert!(snapshot.groups().iter().any(|group: &SiteGroup| group.name() == "staff"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct SiteGroup {
    pub(crate) name: String,
    pub(crate) also: Vec<String>,
    pub(crate) tls: Arc<TlsPolicy>,
    pub(crate) policy: GroupPolicy,
    /// The numbers of its listeners.
    pub(crate) listeners: BTreeSet<usize>,
}

#[derive(Clone, Debug)]
pub(crate) struct PlannedHost {
    pub(crate) label: String,
    /// The names, all valid patterns.
    pub(crate) names: Vec<String>,
    /// The number of the group.
    pub(crate) group: usize,
    /// The number of the certificate.
    pub(crate) certificate: usize,
    /// The strictness, if it differs from the group's.
    pub(crate) coalesce: Option<CoalescePolicy>,
}

/// A host of the builder, without its value.
#[derive(Clone, Debug)]
pub(crate) struct HostDraft {
    pub(crate) label: Option<String>,
    pub(crate) names: Vec<String>,
    pub(crate) identity: Identity,
    pub(crate) group: Option<String>,
    pub(crate) coalesce: Option<CoalescePolicy>,
}

impl Plan {
    /// Returns true if the host with this number is on the listener with that number.
    pub(crate) fn is_on(&self, host: usize, listener: usize) -> bool {
        let group = self.hosts.get(host).and_then(|host| self.groups.get(host.group));
        group.is_some_and(|group| group.listeners.contains(&listener))
    }

    /// Returns the hosts of the listener with this number.
    pub(crate) fn hosts_of(&self, listener: usize) -> impl Iterator<Item = (usize, &PlannedHost)> {
        self.hosts.iter().enumerate().filter(move |(number, _)| self.is_on(*number, listener))
    }

    /// Returns the number of the host with this label, or else with this name in any spelling.
    pub(crate) fn host_called(&self, name: &str) -> Option<usize> {
        let by_label = self.hosts.iter().position(|host| host.label == name);
        by_label.or_else(|| {
            let wanted = pattern(name).ok()?;
            self.hosts.iter().position(|host| host.has_name(&wanted))
        })
    }

    /// Returns how much of `pattern`, written as `name`, the certificate with this number covers.
    pub(crate) fn coverage(
        &self,
        certificate: usize,
        pattern: &NamePattern<'_>,
        name: &dyn std::fmt::Display,
    ) -> Result<Coverage, NotCovered> {
        let mut found = Coverage::OpenEnded;
        for SiteCertificate { certificate, label } in
            self.certificates.get(certificate).into_iter().flatten()
        {
            found = coverage(pattern, name, certificate.presented(), label)?;
        }
        Ok(found)
    }

    /// Returns whether listeners have names that the builder gave them.
    pub(crate) fn has_named_listeners(&self) -> bool {
        !self.settings.listeners.is_empty()
    }
}

impl PlannedHost {
    /// Returns whether `wanted` is one of the names.
    pub(crate) fn has_name(&self, wanted: &NamePattern<'_>) -> bool {
        self.names.iter().any(|known| pattern(known).as_ref() == Ok(wanted))
    }
}

impl SiteGroup {
    /// Returns the name of the group.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the names of groups with equal settings, which are this one.
    pub fn also(&self) -> &[String] {
        &self.also
    }

    /// Returns the requirements that each handshake of the group meets.
    pub fn tls_policy(&self) -> &Arc<TlsPolicy> {
        &self.tls
    }

    /// Returns how requests on its connections are decided.
    pub fn policy(&self) -> GroupPolicy {
        self.policy
    }

    pub(crate) fn has_name(&self, name: &str) -> bool {
        self.name == name || self.also.iter().any(|also| also == name)
    }

    /// Returns whether one connection may be in both.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        // Treat a full list of listeners like no list.
        let mut tls = TlsPolicy::clone(&self.tls);
        tls.listeners.clone_from(&other.tls.listeners);
        self.policy == other.policy && self.listeners == other.listeners && tls == *other.tls
    }
}

/// The field name for a name of a host.
pub(crate) const NAME: &str = "name";

/// Returns the subject of errors about the host with this label.
pub(crate) fn subject(label: &str) -> Subject {
    Subject::Host(label.to_owned())
}

/// Returns a group's number as its id.
pub(crate) fn group_id(number: usize) -> GroupId {
    // The authority table refuses far fewer groups than a u32 counts.
    GroupId::new(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Returns a host's number as its id.
pub(crate) fn virtual_host_id(number: usize) -> VirtualHostId {
    // The authority table refuses far fewer entries than a u32 counts.
    VirtualHostId::new(u32::try_from(number).unwrap_or(u32::MAX))
}
