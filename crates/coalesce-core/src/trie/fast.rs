//! The fast layout: every name has a slot, and a lookup reads just that one.

use super::bytes::{narrow, width};
use super::format::{PADDING_LEN, SLOT_LEN};
use super::hash::{Hash, Shape};
use super::header::Header;
use super::steps::step;
use super::stored::{Stored, StoredName};
use crate::packed::TAIL_CODES;
use crate::simd::{Portable, Simd};

/// A slot is read together with the four bytes after it, as four words.
const READ_LEN: usize = SLOT_LEN + PADDING_LEN;

/// Returns a slot and the four bytes after it.
#[inline(always)]
#[allow(clippy::arithmetic_side_effects, reason = "32-bit numbers do not overflow 64 bits")]
fn bytes<'a>(header: &Header, image: &'a [u8], slot: u32) -> Option<&'a [u8; READ_LEN]> {
    // In 64 bits nothing here overflows, so one comparison is enough. With 32-bit addresses the
    // casts lose nothing either: a slot number is below the count, and the image is in memory.
    let at = u64::from(header.at.slots) + u64::from(slot) * u64::from(header.slot_len);
    image.get(at as usize..(at + READ_LEN as u64) as usize)?.first_chunk()
}

/// Returns the value of a slot.
#[inline(always)]
fn value(bytes: &[u8; READ_LEN]) -> Option<u32> {
    let value = bytes.get(24..)?.first_chunk()?;
    Some(u32::from_le_bytes(*value))
}

/// Reads a slot.
#[inline(always)]
pub(crate) fn read(header: &Header, image: &[u8], slot: u32) -> Option<Stored> {
    step();
    let bytes = bytes(header, image, slot)?;
    let (words, _) = bytes.as_chunks::<8>();
    let &[a, b, c, _] = words else { return None };
    Some(Stored { key: [a, b, c].map(u64::from_le_bytes), value: value(bytes)? })
}

/// Returns a byte of a section.
#[inline(always)]
#[allow(clippy::arithmetic_side_effects, reason = "32-bit numbers do not overflow 64 bits")]
fn byte(image: &[u8], section: u32, index: u32) -> Option<u8> {
    image.get((u64::from(section) + u64::from(index)) as usize).copied()
}

/// Returns the only slot where a name with this hash can be. Reads a pilot.
#[inline(always)]
pub(crate) fn slot(header: &Header, image: &[u8], hash: Hash) -> Option<u32> {
    step();
    let pilot = byte(image, header.at.pilots, hash.bucket(header.bucket_shift))?;
    Some(hash.slot(pilot, header.counts.slots))
}

/// Compares the one-byte tag of `slot` with that of `hash`. The tag rejects nearly every miss
/// without a read of the slot, which is usually not in cache.
#[inline(always)]
pub(crate) fn has_tag(header: &Header, image: &[u8], slot: u32, hash: Hash) -> bool {
    byte(image, header.at.tags, slot) == Some(hash.tag())
}

/// The result of a comparison of keys, and the slot's value, which counts only if they are equal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verified {
    /// 1 or 0. It is not a `bool`, because compilers turn those into branches.
    pub(crate) is: u32,
    pub(crate) value: u32,
}

impl Verified {
    pub(crate) const NOT: Self = Self { is: 0, value: 0 };

    #[inline(always)]
    pub(crate) const fn found(self) -> Option<u32> {
        if self.is != 0 { Some(self.value) } else { None }
    }
}

/// Compares `key` with the key in `slot`, without a branch. Returns `None` if the slot does not
/// exist.
#[inline(always)]
pub(crate) fn verify<V: Simd>(
    simd: V,
    header: &Header,
    image: &[u8],
    slot: u32,
    key: V::Codes,
) -> Option<Verified> {
    let bytes = bytes(header, image, slot)?;
    Some(Verified { is: simd.is_key(key, bytes), value: value(bytes)? })
}

/// Finds a short name.
#[inline(always)]
pub(crate) fn find_key(header: &Header, image: &[u8], hash: Hash, key: [u64; 3]) -> Option<u32> {
    let slot = slot(header, image, hash)?;
    if !has_tag(header, image, slot, hash) {
        return None;
    }
    verify(Portable, header, image, slot, key)?.found()
}

/// Finds a name that is longer than a key.
pub(crate) fn find_long(header: &Header, image: &[u8], name: &[u8], shape: Shape) -> Option<u32> {
    let hash = header.hasher.hash_long(name, shape);
    let slot = slot(header, image, hash)?;
    if !has_tag(header, image, slot, hash) {
        return None;
    }
    let slot = read(header, image, slot)?;
    let StoredName::Long(found) = slot.name(header, image)? else { return None };
    (slot.shape()? == shape && found.eq_ignore_ascii_case(name)).then_some(slot.value)
}

/// Returns the slot of the name with this number in canonical order.
pub(crate) fn slot_of(header: &Header, image: &[u8], number: usize) -> Option<u32> {
    let width = width(header.counts.slots);
    if number >= header.counts.names as usize {
        return None;
    }
    let at = (header.at.order as usize).checked_add(number.checked_mul(width)?)?;
    narrow(image, at, width).filter(|slot| *slot < header.counts.slots)
}

/// Returns whether a lookup finds the name in the slot `place`.
pub(crate) fn is_found_in(
    header: &Header,
    image: &[u8],
    stored: &Stored,
    name: &[u8],
    shape: Shape,
    place: u32,
) -> bool {
    let hash = if name.len() <= TAIL_CODES {
        header.hasher.hash(stored.key)
    } else {
        header.hasher.hash_long(name, shape)
    };
    slot(header, image, hash) == Some(place) && has_tag(header, image, place, hash)
}
