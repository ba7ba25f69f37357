//! Looking names up.

use super::compact;
use super::fast::{self, Verified};
use super::format::Layout;
use super::hash::{Shape, key, mark};
use super::header::Header;
use crate::authority::{Authority, parse_address, parse_port, split_port};
use crate::host::Host;
use crate::limits::LABEL_LEN_MAX;
use crate::name::{DnsName, without_trailing_dot};
use crate::packed::{Scan, TAIL_CODES, WINDOW, suffix};
use crate::pattern::NamePattern;
use crate::simd::{self, Portable, Simd};

/// Of fewer bytes, a trailing dot among them, hardly anything is a name; what is shorter is looked
/// for step by step, so that a window can be read in words of four.
const NAME_LEN_MIN: usize = 5;

/// A trie as lookups read it, whatever its storage.
///
/// Lookups take a trie behind one pointer, and not its header and its bytes, which are three words.
/// The slow ways are never inlined, so the fast way would have to keep all three in registers for
/// calls that it hardly ever makes: that costs 2 to 8 % of its instructions.
pub(super) trait Stored {
    /// Returns the header that was read when the trie was opened.
    fn header(&self) -> &Header;

    /// Returns the bytes, header included.
    fn image(&self) -> &[u8];
}

/// What [`before_port`] makes of an authority.
enum BeforePort<'a> {
    Host(&'a [u8]),
    Found(Option<u32>),
}

/// What [`find_pair`] found.
struct Pair {
    own: Verified,
    above: Verified,
}

impl Pair {
    /// Whether the name was not found, and a wildcard was, or may be `further` up.
    #[inline(always)]
    const fn needs_more(&self, further: u32) -> bool {
        (further | self.above.is) & self.own.is.wrapping_sub(1) != 0
    }
}

/// The value of the most specific pattern that stands for `host`.
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

/// The value of this very pattern, whatever else stands for what it stands for.
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

/// The value of a stored name of any length: the last `len` bytes of `name`, in this shape.
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

/// Names of at most [`TAIL_CODES`] bytes, which is nearly all of them, without asking first
/// whether they are valid: what is found byte for byte is. Only what a wildcard adds to what
/// was found has to be looked at.
#[inline(always)]
pub(super) fn find_with(trie: &impl Stored, simd: impl Simd, authority: &[u8]) -> Option<u32> {
    let header = trie.header();
    if authority.len() < NAME_LEN_MIN {
        return find_any(trie, authority);
    }
    // What ends in a digit or a bracket may be an address, and what ends in a colon has a port.
    let authority = match authority.last()? {
        b'0'..=b':' | b']' => match before_port(trie, authority) {
            BeforePort::Host(host) => host,
            BeforePort::Found(found) => return found,
        },
        _ => authority,
    };
    let name = without_trailing_dot(authority);
    let len = name.len();
    let Some(wildcard) = header.wildcard else { return find_any(trie, authority) };
    if len > TAIL_CODES {
        return find_long_host(trie, authority, wildcard);
    }
    let window = simd.window(name);
    if simd.is_ambiguous(window) {
        return find_any(trie, authority);
    }
    let codes = simd.codes(window);
    let dots = simd.dots(window);
    // 31 without a dot, which is the length of no suffix here.
    let parent_len = (dots.trailing_zeros() ^ 31) as usize % WINDOW;
    let pair = find_pair(simd, trie, codes, len, parent_len, wildcard)?;
    let further = (dots & dots.wrapping_sub(1) | 1) & header.further;
    // One branch for all that is rare. Whether there is a wildcard above a name that was found
    // is a matter of chance, and must not be asked by a branch of its own.
    if pair.needs_more(further) {
        let value = if let Some(value) = pair.above.found() {
            value
        } else if header.further & 1 != 0 {
            return find_any(trie, authority);
        } else {
            find_above(trie, simd.words(codes), dots)?
        };
        // What the wildcard has of the name is valid; the labels left of that may not be.
        let first = 1_u32.wrapping_shl(WINDOW.wrapping_sub(len) as u32);
        let (hyphens, bad) = (simd.hyphens(window), simd.bad(window));
        let wrong = Scan { words: [0; 3], dots, hyphens, bad }.is_wrong(first);
        return (!wrong).then_some(value);
    }
    pair.own.found()
}

