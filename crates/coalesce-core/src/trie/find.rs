//! Lookups of names.

use super::compact;
use super::fast::{self, Verified};
use super::format::Layout;
use super::hash::{Shape, key, mark};
use super::header::{Header, Only};
use crate::authority::{Authority, parse_address, parse_port, split_port};
use crate::host::Host;
use crate::limits::LABEL_LEN_MAX;
use crate::name::{DnsName, without_trailing_dot};
use crate::packed::{Scan, TAIL_CODES, WINDOW, suffix};
use crate::pattern::NamePattern;
use crate::simd::{self, Portable, Simd};

/// The shortest authority that the fast path takes. Hardly any name is shorter. The limit lets a
/// window be read in words of four bytes.
pub(super) const NAME_LEN_MIN: usize = 5;

/// A trie of any storage, as lookups read it.
///
/// Lookups take a trie behind one pointer, not its header and bytes, which are three words. The
/// slow paths are never inlined, so the fast path would have to keep all three in registers for
/// calls that it hardly ever makes. Measured, that costs 2 to 8 % of the instructions.
pub(super) trait Stored {
    /// Returns the header that was read when the trie was opened.
    fn header(&self) -> &Header;

    /// Returns the bytes, including the header.
    fn image(&self) -> &[u8];
}

/// The result of [`before_port`].
pub(super) enum BeforePort<'a> {
    Host(&'a [u8]),
    Found(Option<u32>),
}

/// The result of [`find_pair`]: the name itself, and the wildcard above it.
struct Pair {
    own: Verified,
    above: Verified,
}

impl Pair {
    /// Returns whether the name was not found but a wildcard was, or might be `further` up.
    #[inline(always)]
    const fn needs_more(&self, further: u32) -> bool {
        (further | self.above.is) & self.own.is.wrapping_sub(1) != 0
    }
}

/// Returns the value of the most specific pattern for `host`.
#[inline(always)]
pub(super) fn find(trie: &impl Stored, host: &Host<'_>) -> Option<u32> {
    let (header, image) = (trie.header(), trie.image());
    let found = match host {
        Host::Name(name) => find_name(trie, *name),
        Host::Ip(address) => header.find_address(image, *address),
        Host::Other(_) => return None,
    };
    found.or_else(|| catch_all(trie))
}

/// Returns the value of exactly this pattern.
pub(super) fn find_pattern(trie: &impl Stored, pattern: &NamePattern<'_>) -> Option<u32> {
    let (header, image) = (trie.header(), trie.image());
    let (name, shape) = match pattern {
        NamePattern::Exact(name) => (name, Shape::Exact),
        NamePattern::OneLabel(name) => (name, Shape::OneLabel),
        NamePattern::AnyDepth(name) => (name, Shape::AnyDepth),
        NamePattern::Ip(address) => return header.find_address(image, *address),
        NamePattern::CatchAll => return catch_all(trie),
    };
    find_stored(trie, name, name.as_bytes().len(), shape)
}

/// Returns the value of a stored name of any length: the last `len` bytes of `name`, in this shape.
fn find_stored(trie: &impl Stored, name: &DnsName<'_>, len: usize, shape: Shape) -> Option<u32> {
    let (header, image) = (trie.header(), trie.image());
    if len <= TAIL_CODES {
        let key = key(suffix(name.tail(), len), len, shape);
        return find_key(trie, key, name.dots());
    }
    let bytes = name.as_bytes();
    let suffix = bytes.get(bytes.len().checked_sub(len)?..)?;
    match header.layout {
        Layout::Fast => fast::find_long(header, image, suffix, shape),
        Layout::Compact => compact::find_long(header, image, suffix, shape),
    }
}

/// Finds a host of at most [`TAIL_CODES`] bytes, as nearly all names are, without checking first
/// whether it is valid. A stored name is valid, so a host that equals one byte for byte is too.
/// Only the labels that a wildcard matches must be checked.
#[inline(always)]
pub(super) fn find_with(trie: &impl Stored, simd: impl Simd, authority: &[u8]) -> Option<u32> {
    let header = trie.header();
    // An authority that ends in a digit or a bracket may be an address; one that ends in a colon or
    // a digit may have a port.
    let authority = match authority {
        [.., b'0'..=b':' | b']'] => match before_port(trie, authority) {
            BeforePort::Host(host) => host,
            BeforePort::Found(found) => return found,
        },
        _ => authority,
    };
    let name = without_trailing_dot(authority);
    let len = name.len();
    if !(NAME_LEN_MIN..=TAIL_CODES).contains(&len) {
        return find_of_other_len(trie, authority);
    }
    if header.wildcard.is_none() {
        return find_any(trie, authority);
    }
    let window = simd.window(name);
    if simd.is_ambiguous(window) {
        return find_any(trie, authority);
    }
    let codes = simd.codes(window);
    let dots = simd.dots(window);
    // `trailing_zeros` of no dots is 32, so the result is 63, and 31 after the modulus. No suffix
    // in the trie has 31 bytes, because short ones have at most 30.
    let parent_len = (dots.trailing_zeros() ^ 31) as usize % WINDOW;
    let pair = find_pair(simd, trie, codes, len, parent_len)?;
    let further = (dots & dots.wrapping_sub(1) | 1) & header.further;
    // One branch covers all rare cases. Whether a name that was found also has a wildcard above it
    // is unpredictable, so a separate branch on that would often be mispredicted.
    if pair.needs_more(further) {
        let value = if let Some(value) = pair.above.found() {
            value
        } else if header.further & 1 != 0 {
            return find_any(trie, authority);
        } else {
            find_above(trie, simd.words(codes), dots)?
        };
        // The part of the name that the stored wildcard contains is valid. The labels to the left
        // of it may not be.
        let first = 1_u32.wrapping_shl(WINDOW.wrapping_sub(len) as u32);
        let (hyphens, bad) = (simd.hyphens(window), simd.bad(window));
        let wrong = Scan { words: [0; 3], dots, hyphens, bad }.is_wrong(first);
        return (!wrong).then_some(value);
    }
    pair.own.found()
}

