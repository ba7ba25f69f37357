//! Each rule of the format, broken by hand: the checksum is right, and so is all the rest.

use coalesce_core::limits::{ENTRIES_MAX, GROUPS_MAX, IDENTIFIERS_MAX, LONG_NAME_BYTES_MAX};
use coalesce_core::{
    AuthorityTable, GroupId, GroupPolicy, IdentifierSet, ImageError as E, Layout, NamePattern,
    VirtualHostId,
};

use crate::build::build_set;
use crate::format::repair;
use crate::images::{assert_covers_what_it_lists, assert_is_what_it_lists};

/// Where the header's fields stand.
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

/// Three words of key and a value.
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

/// Where the sections start. Images here are small: a slot's number is one byte.
struct At {
    groups: usize,
    pairs: usize,
    addresses: usize,
    pilots: usize,
    /// Fast: of the tags. Compact: of the places.
    tags: usize,
    order: usize,
    slots: usize,
    block_starts: usize,
    blocks: usize,
    long: usize,
}

impl At {
    fn of(image: &[u8]) -> Self {
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

    /// The slot of the name with this number, and where it stands.
    fn slot(&self, image: &[u8], number: usize) -> (usize, usize) {
        let slot = usize::from(image[self.order + number]);
        (slot, self.slots + slot * SLOT)
    }

    /// A slot where no name stands.
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
fn assert_table(what: &str, mut image: Vec<u8>, error: E) {
    repair(&mut image);
    let refused = AuthorityTable::from_bytes(&image)
        .map(|table| table.entries().map(|entry| entry.pattern.to_string()).collect::<Vec<_>>());
    assert_eq!(refused, Err(error), "{what}");
}

#[track_caller]
fn assert_set(what: &str, mut image: Vec<u8>, error: E) {
    repair(&mut image);
    let refused = IdentifierSet::from_bytes(&image)
        .map(|set| set.identifiers().map(|pattern| pattern.to_string()).collect::<Vec<_>>());
    assert_eq!(refused, Err(error), "{what}");
}

/// In canonical order; with the addresses and the catch-all, a value of each group.
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

#[test]
fn the_head_of_an_image_is_of_this_format() {
    for layout in [Layout::Fast, Layout::Compact] {
        let image = table(layout, 0, ENTRIES);
        let len = image.len();
        let length = |len| E::Length { len };
        assert_table("nothing", vec![], length(0));
        assert_table("half a magic", b"CO".to_vec(), length(2));
        assert_table("no more than a magic", b"COAL".to_vec(), length(4));
        assert_table("another magic", with_byte(&image, 3, b'l'), E::Magic);
        let expected = u32::from_le_bytes([3, 2, 1, 0]);
        for (at, byte) in [(4, 2), (4, 4), (5, 0), (5, 1), (5, 3), (6, 0), (6, 3), (7, 1)] {
            let other = with_byte(&image, at, byte);
            let found = u32::from_le_bytes(other[4..8].try_into().unwrap());
            assert_table("another version", other, E::Version { found, expected });
        }
        assert_table("a header cut short", image[..95].to_vec(), length(95));
        assert_table("a byte short", image[..len - 1].to_vec(), length(len - 1));
        assert_table("a byte long", [&image[..], b"x"].concat(), length(len + 1));
        if layout == Layout::Compact {
            let damaged = with_word(&image, BLOCK_BYTES, u32::MAX);
            assert_table("sections beyond 4 GiB", damaged, length(len));
        }

        let names = word(&image, NAMES);
        let counts = [
            (NAMES, ENTRIES_MAX),
            (SLOTS, names * 2 + 2),
            (BUCKETS, names * 2 + 2),
            (ADDRESSES, ENTRIES_MAX),
            (PAIRS, ENTRIES_MAX),
            (GROUPS, GROUPS_MAX),
            (LONG_BYTES, LONG_NAME_BYTES_MAX),
        ];
        for (at, max) in counts {
            let count = max + 1;
            let damaged = with_word(&image, at, u32::try_from(count).unwrap());
            assert_table("one too many", damaged, E::Count { at, count, max });
            let damaged = with_word(&image, at, u32::MAX);
            let count = u32::MAX as usize;
            assert_table("far too many", damaged, E::Count { at, count, max });
        }
        let sum = with_byte(&image, 8, image[8] ^ 1);
        let [stored, computed] =
            [&sum, &image].map(|image| u64::from_le_bytes(image[8..16].try_into().unwrap()));
        let refused = AuthorityTable::from_bytes(&sum).unwrap_err();
        assert_eq!(refused, E::Checksum { stored, computed });
    }
    let set = build_set(&["a.test".to_owned()]).as_bytes().to_vec();
    for (at, max) in
        [(NAMES, IDENTIFIERS_MAX), (ADDRESSES, IDENTIFIERS_MAX), (PAIRS, 0), (GROUPS, 0)]
    {
        let damaged = with_word(&set, at, u32::try_from(max + 1).unwrap());
        assert_set("one too many", damaged, E::Count { at, count: max + 1, max });
    }
    // There are more places than names, or a name would stand in none.
    let slots = u32::try_from(word(&set, SLOTS)).unwrap();
    let short = with_word(&set, SLOTS, 0);
    let cut = short.len() - (slots as usize) * (SLOT + 1);
    assert_set("fewer slots than names", short[..cut].to_vec(), E::Length { len: cut });
}

#[test]
fn groups_pairs_and_addresses_are_sorted_and_of_known_kinds() {
    for layout in [Layout::Fast, Layout::Compact] {
        let image = table(layout, u32::MAX - 20, ENTRIES);
        let at = At::of(&image);
        assert!(word(&image, PAIRS) > 2);
        let (first, second) = (E::Group { at: at.groups }, E::Group { at: at.groups + 8 });
        let policy = |bits| with_word(&image, at.groups + 4, bits);
        assert_table("groups out of order", with_word(&image, at.groups, 6), second);
        assert_table("a group twice", with_word(&image, at.groups, 5), second);
        assert_table("coalescing policy 3", policy(3), first);
        assert_table("unknown-authority policy 2", policy(2 << 2), first);
        assert_table("unknown-authority policy 3", policy(3 << 2), first);
        assert_table("CONNECT policy 3", policy(3 << 4), first);
        assert_table("a policy bit beyond all", policy(1 << 31), first);

        let (first, second) = (E::Pair { at: at.pairs }, E::Pair { at: at.pairs + 8 });
        assert_table("a pair of no group", with_word(&image, at.pairs + 4, 3), first);
        assert_table("pairs out of order", with_word(&image, at.pairs, u32::MAX), second);
        let twice = with(&image, at.pairs + 8, &image[at.pairs..at.pairs + 8]);
        assert_table("a pair twice", twice, second);
        let bits = with_byte(&image, HOST_BITS, 1);
        assert_table("pairs, and bits of a virtual host", bits, E::Header { at: HOST_BITS });

        let one = E::Address { at: at.addresses };
        let two = E::Address { at: at.addresses + 24 };
        let put = |offset: usize, byte| with_byte(&image, at.addresses + offset, byte);
        assert_table("a family that is none", put(0, 5), one);
        assert_table("a family that is none", put(3, 1), one);
        assert_table("an IPv4 address of five octets", put(8, 1), one);
        assert_table("an IPv4 address of sixteen octets", put(19, 1), one);
        assert_table("an address twice", put(7, 2), two);
        assert_table("addresses out of order", put(7, 3), two);
        let third = E::Address { at: at.addresses + 48 };
        assert_table("families out of order", put(24, 6), third);
        let pairs = u32::try_from(word(&image, PAIRS)).unwrap();
        let value = with_word(&image, at.addresses + 20, pairs);
        assert_table("an address of no pair", value, E::Value { at: at.addresses, value: pairs });
    }
}

#[test]
fn what_the_header_says_is_so() {
    for layout in [Layout::Fast, Layout::Compact] {
        let image = table(layout, 0, ENTRIES);
        let header = |at| E::Header { at };
        assert_table("a flag that is none", with_byte(&image, FLAGS, 3), header(FLAGS));
        let bits = with_byte(&image, HOST_BITS, 31);
        // Nine virtual hosts take four bits, three groups two.
        assert_eq!(image[HOST_BITS], 4);
        assert_table("33 bits of a value", bits, header(HOST_BITS));
        let catch_all = with_word(&image, CATCH_ALL, 3 << 4);
        let value = E::Value { at: CATCH_ALL, value: 3 << 4 };
        assert_table("a catch-all in no group", catch_all, value);
        let value = u32::try_from(word(&image, CATCH_ALL)).unwrap();
        let none = E::Value { at: CATCH_ALL, value };
        assert_table("a catch-all that is none", with_byte(&image, FLAGS, 0), none);
        let exact = with_byte(&image, LONGEST_EXACT, image[LONGEST_EXACT] + 1);
        assert_table("a longer exact name", exact, header(LONGEST_EXACT));
        let exact = with_byte(&image, LONGEST_EXACT, image[LONGEST_EXACT] - 1);
        assert_table("a shorter exact name", exact, header(LONGEST_EXACT));
        let one_label = with_byte(&image, LONGEST_ONE_LABEL, image[LONGEST_ONE_LABEL] + 1);
        assert_table("a longer one-label suffix", one_label, header(LONGEST_ONE_LABEL));
        let one_label = with_byte(&image, LONGEST_ONE_LABEL, 0);
        assert_table("no one-label suffix", one_label, header(LONGEST_ONE_LABEL));
        for bit in 0..256 {
            let at = ANY_DEPTH + bit / 8;
            let damaged = with_byte(&image, at, image[at] ^ 1 << (bit % 8));
            assert_table("any depth of another length", damaged, header(ANY_DEPTH));
        }
        let blocks = u32::try_from(word(&image, BLOCKS)).unwrap();
        if layout == Layout::Fast {
            assert_table("blocks", with_word(&image, BLOCKS, blocks + 1), header(BLOCKS));
        } else {
            let at = At::of(&image);
            let mut more = with_word(&image, BLOCKS, blocks + 1);
            more.splice(at.blocks..at.blocks, [0; 4]);
            assert_table("a block too many", more, header(BLOCKS));
        }
    }
    let set = build_set(&["a.test", "*.b.test", "::1"].map(str::to_owned)).as_bytes().to_vec();
    assert_set("an identifier for everything", with_byte(&set, FLAGS, 1), E::Header { at: FLAGS });
    assert_set("any depth", with_byte(&set, ANY_DEPTH, 64), E::Header { at: FLAGS });
    assert_set("a virtual host", with_byte(&set, HOST_BITS, 1), E::Header { at: HOST_BITS });
    let value = E::Value { at: CATCH_ALL, value: 1 };
    assert_set("a catch-all", with_word(&set, CATCH_ALL, 1), value);
    assert_set("blocks", with_word(&set, BLOCKS, 1), E::Header { at: BLOCKS });
}

#[test]
fn a_fast_name_stands_where_it_is_looked_for() {
    let image = table(Layout::Fast, 0, ENTRIES);
    let at = At::of(&image);
    let names = word(&image, NAMES);
    assert_eq!(names, 5);
    for number in 0..names {
        let (slot, slot_at) = at.slot(&image, number);
        let bad = E::Name { at: slot_at };
        let tag = at.tags + slot;
        assert_table("another tag", with_byte(&image, tag, image[tag] ^ 0x80), bad);
        let shape = image[slot_at] | 3 << SHAPE_SHIFT;
        assert_table("a shape that is none", with_byte(&image, slot_at, shape), bad);
        for bit in 7..12 {
            let byte = slot_at + bit / 8;
            let damaged = with_byte(&image, byte, image[byte] ^ 1 << (bit % 8));
            assert_table("bits that mean nothing", damaged, bad);
        }
        let value = with_word(&image, slot_at + 24, 3 << 4);
        assert_table("a group that is none", value, E::Value { at: slot_at, value: 3 << 4 });
        let gone = with(&image, slot_at, &[0; SLOT]);
        assert_table("a name that is missing", gone.clone(), E::Header { at: NAMES });
        let (vacant, vacant_at) = at.vacant(&image);
        let moved = with(&gone, vacant_at, &image[slot_at..slot_at + SLOT]);
        let moved = with_byte(&moved, at.tags + vacant, image[tag]);
        assert_table("a name elsewhere", moved, E::Name { at: vacant_at });
        let twice = with(&image, vacant_at, &image[slot_at..slot_at + SLOT]);
        let twice = with_byte(&twice, at.tags + vacant, image[tag]);
        assert_table("a name twice", twice, E::Name { at: vacant_at });
    }
    let (_, vacant_at) = at.vacant(&image);
    for byte in [0, 8, 16, 24] {
        let damaged = with_byte(&image, vacant_at + byte, 1);
        assert_table("a vacant slot that is not empty", damaged, E::Name { at: vacant_at });
    }
    for number in 0..names {
        let order = at.order + number;
        let (vacant, _) = at.vacant(&image);
        let to_vacant = with_byte(&image, order, u8::try_from(vacant).unwrap());
        assert_table("the order names no name", to_vacant, E::Order { number });
        for none in [u8::try_from(word(&image, SLOTS)).unwrap(), 0xff] {
            let beyond = with_byte(&image, order, none);
            assert_table("the order names no slot", beyond, E::Order { number });
        }
        if number > 0 {
            let twice = with_byte(&image, order, image[order - 1]);
            assert_table("the order names one twice", twice, E::Order { number });
            let swapped = with(&image, order - 1, &[image[order], image[order - 1]]);
            assert_table("the order is none", swapped, E::Order { number });
        }
    }
    // The long name is the fourth; its bytes are all that the pool has.
    let (_, slot) = at.slot(&image, 3);
    let bad = E::Name { at: slot };
    assert_table("a long name from another place", with_byte(&image, slot + 8, 1), bad);
    assert_table("a long name from far away", with_byte(&image, slot + 15, 1), bad);
    assert_table("a long name with a third word", with_byte(&image, slot + 16, 1), bad);
    assert_table("a long name that is longer", with_byte(&image, slot + 3, 1), bad);
    let upper = with_byte(&image, at.long + 2, b'N');
    assert_table("a long name in upper case", upper, bad);
    assert_table("a long name that is none", with_byte(&image, at.long + 2, b'!'), bad);
    assert_table("another long name", with_byte(&image, at.long + 2, b'm'), bad);
}

#[test]
fn an_identifiers_value_is_its_number() {
    let names = ["a.test", "b.test", "*.c.test", "192.0.2.1", "::1"].map(str::to_owned);
    let image = build_set(&names).as_bytes().to_vec();
    let at = At::of(&image);
    for number in 0..3 {
        let (_, slot) = at.slot(&image, number);
        for other in (0..5).filter(|other| *other as usize != number) {
            let damaged = with_word(&image, slot + 24, other);
            assert_set("another's number", damaged, E::Order { number });
        }
        let error = E::Value { at: slot, value: 5 };
        assert_set("nobody's number", with_word(&image, slot + 24, 5), error);
    }
    for number in 0..2 {
        let address = at.addresses + number * 24;
        let error = |value| E::Value { at: address, value };
        for value in [0, 4 - u32::try_from(number).unwrap(), 5, u32::MAX] {
            assert_set("an address's number", with_word(&image, address + 20, value), error(value));
        }
    }
}

#[test]
fn compact_names_stand_in_blocks_one_after_the_other() {
    let texts: Vec<String> = (10..30).map(|number| format!("n{number}.test")).collect();
    let entries: Vec<(&str, u32)> = texts.iter().map(|text| (text.as_str(), 1)).collect();
    let image = table(Layout::Compact, 0, &entries);
    let at = At::of(&image);
    assert_eq!(word(&image, BLOCKS), 2);
    let second = word(&image, at.block_starts + 4);
    let start = |block: usize, start: u32| with_word(&image, at.block_starts + block * 4, start);
    let name = |offset: usize| E::Name { at: at.blocks + offset };
    let length = |len| E::Length { len };
    assert_table("a first block elsewhere", start(0, 1), name(1));
    assert_table("the first block twice", start(1, 0), name(0));
    let next = u32::try_from(second + 1).unwrap();
    assert_table("a gap between blocks", start(1, next), name(second + 1));
    let far = E::Name { at: at.blocks + u32::MAX as usize };
    assert_table("a block far away", start(1, u32::MAX), far);
    let names = word(&image, NAMES);
    for slot in 0..word(&image, SLOTS) {
        let place = at.tags + slot;
        // Twenty names leave slots vacant, whose places nothing rests on.
        let mut damaged = with_byte(&image, place, image[place] ^ 0x80);
        repair(&mut damaged);
        match AuthorityTable::from_bytes(&damaged[..]) {
            Ok(table) => assert_is_what_it_lists(&table, &[]),
            Err(error) => assert!(matches!(error, E::Name { .. }), "{error:?}"),
        }
        let mut damaged = with_byte(&image, place, image[place] ^ 1);
        repair(&mut damaged);
        let refused = AuthorityTable::from_bytes(&damaged).is_err();
        assert!(refused || image[place] == 0, "slot {slot} of a name leads to the other block");
    }
    assert_eq!(names, 20);
    // The head of a record: five bits shared, five of its own, two of shape.
    let head = u16::from_le_bytes(image[at.blocks..at.blocks + 2].try_into().unwrap());
    assert_eq!((head & 31, head >> 5 & 31, head >> 10 & 3), (0, 8, 0));
    let with_head = |head: u16| with(&image, at.blocks, &head.to_le_bytes());
    assert_table("a shape that is none", with_head(head | 3 << 10), name(0));
    assert_table("another shape", with_head(head | 1 << 10), name(0));
    assert_table("nothing of its own, nothing shared", with_head(head & !(31 << 5)), name(0));
    assert_table("shared with no name before it", with_head(head | 1), name(0));
    let longer = (head & !(31 << 5)) | 30 << 5 | 1;
    assert_table("31 bytes that are no long name", with_head(longer), name(0));
    let long = head | 31 << 5;
    assert_table("a long name where there is none", with_head(long), name(0));
    let blocks = at.blocks..at.long;
    for bytes in (0..44).filter(|bytes| *bytes != 40) {
        // Zeros behind the last block let reading ahead stay inside: with fewer, a name is cut.
        let mut other = image[..blocks.end - 40].to_vec();
        other.resize(blocks.end - 40 + bytes, 0);
        let len = u32::try_from(word(&image, BLOCK_BYTES) - 40 + bytes).unwrap();
        let mut other = with_word(&other, BLOCK_BYTES, len);
        repair(&mut other);
        let refused = AuthorityTable::from_bytes(&other).map(|table| table.len()).unwrap_err();
        let expected = matches!(refused, E::Name { .. } | E::Length { .. });
        assert!(expected, "{bytes} bytes behind the blocks: {refused:?}");
    }
    for at in blocks.end - 40..blocks.end {
        assert_table("no zeros behind the blocks", with_byte(&image, at, 1), length(image.len()));
    }
}

/// An image with one name, written by hand: the order of its sections and the bits of its records.
struct One<'a> {
    kind: u8,
    layout: Layout,
    /// The name, or what a hand-made key says of one.
    name: &'a [u8],
    shape: u8,
    /// Added to the words of the key.
    extra: [u64; 3],
}

fn code(byte: u8) -> u64 {
    u64::from(match byte {
        b'a'..=b'z' => byte - b'a' + 1,
        b'_' => 31,
        b'-' => 45,
        b'.' => 46,
        b'0'..=b'9' => byte - b'0' + 48,
        // What no name holds is coded all the same.
        other => other & 0x3f,
    })
}

/// Puts `bits` bits of `number` at bit `at`.
fn put(bytes: &mut [u8], at: usize, bits: usize, number: u64) {
    for bit in 0..bits {
        if number >> bit & 1 == 1 {
            bytes[(at + bit) / 8] |= 1 << ((at + bit) % 8);
        }
    }
}

impl One<'_> {
    fn long(&self) -> bool {
        self.name.len() > 30
    }

