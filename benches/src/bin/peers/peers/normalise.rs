//! Converts the bytes of an authority to a canonical name or an address, for all peers that do not
//! do it themselves. The code is as fast as safe code allows. It does not validate labels, because
//! no map needs that.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::sets::NameSet;

/// The longest name (RFC 1035 §2.3.4).
pub(super) const NAME_MAX: usize = 253;

/// A buffer for a name.
pub(super) type Buffer = [u8; 256];

/// The host of an authority, before case folding.
pub(super) enum Host<'a> {
    Name(&'a [u8]),
    Address(IpAddr),
}

/// Strips the port and one trailing dot. Returns `None` for bytes that cannot be a host.
#[inline]
pub(super) fn split(authority: &[u8]) -> Option<Host<'_>> {
    // An authority that ends in a letter has neither a port nor a trailing dot and is not an
    // address.
    match authority {
        [.., last] if last.is_ascii_alphabetic() => Some(Host::Name(authority)),
        _ => split_other(authority),
    }
}

fn split_other(authority: &[u8]) -> Option<Host<'_>> {
    let digits = authority.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let host = match &authority[..authority.len() - digits] {
        [host @ .., b':'] => host,
        _ => authority,
    };
    match host {
        [b'[', inner @ .., b']'] => {
            let address: Ipv6Addr = std::str::from_utf8(inner).ok()?.parse().ok()?;
            Some(Host::Address(address.into()))
        }
        [.., last] if last.is_ascii_digit() => {
            match std::str::from_utf8(host).ok()?.parse::<Ipv4Addr>() {
                Ok(address) => Some(Host::Address(address.into())),
                Err(_) => Some(Host::Name(host)),
            }
        }
        [] | [b'.'] => None,
        [name @ .., b'.'] | name => Some(Host::Name(name)),
    }
}

/// Returns the name in lower case. It copies the name only if that is necessary, which is rare.
#[inline]
pub(super) fn lower<'a>(name: &'a [u8], buffer: &'a mut Buffer) -> Option<&'a [u8]> {
    if name.len() > NAME_MAX {
        return None;
    }
    if !has_upper(name) {
        return Some(name);
    }
    let copy = &mut buffer[..name.len()];
    let (words, rest) = name.as_chunks::<8>();
    let (copied, copied_rest) = copy.as_chunks_mut::<8>();
    for (to, from) in copied.iter_mut().zip(words) {
        let word = u64::from_le_bytes(*from);
        *to = (word | upper(word) >> 2).to_le_bytes();
    }
    for (to, from) in copied_rest.iter_mut().zip(rest) {
        *to = from.to_ascii_lowercase();
    }
    Some(copy)
}

/// Returns the name in lower case, reversed.
#[inline]
pub(super) fn reversed<'a>(name: &[u8], buffer: &'a mut Buffer) -> Option<&'a [u8]> {
    let copy = buffer.get_mut(..name.len())?;
    if name.len() > NAME_MAX {
        return None;
    }
    for (to, from) in copy.iter_mut().zip(name.iter().rev()) {
        *to = from.to_ascii_lowercase();
    }
    Some(copy)
}

const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// Returns the high bit of each byte that is an upper-case letter.
#[inline]
const fn upper(word: u64) -> u64 {
    let low = word & each(0x7f);
    let from_a = low + each(0x80 - b'A');
    let beyond_z = low + each(0x7f - b'Z');
    (from_a ^ beyond_z) & !word & each(0x80)
}

#[inline]
fn has_upper(name: &[u8]) -> bool {
    let Some(last) = name.last_chunk::<8>() else {
        return name.iter().any(u8::is_ascii_uppercase);
    };
    // The last word overlaps the one before it.
    let mut found = upper(u64::from_le_bytes(*last));
    for word in name.as_chunks::<8>().0 {
        found |= upper(u64::from_le_bytes(*word));
    }
    found != 0
}

/// The few addresses of a set, sorted.
#[derive(Debug)]
pub(super) struct Addresses(Vec<(IpAddr, u32)>);

impl Addresses {
    pub(super) fn new(set: &NameSet) -> Self {
        let mut addresses: Vec<_> =
            set.addresses().map(|(number, address)| (address, number)).collect();
        addresses.sort_unstable();
        Self(addresses)
    }

    pub(super) fn find(&self, wanted: IpAddr) -> Option<u32> {
        let at = self.0.binary_search_by_key(&wanted, |(address, _)| *address).ok()?;
        self.0.get(at).map(|(_, number)| *number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_strips_and_lower_folds_names() {
        let cases = [
            ("a.test", "a.test"),
            ("A.TEST.", "a.test"),
            ("wWw.Example-9.Com:443", "www.example-9.com"),
            ("www.example.com.:", "www.example.com"),
            ("a1.b2", "a1.b2"),
            ("@[`{.ZA", "@[`{.za"),
        ];
        for (authority, expected) in cases {
            let Some(Host::Name(name)) = split(authority.as_bytes()) else { panic!("{authority}") };
            let (mut copy, mut backwards) = ([0; 256], [0; 256]);
            assert_eq!(lower(name, &mut copy), Some(expected.as_bytes()), "{authority}");
            let reverse: Vec<u8> = expected.bytes().rev().collect();
            assert_eq!(reversed(name, &mut backwards), Some(&reverse[..]), "{authority}");
        }
    }

    #[test]
    fn split_separates_addresses_from_names() {
        for (authority, expected) in
            [("192.0.2.1", "192.0.2.1"), ("192.0.2.1:80", "192.0.2.1"), ("[::1]:8443", "::1")]
        {
            let Some(Host::Address(address)) = split(authority.as_bytes()) else {
                panic!("{authority}")
            };
            assert_eq!(address, expected.parse::<IpAddr>().unwrap());
        }
    }

    #[test]
    fn split_refuses_names_that_are_too_long() {
        assert_eq!(lower(&[b'a'; 254], &mut [0; 256]), None);
        assert_eq!(reversed(&[b'a'; 300], &mut [0; 256]), None);
        assert!(split(b".").is_none() && split(b"").is_none() && split(b":443").is_none());
    }
}
