//! Breaks each rule of the format by hand. The checksum and everything else stay right.

mod by_hand;
mod compact;
mod fast;
mod head;

use coalesce_core::{
    AuthorityTable, FormatError as E, GroupId, GroupPolicy, IdentifierSet, Layout, NamePattern,
    VirtualHostId,
};

use crate::format::repair;

/// Offsets of the header's fields.
const NAMES: usize = 16;
const SLOTS: usize = 20;
const BUCKETS: usize = 24;
const ADDRESSES: usize = 32;
const PAIRS: usize = 36;
const GROUPS: usize = 40;
const LONG_BYTES: usize = 44;
const BLOCKS: usize = 48;
const BLOCK_BYTES: usize = 52;
const CATCH_ALL: usize = 56;
const HOST_BITS: usize = 60;
const LONGEST_EXACT: usize = 61;
const LONGEST_ONE_LABEL: usize = 62;
const FLAGS: usize = 63;
const ANY_DEPTH: usize = 64;
const HEADER: usize = 96;

/// The length of a slot: three words of key and a value.
const SLOT: usize = 28;
const SHAPE_SHIFT: u32 = 5;

fn word(image: &[u8], at: usize) -> usize {
    u32::from_le_bytes(image[at..at + 4].try_into().unwrap()) as usize
}

fn with(image: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut image = image.to_vec();
    image[at..at + bytes.len()].copy_from_slice(bytes);
    image
}

fn with_word(image: &[u8], at: usize, word: u32) -> Vec<u8> {
    with(image, at, &word.to_le_bytes())
}

fn with_byte(image: &[u8], at: usize, byte: u8) -> Vec<u8> {
    with(image, at, &[byte])
}

/// The offsets of the sections. The images here are small, so a slot number is one byte.
struct At {
    groups: usize,
    pairs: usize,
    addresses: usize,
    pilots: usize,
    /// Fast: the tags. Compact: the places.
    tags: usize,
    order: usize,
    slots: usize,
    block_starts: usize,
    blocks: usize,
    long: usize,
}

impl At {
    fn from_image(image: &[u8]) -> Self {
        let groups = HEADER;
        let pairs = groups + word(image, GROUPS) * 8;
        let addresses = pairs + word(image, PAIRS) * 8;
        let pilots = addresses + word(image, ADDRESSES) * 24;
        let tags = pilots + word(image, BUCKETS);
        let order = tags + word(image, SLOTS);
        let slots = order + word(image, NAMES);
        let (block_starts, blocks) = (order, order + word(image, BLOCKS) * 4);
        let long = image.len() - word(image, LONG_BYTES);
        Self { groups, pairs, addresses, pilots, tags, order, slots, block_starts, blocks, long }
    }

    /// Returns the slot of the name with this number, and its offset.
    fn slot(&self, image: &[u8], number: usize) -> (usize, usize) {
        let slot = usize::from(image[self.order + number]);
        (slot, self.slots + slot * SLOT)
    }

    /// Returns a vacant slot and its offset.
    fn vacant(&self, image: &[u8]) -> (usize, usize) {
        let slots = (0..word(image, SLOTS)).map(|slot| (slot, self.slots + slot * SLOT));
        slots.into_iter().find(|(_, at)| image[*at..*at + 24] == [0; 24]).unwrap()
    }
}

fn table(layout: Layout, hosts: u32, entries: &[(&str, u32)]) -> Vec<u8> {
    let mut table = AuthorityTable::builder();
    for id in [1, 5, 9] {
        table.group(GroupId::new(id), GroupPolicy::default()).unwrap();
    }
    for (number, (text, group)) in (hosts..).zip(entries) {
        let pattern = NamePattern::parse(text.as_bytes()).unwrap();
        table.entry(pattern, VirtualHostId::new(number), GroupId::new(*group)).unwrap();
    }
    table.layout(layout).build().unwrap().as_bytes().to_vec()
}

#[track_caller]
fn assert_table(case: &str, mut image: Vec<u8>, error: E) {
    repair(&mut image);
    let refused = AuthorityTable::from_bytes(&image)
        .map(|table| table.entries().map(|entry| entry.pattern.to_string()).collect::<Vec<_>>());
    assert_eq!(refused, Err(error), "{case}");
}

#[track_caller]
fn assert_set(case: &str, mut image: Vec<u8>, error: E) {
    repair(&mut image);
    let refused = IdentifierSet::from_bytes(&image)
        .map(|set| set.identifiers().map(|pattern| pattern.to_string()).collect::<Vec<_>>());
    assert_eq!(refused, Err(error), "{case}");
}

/// Entries in canonical order, with addresses and a catch-all, and a value of each group.
const ENTRIES: &[(&str, u32)] = &[
    ("a.test", 1),
    ("b.test", 5),
    ("*.c.test", 9),
    ("a-name-of-more-than-thirty-bytes.d.test", 1),
    ("**.e-f.test", 1),
    ("192.0.2.1", 1),
    ("192.0.2.2", 5),
    ("::1", 1),
    ("*", 1),
];

fn code(byte: u8) -> u64 {
    u64::from(match byte {
        b'a'..=b'z' => byte - b'a' + 1,
        b'_' => 31,
        b'-' => 45,
        b'.' => 46,
        b'0'..=b'9' => byte - b'0' + 48,
        // Bytes that are not allowed in a name have a code as well.
        other => other & 0x3f,
    })
}

/// Writes `bits` bits of `number` at bit `at`.
fn put(bytes: &mut [u8], at: usize, bits: usize, number: u64) {
    for bit in 0..bits {
        if number >> bit & 1 == 1 {
            bytes[(at + bit) / 8] |= 1 << ((at + bit) % 8);
        }
    }
}