    /// The name's place among two slots, under one pilot, and its tag.
    fn image(&self, slot: usize, tag: u8) -> Vec<u8> {
        let table = self.kind == 2;
        let fast = self.layout == Layout::Fast;
        let len = self.name.len();
        let mut image = b"COAL".to_vec();
        image.extend([3, self.kind, if fast { 1 } else { 2 }, 0]);
        image.resize(HEADER, 0);
        let put_word = |image: &mut Vec<u8>, at: usize, word: usize| {
            image[at..at + 4].copy_from_slice(&u32::try_from(word).unwrap().to_le_bytes());
        };
        put_word(&mut image, NAMES, 1);
        put_word(&mut image, SLOTS, 2);
        put_word(&mut image, BUCKETS, 2);
        put_word(&mut image, GROUPS, usize::from(table));
        put_word(&mut image, LONG_BYTES, if self.long() { len } else { 0 });
        let byte = u8::try_from(len).unwrap();
        match self.shape {
            0 => image[LONGEST_EXACT] = byte,
            1 => image[LONGEST_ONE_LABEL] = byte,
            _ => image[ANY_DEPTH + len / 8] = 1 << (len % 8),
        }
        if table {
            image.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        }
        // The pilots of two buckets.
        image.extend([0, 0]);
        let mut tags = [0; 2];
        tags[slot] = tag;
        image.extend(tags);
        if fast {
            image.push(u8::try_from(slot).unwrap());
            let mut slots = [0; 2 * SLOT + 4];
            slots[slot * SLOT..][..24].copy_from_slice(&self.key());
            image.extend(slots);
        } else {
            image.extend([0; 4]);
            let value_bits = usize::from(!table);
            let codes = if self.long() { 40 } else { len * 6 };
            let used = (12 + value_bits + codes).div_ceil(8);
            let mut block = vec![0; used + 40];
            put(&mut block, 5, 5, if self.long() { 31 } else { len as u64 });
            put(&mut block, 10, 2, u64::from(self.shape));
            if self.long() {
                put(&mut block, 12 + value_bits, 8, len as u64);
            } else {
                // Label by label from the right.
                let labels: Vec<&[u8]> = self.name.rsplit(|byte| *byte == b'.').collect();
                for (at, byte) in labels.join(&b'.').iter().enumerate() {
                    put(&mut block, 12 + value_bits + at * 6, 6, code(*byte));
                }
            }
            put_word(&mut image, BLOCKS, 1);
            put_word(&mut image, BLOCK_BYTES, block.len());
            image.extend(block);
        }
        if self.long() {
            image.extend(self.name);
        }
        repair(&mut image);
        image
    }