/// Finds a host that is very short, or longer than a key.
#[cold]
#[inline(never)]
pub(super) fn find_of_other_len(trie: &impl Stored, host: &[u8]) -> Option<u32> {
    match without_trailing_dot(host).len() {
        len if len > trie.header().longest_host => None,
        ..=TAIL_CODES => find_any(trie, host),
        _ => find_long_host(trie, host),
    }
}

/// Splits off the port of an authority that ends in a digit, a colon or a bracket. Finds the value
/// at once if the host is not a name.
#[cold]
#[inline(never)]
pub(super) fn before_port<'a>(trie: &impl Stored, authority: &'a [u8]) -> BeforePort<'a> {
    let (header, image) = (trie.header(), trie.image());
    let (host, port) = split_port(authority);
    // If a colon is left, the text after it is not a port.
    if matches!(host, [] | [.., b':']) || parse_port(port).is_err() {
        return BeforePort::Found(None);
    }
    if host.len() >= NAME_LEN_MIN && !matches!(host, [.., b'0'..=b'9' | b']']) {
        return BeforePort::Host(host);
    }
    BeforePort::Found(match parse_address(host) {
        Some(address) => {
            let found = header.find_address(image, address);
            found.or_else(|| catch_all(trie))
        }
        None => find_any(trie, authority),
    })
}

/// Finds a host longer than [`TAIL_CODES`]. If the image has no names that long, only wildcards of
/// the last bytes can match. The whole host must be valid only if one does.
fn find_long_host(trie: &impl Stored, host: &[u8]) -> Option<u32> {
    let header = trie.header();
    let Some(wildcard) = header.wildcard else { return find_any(trie, host) };
    if header.has_long_names() || header.further & 1 != 0 {
        return find_any(trie, host);
    }
    let name = without_trailing_dot(host);
    let Scan { words, dots, .. } = simd::scan(name);
    // A dot at window byte 0 would have 31 bytes after it, which is longer than any short name.
    let mut behind = dots & !1;
    if wildcard == Shape::OneLabel {
        // The wildcard matches exactly one label, the first, which begins left of the window.
        let before = name.get(..name.len().saturating_sub(WINDOW))?;
        if dots & 1 != 0 || before.len() > LABEL_LEN_MAX || before.contains(&b'.') {
            return None;
        }
        // Keep the lowest bit: the dot after that first label.
        behind &= behind.wrapping_neg();
    } else {
        behind &= header.further;
    }
    while behind != 0 {
        let len = 31_usize.checked_sub(behind.trailing_zeros() as usize)?;
        let suffix = suffix(words, len);
        if let Some(value) = find_key(trie, key(suffix, len, wildcard), dots) {
            return DnsName::parse(host).is_ok().then_some(value);
        }
        behind &= behind.wrapping_sub(1);
    }
    None
}

/// Looks for the name itself and for the wildcard right above it at once. Their memory reads do not
/// depend on each other, so the processor overlaps them. Returns `None` if the image is too short
/// for a read.
#[inline(always)]
fn find_pair<V: Simd>(
    simd: V,
    trie: &impl Stored,
    codes: V::Codes,
    len: usize,
    parent_len: usize,
) -> Option<Pair> {
    let (header, image) = (trie.header(), trie.image());
    let own = simd.marked(codes, mark(len, Shape::Exact));
    let above = simd.suffix(codes, parent_len);
    let above = simd.marked(above, parent_len as u32 | header.wildcard_mark);
    let own_hash = header.hasher.hash(simd.words(own));
    let above_hash = header.hasher.hash(simd.words(above));
    let own_slot = fast::slot(header, image, own_hash)?;
    let above_slot = fast::slot(header, image, above_hash)?;
    if header.cached {
        return Some(Pair {
            own: fast::verify(simd, header, image, own_slot, own)?,
            above: fast::verify(simd, header, image, above_slot, above)?,
        });
    }
    // In a large trie a slot is usually not in cache, so read it only if its tag matches.
    let verify = |slot, hash, key| {
        if fast::has_tag(header, image, slot, hash) {
            fast::verify(simd, header, image, slot, key)
        } else {
            Some(Verified::NOT)
        }
    };
    let own = verify(own_slot, own_hash, own)?;
    let above = if own.is != 0 { Verified::NOT } else { verify(above_slot, above_hash, above)? };
    Some(Pair { own, above })
}

