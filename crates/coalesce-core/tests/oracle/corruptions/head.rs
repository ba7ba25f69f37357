//! Damages the header, groups, pairs and addresses, which both layouts share.

use coalesce_core::limits::{ENTRIES_MAX, GROUPS_MAX, IDENTIFIERS_MAX, LONG_NAME_BYTES_MAX};
use coalesce_core::{AuthorityTable, FormatError as E, Layout};

use super::{
    ADDRESSES, ANY_DEPTH, At, BLOCK_BYTES, BLOCKS, BUCKETS, CATCH_ALL, ENTRIES, FLAGS, GROUPS,
    HOST_BITS, LONG_BYTES, LONGEST_EXACT, LONGEST_ONE_LABEL, NAMES, PAIRS, SLOT, SLOTS, assert_set,
    assert_table, table, with, with_byte, with_word, word,
};
use crate::build::build_set;

#[test]
fn header_with_damage_is_refused() {
    for layout in [Layout::Fast, Layout::Compact] {
        let image = table(layout, 0, ENTRIES);
        let len = image.len();
        let length = |len| E::Length { len };
        assert_table("nothing", vec![], length(0));
        assert_table("half a magic", b"CO".to_vec(), length(2));
        assert_table("no more than a magic", b"COAL".to_vec(), length(4));
        assert_table("another magic", with_byte(&image, 3, b'l'), E::Magic);
        let expected = u32::from_le_bytes([4, 2, 1, 0]);
        for (at, byte) in [(4, 3), (4, 5), (5, 0), (5, 1), (5, 3), (6, 0), (6, 3), (7, 1)] {
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
    // There are more slots than names, because otherwise some name would have no slot.
    let slots = u32::try_from(word(&set, SLOTS)).unwrap();
    let short = with_word(&set, SLOTS, 0);
    let cut = short.len() - (slots as usize) * (SLOT + 1);
    assert_set("fewer slots than names", short[..cut].to_vec(), E::Length { len: cut });
}

#[test]
fn groups_pairs_and_addresses_with_damage_are_refused() {
    for layout in [Layout::Fast, Layout::Compact] {
        let image = table(layout, u32::MAX - 20, ENTRIES);
        let at = At::from_image(&image);
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
        // The rows of a group: first the group itself, then its entries with their own policy.
        assert_table("a policy of entries without their group", policy(1 << 8), first);
        let row = |bits| with_word(&with_word(&image, at.groups, 5), at.groups + 4, bits);
        assert_table("a group behind its entries", row(1 << 8), first);
        let same = |bits| with_word(&with_word(&image, at.groups + 8, 1), at.groups + 12, bits);
        assert_table("a group twice with other policies", same(1 << 8 | 1), second);
        assert_table("a policy of entries beyond all", same(4 << 8), second);

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
        assert_table("an unknown family", put(0, 5), one);
        assert_table("an unknown family", put(3, 1), one);
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
fn header_that_contradicts_the_names_is_refused() {
    for layout in [Layout::Fast, Layout::Compact] {
        let image = table(layout, 0, ENTRIES);
        let header = |at| E::Header { at };
        assert_table("an unknown flag", with_byte(&image, FLAGS, 3), header(FLAGS));
        let bits = with_byte(&image, HOST_BITS, 31);
        // Nine virtual hosts take four bits, three groups take two.
        assert_eq!(image[HOST_BITS], 4);
        assert_table("33 bits of a value", bits, header(HOST_BITS));
        let catch_all = with_word(&image, CATCH_ALL, 3 << 4);
        let value = E::Value { at: CATCH_ALL, value: 3 << 4 };
        assert_table("a catch-all in no group", catch_all, value);
        let value = u32::try_from(word(&image, CATCH_ALL)).unwrap();
        let none = E::Value { at: CATCH_ALL, value };
        assert_table("a catch-all without its flag", with_byte(&image, FLAGS, 0), none);
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
            let at = At::from_image(&image);
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

/// The highest bits of a hash choose the bucket, so the number of buckets is a power of two.
#[test]
fn buckets_other_than_a_power_of_two_are_refused() {
    for layout in [Layout::Fast, Layout::Compact] {
        let image = table(layout, 0, ENTRIES);
        let pilots = At::from_image(&image).pilots;
        let buckets = word(&image, BUCKETS);
        for other in (0..=2 * buckets).filter(|other| *other < 2 || !other.is_power_of_two()) {
            let mut damaged = with_word(&image, BUCKETS, u32::try_from(other).unwrap());
            damaged.splice(pilots..pilots + buckets, vec![0; other]);
            assert_table("buckets", damaged, E::Header { at: BUCKETS });
        }
    }
}
