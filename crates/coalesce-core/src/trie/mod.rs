//! The name index behind authority tables and identifier sets: a trie in one byte image.
//!
//! Its nodes are the suffixes that names have in common, and exact names and wildcards of both
//! kinds are kept at the nodes that they are written with. What a trie is asked for is answered as
//! by any other: the most specific pattern for a name, and the patterns below a suffix in order.
//! How a node is reached is not: a perfect hash leads straight to it, and only what is not there is
//! looked for further up.
//!
//! | module | does |
//! | --- | --- |
//! | [`format`](mod@format) | the image, specified, with worked examples |
//! | [`hash`] | hashing of packed names |
//! | [`fast`], [`compact`] | the two layouts |
//! | [`validate`] | the one pass over an image that was not built here |
//! | [`list`] | names in order |
//! | [`batch`] | many lookups at once |
//! | [`stored`], [`checksum`] | names as they stand in an image; finding damage |
//! | `build`, `perfect`, `write` | collecting and sorting; placing; writing |

#![allow(
    clippy::cast_possible_truncation,
    reason = "an image counts in u32, and words are cut into what they are made of"
)]

mod batch;
#[cfg(feature = "alloc")]
mod build;
mod checksum;
mod compact;
mod fast;
mod format;
mod hash;
mod list;
#[cfg(feature = "alloc")]
mod perfect;
mod steps;
mod stored;
mod validate;
#[cfg(feature = "alloc")]
mod write;

#[cfg(feature = "alloc")]
pub(crate) use build::IndexBuilder;
#[cfg(feature = "alloc")]
pub use build::{BuildError, Duplicate, Progress};
use fast::Verified;
use format::Header;
pub(crate) use format::Kind;
pub use format::{ImageError, Layout};
use hash::{Shape, key, mark};
pub use list::ImagePattern;
use list::Patterns;

use crate::authority::{Authority, parse_address, parse_port, split_port};
use crate::host;
use crate::limits::LABEL_LEN_MAX;
use crate::name::{DnsName, without_trailing_dot};
use crate::packed::{Scan, TAIL_CODES, WINDOW, suffix};
use crate::pattern::NamePattern;
use crate::simd::{self, Kernel, Portable, Simd};

/// Of fewer bytes, a trailing dot among them, hardly anything is a name; what is shorter is looked
/// for step by step, so that a window can be read in words of four.
const NAME_LEN_MIN: usize = 5;

/// The most slots that an image with this many names may have.
const fn slots_max(names: u32) -> usize {
    (names as usize).saturating_mul(2).saturating_add(2)
}

/// A validated image over any storage, and the lookups on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NameTrie<S> {
    image: S,
    header: Header,
}

/// What [`NameTrie::before_port`] makes of an authority.
enum BeforePort<'a> {
    Host(&'a [u8]),
    Found(Option<u32>),
}
use BeforePort::{Found, Host};

/// What [`NameTrie::find_pair`] found.
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

/// [`NameTrie::find_with`] as a kernel.
struct Finding<'a, S>(&'a NameTrie<S>);

impl<S: AsRef<[u8]>> Kernel<&[u8]> for Finding<'_, S> {
    type Output = Option<u32>;

    #[inline(always)]
    fn run(self, authority: &[u8], simd: impl Simd) -> Option<u32> {
        self.0.find_with(simd, authority)
    }
}

impl<S: AsRef<[u8]>> NameTrie<S> {
    /// Validates `image` once; every lookup after that is total.
    pub(crate) fn from_bytes(image: S, kind: Kind) -> Result<Self, ImageError> {
        let header = validate::validate(image.as_ref(), kind)?;
        Ok(Self { image, header })
    }

    /// Takes an image that was validated before: the one whose header has `checksum`. What its
    /// bytes are beyond the header is not looked at.
    pub(crate) fn from_trusted_bytes(
        image: S,
        kind: Kind,
        checksum: u64,
    ) -> Result<Self, ImageError> {
        let header = Header::read(image.as_ref(), kind)?;
        let index = Self { image, header };
        let stored = index.checksum();
        if stored == checksum {
            Ok(index)
        } else {
            Err(ImageError::Unexpected { stored, expected: checksum })
        }
    }

    /// Takes what the builder wrote.
    #[cfg(feature = "alloc")]
    pub(crate) fn built(image: S, kind: Kind) -> Result<Self, ImageError> {
        debug_assert!(validate::validate(image.as_ref(), kind).is_ok(), "the builder is wrong");
        let header = Header::read(image.as_ref(), kind)?;
        Ok(Self { image, header })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.image.as_ref()
    }

    pub(crate) fn as_ref(&self) -> NameTrie<&[u8]> {
        NameTrie { image: self.image.as_ref(), header: self.header }
    }

    pub(crate) fn len(&self) -> usize {
        self.header.len()
    }

    pub(crate) const fn layout(&self) -> Layout {
        self.header.layout
    }

