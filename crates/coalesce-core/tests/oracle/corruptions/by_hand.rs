//! Images with one hand-written name, in every slot and with every tag.

use coalesce_core::{
    AuthorityTable, FormatError as E, GroupId, GroupPolicy, IdentifierSet, Layout, NamePattern,
    VirtualHostId,
};

use super::{
    ANY_DEPTH, At, BLOCK_BYTES, BLOCKS, BUCKETS, GROUPS, HEADER, LONG_BYTES, LONGEST_EXACT,
    LONGEST_ONE_LABEL, NAMES, SHAPE_SHIFT, SLOT, SLOTS, code, put,
};
use crate::format::repair;
use crate::images::{assert_covers_what_it_lists, assert_finds_what_it_lists};

/// An image with one name, written without the builder: its sections in order, its records bit by
/// bit.
struct One<'a> {
    kind: u8,
    layout: Layout,
    /// The name. It may be invalid.
    name: &'a [u8],
    shape: u8,
    /// Bits to set in the words of the key.
    extra: [u64; 3],
}

impl One<'_> {
    fn long(&self) -> bool {
        self.name.len() > 30
    }

    /// Returns the image with the name in one of two slots, under one pilot, with this tag.
    fn image(&self, slot: usize, tag: u8) -> Vec<u8> {
        let table = self.kind == 2;
        let fast = self.layout == Layout::Fast;
        let len = self.name.len();
        let mut image = b"COAL".to_vec();
        image.extend([4, self.kind, if fast { 1 } else { 2 }, 0]);
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

    /// Counts the combinations of slot and tag in which the image is accepted: one for a valid
    /// name, none for an invalid one. Every refusal must be about the name.
    fn accepted(&self) -> usize {
        let mut accepted = 0;
        for slot in 0..2 {
            for tag in 0..=u8::MAX {
                let image = self.image(slot, tag);
                let refused = if self.kind == 2 {
                    let table = AuthorityTable::from_bytes(&image[..]);
                    table.map(|table| assert_finds_what_it_lists(&table, &[])).err()
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

/// Checks the syntax of names: an invalid name is refused even if lookups would find it.
#[test]
fn stored_invalid_name_is_refused_in_every_place() {
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
                // The label of a presented wildcard counts towards the length.
                let good = *good && (kind, shape, name.len() > 251) != (1, 1, true);
                let expected = usize::from(good);
                assert_eq!(one.accepted(), expected, "{name} {kind} {shape} {layout:?}");
            }
        }
    }
    // RFC 9525 §6.3: no identifier matches several labels. The header refuses it already, so its
    // field is cleared here.
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

/// Unused bits of a key must be zero, because no lookup asks for other values.
#[test]
fn key_with_unused_bits_set_is_refused() {
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

/// Compares hand-written images with those of the builder.
#[test]
fn builder_writes_the_documented_format() {
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

/// If there are no slots, lookups must not read the bytes after them as a slot.
#[test]
fn image_without_slots_finds_nothing() {
    for (kind, entry) in [(1_u8, "a.test"), (2, "a.test")] {
        let one =
            One { kind, layout: Layout::Fast, name: entry.as_bytes(), shape: 0, extra: [0; 3] };
        let mut image = one.image(0, 0);
        let at = At::from_image(&image);
        // The bytes of the slot are now in the section of long names, of which there are none.
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
            assert_finds_what_it_lists(&table, &[]);
        }
        if let Ok(set) = IdentifierSet::from_bytes(&image[..]) {
            assert_covers_what_it_lists(&set, &[]);
        }
    }
}