    fn key(&self) -> [u8; 24] {
        let mut key = [0; 24];
        let len = self.name.len();
        put(&mut key, SHAPE_SHIFT as usize, 2, u64::from(self.shape));
        if self.long() {
            put(&mut key, 12, 8, len as u64);
        } else {
            put(&mut key, 0, 5, len as u64);
            for (at, byte) in self.name.iter().enumerate() {
                put(&mut key, 192 - 6 * (len - at), 6, code(*byte));
            }
        }
        for (bytes, extra) in key.chunks_mut(8).zip(self.extra) {
            let word = u64::from_le_bytes((&*bytes).try_into().unwrap()) | extra;
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        key
    }

    /// In how many of all possible places under all possible tags the name is accepted: in one,
    /// or, if it is none, in no place at all. Every refusal is for the name's sake.
    fn accepted(&self) -> usize {
        let mut accepted = 0;
        for slot in 0..2 {
            for tag in 0..=u8::MAX {
                let image = self.image(slot, tag);
                let refused = if self.kind == 2 {
                    let table = AuthorityTable::from_bytes(&image[..]);
                    table.map(|table| assert_is_what_it_lists(&table, &[])).err()
                } else {
                    let set = IdentifierSet::from_bytes(&image[..]);
                    set.map(|set| assert_covers_what_it_lists(&set, &[])).err()
                };
                match refused {
                    None => accepted += 1,
                    Some(error) => assert!(matches!(error, E::Name { .. }), "{error:?}"),
                }
            }
        }
        accepted
    }
}

/// Syntax, not only places: a name that is none is refused even where it would be found.
#[test]
fn a_stored_name_is_a_name_wherever_it_stands() {
    let label = "l".repeat(63);
    let full = format!("{label}.{label}.{label}.{}", "m".repeat(61));
    let too_long = format!("{full}m");
    let long_label = format!("l{label}");
    let numeric = "abcdefghijklmnopqrstuvwxyz.123";
    let thirty = "abcdefghijklmnopqrstuvwxyz.12a";
    let cases: &[(&str, bool)] = &[
        ("a", true),
        ("a.test", true),
        ("x_y-0.test", true),
        (thirty, true),
        ("abcdefghijklmnopqrstuvwxyzabcde", true),
        ("abcdefghijklmnopqrstuvwxyz.abcde", true),
        (&label, true),
        (&full, true),
        ("-a.test", false),
        ("a-.test", false),
        ("a.test-", false),
        (".a.test", false),
        ("a..test", false),
        ("a.test.", false),
        ("a!.test", false),
        ("a[.test", false),
        ("@.test", false),
        ("a.1", false),
        ("a.0x1", false),
        (numeric, false),
        ("abcdefghijklmnopqrstuvwxyz.-abcde", false),
        ("abcdefghijklmnopqrstuvwxyz!abcde", false),
        ("abcdefghijklmnopqrstuvwxyz.12345", false),
        ("abcdefghijklmnopqrstuvwxyz.abcde.", false),
        ("Abcdefghijklmnopqrstuvwxyz.abcde", false),
        (&long_label, false),
        (&too_long, false),
    ];
    for (name, good) in cases {
        for (kind, shape) in [(1, 0), (1, 1), (2, 0), (2, 1), (2, 2)] {
            for layout in [Layout::Fast, Layout::Compact] {
                if kind == 1 && layout == Layout::Compact {
                    continue;
                }
                let one = One { kind, layout, name: name.as_bytes(), shape, extra: [0; 3] };
                // A presented wildcard's own label counts.
                let good = *good && (kind, shape, name.len() > 251) != (1, 1, true);
                let expected = usize::from(good);
                assert_eq!(one.accepted(), expected, "{name} {kind} {shape} {layout:?}");
            }
        }
    }
    // RFC 9525 §6.3: no identifier stands for several labels. The header says so already.
    let any_depth = One { kind: 1, layout: Layout::Fast, name: b"a.test", shape: 2, extra: [0; 3] };
    let mut image = any_depth.image(0, 0);
    image[ANY_DEPTH] = 0;
    for (slot, tag) in (0..2).flat_map(|slot| (0..=u8::MAX).map(move |tag| (slot, tag))) {
        let mut image = any_depth.image(slot, tag);
        image[ANY_DEPTH] = 0;
        repair(&mut image);
        let refused = IdentifierSet::from_bytes(&image).unwrap_err();
        assert!(matches!(refused, E::Name { .. }), "{refused:?}");
    }
}

/// The bits of a key that say nothing are zero wherever it stands: no lookup asks for others.
#[test]
fn a_key_has_no_other_bits() {
    let short = |extra| One { kind: 2, layout: Layout::Fast, name: b"a.test", shape: 0, extra };
    let name = b"abcdefghijklmnopqrstuvwxyz.abcde";
    let long = |extra| One { kind: 2, layout: Layout::Fast, name, shape: 0, extra };
    assert_eq!((short([0; 3]).accepted(), long([0; 3]).accepted()), (1, 1));
    for extra in [[1 << 7, 0, 0], [1 << 11, 0, 0], [1 << 12, 0, 0], [0, 1, 0], [0, 0, 1]] {
        assert_eq!(short(extra).accepted(), 0, "{extra:?}");
    }
    for extra in
        [[1 << 7, 0, 0], [1 << 11, 0, 0], [1 << 20, 0, 0], [1 << 63, 0, 0], [0, 1, 0], [0, 0, 1]]
    {
        assert_eq!(long(extra).accepted(), 0, "{extra:?}");
    }
}

/// What a hand-made image holds is what the builder writes.
#[test]
fn the_builder_writes_what_the_format_says() {
    for layout in [Layout::Fast, Layout::Compact] {
        for name in ["a.test", "abcdefghijklmnopqrstuvwxyz.abcde"] {
            for (shape, stars) in ["", "*.", "**."].into_iter().enumerate() {
                let mut table = AuthorityTable::builder();
                table.group(GroupId::new(1), GroupPolicy::default()).unwrap();
                let text = format!("{stars}{name}");
                let pattern = NamePattern::parse(text.as_bytes()).unwrap();
                table.entry(pattern, VirtualHostId::new(0), GroupId::new(1)).unwrap();
                let built = table.layout(layout).build().unwrap();
                let shape = u8::try_from(shape).unwrap();
                let name = name.as_bytes();
                let one = One { kind: 2, layout, name, shape, extra: [0; 3] };
                let mut images = (0..2).flat_map(|slot| (0..=u8::MAX).map(move |tag| (slot, tag)));
                let same = |(slot, tag)| one.image(slot, tag) == built.as_bytes();
                assert!(images.any(same), "{text} in {layout:?}");
            }
        }
    }
}

/// The fast layout has no blocks: what the header says of their bytes would be one more way to
/// write the same table.
#[test]
fn a_fast_image_has_no_bytes_of_blocks() {
    let image = table(Layout::Fast, 0, ENTRIES);
    let error = E::Header { at: BLOCK_BYTES };
    assert_table("bytes of blocks", with_word(&image, BLOCK_BYTES, 1), error);
}

/// Behind the last slot are zeros, or there would be several ways to write a table.
#[test]
fn a_fast_image_has_zeros_behind_its_slots() {
    let image = table(Layout::Fast, 0, &[("a.test", 1)]);
    let len = image.len();
    for at in len - 4..len {
        assert_table("no zero", with_byte(&image, at, 1), E::Length { len });
    }
}

/// A bucket is chosen by the highest bits of a hash, so there is a power of two of them.
#[test]
fn buckets_are_a_power_of_two() {
    for layout in [Layout::Fast, Layout::Compact] {
        let image = table(layout, 0, ENTRIES);
        let pilots = At::of(&image).pilots;
        let buckets = word(&image, BUCKETS);
        for other in (0..=2 * buckets).filter(|other| *other < 2 || !other.is_power_of_two()) {
            let mut damaged = with_word(&image, BUCKETS, u32::try_from(other).unwrap());
            damaged.splice(pilots..pilots + buckets, vec![0; other]);
            assert_table("buckets", damaged, E::Header { at: BUCKETS });
        }
    }
}

/// A lookup reads no further where a name shares less with the one before than is wanted, so what
/// is shared is said to be shared.
#[test]
fn a_compact_name_shares_all_that_it_can() {
    let image = table(Layout::Compact, 0, &[("a.test", 1), ("b.test", 1)]);
    let at = At::of(&image);
    // One bit for the virtual hosts, two for the groups; then six codes, and one.
    let record = 12 + 3;
    let used = (record + 36 + record + 6_usize).div_ceil(8);
    let whole = image[at.blocks..at.blocks + used].to_vec();
    let bit = |at: usize| u64::from(whole[at / 8] >> (at % 8) & 1);
    let bits = |at: usize, count: usize| (0..count).map(|n| bit(at + n) << n).sum::<u64>();
    assert_eq!((bits(record + 36, 5), bits(record + 41, 5)), (5, 1));
    for shared in 0..5 {
        let mut block = vec![0; (record + 36 + record + 6 * (6 - shared)).div_ceil(8)];
        put(&mut block, 0, record + 36, bits(0, record + 36));
        let second = record + 36;
        put(&mut block, second, 5, shared as u64);
        put(&mut block, second + 5, 5, 6 - shared as u64);
        put(&mut block, second + 10, 5, bits(second + 10, 5));
        for (place, byte) in b"test.b".iter().enumerate().skip(shared) {
            put(&mut block, second + record + (place - shared) * 6, 6, code(*byte));
        }
        let longer = u32::try_from(word(&image, BLOCK_BYTES) + block.len() - used).unwrap();
        let mut damaged = with_word(&image, BLOCK_BYTES, longer);
        damaged.splice(at.blocks..at.blocks + used, block);
        repair(&mut damaged);
        if let Ok(table) = AuthorityTable::from_bytes(&damaged[..]) {
            assert_is_what_it_lists(&table, &[]);
        }
    }
}

/// Compact names in another order would be found, and would be listed wrongly.
#[test]
fn compact_names_are_in_canonical_order() {
    // Two records of 12 bits, a value of 1 and a code of 6.
    let image = table_of_two();
    let at = At::of(&image);
    let bits = u64::from_le_bytes(image[at.blocks..at.blocks + 8].try_into().unwrap());
    let (first, second) = (bits & 0x7_ffff, bits >> 19 & 0x7_ffff);
    let swapped = with(&image, at.blocks, &(second | first << 19).to_le_bytes());
    assert_table("out of order", swapped, E::Order { number: 1 });
    // All of the second would be shared, so that it is refused for that or for its place.
    let mut twice = with(&image, at.blocks, &(first | first << 19).to_le_bytes());
    repair(&mut twice);
    let refused = AuthorityTable::from_bytes(&twice).unwrap_err();
    assert!(matches!(refused, E::Order { number: 1 } | E::Name { .. }), "{refused:?}");
}

fn table_of_two() -> Vec<u8> {
    let mut table = AuthorityTable::builder();
    table.group(GroupId::new(1), GroupPolicy::default()).unwrap();
    for (number, text) in (0..).zip(["a", "b"]) {
        let pattern = NamePattern::parse(text.as_bytes()).unwrap();
        table.entry(pattern, VirtualHostId::new(number), GroupId::new(1)).unwrap();
    }
    table.layout(Layout::Compact).build().unwrap().as_bytes().to_vec()
}

#[test]
fn compact_values_stand_for_something() {
    let image = table(Layout::Compact, 0, &[("a", 1)]);
    let at = At::of(&image);
    // No bits of a virtual host, two of three groups: the value stands in bits 12 and 13.
    let damaged = with_byte(&image, at.blocks + 1, image[at.blocks + 1] | 3 << 4);
    assert_table("a group that is none", damaged, E::Value { at: at.blocks, value: 3 });
}

/// Sets are written in the fast layout; in any other they would number identifiers as they like.
#[test]
fn a_set_numbers_its_identifiers_in_every_layout() {
    let mut table = AuthorityTable::builder();
    table.group(GroupId::new(1), GroupPolicy::default()).unwrap();
    for (number, text) in [(2, "a"), (0, "b"), (1, "c")] {
        let pattern = NamePattern::parse(text.as_bytes()).unwrap();
        table.entry(pattern, VirtualHostId::new(number), GroupId::new(1)).unwrap();
    }
    let mut image = table.layout(Layout::Compact).build().unwrap().as_bytes().to_vec();
    // A set has no groups and no virtual hosts; its values take as many bits as these do.
    image.drain(HEADER..HEADER + 8);
    image[5] = 1;
    image[GROUPS] = 0;
    image[HOST_BITS] = 0;
    repair(&mut image);
    if let Ok(set) = IdentifierSet::from_bytes(&image[..]) {
        assert_covers_what_it_lists(&set, &[]);
    }
}

/// Where there are no slots, lookups do not take what stands behind them for one.
#[test]
fn without_slots_nothing_is_found() {
    for (kind, entry) in [(1_u8, "a.test"), (2, "a.test")] {
        let one =
            One { kind, layout: Layout::Fast, name: entry.as_bytes(), shape: 0, extra: [0; 3] };
        let mut image = one.image(0, 0);
        let at = At::of(&image);
        // The slot is now called bytes of long names, of which there are none.
        let mut slot = image[at.slots..at.slots + SLOT].to_vec();
        slot[24] = 9;
        image.truncate(if kind == 2 { HEADER + 8 } else { HEADER });
        image.extend(slot);
        for field in [NAMES, SLOTS, BUCKETS] {
            image[field] = 0;
        }
        image[LONG_BYTES] = 28;
        image[LONGEST_EXACT] = 0;
        repair(&mut image);
        if let Ok(table) = AuthorityTable::from_bytes(&image[..]) {
            assert_is_what_it_lists(&table, &[]);
        }
        if let Ok(set) = IdentifierSet::from_bytes(&image[..]) {
            assert_covers_what_it_lists(&set, &[]);
        }
    }
}
