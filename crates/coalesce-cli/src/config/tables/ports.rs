//! The ports of the site: one for each address, with the listeners that share it.

use std::ops::Range;
use std::sync::Arc;

use coalesce_core::{ListenerTable, NamePattern};
use coalesce_tls::{
    CertificateId, HandshakeTable, HandshakeTableBuilder, HandshakeTableError, ServerNamePolicy,
};

use crate::config::carried::Carried;
use crate::config::certificate::crypto_provider;
use crate::config::drafts::{ListenerDraft, SiteDraft};
use crate::config::entries::Faults;
use crate::config::site::{Listener, group_id, virtual_host_id};
use crate::config::tables::compiled::CompiledNames;

/// What the handshakes of all listeners are made of.
pub(crate) struct Ports<'a> {
    pub(crate) draft: &'a SiteDraft<'a>,
    /// The default virtual host of each listener, by number.
    pub(crate) defaults: &'a [Option<usize>],
    pub(crate) compiled: Option<&'a CompiledNames>,
    pub(crate) carried: &'a Carried,
}

impl Ports<'_> {
    /// Builds every port, in the order of the file.
    pub(crate) fn build(&self, faults: &mut Faults) -> Vec<Listener> {
        let listeners = self.draft.listeners;
        let mut built = Vec::with_capacity(listeners.len());
        for (number, listener) in listeners.iter().enumerate() {
            let first = listeners.iter().position(|other| listener.shares_port_with(other));
            // One that shares its port with an earlier one was built with that.
            if first.is_some_and(|first| first < number) {
                continue;
            }
            match self.port(number, listener) {
                Ok(port) => built.push(port),
                Err((at, error)) => faults.add(at, error),
            }
        }
        built
    }

    fn port(&self, number: usize, listener: &ListenerDraft) -> Result<Listener, PortFault> {
        let (name, address) = (listener.name.clone(), listener.address);
        let ports = listener.ports.clone().map(coalesce_core::Ports::from);
        if !listener.shares_ports {
            let handshakes = Arc::new(self.handshakes(number)?);
            let names = vec![name.clone()];
            let members = vec![(number, self.carried.listener(&name))];
            return Ok(Listener {
                name,
                names,
                address,
                ports,
                handshakes,
                hostnames: None,
                members,
            });
        }
        let sharing = self.draft.listeners.iter().enumerate();
        let sharing = sharing.filter(|(_, other)| listener.shares_port_with(other));
        let (mut names, mut members) = (Vec::new(), Vec::new());
        let (mut hostnames, mut tables) = (Vec::new(), Vec::new());
        for (number, draft) in sharing {
            // A hostname that is none is a fault, and was found before.
            let hostname = NamePattern::parse(draft.hostname.as_bytes());
            let hostname = hostname.unwrap_or(NamePattern::CatchAll);
            let id = self.carried.listener(&draft.name);
            hostnames.push((hostname, id));
            tables.push((hostname, id, self.handshakes(number)?));
            names.push(draft.name.clone());
            members.push((number, id));
        }
        let here = |error| (listener.at.clone(), error);
        let of_port = ListenerTable::build(hostnames).map_err(HandshakeTableError::Table);
        let handshakes = HandshakeTable::from_listeners(tables).map_err(here)?;
        Ok(Listener {
            name: names.join("+"),
            names,
            address,
            ports,
            handshakes: Arc::new(handshakes),
            hostnames: Some(Arc::new(of_port.map_err(here)?)),
            members,
        })
    }

    /// The handshake table of one listener: its own groups, certificates and names, none of
    /// another's.
    fn handshakes(&self, listener: usize) -> Result<HandshakeTable, PortFault> {
        let Self { draft, compiled, .. } = *self;
        let certificates = draft.certificates;
        let at = draft.listeners.get(listener).map(|draft| draft.at.clone()).unwrap_or_default();
        let default = self.defaults.get(listener).copied().flatten();
        let here = |error| (at.clone(), error);
        let mut builder = HandshakeTableBuilder::new(crypto_provider());
        builder
            .ticketer(Arc::new(rustls::crypto::ring::Ticketer::new))
            .sessions(&self.carried.sessions);
        for (number, group) in draft.groups.drafts.iter().enumerate() {
            if group.listeners.contains(&listener) {
                builder.group(group_id(number), group.tls.clone()).map_err(here)?;
            }
        }
        if let Some(compiled) = compiled {
            builder.shared_names(compiled.table.clone());
        }
        let mut ids: Vec<Option<CertificateId>> = vec![None; certificates.len()];
        for (number, host) in draft.hosts_of(listener) {
            let (Some(group), Some(shown)) = (host.group, host.certificate) else { continue };
            let (Some(certificate), Some(slot)) = (certificates.get(shown), ids.get_mut(shown))
            else {
                continue;
            };
            let id = match *slot {
                Some(id) => id,
                None => *slot.insert(
                    builder
                        .certificate(certificate.chain.clone(), certificate.key.clone_key())
                        .map_err(here)?,
                ),
            };
            let group = group_id(group);
            // A compiled table has these names, and others.
            let names = if compiled.is_some() {
                builder.virtual_host(virtual_host_id(number), group, id).map_err(here)?;
                &[]
            } else {
                host.names.as_slice()
            };
            for name in names {
                match NamePattern::parse(name.get_ref().as_bytes()) {
                    // No ClientHello names an address (RFC 6066 §3): the default serves it.
                    Ok(NamePattern::Ip(_)) | Err(_) => {}
                    Ok(pattern) => {
                        builder
                            .server_name(pattern, group, id)
                            .map_err(|error| (name.span(), error))?;
                    }
                }
            }
            if default == Some(number) {
                let policy = ServerNamePolicy::Default { group, certificate: id };
                builder.absent_server_name(policy).unknown_server_name(policy);
            }
        }
        builder.build().map_err(here)
    }
}

/// What is wrong, and where.
type PortFault = (Range<usize>, HandshakeTableError);
