//! Builds the listeners of a site: one for each address, with those that share it.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use coalesce_core::{AuthorityTable, ListenerTable, NamePattern, Ports, Scheme};
use coalesce_tls::{
    CertificateId, HandshakeTable, HandshakeTableBuilder, HandshakeTableError, ServerNamePolicy,
};

use crate::carried::{Carried, KnownListener};
use crate::error::{Notes, SiteErrors, Subject};
use crate::names::pattern;
use crate::plan::{Plan, PlannedListener, group_id, virtual_host_id};
use crate::site_listener::SiteListener;

/// What the handshakes of all listeners are made of.
struct Builder<'a> {
    plan: &'a Plan,
    authorities: &'a Arc<AuthorityTable<Bytes>>,
    carried: &'a Carried,
}

/// Builds every listener, in the order of the plan.
pub(crate) fn build(
    plan: &Plan,
    authorities: &Arc<AuthorityTable<Bytes>>,
    carried: &Carried,
) -> Result<Vec<SiteListener>, SiteErrors> {
    let builder = Builder { plan, authorities, carried };
    let mut built = Vec::with_capacity(plan.listeners.len());
    let mut notes = Notes::default();
    for (number, listener) in plan.listeners.iter().enumerate() {
        // Listeners that share an address were built together with the first of them.
        let mut earlier = plan.listeners.iter().take(number);
        if earlier.any(|earlier| shares_address(earlier, listener)) {
            continue;
        }
        let subject = Subject::Listener(listener.name.clone());
        built.extend(notes.take(&subject.field("listener"), builder.listener(number, listener)));
    }
    let (mut built, _) = notes.finish(Some(built))?;
    set_ports(plan, &mut built, carried);
    Ok(built)
}

fn shares_address(one: &PlannedListener, other: &PlannedListener) -> bool {
    one.hostname.is_some() && other.hostname.is_some() && one.address == other.address
}

impl Builder<'_> {
    fn listener(
        &self,
        number: usize,
        listener: &PlannedListener,
    ) -> Result<SiteListener, HandshakeTableError> {
        let address = listener.address;
        let sharing = self.plan.listeners.iter().enumerate();
        let sharing =
            sharing.filter(|(at, other)| *at == number || shares_address(listener, other));
        let (mut names, mut members) = (Vec::new(), Vec::new());
        let (mut hostnames, mut tables) = (Vec::new(), Vec::new());
        for (number, listener) in sharing {
            let PlannedListener { name, hostname, .. } = listener;
            let id = self.carried.listener(name, address, hostname.is_some());
            // A hostname of a plan is a valid pattern. A listener without one takes every server
            // name.
            let hostname = hostname.as_deref().and_then(|hostname| pattern(hostname).ok());
            let hostname = hostname.unwrap_or(NamePattern::CatchAll);
            hostnames.push((hostname, id));
            tables.push((hostname, id, self.handshakes(number, listener)?));
            names.push(name.clone());
            members.push((number, id));
        }
        let shared = listener.hostname.is_some();
        let hostnames = shared.then(|| ListenerTable::build(hostnames)).transpose();
        let hostnames = hostnames.map_err(HandshakeTableError::Table)?.map(Arc::new);
        Ok(SiteListener {
            name: names.join("+"),
            names,
            address,
            ports: Ports::from(&[]),
            ports_are_chosen: false,
            // The facts of every handshake have the id of its listener.
            handshakes: Arc::new(HandshakeTable::from_listeners(tables)?),
            hostnames,
            members,
        })
    }

    /// Builds the handshake table of one listener with its groups, certificates and names only.
    /// Server names are looked up in the table that decides the requests.
    fn handshakes(
        &self,
        number: usize,
        listener: &PlannedListener,
    ) -> Result<HandshakeTable, HandshakeTableError> {
        let Self { plan, authorities, carried } = *self;
        let mut builder = HandshakeTableBuilder::new(plan.cryptography.provider.clone());
        builder.sessions(&carried.sessions).shared_names(authorities.clone());
        if let Some(ticketer) = &plan.cryptography.ticketer {
            builder.ticketer(ticketer.clone());
        }
        for (of, group) in plan.groups.iter().enumerate() {
            if group.listeners.contains(&number) {
                builder.group(group_id(of), group.tls.clone())?;
            }
        }
        let mut ids: Vec<Option<CertificateId>> = vec![None; plan.certificates.len()];
        for (number, host) in plan.hosts_of(number) {
            let Some(slot) = ids.get_mut(host.certificate) else { continue };
            let certificate = match *slot {
                Some(id) => id,
                None => *slot.insert(add_certificate(plan, host.certificate, &mut builder)?),
            };
            let group = group_id(host.group);
            builder.virtual_host(virtual_host_id(number), group, certificate)?;
            if listener.default_host == Some(number) {
                let policy = ServerNamePolicy::Default { group, certificate };
                builder.absent_server_name(policy).unknown_server_name(policy);
            }
        }
        builder.build()
    }
}

fn add_certificate(
    plan: &Plan,
    number: usize,
    builder: &mut HandshakeTableBuilder,
) -> Result<CertificateId, HandshakeTableError> {
    let mut alternatives = plan.certificates.get(number).into_iter().flatten();
    let first = alternatives.next().ok_or(HandshakeTableError::NoCertificate)?;
    let id = builder.server_certificate(first.certificate.clone())?;
    for other in alternatives {
        let other = builder.server_certificate(other.certificate.clone())?;
        builder.alternative(id, other)?;
    }
    Ok(id)
}

/// Sets the ports that requests may name, before or after the listeners are bound.
pub(crate) fn set_ports(plan: &Plan, listeners: &mut [SiteListener], carried: &Carried) {
    let known = carried.listeners();
    for listener in listeners {
        let planned = listener.members.first().and_then(|(number, _)| plan.listeners.get(*number));
        let Some(planned) = planned else { continue };
        if let Some(only) = &planned.ports.only {
            listener.ports = only.clone().into();
            continue;
        }
        let bound = known.iter().filter(|known| listener.is_of(known));
        let mut ports: BTreeSet<u16> =
            bound.flat_map(|known| known.bound.iter().copied()).collect();
        if ports.is_empty() && listener.address.port() != 0 {
            ports.insert(listener.address.port());
        }
        ports.extend(&planned.ports.beside);
        listener.ports_are_chosen = ports.is_empty();
        if ports.is_empty() {
            ports.insert(Scheme::Https.default_port());
        }
        listener.ports = ports.into_iter().collect();
    }
}

impl SiteListener {
    /// Returns true if connections that came to `known` belong to this listener. Listeners that
    /// share an address may be added and removed; the socket belongs to the address.
    pub(crate) fn is_of(&self, known: &KnownListener) -> bool {
        self.address == known.address && (self.is_shared() || self.is_named(&known.name))
    }
}
