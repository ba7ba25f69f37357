//! Coalesce as a peer: the only file that calls it.
//!
//! Each layout is one builder here, and one row of [`PEERS`](crate::peers::PEERS) whose name starts
//! with `ours`. A batch entry implements [`Peer`](crate::peers::Peer) itself, where the others
//! implement [`Lookup`].

use coalesce_core::{
    Authority, AuthorityTable, DnsName, GroupId, GroupPolicy, IdentifierSet, NamePattern,
    PresentedIdentifier, VirtualHostId,
};

use crate::peers::{Built, Lookup, Refusal};
use crate::sets::{Depth, NameSet, Pattern};

const GROUP: GroupId = GroupId::new(1);

/// A certificate's identifiers or an authority table, as the set wants it.
pub(crate) fn build(set: &NameSet) -> Result<Built, Refusal> {
    if set.kind.certificate {
        let set = identifiers(set)?;
        let bytes = set.as_image().len();
        Ok(Built { peer: Box::new(Identifiers(set)), bytes: Some(bytes) })
    } else {
        let table = table(set)?;
        let bytes = table.as_image().len();
        Ok(Built { peer: Box::new(Table(table)), bytes: Some(bytes) })
    }
}

fn identifiers(set: &NameSet) -> Result<IdentifierSet<Vec<u8>>, Refusal> {
    let mut identifiers = Vec::with_capacity(set.len());
    for (_, pattern) in set.iter() {
        let name = DnsName::parse(pattern.name()).map_err(Refusal::new)?;
        identifiers.push(match pattern {
            Pattern::Exact(_) => PresentedIdentifier::Dns(name),
            Pattern::Wildcard(_) => PresentedIdentifier::Wildcard(name),
        });
    }
    identifiers.extend(set.addresses().map(|(_, address)| PresentedIdentifier::Ip(address)));
    IdentifierSet::build(identifiers).map_err(Refusal::new)
}

fn table(set: &NameSet) -> Result<AuthorityTable<Vec<u8>>, Refusal> {
    let mut table = AuthorityTable::builder();
    table.group(GROUP, GroupPolicy::default()).map_err(Refusal::new)?;
    let names = set.iter().map(|(number, pattern)| {
        let name = DnsName::parse(pattern.name()).map_err(Refusal::new)?;
        let pattern = match (pattern, set.kind.depth) {
            (Pattern::Exact(_), _) => NamePattern::Exact(name),
            (Pattern::Wildcard(_), Depth::OneLabel) => NamePattern::OneLabel(name),
            (Pattern::Wildcard(_), Depth::AnyDepth) => NamePattern::AnyDepth(name),
        };
        Ok((number, pattern))
    });
    let addresses = set.addresses().map(|(number, address)| Ok((number, NamePattern::Ip(address))));
    for entry in names.chain(addresses) {
        let (number, pattern) = entry?;
        table.entry(pattern, VirtualHostId::new(number), GROUP).map_err(Refusal::new)?;
    }
    table.build().map_err(Refusal::new)
}

struct Identifiers(IdentifierSet<Vec<u8>>);

impl Lookup for Identifiers {
    #[inline]
    fn find(&self, authority: &[u8]) -> Option<u32> {
        let authority = Authority::parse(authority).ok()?;
        self.0.find(&authority.host()).and_then(|number| u32::try_from(number).ok())
    }
}

struct Table(AuthorityTable<Vec<u8>>);

impl Lookup for Table {
    #[inline]
    fn find(&self, authority: &[u8]) -> Option<u32> {
        let authority = Authority::parse(authority).ok()?;
        self.0.lookup(&authority.host()).map(|found| found.virtual_host.get())
    }
}
