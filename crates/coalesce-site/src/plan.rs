//! A site as it was read and checked, before its tables are built: the one list of hosts and groups
//! that every table is made from.

use std::collections::BTreeMap;
use std::sync::Arc;

use coalesce_core::{CoalescePolicy, GroupId, GroupPolicy, NamePattern, VirtualHostId};
use coalesce_tls::{HandshakeTableBuilder, HandshakeTableError, ServerCertificate, TlsPolicy};

use crate::carried::Carried;
use crate::coverage::{Coverage, coverage, listed};
use crate::error::{Faults, SiteErrors, Subject};
use crate::group::GroupSettings;
use crate::identity::{CERTIFICATE, Identity};
use crate::settings::{Cryptography, Settings};

/// A site that was read and checked.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) settings: Settings,
    pub(crate) cryptography: Cryptography,
    /// By the number of their [`GroupId`].
    pub(crate) groups: Vec<PlannedGroup>,
    /// Each with its alternatives.
    pub(crate) certificates: Vec<Vec<ServerCertificate>>,
    /// By the number of their [`VirtualHostId`].
    pub(crate) hosts: Vec<PlannedHost>,
    pub(crate) default_host: Option<usize>,
    /// Sentences about settings that are accepted, but may be a mistake.
    pub(crate) warnings: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct PlannedGroup {
    pub(crate) name: String,
    /// The names of groups that are equal to it.
    also: Vec<String>,
    pub(crate) tls: Arc<TlsPolicy>,
    pub(crate) policy: GroupPolicy,
}

#[derive(Clone, Debug)]
pub(crate) struct PlannedHost {
    /// The first of them is what the host is called. Each is a pattern.
    pub(crate) names: Vec<String>,
    /// By number.
    pub(crate) group: usize,
    /// By number.
    pub(crate) certificate: usize,
    pub(crate) coalesce: Option<CoalescePolicy>,
}

/// A host as the builder has it, without its value.
#[derive(Clone, Debug)]
pub(crate) struct HostDraft {
    pub(crate) names: Vec<String>,
    pub(crate) identity: Identity,
    pub(crate) group: Option<String>,
    pub(crate) coalesce: Option<CoalescePolicy>,
}

/// The group of hosts that name none.
const DEFAULT_GROUP: &str = "default";

impl Plan {
    /// Reads and checks everything, and returns it or all that is wrong with it.
    pub(crate) fn read(
        settings: Settings,
        groups: &[(String, GroupSettings)],
        hosts: Vec<HostDraft>,
        carried: &Carried,
    ) -> Result<Self, SiteErrors> {
        let mut faults = Faults::default();
        settings.check(&mut faults);
        if hosts.is_empty() {
            faults.add(Subject::Site, "host", "none; at least one expected");
        }
        let Some(cryptography) = settings.cryptography() else {
            let reason = "none; the process has no default, and the feature `ring` is off";
            faults.add(Subject::Site, "provider", reason);
            return faults.none_for(None);
        };
        let mut plan = Self {
            settings,
            cryptography,
            groups: Vec::new(),
            certificates: Vec::new(),
            hosts: Vec::with_capacity(hosts.len()),
            default_host: None,
            warnings: Vec::new(),
        };
        plan.read_groups(groups, &hosts, carried, &mut faults);
        let groups: Vec<&str> = groups.iter().map(|(name, _)| name.as_str()).collect();
        let mut loaded = BTreeMap::new();
        for host in hosts {
            let subject = subject(&host.names);
            let group = plan.group_of(&host, &groups, &subject, &mut faults);
            let certificate = plan.certificate(&host.identity, &subject, &mut loaded, &mut faults);
            if let Some(number) = certificate {
                plan.check_names(&host.names, number, &subject, &mut faults);
            } else {
                for name in &host.names {
                    faults.take(&subject, NAME, pattern(name));
                }
            }
            // Without one of them there is a fault, and no plan.
            let (group, certificate) = (group.unwrap_or(0), certificate.unwrap_or(0));
            let HostDraft { names, coalesce, .. } = host;
            plan.hosts.push(PlannedHost { names, group, certificate, coalesce });
        }
        plan.find_default_host(&mut faults);
        faults.none_for(Some(plan))
    }

    fn read_groups(
        &mut self,
        groups: &[(String, GroupSettings)],
        hosts: &[HostDraft],
        carried: &Carried,
        faults: &mut Faults,
    ) {
        let named = |name: &str| groups.iter().any(|(known, _)| known == name);
        let default = (DEFAULT_GROUP.to_owned(), GroupSettings::new());
        let needed = hosts.iter().any(|host| host.group.as_deref().is_none_or(is_default));
        let default = (needed && !named(DEFAULT_GROUP)).then_some(&default);
        for (number, (name, settings)) in groups.iter().chain(default).enumerate() {
            if groups.iter().take(number).any(|(earlier, _)| earlier == name) {
                let subject = Subject::Group(name.clone());
                faults.add(subject, "group", "a group of this name was added before");
                continue;
            }
            let loaded = settings.load(name, &self.settings.protocols, faults);
            let Some(loaded) = loaded else { continue };
            if !check_tls(name, &loaded.tls, &self.cryptography, faults) {
                continue;
            }
            self.warnings.extend(loaded.warnings);
            let (tls, policy) = (loaded.tls, loaded.policy);
            let equal = |known: &&mut PlannedGroup| *known.tls == tls && known.policy == policy;
            if let Some(known) = self.groups.iter_mut().find(equal) {
                known.also.push(name.clone());
                continue;
            }
            let tls = carried.policy(tls);
            self.groups.push(PlannedGroup { name: name.clone(), also: Vec::new(), tls, policy });
        }
    }

