//! A scan of all names.

use super::arena::{Arena, Place};
use super::normalise::{Addresses, Buffer, Host, lower, split};
use super::{Built, Lookup, Refusal};
use crate::sets::{Depth, NameSet, Pattern};

struct Linear {
    arena: Arena,
    exact: Vec<Place>,
    /// The wildcards, longest first, so that the first match is the most specific.
    wildcards: Vec<Place>,
    depth: Depth,
    addresses: Addresses,
}

impl Lookup for Linear {
    #[inline]
    fn find(&self, authority: &[u8]) -> Option<u32> {
        let name = match split(authority)? {
            Host::Name(name) => name,
            Host::Address(address) => return self.addresses.find(address),
        };
        let mut buffer: Buffer = [0; 256];
        let name = lower(name, &mut buffer)?;
        if let Some(place) = self.exact.iter().find(|place| self.arena.is_at(**place, name)) {
            return Some(place.number);
        }
        match self.depth {
            Depth::OneLabel => {
                let dot = name.iter().position(|byte| *byte == b'.')?;
                let suffix = &name[dot + 1..];
                let found = self.wildcards.iter().find(|place| self.arena.is_at(**place, suffix));
                found.map(|place| place.number)
            }
            Depth::AnyDepth => {
                let is_below = |place: &&Place| {
                    let Some(head) = name.len().checked_sub(place.len()) else { return false };
                    head > 0 && name[head - 1] == b'.' && self.arena.is_at(**place, &name[head..])
                };
                self.wildcards.iter().find(is_below).map(|place| place.number)
            }
        }
    }
}

pub(super) fn linear(set: &NameSet) -> Result<Built, Refusal> {
    let mut arena = Arena::default();
    let (mut exact, mut wildcards) = (Vec::new(), Vec::new());
    for (number, pattern) in set.iter() {
        let place = arena.push(pattern.name(), number)?;
        match pattern {
            Pattern::Exact(_) => exact.push(place),
            Pattern::Wildcard(_) => wildcards.push(place),
        }
    }
    arena.shrink();
    exact.shrink_to_fit();
    wildcards.shrink_to_fit();
    wildcards.sort_by_key(|place| std::cmp::Reverse(place.len()));
    let addresses = Addresses::new(set);
    Ok(Built::new(Linear { arena, exact, wildcards, depth: set.kind.depth, addresses }))
}
