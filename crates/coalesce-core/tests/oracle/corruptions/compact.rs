//! Names in blocks.

use coalesce_core::{
    AuthorityTable, FormatError as E, GroupId, GroupPolicy, IdentifierSet, Layout, NamePattern,
    VirtualHostId,
};

use super::{
    At, BLOCK_BYTES, BLOCKS, GROUPS, HEADER, HOST_BITS, NAMES, SLOTS, assert_table, code, put,
    table, with, with_byte, with_word, word,
};
use crate::format::repair;
use crate::images::{assert_covers_what_it_lists, assert_is_what_it_lists};

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