    #[inline(always)]
    pub(crate) fn entry(&self, value: u32) -> Option<(u32, u32)> {
        self.header.entry(self.image.as_ref(), value)
    }

    pub(crate) fn group(&self, id: u32) -> Option<u32> {
        self.header.find_group(self.image.as_ref(), id)
    }

    /// The value of the most specific pattern that stands for `host`.
    #[inline(always)]
    pub(crate) fn find(&self, host: &host::Host<'_>) -> Option<u32> {
        let image = self.image.as_ref();
        let found = match host {
            host::Host::Name(name) => self.find_name(image, *name),
            host::Host::Ip(address) => self.header.find_address(image, *address),
            host::Host::Other(_) => return None,
        };
        found.or_else(|| self.catch_all())
    }

    /// The value of this very pattern, whatever else stands for what it stands for.
    pub(crate) fn find_pattern(&self, pattern: &NamePattern<'_>) -> Option<u32> {
        let image = self.image.as_ref();
        let (name, shape) = match pattern {
            NamePattern::Exact(name) => (name, Shape::Exact),
            NamePattern::OneLabel(name) => (name, Shape::OneLabel),
            NamePattern::AnyDepth(name) => (name, Shape::AnyDepth),
            NamePattern::Ip(address) => return self.header.find_address(image, *address),
            NamePattern::CatchAll => return self.catch_all(),
        };
        self.find_stored(image, name, name.as_bytes().len(), shape)
    }

    /// The value of a stored name of any length: the last `len` bytes of `name`, in this shape.
    fn find_stored(
        &self,
        image: &[u8],
        name: &DnsName<'_>,
        len: usize,
        shape: Shape,
    ) -> Option<u32> {
        let header = &self.header;
        if len <= TAIL_CODES {
            let key = key(suffix(name.tail(), len), len, shape);
            return self.find_key(image, key, name.dots());
        }
        let bytes = name.as_bytes();
        let suffix = bytes.get(bytes.len().checked_sub(len)?..)?;
        match header.layout {
            Layout::Fast => fast::find_long(header, image, suffix, shape),
            Layout::Compact => compact::find_long(header, image, suffix, shape),
        }
    }

