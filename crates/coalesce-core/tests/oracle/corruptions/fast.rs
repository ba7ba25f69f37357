//! Damages names in slots.

use coalesce_core::{FormatError as E, Layout};

use super::{
    At, BLOCK_BYTES, ENTRIES, NAMES, SHAPE_SHIFT, SLOT, SLOTS, assert_set, assert_table, table,
    with, with_byte, with_word, word,
};
use crate::build::build_set;

#[test]
fn fast_slots_with_damage_are_refused() {
    let image = table(Layout::Fast, 0, ENTRIES);
    let at = At::from_image(&image);
    let names = word(&image, NAMES);
    assert_eq!(names, 5);
    for number in 0..names {
        let (slot, slot_at) = at.slot(&image, number);
        let bad = E::Name { at: slot_at };
        let tag = at.tags + slot;
        assert_table("another tag", with_byte(&image, tag, image[tag] ^ 0x80), bad);
        let shape = image[slot_at] | 3 << SHAPE_SHIFT;
        assert_table("an unknown shape", with_byte(&image, slot_at, shape), bad);
        for bit in 7..12 {
            let byte = slot_at + bit / 8;
            let damaged = with_byte(&image, byte, image[byte] ^ 1 << (bit % 8));
            assert_table("unused bits that are set", damaged, bad);
        }
        let value = with_word(&image, slot_at + 24, 3 << 4);
        assert_table("an unknown group", value, E::Value { at: slot_at, value: 3 << 4 });
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
        assert_table("the order names a vacant slot", to_vacant, E::Order { number });
        for none in [u8::try_from(word(&image, SLOTS)).unwrap(), 0xff] {
            let beyond = with_byte(&image, order, none);
            assert_table("the order names a slot beyond the end", beyond, E::Order { number });
        }
        if number > 0 {
            let twice = with_byte(&image, order, image[order - 1]);
            assert_table("the order names one twice", twice, E::Order { number });
            let swapped = with(&image, order - 1, &[image[order], image[order - 1]]);
            assert_table("names out of order", swapped, E::Order { number });
        }
    }
    // The long name is the fourth one, and the section of long names holds nothing else.
    let (_, slot) = at.slot(&image, 3);
    let bad = E::Name { at: slot };
    assert_table("a long name from another place", with_byte(&image, slot + 8, 1), bad);
    assert_table("a long name from far away", with_byte(&image, slot + 15, 1), bad);
    assert_table("a long name with a third word", with_byte(&image, slot + 16, 1), bad);
    assert_table("a long name that is longer", with_byte(&image, slot + 3, 1), bad);
    let upper = with_byte(&image, at.long + 2, b'N');
    assert_table("a long name in upper case", upper, bad);
    assert_table("an invalid long name", with_byte(&image, at.long + 2, b'!'), bad);
    assert_table("another long name", with_byte(&image, at.long + 2, b'm'), bad);
}

#[test]
fn identifier_with_another_number_is_refused() {
    let names = ["a.test", "b.test", "*.c.test", "192.0.2.1", "::1"].map(str::to_owned);
    let image = build_set(&names).as_bytes().to_vec();
    let at = At::from_image(&image);
    for number in 0..3 {
        let (_, slot) = at.slot(&image, number);
        for other in (0..5).filter(|other| *other as usize != number) {
            let damaged = with_word(&image, slot + 24, other);
            assert_set("the number of another identifier", damaged, E::Order { number });
        }
        let error = E::Value { at: slot, value: 5 };
        assert_set("the number of no identifier", with_word(&image, slot + 24, 5), error);
    }
    for number in 0..2 {
        let address = at.addresses + number * 24;
        let error = |value| E::Value { at: address, value };
        for value in [0, 4 - u32::try_from(number).unwrap(), 5, u32::MAX] {
            assert_set(
                "an address with another number",
                with_word(&image, address + 20, value),
                error(value),
            );
        }
    }
}

/// The fast layout has no blocks, so a count of their bytes would be a second way to write the same
/// table.
#[test]
fn fast_image_with_block_bytes_is_refused() {
    let image = table(Layout::Fast, 0, ENTRIES);
    let error = E::Header { at: BLOCK_BYTES };
    assert_table("bytes of blocks", with_word(&image, BLOCK_BYTES, 1), error);
}

/// The bytes after the last slot must be zeros, because otherwise a table could be written in
/// several ways.
#[test]
fn fast_image_without_zeros_behind_its_slots_is_refused() {
    let image = table(Layout::Fast, 0, &[("a.test", 1)]);
    let len = image.len();
    for at in len - 4..len {
        assert_table("no zero", with_byte(&image, at, 1), E::Length { len });
    }
}