/// The host of an authority that does not end as names do; or what stands for it, if it is no
/// name.
#[cold]
#[inline(never)]
fn before_port<'a>(trie: &impl Stored, authority: &'a [u8]) -> BeforePort<'a> {
    let (header, image) = (trie.header(), trie.image());
    let (host, port) = split_port(authority);
    // A colon that is left has no port behind it.
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

/// Names longer than [`TAIL_CODES`]: unless the image has such names itself, only the wildcards
/// of their last bytes can stand for them. Whether the rest is valid matters when one does.
#[cold]
#[inline(never)]
fn find_long_host(trie: &impl Stored, host: &[u8], wildcard: Shape) -> Option<u32> {
    let header = trie.header();
    if header.has_long_names() || header.further & 1 != 0 {
        return find_any(trie, host);
    }
    let name = without_trailing_dot(host);
    let Scan { words, dots, .. } = simd::scan(name);
    // Behind a dot at byte 0 there are 31 bytes, more than any name here has.
    let mut behind = dots & !1;
    if wildcard == Shape::OneLabel {
        // The one label of a wildcard is the first, which begins left of the window.
        let before = name.get(..name.len().saturating_sub(WINDOW))?;
        if dots & 1 != 0 || before.len() > LABEL_LEN_MAX || before.contains(&b'.') {
            return None;
        }
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

/// The name itself and the wildcard right above it are looked for at once, because that costs
/// less than to wait for the one before asking for the other. `None` when the image cannot be
/// read where they would be.
#[inline(always)]
fn find_pair<V: Simd>(
    simd: V,
    trie: &impl Stored,
    codes: V::Codes,
    len: usize,
    parent_len: usize,
    wildcard: Shape,
) -> Option<Pair> {
    let (header, image) = (trie.header(), trie.image());
    let own = simd.marked(codes, mark(len, Shape::Exact));
    let above = simd.suffix(codes, parent_len);
    let above = simd.marked(above, mark(parent_len, wildcard));
    let own_hash = header.hasher.hash(simd.words(own));
    let above_hash = header.hasher.hash(simd.words(above));
    let own_slot = fast::slot(header, image, own_hash)?;
    let above_slot = fast::slot(header, image, above_hash)?;
    if header.near {
        return Some(Pair {
            own: fast::verify(simd, header, image, own_slot, own)?,
            above: fast::verify(simd, header, image, above_slot, above)?,
        });
    }
    // Far slots are looked into only with reason.
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

/// Everything else, step by step.
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

/// What is above the parent is looked for only where the image has a wildcard of such a length.
#[inline(always)]
fn find_name(trie: &impl Stored, name: DnsName<'_>) -> Option<u32> {
    let header = trie.header();
    let (len, parent_len) = (name.as_bytes().len(), name.parent_len());
    let Some(wildcard) = header.wildcard else { return find_slowly(trie, &name) };
    if len > TAIL_CODES {
        return find_slowly(trie, &name);
    }
    let pair = find_pair(Portable, trie, name.tail(), len, parent_len, wildcard)?;
    let found = pair.own.found().or(pair.above.found());
    if found.is_some() {
        return found;
    }
    if name.dots() & header.further == 0 {
        return None;
    }
    find_above(trie, name.tail(), name.dots())
}

/// The longest any-depth wildcard above the parent of a name of at most one window.
#[inline(never)]
fn find_above(trie: &impl Stored, tail: [u64; 3], dots: u32) -> Option<u32> {
    let header = trie.header();
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

/// Every name, one look after the other.
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
    // Suffixes that begin at the last window or left of it, if any wildcard is that long.
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
