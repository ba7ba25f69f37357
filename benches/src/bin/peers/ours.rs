//! Coalesce as a peer. No other file of this program calls it.
//!
//! Each layout has a builder here and a row of [`PEERS`](crate::peers::PEERS) whose name starts
//! with `ours`. A batch entry implements [`Peer`] itself; the others implement [`Lookup`].

use std::hint::black_box;

use coalesce_core::{
    AuthorityTable, DnsName, GroupId, GroupPolicy, IdentifierSet, Layout, NamePattern,
    PresentedIdentifier, VirtualHostId,
};

use crate::peers::{Built, Lookup, Peer, Refusal};
use crate::sets::{Depth, NameSet, Pattern};

const GROUP: GroupId = GroupId::new(1);

/// Builds an identifier set or an authority table, according to the set.
pub(crate) fn build(set: &NameSet) -> Result<Built, Refusal> {
    if set.kind.certificate {
        let identifiers = identifiers(set)?;
        let bytes = identifiers.set.as_bytes().len();
        Ok(Built { peer: Box::new(identifiers), bytes: Some(bytes) })
    } else {
        let table = table(set, Layout::Fast)?;
        let bytes = table.as_bytes().len();
        Ok(Built { peer: Box::new(Table(table)), bytes: Some(bytes) })
    }
}

/// Builds the compact layout, which only tables have.
pub(crate) fn build_compact(set: &NameSet) -> Result<Built, Refusal> {
    if set.kind.certificate {
        return Err(Refusal::new("identifier sets have one layout"));
    }
    let table = table(set, Layout::Compact)?;
    let bytes = table.as_bytes().len();
    Ok(Built { peer: Box::new(Table(table)), bytes: Some(bytes) })
}

/// Builds the fast layout, searched in batches.
pub(crate) fn build_batch(set: &NameSet) -> Result<Built, Refusal> {
    if set.kind.certificate {
        return Err(Refusal::new("a certificate is in cache in any case"));
    }
    let table = table(set, Layout::Fast)?;
    let bytes = table.as_bytes().len();
    Ok(Built { peer: Box::new(Batch(Table(table))), bytes: Some(bytes) })
}

fn identifiers(set: &NameSet) -> Result<Identifiers, Refusal> {
    let mut identifiers = Vec::with_capacity(set.len());
    for (_, pattern) in set.iter() {
        let name = DnsName::parse(pattern.name()).map_err(Refusal::new)?;
        identifiers.push(match pattern {
            Pattern::Exact(_) => PresentedIdentifier::Dns(name),
            Pattern::Wildcard(_) => PresentedIdentifier::Wildcard(name),
        });
    }
    identifiers.extend(set.addresses().map(|(_, address)| PresentedIdentifier::Ip(address)));
    let built = IdentifierSet::build(identifiers.iter().copied()).map_err(Refusal::new)?;
    let given =
        set.iter().map(|(number, _)| number).chain(set.addresses().map(|(number, _)| number));
    let mut numbers = vec![0; built.len()];
    for (number, identifier) in given.zip(&identifiers) {
        if let Some(slot) = built.number(identifier).and_then(|place| numbers.get_mut(place)) {
            *slot = number;
        }
    }
    Ok(Identifiers { set: built, numbers })
}

fn table(set: &NameSet, layout: Layout) -> Result<AuthorityTable<Vec<u8>>, Refusal> {
    let mut table = AuthorityTable::builder();
    table.layout(layout);
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

struct Identifiers {
    set: IdentifierSet<Vec<u8>>,
    /// The numbers in the set of names, by the numbers in the image.
    numbers: Vec<u32>,
}

impl Lookup for Identifiers {
    #[inline]
    fn find(&self, authority: &[u8]) -> Option<u32> {
        self.set.find_authority(authority).and_then(|place| self.numbers.get(place).copied())
    }
}

struct Table(AuthorityTable<Vec<u8>>);

impl Lookup for Table {
    #[inline]
    fn find(&self, authority: &[u8]) -> Option<u32> {
        self.0.lookup_authority(authority).map(|found| found.virtual_host.get())
    }
}

struct Batch(Table);

impl Peer for Batch {
    fn answer(&self, authority: &[u8]) -> Option<u32> {
        let mut answer = None;
        self.0.0.lookup_authorities(&[authority], |_, found| {
            answer = found.map(|found| found.virtual_host.get());
        });
        answer
    }

    fn overlapped(&self, queries: &[&[u8]]) {
        let mut sum = 0_u64;
        self.0.0.lookup_authorities(queries, |_, found| {
            let answer = found.map(|found| u64::from(found.virtual_host.get()));
            sum = sum.wrapping_add(answer.unwrap_or(u64::MAX));
        });
        black_box(sum);
    }

    fn dependent(&self, queries: &[&[u8]]) {
        self.0.dependent(queries);
    }
}
