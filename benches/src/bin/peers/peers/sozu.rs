//! The pattern trie of Sōzu's router.

use sozu_lib::router::pattern_trie::{InsertResult, TrieNode};

use super::normalise::{Addresses, Buffer, Host, lower, split};
use super::{Built, Lookup, Refusal};
use crate::sets::{Depth, NameSet, Pattern};

/// All entries of a one-label set, in Sōzu's form.
struct OneLabel {
    trie: TrieNode<u32>,
    addresses: Addresses,
}

impl Lookup for OneLabel {
    fn find(&self, authority: &[u8]) -> Option<u32> {
        let name = match split(authority)? {
            Host::Name(name) => name,
            Host::Address(address) => return self.addresses.find(address),
        };
        let mut buffer: Buffer = [0; 256];
        let name = lower(name, &mut buffer)?;
        self.trie.domain_lookup(name, true).map(|(_, number)| *number)
    }
}

/// Names and wildcards in separate tries, because a lookup of a wildcard must not find a name.
struct AnyDepth {
    exact: TrieNode<u32>,
    wildcards: TrieNode<u32>,
    addresses: Addresses,
}

impl Lookup for AnyDepth {
    fn find(&self, authority: &[u8]) -> Option<u32> {
        let name = match split(authority)? {
            Host::Name(name) => name,
            Host::Address(address) => return self.addresses.find(address),
        };
        let mut buffer: Buffer = [0; 256];
        let name = lower(name, &mut buffer)?;
        if let Some((_, number)) = self.exact.domain_lookup(name, false) {
            return Some(*number);
        }
        let mut rest = name;
        loop {
            if let Some((_, number)) = self.wildcards.domain_lookup(rest, true) {
                return Some(*number);
            }
            let dot = rest.iter().position(|byte| *byte == b'.')?;
            rest = &rest[dot + 1..];
        }
    }
}

pub(super) fn build(set: &NameSet) -> Result<Built, Refusal> {
    let addresses = Addresses::new(set);
    let (mut exact, mut wildcards) = (TrieNode::root(), TrieNode::root());
    for (number, pattern) in set.iter() {
        let (trie, name) = match (pattern, set.kind.depth) {
            (Pattern::Exact(name), _) => (&mut exact, name.to_vec()),
            (Pattern::Wildcard(suffix), Depth::OneLabel) => (&mut exact, starred(suffix)),
            (Pattern::Wildcard(suffix), Depth::AnyDepth) => (&mut wildcards, starred(suffix)),
        };
        if trie.domain_insert(name, number) != InsertResult::Ok {
            return Err(Refusal::new("refused a name"));
        }
    }
    Ok(match set.kind.depth {
        Depth::OneLabel => Built::new(OneLabel { trie: exact, addresses }),
        Depth::AnyDepth => Built::new(AnyDepth { exact, wildcards, addresses }),
    })
}

fn starred(suffix: &[u8]) -> Vec<u8> {
    [b"*.", suffix].concat()
}
