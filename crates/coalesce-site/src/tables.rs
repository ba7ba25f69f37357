//! The tables of a site, made from one plan. Handshakes look names up in the table that decides the
//! requests.

use std::sync::Arc;

use bytes::Bytes;
#[cfg(feature = "tower")]
use coalesce_core::ConnectPolicy;
use coalesce_core::{
    AuthorityTable, AuthorityTableBuilder, GroupId, ListenerId, Ports, ServerConnection,
};
use coalesce_tls::{HandshakeFacts, TlsPolicy};
#[cfg(feature = "tower")]
use coalesce_tls::{HandshakeTable, HandshakeTableBuilder};

use crate::carried::{Carried, listener_id};
use crate::error::{Notes, Reason, SiteErrors, Subject};
use crate::listeners;
use crate::plan::{Plan, group_id};
use crate::site_listener::SiteListener;

/// The tables of one snapshot, which never change.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    pub(crate) authorities: Arc<AuthorityTable<Bytes>>,
    /// The listeners, in the order of the plan.
    pub(crate) listeners: Vec<SiteListener>,
    /// The number of the listener that has the connections of each [`ListenerId`].
    by_id: Vec<Option<usize>>,
    /// The TLS policy of each group, by the number of its id.
    policies: Vec<Arc<TlsPolicy>>,
    /// A table that refuses every handshake, for removed listeners.
    #[cfg(feature = "tower")]
    refusing: Arc<HandshakeTable>,
}

/// The place of a connection in one snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) group: GroupId,
    /// The number of its listener.
    pub(crate) listener: Option<usize>,
}

/// The group of connections whose handshakes meet the policy of no group any more.
pub(crate) const GONE: GroupId = GroupId::new(u32::MAX);

/// A listener that is responsible for no host.
const NO_LISTENER: ListenerId = ListenerId::new(u32::MAX);

impl Tables {
    /// Builds the tables of `plan`.
    pub(crate) fn build(
        plan: &Plan,
        authorities: Arc<AuthorityTable<Bytes>>,
        carried: &Carried,
    ) -> Result<Self, SiteErrors> {
        #[cfg(feature = "tower")]
        let refusing = {
            let builder = HandshakeTableBuilder::new(plan.cryptography.provider.clone());
            Arc::new(builder.build().map_err(whole)?)
        };
        let listeners = listeners::build(plan, &authorities, carried)?;
        let known = carried.listeners();
        let by_id = known.iter().map(|known| listeners.iter().position(|own| own.is_of(known)));
        let by_id = by_id.collect();
        let policies = plan.groups.iter().map(|group| group.tls.clone()).collect();
        Ok(Self {
            authorities,
            listeners,
            by_id,
            policies,
            #[cfg(feature = "tower")]
            refusing,
        })
    }

    /// Returns the place of a connection in these tables, whichever tables its handshake was made
    /// with. If no group has the policy that the handshake met, the connection is in no group, and
    /// every request on it is misdirected. The same holds for a connection without a handshake.
    ///
    /// # Security
    /// Policies are compared; the server name is not looked up again, because a resumed session has
    /// met the policy of its first handshake.
    pub(crate) fn place(&self, facts: Option<&HandshakeFacts>) -> Place {
        let listener = facts.and_then(HandshakeFacts::listener).and_then(|id| self.listener(id));
        let Some((facts, listener)) = facts.zip(listener) else {
            return Place { group: GONE, listener: None };
        };
        let met = |policy: &Arc<TlsPolicy>| Arc::ptr_eq(policy, facts.policy());
        let same = usize::try_from(facts.group().get()).ok();
        let group = match same.and_then(|number| self.policies.get(number)) {
            Some(policy) if met(policy) => facts.group(),
            _ => self.policies.iter().position(met).map_or(GONE, group_id),
        };
        Place { group, listener: Some(listener) }
    }

    /// Returns the number of the listener that has the connections of this id.
    fn listener(&self, id: ListenerId) -> Option<usize> {
        *self.by_id.get(usize::try_from(id.get()).ok()?)?
    }

    /// Returns the connection as these tables decide it.
    ///
    /// # Allocation
    /// None.
    pub(crate) fn connection(&self, facts: &HandshakeFacts) -> ServerConnection<'static> {
        let Place { group, listener } = self.place(Some(facts));
        let listener = listener.and_then(|number| self.listeners.get(number));
        let Some(listener) = listener else {
            return facts.connection(Ports::from(&[])).with_group(GONE);
        };
        let connection = facts.connection(listener.ports.clone()).with_group(group);
        match &listener.hostnames {
            None => connection,
            Some(hostnames) => {
                let own = facts.listener().unwrap_or(NO_LISTENER);
                connection.with_shared_listener(own, hostnames.clone())
            }
        }
    }

    /// Returns true if these tables decide a connection as it is: `connection` was made from
    /// `facts` alone, at the end of its handshake.
    #[cfg(feature = "tower")]
    pub(crate) fn keep(
        &self,
        facts: Option<&HandshakeFacts>,
        connection: &ServerConnection<'_>,
    ) -> bool {
        let Place { group, listener } = self.place(facts);
        let listener = listener.and_then(|number| self.listeners.get(number));
        listener.is_some_and(|listener| {
            !listener.is_shared()
                && group == connection.group()
                && listener.ports == *connection.ports()
        })
    }

    /// Returns true if the group of a connection accepts extended `CONNECT` (RFC 8441).
    #[cfg(feature = "tower")]
    pub(crate) fn takes_extended_connect(&self, facts: Option<&HandshakeFacts>) -> bool {
        let policy = self.authorities.group_policy(self.place(facts).group);
        policy.is_some_and(|policy| policy.connect != ConnectPolicy::Refuse)
    }

    /// Returns the handshake table and the ports for the sockets of the listener with this id.
    #[cfg(feature = "tower")]
    pub(crate) fn accepting(&self, id: ListenerId) -> (Arc<HandshakeTable>, Ports<'static>) {
        let listener = self.listener(id).and_then(|number| self.listeners.get(number));
        match listener {
            Some(listener) => (listener.handshakes.clone(), listener.ports.clone()),
            None => (self.refusing.clone(), Ports::from(&[])),
        }
    }

    /// Returns the same tables with the ports that listeners are bound to now.
    pub(crate) fn with_bound_ports(&self, plan: &Plan, carried: &Carried) -> Self {
        let mut tables = self.clone();
        listeners::set_ports(plan, &mut tables.listeners, carried);
        tables
    }

    /// Returns the ids of connections that came to the listener with this number.
    pub(crate) fn ids_of(&self, listener: usize) -> impl Iterator<Item = ListenerId> {
        let of = self.by_id.iter().enumerate();
        of.filter(move |(_, number)| **number == Some(listener)).map(|(id, _)| listener_id(id))
    }
}

/// Returns the table that decides requests: the compiled one, or one of the names of the hosts.
pub(crate) fn authorities(
    plan: &Plan,
    names: &AuthorityTableBuilder,
) -> Result<Arc<AuthorityTable<Bytes>>, SiteErrors> {
    if let Some(compiled) = &plan.compiled {
        return Ok(compiled.table.clone());
    }
    let built = names.build().map_err(whole)?;
    let bytes = Bytes::copy_from_slice(built.as_bytes());
    let table = AuthorityTable::from_trusted_bytes(bytes, built.checksum()).map_err(whole)?;
    Ok(Arc::new(table))
}

fn whole(error: impl Into<Reason>) -> SiteErrors {
    Notes::only(&Subject::Site.field("build"), error)
}