    /// Every pattern with its value, in canonical order.
    pub(crate) fn patterns(&self) -> Patterns<'_> {
        Patterns::all(&self.header, self.image.as_ref())
    }

    /// The patterns of `suffix` and of what is below it, in canonical order.
    pub(crate) fn patterns_below(&self, suffix: DnsName<'_>) -> Patterns<'_> {
        Patterns::below(&self.header, self.image.as_ref(), suffix)
    }

    /// Ids and policy bits of the groups, by id.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let image = self.image.as_ref();
        (0..self.header.counts.groups).filter_map(move |index| self.header.group(image, index))
    }

    /// The checksum in the header.
    pub(crate) fn checksum(&self) -> u64 {
        format::long(self.image.as_ref(), format::CHECKSUM_AT).unwrap_or_default()
    }

    /// [`find`](Self::find) for the host of an authority field; `None` as well when it is none.
    #[inline(always)]
    pub(crate) fn find_authority(&self, authority: &[u8]) -> Option<u32> {
        self.header.simd.dispatch(Finding(self), authority)
    }

    /// [`find_authority`](Self::find_authority) for each of `authorities`, in turn.
    #[inline(always)]
    pub(crate) fn find_authorities(
        &self,
        authorities: &[&[u8]],
        mut found: impl FnMut(usize, Option<u32>),
    ) {
        let mut number = 0_usize;
        for together in authorities.chunks(batch::TOGETHER) {
            batch::bring_near(&self.header, self.image.as_ref(), together);
            for authority in together {
                found(number, self.find_authority(authority));
                number = number.saturating_add(1);
            }
        }
    }

    /// Names of at most [`TAIL_CODES`] bytes, which is nearly all of them, without asking first
    /// whether they are valid: what is found byte for byte is. Only what a wildcard adds to what
    /// was found has to be looked at.
    #[inline(always)]
    fn find_with(&self, simd: impl Simd, authority: &[u8]) -> Option<u32> {
        let (header, image) = (&self.header, self.image.as_ref());
        if authority.len() < NAME_LEN_MIN {
            return self.find_any(authority);
        }
        // What ends in a digit or a bracket may be an address, and what ends in a colon has a port.
        let authority = match authority.last()? {
            b'0'..=b':' | b']' => match self.before_port(authority) {
                Host(host) => host,
                Found(found) => return found,
            },
            _ => authority,
        };
        let name = without_trailing_dot(authority);
        let len = name.len();
        let Some(wildcard) = header.wildcard else { return self.find_any(authority) };
        if len > TAIL_CODES {
            return self.find_long_host(authority, wildcard);
        }
        let window = simd.window(name);
        if simd.is_ambiguous(window) {
            return self.find_any(authority);
        }
        let codes = simd.codes(window);
        let dots = simd.dots(window);
        // 31 without a dot, which is the length of no suffix here.
        let parent_len = (dots.trailing_zeros() ^ 31) as usize % WINDOW;
        let pair = self.find_pair(simd, image, codes, len, parent_len, wildcard)?;
        let further = (dots & dots.wrapping_sub(1) | 1) & header.further;
        // One branch for all that is rare. Whether there is a wildcard above a name that was found
        // is a matter of chance, and must not be asked by a branch of its own.
        if pair.needs_more(further) {
            let value = if let Some(value) = pair.above.found() {
                value
            } else if header.further & 1 != 0 {
                return self.find_any(authority);
            } else {
                self.find_above(image, simd.words(codes), dots)?
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
    fn before_port<'a>(&self, authority: &'a [u8]) -> BeforePort<'a> {
        let (host, port) = split_port(authority);
        // A colon that is left has no port behind it.
        if matches!(host, [] | [.., b':']) || parse_port(port).is_err() {
            return Found(None);
        }
        if host.len() >= NAME_LEN_MIN && !matches!(host, [.., b'0'..=b'9' | b']']) {
            return Host(host);
        }
        Found(match parse_address(host) {
            Some(address) => {
                let found = self.header.find_address(self.image.as_ref(), address);
                found.or_else(|| self.catch_all())
            }
            None => self.find_any(authority),
        })
    }

    /// Names longer than [`TAIL_CODES`]: unless the image has such names itself, only the wildcards
    /// of their last bytes can stand for them. Whether the rest is valid matters when one does.
    #[cold]
    #[inline(never)]
    fn find_long_host(&self, host: &[u8], wildcard: Shape) -> Option<u32> {
        let (header, image) = (&self.header, self.image.as_ref());
        if header.has_long_names() || header.further & 1 != 0 {
            return self.find_any(host);
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
            if let Some(value) = self.find_key(image, key(suffix, len, wildcard), dots) {
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
        &self,
        simd: V,
        image: &[u8],
        codes: V::Codes,
        len: usize,
        parent_len: usize,
        wildcard: Shape,
    ) -> Option<Pair> {
        let header = &self.header;
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
        let above =
            if own.is != 0 { Verified::NOT } else { verify(above_slot, above_hash, above)? };
        Some(Pair { own, above })
    }

    /// Everything else, step by step.
    #[cold]
    #[inline(never)]
    fn find_any(&self, authority: &[u8]) -> Option<u32> {
        self.find(&Authority::parse(authority).ok()?.host())
    }

    #[inline(always)]
    fn catch_all(&self) -> Option<u32> {
        let counts = &self.header.counts;
        counts.has_catch_all().then_some(counts.catch_all)
    }

    /// What is above the parent is looked for only where the image has a wildcard of such a length.
    #[inline(always)]
    fn find_name(&self, image: &[u8], name: DnsName<'_>) -> Option<u32> {
        let header = &self.header;
        let (len, parent_len) = (name.as_bytes().len(), name.parent_len());
        let Some(wildcard) = header.wildcard else { return self.find_slowly(image, &name) };
        if len > TAIL_CODES {
            return self.find_slowly(image, &name);
        }
        let pair = self.find_pair(Portable, image, name.tail(), len, parent_len, wildcard)?;
        let found = pair.own.found().or(pair.above.found());
        if found.is_some() {
            return found;
        }
        if name.dots() & header.further == 0 {
            return None;
        }
        self.find_above(image, name.tail(), name.dots())
    }

    /// The longest any-depth wildcard above the parent of a name of at most one window.
    #[inline(never)]
    fn find_above(&self, image: &[u8], tail: [u64; 3], dots: u32) -> Option<u32> {
        let mut dots = dots & dots.wrapping_sub(1) & self.header.further & !1;
        while dots != 0 {
            let len = 31_usize.checked_sub(dots.trailing_zeros() as usize)?;
            let suffix = suffix(tail, len);
            let found = self.find_key(image, key(suffix, len, Shape::AnyDepth), dots);
            if found.is_some() {
                return found;
            }
            dots &= dots.wrapping_sub(1);
        }
        None
    }

    #[inline]
    fn find_key(&self, image: &[u8], key: [u64; 3], dots: u32) -> Option<u32> {
        let header = &self.header;
        let hash = header.hasher.hash(key);
        match header.layout {
            Layout::Fast => fast::find_key(header, image, hash, key),
            Layout::Compact => compact::find_key(header, image, hash, key, dots),
        }
    }

    /// Every name, one look after the other.
    #[inline(never)]
    fn find_slowly(&self, image: &[u8], name: &DnsName<'_>) -> Option<u32> {
        let header = &self.header;
        let bytes = name.as_bytes();
        let parent_len = name.parent_len();
        let look = |len: usize, shape: Shape| self.find_stored(image, name, len, shape);
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
            for (at, _) in bytes.get(..edge)?.iter().enumerate().filter(|(_, byte)| **byte == b'.')
            {
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
}