    /// Returns the number of a host's group. If the group itself has a fault, this adds none.
    fn group_of(
        &self,
        host: &HostDraft,
        groups: &[&str],
        subject: &Subject,
        faults: &mut Faults,
    ) -> Option<usize> {
        let name = host.group.as_deref().unwrap_or(DEFAULT_GROUP);
        let has_name =
            |group: &PlannedGroup| group.name == name || group.also.iter().any(|also| also == name);
        let found = self.groups.iter().position(has_name);
        if found.is_none() && !is_default(name) && !groups.contains(&name) {
            let known: Vec<String> = groups.iter().map(|name| format!("{name:?}")).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let reason = format!("no group has the name {name:?}; there is {known}");
            faults.add(subject.clone(), "group", reason);
        }
        found
    }

    /// Returns the number of an identity's certificate, which is read once.
    fn certificate(
        &mut self,
        identity: &Identity,
        subject: &Subject,
        loaded: &mut BTreeMap<usize, (Identity, Option<usize>)>,
        faults: &mut Faults,
    ) -> Option<usize> {
        if let Some((_, number)) = loaded.get(&identity.address()) {
            return *number;
        }
        let certificate = identity.load(&self.cryptography.provider, subject, faults);
        let number = certificate.map(|certificate| {
            self.certificates.push(certificate);
            self.certificates.len().saturating_sub(1)
        });
        // The clone keeps the address from being another identity's.
        loaded.insert(identity.address(), (identity.clone(), number));
        number
    }

    /// Checks that each name is one, and that the certificate covers it: a name that it does not
    /// cover would be answered 421 on the very connection that was made for it.
    fn check_names(
        &mut self,
        names: &[String],
        certificate: usize,
        subject: &Subject,
        faults: &mut Faults,
    ) {
        let Some(certificates) = self.certificates.get(certificate) else { return };
        for name in names {
            let Some(parsed) = faults.take(subject, NAME, pattern(name)) else { continue };
            for certificate in certificates {
                let presented = certificate.presented();
                if coverage(&parsed, presented) == Coverage::Missing {
                    let reason =
                        format!("not valid for {name:?}; only valid for {}", listed(presented));
                    faults.add(subject.clone(), CERTIFICATE, reason);
                }
            }
            // That depends on the pattern alone.
            let first = certificates.first().map(|first| coverage(&parsed, first.presented()));
            if first == Some(Coverage::OpenEnded) {
                self.warnings.push(format!(
                    "{subject}: {NAME}: {name:?} matches more names than a certificate can cover; \
                     those that it does not cover are answered 421 on every connection"
                ));
            }
        }
    }

    fn find_default_host(&mut self, faults: &mut Faults) {
        let Some(name) = &self.settings.default_host else { return };
        self.default_host = self.hosts.iter().position(|host| has_name(host, name));
        if self.default_host.is_none() {
            let reason = format!("no host has the name {name:?}");
            faults.add(Subject::Site, "default_host", reason);
        }
    }

    /// Exchanges the certificate of the host with this name, and of every host that shares its
    /// identity.
    pub(crate) fn with_identity(
        &self,
        name: &str,
        identity: &Identity,
    ) -> Result<Self, SiteErrors> {
        let mut faults = Faults::default();
        let wanted = Subject::Host(name.to_owned());
        let host = self.hosts.iter().find(|host| has_name(host, name));
        let Some(host) = host else {
            return Err(Faults::only(wanted, "host", "no host has this name"));
        };
        let mut plan = self.clone();
        let loaded = identity.load(&self.cryptography.provider, &wanted, &mut faults);
        let slot = plan.certificates.get_mut(host.certificate);
        if let Some((loaded, slot)) = loaded.zip(slot) {
            *slot = loaded;
            plan.warnings.clear();
            for other in self.hosts.iter().filter(|other| other.certificate == host.certificate) {
                let subject = subject(&other.names);
                plan.check_names(&other.names, other.certificate, &subject, &mut faults);
            }
        }
        faults.none_for(Some(plan))
    }
}

/// The field of a host that a name is.
pub(crate) const NAME: &str = "name";

fn is_default(name: &str) -> bool {
    name == DEFAULT_GROUP
}

/// Returns what errors call the host with these names.
pub(crate) fn subject(names: &[String]) -> Subject {
    Subject::Host(names.first().cloned().unwrap_or_default())
}

/// Returns whether the host has this name, however it is spelled.
fn has_name(host: &PlannedHost, name: &str) -> bool {
    let wanted = pattern(name).ok();
    wanted.is_some() && host.names.iter().any(|known| pattern(known).ok() == wanted)
}

fn pattern(name: &str) -> Result<NamePattern<'_>, String> {
    NamePattern::parse(name.as_bytes()).map_err(|error| format!("{name:?}: {error}"))
}

/// Checks a policy as a handshake table does, so that every group's faults are found at once.
fn check_tls(
    name: &str,
    tls: &TlsPolicy,
    cryptography: &Cryptography,
    faults: &mut Faults,
) -> bool {
    let mut scratch = HandshakeTableBuilder::new(cryptography.provider.clone());
    let field = match scratch.group(GroupId::new(0), tls.clone()) {
        // A protocol's name is the site's, whose fault was found before.
        Ok(_) | Err(HandshakeTableError::ProtocolName { .. }) => return true,
        Err(error) => {
            let field = match error {
                HandshakeTableError::Versions { .. } => "maximum_version",
                HandshakeTableError::CipherSuite { .. } => "cipher_suites",
                _ => "group",
            };
            (field, error)
        }
    };
    faults.add(Subject::Group(name.to_owned()), field.0, field.1);
    false
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
