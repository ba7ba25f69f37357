//! Lookups of authority fields.
//!
//! | stage | work in [`AllNames`] | in [`OnlyNames`] |
//! | --- | --- | --- |
//! | scan | last byte and length; read the window, pack it, find the dots | the same |
//! | hash | two keys, for the name and for the wildcard above it; two hashes, two pilots | – |
//! | probe | two slots, which do not depend on each other | one slot, or two in turn |
//! | verify | compare both keys; check the labels that a wildcard matches | the same |

use super::find::{
    BeforePort, NAME_LEN_MIN, Stored, before_port, find_of_other_len, find_only, find_with,
};
use super::header::Only;
use crate::name::without_trailing_dot;
use crate::packed::{Scan, TAIL_CODES, WINDOW};
use crate::simd::{Kernel, Simd};

/// Returns the value of the most specific pattern for the host of an authority field.
///
/// The kernels get the same arguments in the same registers, so this function only jumps to one of
/// them. It is not inlined, because its callers would then contain four calls.
#[inline(never)]
pub(super) fn find_authority(trie: &impl Stored, authority: &[u8]) -> Option<u32> {
    let header = trie.header();
    if header.only.is_some() {
        header.simd.dispatch(OnlyNames(trie), authority)
    } else {
        header.simd.dispatch(AllNames(trie), authority)
    }
}

/// Finds a host in any image.
struct AllNames<'a, T>(&'a T);

impl<T: Stored> Kernel<&[u8]> for AllNames<'_, T> {
    type Output = Option<u32>;

    #[inline(always)]
    fn run(self, authority: &[u8], simd: impl Simd) -> Option<u32> {
        find_with(self.0, simd, authority)
    }
}

/// Finds a host in an image with [`Only`] two names.
///
/// Each rare case leaves by a call in tail position, so the common path saves no registers.
struct OnlyNames<'a, T>(&'a T);

impl<T: Stored> Kernel<&[u8]> for OnlyNames<'_, T> {
    type Output = Option<u32>;

    #[inline(always)]
    fn run(self, authority: &[u8], simd: impl Simd) -> Option<u32> {
        let trie = self.0;
        let name = match authority {
            [.., b'0'..=b':' | b']'] => return find_before_port(trie, authority),
            _ => without_trailing_dot(authority),
        };
        let len = name.len();
        if !(NAME_LEN_MIN..=TAIL_CODES).contains(&len) {
            return find_of_other_len(trie, authority);
        }
        let window = simd.window(name);
        // No name contains such a byte, and there is no catch-all.
        if simd.is_ambiguous(window) {
            return None;
        }
        let only = trie.header().only?;
        let codes = simd.codes(window);
        let exact = Only { one_label: None, ..only };
        // The length of the parent does not matter without a wildcard.
        let found = find_only(simd, trie, exact, codes, (len, 0));
        if found.is_some() {
            return found;
        }
        let one_label = Only { exact: None, ..only };
        let dots = simd.dots(window);
        // 31 for a name without a dot, as in `find_with`.
        let parent_len = (dots.trailing_zeros() ^ 31) as usize % WINDOW;
        let value = find_only(simd, trie, one_label, codes, (len, parent_len))?;
        // The part of the host that the wildcard contains is valid. The first label may not be.
        let first = 1_u32.wrapping_shl(WINDOW.wrapping_sub(len) as u32);
        let (hyphens, bad) = (simd.hyphens(window), simd.bad(window));
        let wrong = Scan { words: [0; 3], dots, hyphens, bad }.is_wrong(first);
        (!wrong).then_some(value)
    }
}

/// Finds the host of an authority that ends in a digit, a colon or a bracket.
#[cold]
#[inline(never)]
fn find_before_port(trie: &impl Stored, authority: &[u8]) -> Option<u32> {
    match before_port(trie, authority) {
        // The host ends in another byte, so this function is not called for it again.
        BeforePort::Host(host) => trie.header().simd.dispatch(OnlyNames(trie), host),
        BeforePort::Found(found) => found,
    }
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::*;
    use crate::simd::Portable;
    use crate::{Authority, NamePattern, NameTrie};
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    /// Both kernels, on both instruction sets, must agree with a lookup of the parsed host.
    #[test]
    fn every_kernel_gives_the_answer_for_the_parsed_host() {
        let label = |len: usize| "l".repeat(len);
        let patterns = ["a.test", "*.a.test", "b.a.test", "*.b.test", "192.0.2.1"]
            .map(String::from)
            .into_iter()
            .chain([format!("{}.test", label(40)), format!("*.{}.test", label(40))]);
        let patterns: Vec<String> = patterns.collect();
        let hosts = [
            "a.test",
            "A.Test.",
            "b.a.test",
            "b.b.test",
            "c.b.a.test",
            "-b.a.test",
            "b-.a.test",
            ".a.test",
            "a..test",
            "b\0.a.test",
            "!.a.test",
            "\u{1}.test",
            "b",
            "test",
            "a.tes",
            "192.0.2.1",
            "[::1]",
            "a.1",
            "*.a.test",
            "",
        ];
        let long = [40, 41, 63, 64, 200].map(|len| format!("{}.test", label(len)));
        let below = [1, 63, 64].map(|len| format!("{}.{}.test", label(len), label(40)));
        let further = [23, 24, 63, 64].map(|len| format!("{}.a.test", label(len)));
        let hosts: Vec<_> = hosts.map(Into::into).into_iter().chain(long).chain(below).collect();
        // Every set of the patterns, so that images have all numbers of names. Miri would need
        // minutes, so there the images have a name and a wildcard, and the name is short or long.
        let sets = (0_u32..1 << patterns.len()).filter(|set| !cfg!(miri) || matches!(set, 3 | 34));
        for set in sets {
            let mut builder = NameTrie::builder();
            for (number, pattern) in (0..).zip(&patterns) {
                if set >> number & 1 != 0 {
                    let pattern = NamePattern::parse(pattern.as_bytes()).unwrap();
                    builder.insert(&pattern, number).unwrap();
                }
            }
            let trie = builder.build().unwrap();
            for host in hosts.iter().chain(&further) {
                for end in ["", ".", ":443", ".:443", ":", ":x"] {
                    let authority = format!("{host}{end}");
                    let bytes = authority.as_bytes();
                    let parsed = Authority::parse(bytes).ok();
                    let expected = parsed.and_then(|authority| trie.find(&authority.host()));
                    let found = [
                        find_authority(&trie, bytes),
                        AllNames(&trie).run(bytes, Portable),
                        trie.header().simd.dispatch(AllNames(&trie), bytes),
                        match trie.header().only {
                            Some(_) => OnlyNames(&trie).run(bytes, Portable),
                            None => expected,
                        },
                    ];
                    assert_eq!(found, [expected; 4], "{authority:?} in {trie:?}");
                }
            }
        }
    }

    #[test]
    fn host_longer_than_every_pattern_is_refused_by_its_length() {
        let longest = |patterns: &[&str]| {
            let mut builder = NameTrie::builder();
            for pattern in patterns {
                builder.insert(&NamePattern::parse(pattern.as_bytes()).unwrap(), 0).unwrap();
            }
            builder.build().unwrap().header().longest_host
        };
        assert_eq!(longest(&[]), 0);
        assert_eq!(longest(&["a.test", "192.0.2.1"]), 6);
        assert_eq!(longest(&["a.test", "*.test"]), 4 + 1 + 63);
        assert_eq!(longest(&["a.test", "**.test"]), 253);
        assert_eq!(longest(&["a.test", "*"]), 253);
    }
}
