//! Damages names in blocks.

use coalesce_core::{
    AuthorityTable, FormatError as E, GroupId, GroupPolicy, IdentifierSet, Layout, NamePattern,
    VirtualHostId,
};

use super::{
    At, BLOCK_BYTES, BLOCKS, GROUPS, HEADER, HOST_BITS, NAMES, SLOTS, assert_table, code, put,
    table, with, with_byte, with_word, word,
};
use crate::format::repair;
use crate::images::{assert_covers_what_it_lists, assert_finds_what_it_lists};

#[test]
fn compact_blocks_with_damage_are_refused() {
    let texts: Vec<String> = (10..30).map(|number| format!("n{number}.test")).collect();
    let entries: Vec<(&str, u32)> = texts.iter().map(|text| (text.as_str(), 1)).collect();
    let image = table(Layout::Compact, 0, &entries);
    let at = At::from_image(&image);
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
        // Twenty names leave some slots vacant. Nothing depends on their places.
        let mut damaged = with_byte(&image, place, image[place] ^ 0x80);
        repair(&mut damaged);
        match AuthorityTable::from_bytes(&damaged[..]) {
            Ok(table) => assert_finds_what_it_lists(&table, &[]),
            Err(error) => assert!(matches!(error, E::Name { .. }), "{error:?}"),
        }
        let mut damaged = with_byte(&image, place, image[place] ^ 1);
        repair(&mut damaged);
        let refused = AuthorityTable::from_bytes(&damaged).is_err();
        assert!(refused || image[place] == 0, "slot {slot} of a name leads to the other block");
    }
    assert_eq!(names, 20);
    // The head of a record: five bits shared, five bits own, two bits shape.
    let head = u16::from_le_bytes(image[at.blocks..at.blocks + 2].try_into().unwrap());
    assert_eq!((head & 31, head >> 5 & 31, head >> 10 & 3), (0, 8, 0));
    let with_head = |head: u16| with(&image, at.blocks, &head.to_le_bytes());
    assert_table("an unknown shape", with_head(head | 3 << 10), name(0));
    assert_table("another shape", with_head(head | 1 << 10), name(0));
    assert_table("no own and no shared bytes", with_head(head & !(31 << 5)), name(0));
    assert_table("shared with no name before it", with_head(head | 1), name(0));
    let longer = (head & !(31 << 5)) | 30 << 5 | 1;
    assert_table("31 own bytes without a long name", with_head(longer), name(0));
    let long = head | 31 << 5;
    assert_table("a long name in an image without them", with_head(long), name(0));
    let blocks = at.blocks..at.long;
    for bytes in (0..44).filter(|bytes| *bytes != 40) {
        // The zeros after the last block keep reading ahead inside. With fewer zeros, a name is
        // cut off.
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

/// A lookup stops at a name that shares less with its predecessor than expected, so each name must
/// share as much as possible.
#[test]
fn compact_name_that_shares_too_little_is_refused() {
    let image = table(Layout::Compact, 0, &[("a.test", 1), ("b.test", 1)]);
    let at = At::from_image(&image);
    // The values have one bit for virtual hosts and two for groups. Then come six codes, and one.
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
            assert_finds_what_it_lists(&table, &[]);
        }
    }
}

/// Compact names in another order would be found, but listed in the wrong order.
#[test]
fn compact_names_out_of_order_are_refused() {
    // Two records of 12 bits, with a value of 1 bit and a code of 6.
    let image = table_of_two();
    let at = At::from_image(&image);
    let bits = u64::from_le_bytes(image[at.blocks..at.blocks + 8].try_into().unwrap());
    let (first, second) = (bits & 0x7_ffff, bits >> 19 & 0x7_ffff);
    let swapped = with(&image, at.blocks, &(second | first << 19).to_le_bytes());
    assert_table("out of order", swapped, E::Order { number: 1 });
    // All of the second name would be shared, so it is refused for that or for its order.
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
fn compact_value_of_unknown_group_is_refused() {
    let image = table(Layout::Compact, 0, &[("a", 1)]);
    let at = At::from_image(&image);
    // No bits of a virtual host and two of three groups: bits 12 and 13 hold the value.
    let damaged = with_byte(&image, at.blocks + 1, image[at.blocks + 1] | 3 << 4);
    assert_table("an unknown group", damaged, E::Value { at: at.blocks, value: 3 });
}

/// Sets are written in the fast layout. In another layout, a crafted set must not choose its
/// numbers.
#[test]
fn set_with_other_numbers_is_refused_in_every_layout() {
    let mut table = AuthorityTable::builder();
    table.group(GroupId::new(1), GroupPolicy::default()).unwrap();
    for (number, text) in [(2, "a"), (0, "b"), (1, "c")] {
        let pattern = NamePattern::parse(text.as_bytes()).unwrap();
        table.entry(pattern, VirtualHostId::new(number), GroupId::new(1)).unwrap();
    }
    let mut image = table.layout(Layout::Compact).build().unwrap().as_bytes().to_vec();
    // A set has no groups and no virtual hosts. Its values take as many bits as these.
    image.drain(HEADER..HEADER + 8);
    image[5] = 1;
    image[GROUPS] = 0;
    image[HOST_BITS] = 0;
    repair(&mut image);
    if let Ok(set) = IdentifierSet::from_bytes(&image[..]) {
        assert_covers_what_it_lists(&set, &[]);
    }
}
