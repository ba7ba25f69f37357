//! The byte image of a name index, and its validation.
//!
//! All numbers are little-endian `u32` words, so that one image serves every machine. `NONE`
//! (`0xffff_ffff`) stands for "no value".
//!
//! ```text
//! header      magic "COAL" · version and kind · nodes · addresses · values · groups
//!             · label bytes · catch-all value or NONE                                (8 words)
//! nodes       label offset · label length · first child · children
//!             · exact · one-label · any-depth value or NONE                  (7 words a node)
//! addresses   family (4 or 6) · 16 octets, zero-padded · value           (6 words an address)
//! entries     virtual host · group                                (2 words a value, tables only)
//! groups      id · policy bits                                    (2 words a group, tables only)
//! labels      lower-case label bytes
//! ```
//!
//! Node 0 is the root, whose label is empty and which has no values. Nodes stand in breadth-first
//! order, so the children of a node are neighbours and follow those of the node before it; siblings
//! are sorted by label, addresses by family and octets, groups by id. Identifiers have no catch-all
//! and no any-depth values, since no certificate can present them (RFC 9525 §6.3). An image that
//! breaks any of this is refused by [`Header::validate`], after which a lookup cannot leave the
//! image, loop, or need more steps than a name has labels.

use core::fmt;
use core::net::IpAddr;

use crate::limits::{ENTRIES_MAX, GROUPS_MAX, IDENTIFIERS_MAX, LABEL_LEN_MAX};
use crate::policy::GroupPolicy;

pub(crate) const NONE: u32 = u32::MAX;
pub(crate) const MAGIC: [u8; 4] = *b"COAL";
pub(crate) const VERSION: u32 = 1;

const WORD: usize = 4;
const HEADER_LEN: usize = 8 * WORD;
const NODE_LEN: usize = 7 * WORD;
const ADDRESS_LEN: usize = 6 * WORD;
const PAIR_LEN: usize = 2 * WORD;

/// What an image holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Identifiers = 1,
    Table = 2,
}

impl Kind {
    /// The header's second word.
    pub(crate) const fn tag(self) -> u32 {
        VERSION << 16 | self as u32
    }
}

/// The header of a valid image, and where its sections start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    nodes: usize,
    addresses: usize,
    values: usize,
    groups: usize,
    pub(crate) catch_all: u32,
    addresses_at: usize,
    entries_at: usize,
    groups_at: usize,
    labels_at: usize,
}

/// One node, as read from an image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    label_at: u32,
    label_len: u32,
    pub(crate) first_child: u32,
    pub(crate) children: u32,
    pub(crate) exact: u32,
    pub(crate) one_label: u32,
    pub(crate) any_depth: u32,
}

impl Header {
    /// Checks everything that lookups rely on, in one pass over the image.
    pub(crate) fn validate(image: &[u8], kind: Kind) -> Result<Self, ImageError> {
        let header = Self::read(image, kind)?;
        header.validate_nodes(image, kind)?;
        header.validate_addresses(image)?;
        header.validate_groups(image)?;
        header.validate_entries(image, kind)?;
        Ok(header)
    }

    fn read(image: &[u8], kind: Kind) -> Result<Self, ImageError> {
        let word = |index: usize| {
            word(image, index.saturating_mul(WORD)).ok_or(ImageError::Length { len: image.len() })
        };
        if image.get(..WORD) != Some(&MAGIC) {
            return Err(ImageError::Magic);
        }
        if word(1)? != kind.tag() {
            return Err(ImageError::Version { found: word(1)?, expected: kind.tag() });
        }
        let count = |index: usize, max: usize| {
            let count = word(index)? as usize;
            if count > max {
                Err(ImageError::Count { at: index.saturating_mul(WORD), count, max })
            } else {
                Ok(count)
            }
        };
        let nodes = count(2, u32::MAX as usize)?;
        let addresses = count(3, ENTRIES_MAX)?;
        let (values_max, groups_max) = match kind {
            Kind::Table => (ENTRIES_MAX, GROUPS_MAX),
            Kind::Identifiers => (IDENTIFIERS_MAX, 0),
        };
        let values = count(4, values_max)?;
        let groups = count(5, groups_max)?;
        let label_len = count(6, u32::MAX as usize)?;
        let catch_all = word(7)?;
        let entries = if kind == Kind::Table { values } else { 0 };
        let too_long = || ImageError::Length { len: image.len() };
        let section = |start: usize, count: usize, size: usize| {
            count.checked_mul(size).and_then(|len| start.checked_add(len)).ok_or_else(too_long)
        };
        let addresses_at = section(HEADER_LEN, nodes, NODE_LEN)?;
        let entries_at = section(addresses_at, addresses, ADDRESS_LEN)?;
        let groups_at = section(entries_at, entries, PAIR_LEN)?;
        let labels_at = section(groups_at, groups, PAIR_LEN)?;
        if section(labels_at, label_len, 1)? != image.len() || nodes == 0 {
            return Err(too_long());
        }
        let header = Self {
            nodes,
            addresses,
            values,
            groups,
            catch_all,
            addresses_at,
            entries_at,
            groups_at,
            labels_at,
        };
        header.check_value(catch_all, 7 * WORD)?;
        if kind == Kind::Identifiers && catch_all != NONE {
            return Err(ImageError::Value { at: 7 * WORD, value: catch_all });
        }
        Ok(header)
    }

