//! The two tables of a site, made from one plan: the handshakes have no names of their own, they
//! look them up in the table that decides the requests.

use std::sync::Arc;

use coalesce_core::{AuthorityTable, Entry, GroupId, NamePattern, Ports, ServerConnection};
use coalesce_tls::{
    HandshakeFacts, HandshakeTable, HandshakeTableBuilder, HandshakeTableError, ServerNamePolicy,
    TlsPolicy,
};

use crate::carried::Carried;
use crate::error::{Faults, SiteErrors, Subject};
use crate::plan::{NAME, Plan, group_id, subject, virtual_host_id};

/// The tables of one snapshot, which never change.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) authorities: Arc<AuthorityTable>,
    pub(crate) handshakes: Arc<HandshakeTable>,
    /// What the handshakes of each group must meet, by the number of its id.
    policies: Vec<Arc<TlsPolicy>>,
}

/// The group of connections whose handshakes met what no group asks for any more.
const GONE: GroupId = GroupId::new(u32::MAX);

impl Tables {
    pub(crate) fn build(plan: &Plan, carried: &Carried) -> Result<Self, SiteErrors> {
        let authorities = Arc::new(authority_table(plan)?);
        let handshakes = handshake_table(plan, authorities.clone(), carried)
            .map_err(|error| Faults::only(Subject::Site, "build", error))?;
        let policies = plan.groups.iter().map(|group| group.tls.clone()).collect();
        Ok(Self { authorities, handshakes: Arc::new(handshakes), policies })
    }

    /// Returns the group of a connection in these tables, whichever tables its handshake was made
    /// with. In tables whose groups ask for something else than the handshake met, the connection
    /// is in no group, and every request on it is misdirected. So is one without a handshake.
    ///
    /// # Security
    /// Policies are compared, and never the server name looked up again: a session that was resumed
    /// has met the policy of its first handshake.
    pub(crate) fn group_of(&self, facts: Option<&HandshakeFacts>) -> GroupId {
        let Some(facts) = facts else { return GONE };
        let met = |policy: &Arc<TlsPolicy>| Arc::ptr_eq(policy, facts.policy());
        let same = usize::try_from(facts.group().get()).ok();
        match same.and_then(|number| self.policies.get(number)) {
            Some(policy) if met(policy) => facts.group(),
            _ => self.policies.iter().position(met).map_or(GONE, group_id),
        }
    }

    /// Returns the connection as these tables decide it.
    pub(crate) fn connection(
        &self,
        facts: &HandshakeFacts,
        ports: impl Into<Ports>,
    ) -> ServerConnection<'static> {
        facts.connection(ports).with_group(self.group_of(Some(facts)))
    }
}

fn authority_table(plan: &Plan) -> Result<AuthorityTable, SiteErrors> {
    let mut builder = AuthorityTable::builder();
    for (number, group) in plan.groups.iter().enumerate() {
        let added = builder.group(group_id(number), group.policy).map(drop);
        let subject = || Subject::Group(group.name.clone());
        added.map_err(|error| Faults::only(subject(), "group", error))?;
    }
    // By the number of the entry.
    let mut added: Vec<(usize, &str)> = Vec::new();
    for (number, host) in plan.hosts.iter().enumerate() {
        for name in &host.names {
            // Every name of a plan is a pattern.
            let Ok(pattern) = NamePattern::parse(name.as_bytes()) else { continue };
            let mut entry = Entry::new(virtual_host_id(number), group_id(host.group));
            if let Some(coalesce) = host.coalesce {
                entry = entry.with_coalesce(coalesce);
            }
            let entry = builder.insert(pattern, entry);
            entry.map_err(|error| Faults::only(subject(&host.names), NAME, error))?;
            added.push((number, name));
        }
    }
    let mut faults = Faults::default();
    for duplicate in builder.duplicates() {
        let at = |index: u32| usize::try_from(index).ok().and_then(|index| added.get(index));
        let Some((earlier, later)) = at(duplicate.earlier).zip(at(duplicate.later)) else {
            continue;
        };
        let names = |(number, _): &(usize, &str)| {
            plan.hosts.get(*number).map(|host| host.names.as_slice()).unwrap_or_default()
        };
        let reason = format!("{:?} is a name of {} already", later.1, subject(names(earlier)));
        faults.add(subject(names(later)), NAME, reason);
    }
    faults.none_for(Some(()))?;
    builder.build().map_err(|error| Faults::only(Subject::Site, "build", error))
}

fn handshake_table(
    plan: &Plan,
    authorities: Arc<AuthorityTable>,
    carried: &Carried,
) -> Result<HandshakeTable, HandshakeTableError> {
    let mut builder = HandshakeTableBuilder::new(plan.cryptography.provider.clone());
    builder.sessions(&carried.sessions).shared_names(authorities);
    if let Some(ticketer) = &plan.cryptography.ticketer {
        builder.ticketer(ticketer.clone());
    }
    for (number, group) in plan.groups.iter().enumerate() {
        builder.group(group_id(number), group.tls.clone())?;
    }
    let mut certificates = Vec::with_capacity(plan.certificates.len());
    for alternatives in &plan.certificates {
        let Some((first, others)) = alternatives.split_first() else { continue };
        let id = builder.server_certificate(first.clone())?;
        for other in others {
            let other = builder.server_certificate(other.clone())?;
            builder.alternative(id, other)?;
        }
        certificates.push(id);
    }
    for (number, host) in plan.hosts.iter().enumerate() {
        let Some(certificate) = certificates.get(host.certificate).copied() else { continue };
        let group = group_id(host.group);
        builder.virtual_host(virtual_host_id(number), group, certificate)?;
        if plan.default_host == Some(number) {
            let policy = ServerNamePolicy::Default { group, certificate };
            builder.absent_server_name(policy).unknown_server_name(policy);
        }
    }
    builder.build()
}