/// Parses and finds an authority that the fast path does not take.
#[cold]
#[inline(never)]
fn find_any(trie: &impl Stored, authority: &[u8]) -> Option<u32> {
    find(trie, &Authority::parse(authority).ok()?.host())
}

#[inline(always)]
fn catch_all(trie: &impl Stored) -> Option<u32> {
    let counts = &trie.header().counts;
    counts.has_catch_all().then_some(counts.catch_all)
}

/// Finds a parsed name. Looks above its parent only if the image has a wildcard of such a length.
#[inline(always)]
fn find_name(trie: &impl Stored, name: DnsName<'_>) -> Option<u32> {
    let header = trie.header();
    let (len, parent_len) = (name.as_bytes().len(), name.parent_len());
    if let Some(only) = header.only
        && len <= TAIL_CODES
    {
        return find_only(Portable, trie, only, name.tail(), (len, parent_len));
    }
    if header.wildcard.is_none() || len > TAIL_CODES {
        return find_slowly(trie, &name);
    }
    let pair = find_pair(Portable, trie, name.tail(), len, parent_len)?;
    let found = pair.own.found().or(pair.above.found());
    if found.is_some() {
        return found;
    }
    if name.dots() & header.further == 0 {
        return None;
    }
    find_above(trie, name.tail(), name.dots())
}

/// Finds a name in an image with [`Only`] two names.
#[inline(always)]
pub(super) fn find_only<V: Simd>(
    simd: V,
    trie: &impl Stored,
    only: Only,
    codes: V::Codes,
    (len, parent_len): (usize, usize),
) -> Option<u32> {
    let (header, image) = (trie.header(), trie.image());
    if let Some(slot) = only.exact {
        let own = simd.marked(codes, mark(len, Shape::Exact));
        let found = fast::verify(simd, header, image, slot, own)?.found();
        if found.is_some() {
            return found;
        }
    }
    let above = simd.suffix(codes, parent_len);
    let above = simd.marked(above, mark(parent_len, Shape::OneLabel));
    fast::verify(simd, header, image, only.one_label?, above)?.found()
}

/// Finds the longest any-depth wildcard above the parent of a name that fits in a window.
#[inline(never)]
fn find_above(trie: &impl Stored, tail: [u64; 3], dots: u32) -> Option<u32> {
    let header = trie.header();
    // Without the lowest dot, which is the first one, only suffixes above the parent are left. Bit
    // 0 of `further` means something else.
    let mut dots = dots & dots.wrapping_sub(1) & header.further & !1;
    while dots != 0 {
        let len = 31_usize.checked_sub(dots.trailing_zeros() as usize)?;
        let suffix = suffix(tail, len);
        let found = find_key(trie, key(suffix, len, Shape::AnyDepth), dots);
        if found.is_some() {
            return found;
        }
        dots &= dots.wrapping_sub(1);
    }
    None
}

#[inline]
fn find_key(trie: &impl Stored, key: [u64; 3], dots: u32) -> Option<u32> {
    let (header, image) = (trie.header(), trie.image());
    let hash = header.hasher.hash(key);
    match header.layout {
        Layout::Fast => fast::find_key(header, image, hash, key),
        Layout::Compact => compact::find_key(header, image, hash, key, dots),
    }
}

/// Finds a name with one lookup after another: itself, then each wildcard above it.
#[inline(never)]
fn find_slowly(trie: &impl Stored, name: &DnsName<'_>) -> Option<u32> {
    let header = trie.header();
    let bytes = name.as_bytes();
    let parent_len = name.parent_len();
    let look = |len: usize, shape: Shape| find_stored(trie, name, len, shape);
    if bytes.len() <= header.longest_exact() {
        let found = look(bytes.len(), Shape::Exact);
        if found.is_some() {
            return found;
        }
    }
    if parent_len == 0 {
        return None;
    }
    if parent_len <= header.longest_one_label() {
        let found = look(parent_len, Shape::OneLabel);
        if found.is_some() {
            return found;
        }
    }
    let any_depth = |len: usize| {
        if header.has_any_depth(len) { look(len, Shape::AnyDepth) } else { None }
    };
    // Suffixes that begin at the last window or left of it, if a wildcard is that long.
    if bytes.len() >= WINDOW && header.has_long_any_depth() {
        let edge = bytes.len().checked_sub(WINDOW)?.checked_add(1)?;
        for (at, _) in bytes.get(..edge)?.iter().enumerate().filter(|(_, byte)| **byte == b'.') {
            let found = any_depth(bytes.len().checked_sub(at)?.checked_sub(1)?);
            if found.is_some() {
                return found;
            }
        }
    }
    let mut dots = name.dots() & header.further & !1;
    while dots != 0 {
        let found = any_depth(31_usize.checked_sub(dots.trailing_zeros() as usize)?);
        if found.is_some() {
            return found;
        }
        dots &= dots.wrapping_sub(1);
    }
    None
}