    fn validate_nodes(&self, image: &[u8], kind: Kind) -> Result<(), ImageError> {
        let mut next_child = 1_usize;
        for index in 0..self.nodes {
            let at = HEADER_LEN.saturating_add(index.saturating_mul(NODE_LEN));
            let bad = ImageError::Node { at };
            let node = Self::node(image, index).ok_or(bad)?;
            let label = self.label(image, &node).ok_or(bad)?;
            let label_fits = if index == 0 {
                label.is_empty()
            } else {
                (1..=LABEL_LEN_MAX).contains(&label.len())
                    && label.iter().all(|byte| is_canonical(*byte))
            };
            // A parent stands before its children, and every node but the root has one parent.
            let children_fit = node.children == 0 && node.first_child == 0
                || node.children > 0
                    && node.first_child as usize == next_child
                    && next_child > index;
            next_child = next_child.saturating_add(node.children as usize);
            let values_fit = match kind {
                _ if index == 0 => {
                    [node.exact, node.one_label, node.any_depth].iter().all(|value| *value == NONE)
                }
                Kind::Table => true,
                Kind::Identifiers => node.any_depth == NONE,
            };
            if !label_fits || !children_fit || !values_fit || next_child > self.nodes {
                return Err(bad);
            }
            for value in [node.exact, node.one_label, node.any_depth] {
                self.check_value(value, at)?;
            }
            self.validate_order(image, &node).ok_or(bad)?;
        }
        if next_child == self.nodes { Ok(()) } else { Err(ImageError::Node { at: HEADER_LEN }) }
    }

    fn validate_order(&self, image: &[u8], parent: &Node) -> Option<()> {
        let first = parent.first_child as usize;
        let mut previous: &[u8] = b"";
        for index in first..first.checked_add(parent.children as usize)? {
            let label = self.label(image, &Self::node(image, index)?)?;
            if label <= previous {
                return None;
            }
            previous = label;
        }
        Some(())
    }

    fn validate_addresses(&self, image: &[u8]) -> Result<(), ImageError> {
        let mut previous = None;
        for index in 0..self.addresses {
            let at = self.addresses_at.saturating_add(index.saturating_mul(ADDRESS_LEN));
            let (key, value) = self.address(image, index).ok_or(ImageError::Address { at })?;
            let padded = key.0 == 6 || key.0 == 4 && key.1.iter().skip(4).all(|octet| *octet == 0);
            if !padded || previous.is_some_and(|previous| previous >= key) || value == NONE {
                return Err(ImageError::Address { at });
            }
            self.check_value(value, at)?;
            previous = Some(key);
        }
        Ok(())
    }

    fn validate_groups(&self, image: &[u8]) -> Result<(), ImageError> {
        let mut previous = None;
        for index in 0..self.groups {
            let at = self.groups_at.saturating_add(index.saturating_mul(PAIR_LEN));
            let (id, bits) = self.group(image, index).ok_or(ImageError::Group { at })?;
            let policy = GroupPolicy::from_bits(bits);
            if policy.is_none() || previous.is_some_and(|previous| previous >= id) {
                return Err(ImageError::Group { at });
            }
            previous = Some(id);
        }
        Ok(())
    }

    fn validate_entries(&self, image: &[u8], kind: Kind) -> Result<(), ImageError> {
        if kind == Kind::Identifiers {
            return Ok(());
        }
        for index in 0..self.values {
            let at = self.entries_at.saturating_add(index.saturating_mul(PAIR_LEN));
            let (_, group) = self.entry(image, index).ok_or(ImageError::Entry { at })?;
            if self.find_group(image, group).is_none() {
                return Err(ImageError::Entry { at });
            }
        }
        Ok(())
    }

    fn check_value(&self, value: u32, at: usize) -> Result<(), ImageError> {
        if value == NONE || (value as usize) < self.values {
            Ok(())
        } else {
            Err(ImageError::Value { at, value })
        }
    }

    /// The number of values: entries of a table, identifiers of a set.
    pub(crate) const fn values(&self) -> usize {
        self.values
    }

    pub(crate) fn node(image: &[u8], index: usize) -> Option<Node> {
        let at = HEADER_LEN.checked_add(index.checked_mul(NODE_LEN)?)?;
        let bytes: &[u8; NODE_LEN] = image.get(at..)?.first_chunk()?;
        let (words, _) = bytes.as_chunks::<WORD>();
        let &[label_at, label_len, first_child, children, exact, one_label, any_depth] = words
        else {
            return None;
        };
        Some(Node {
            label_at: u32::from_le_bytes(label_at),
            label_len: u32::from_le_bytes(label_len),
            first_child: u32::from_le_bytes(first_child),
            children: u32::from_le_bytes(children),
            exact: u32::from_le_bytes(exact),
            one_label: u32::from_le_bytes(one_label),
            any_depth: u32::from_le_bytes(any_depth),
        })
    }

