//! The right answers, by simple means: owned strings, sorted numbers, binary search.
//!
//! The oracle shares no code with Coalesce or with a peer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::sets::{Depth, NameSet, Pattern};

/// An oracle, which answers slowly and correctly.
#[derive(Debug)]
pub(crate) struct Oracle<'a> {
    set: &'a NameSet,
    /// The numbers of exact names, sorted by name.
    exact: Vec<u32>,
    /// The numbers of wildcards, sorted by suffix.
    wildcards: Vec<u32>,
}

impl<'a> Oracle<'a> {
    pub(crate) fn new(set: &'a NameSet) -> Self {
        let (mut exact, mut wildcards) = (Vec::new(), Vec::new());
        for (number, pattern) in set.iter() {
            match pattern {
                Pattern::Exact(_) => exact.push(number),
                Pattern::Wildcard(_) => wildcards.push(number),
            }
        }
        for numbers in [&mut exact, &mut wildcards] {
            numbers.sort_unstable_by_key(|number| set.get(*number).name());
        }
        Self { set, exact, wildcards }
    }

    /// Returns the number of the most specific entry for an authority.
    pub(crate) fn answer(&self, authority: &[u8]) -> Option<u32> {
        let text = String::from_utf8_lossy(authority).to_ascii_lowercase();
        let host = match text.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => &text,
        };
        if let Some(inner) = host.strip_prefix('[') {
            let address = inner.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?;
            return self.address(address.into());
        }
        if let Ok(address) = host.parse::<Ipv4Addr>() {
            return self.address(address.into());
        }
        self.name(host.strip_suffix('.').unwrap_or(host))
    }

    fn address(&self, wanted: IpAddr) -> Option<u32> {
        self.set.addresses().find(|(_, address)| *address == wanted).map(|(number, _)| number)
    }

    fn name(&self, name: &str) -> Option<u32> {
        if name.len() > 253 || name.split('.').any(|label| label.is_empty() || label.len() > 63) {
            return None;
        }
        if let Some(number) = self.search(&self.exact, name) {
            return Some(number);
        }
        let mut rest = name;
        while let Some((_, suffix)) = rest.split_once('.') {
            if let Some(number) = self.search(&self.wildcards, suffix) {
                return Some(number);
            }
            if self.set.kind.depth == Depth::OneLabel {
                return None;
            }
            rest = suffix;
        }
        None
    }

    fn search(&self, numbers: &[u32], name: &str) -> Option<u32> {
        let found =
            numbers.binary_search_by_key(&name.as_bytes(), |number| self.set.get(*number).name());
        found.ok().map(|at| numbers[at])
    }

    /// Returns the numbers of the exact names, sorted by name.
    pub(crate) fn exact(&self) -> &[u32] {
        &self.exact
    }

    /// Returns the numbers of the wildcards, sorted by suffix.
    pub(crate) fn wildcards(&self) -> &[u32] {
        &self.wildcards
    }
}