    pub(crate) fn label<'a>(&self, image: &'a [u8], node: &Node) -> Option<&'a [u8]> {
        let start = self.labels_at.checked_add(node.label_at as usize)?;
        image.get(start..start.checked_add(node.label_len as usize)?)
    }

    fn address(&self, image: &[u8], index: usize) -> Option<(AddressKey, u32)> {
        let at = self.addresses_at.checked_add(index.checked_mul(ADDRESS_LEN)?)?;
        let octets: &[u8; 16] = image.get(at.checked_add(WORD)?..)?.first_chunk()?;
        Some(((word(image, at)?, *octets), word(image, at.checked_add(WORD + 16)?)?))
    }

    /// The value of `address`, by binary search.
    pub(crate) fn find_address(&self, image: &[u8], address: IpAddr) -> Option<u32> {
        let wanted = address_key(address);
        let found = binary_search(self.addresses, |index| {
            self.address(image, index).map(|(key, _)| key.cmp(&wanted))
        })?;
        self.address(image, found).map(|(_, value)| value)
    }

    /// The virtual host and the group of entry `index`.
    pub(crate) fn entry(&self, image: &[u8], index: usize) -> Option<(u32, u32)> {
        pair(image, self.entries_at, index)
    }

    fn group(&self, image: &[u8], index: usize) -> Option<(u32, u32)> {
        pair(image, self.groups_at, index)
    }

    /// The policy bits of group `id`, by binary search.
    pub(crate) fn find_group(&self, image: &[u8], id: u32) -> Option<u32> {
        let found = binary_search(self.groups, |index| {
            self.group(image, index).map(|(found, _)| found.cmp(&id))
        })?;
        self.group(image, found).map(|(_, bits)| bits)
    }
}

/// An address as its section sorts it.
pub(crate) type AddressKey = (u32, [u8; 16]);

pub(crate) fn address_key(address: IpAddr) -> AddressKey {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            (4, [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        }
        IpAddr::V6(v6) => (6, v6.octets()),
    }
}

/// A byte that a folded label may hold.
fn is_canonical(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_')
}

fn word(image: &[u8], at: usize) -> Option<u32> {
    image.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

fn pair(image: &[u8], section: usize, index: usize) -> Option<(u32, u32)> {
    let at = section.checked_add(index.checked_mul(PAIR_LEN)?)?;
    Some((word(image, at)?, word(image, at.checked_add(WORD)?)?))
}

/// Finds an index below `len` for which `compare` says `Equal`. `None` from `compare` ends the
/// search without a result, which is how an unreadable place fails closed.
pub(crate) fn binary_search(
    len: usize,
    compare: impl Fn(usize) -> Option<core::cmp::Ordering>,
) -> Option<usize> {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low.midpoint(high);
        match compare(middle)? {
            core::cmp::Ordering::Less => low = middle.checked_add(1)?,
            core::cmp::Ordering::Equal => return Some(middle),
            core::cmp::Ordering::Greater => high = middle,
        }
    }
    None
}

/// Why bytes are no image. Offsets count bytes from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageError {
    /// The first bytes are not `COAL`.
    Magic,
    /// Another version of the format, or another kind of image.
    Version {
        /// The header word found.
        found: u32,
        /// The header word expected.
        expected: u32,
    },
    /// Too short for its header, or longer or shorter than its sections.
    Length {
        /// The length found, in bytes.
        len: usize,
    },
    /// More of something than any image may hold.
    Count {
        /// Where the count is.
        at: usize,
        /// The count found.
        count: usize,
        /// The count allowed.
        max: usize,
    },
    /// A node whose label, order, children or kinds of value are wrong.
    Node {
        /// Where the node is.
        at: usize,
    },
    /// An address out of order or of no known family.
    Address {
        /// Where the address is.
        at: usize,
    },
    /// An entry that names a group the image does not have.
    Entry {
        /// Where the entry is.
        at: usize,
    },
    /// A group out of order, or with policies that do not exist.
    Group {
        /// Where the group is.
        at: usize,
    },
    /// A value that is no index.
    Value {
        /// Where the value is.
        at: usize,
        /// The value found.
        value: u32,
    },
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Magic => f.write_str("not a table image: it does not start with COAL"),
            Self::Version { found, expected } => {
                write!(f, "image of version and kind {found:#010x}; {expected:#010x} expected")
            }
            Self::Length { len } => write!(f, "image of {len} bytes does not hold its sections"),
            Self::Count { at, count, max } => {
                write!(f, "count {count} at byte {at}; at most {max} allowed")
            }
            Self::Node { at } => write!(f, "node at byte {at} is out of place"),
            Self::Address { at } => write!(f, "address at byte {at} is out of place"),
            Self::Entry { at } => write!(f, "entry at byte {at} names no group of this image"),
            Self::Group { at } => write!(f, "group at byte {at} is out of place"),
            Self::Value { at, value } => write!(f, "value {value} at byte {at} is no index"),
        }
    }
}

impl core::error::Error for ImageError {}
