//! Reads numbers from bytes, and searches among them.

use super::steps::step;

/// Returns how many bytes hold every number less than `below`.
pub(crate) const fn width(below: u32) -> usize {
    match below {
        0..=0x100 => 1,
        0x101..=0x1_0000 => 2,
        0x1_0001..=0x100_0000 => 3,
        _ => 4,
    }
}

/// Returns how many bits hold `number`.
pub(crate) const fn bits(number: u32) -> u32 {
    u32::BITS.saturating_sub(number.leading_zeros())
}

#[inline(always)]
pub(crate) fn word(image: &[u8], at: usize) -> Option<u32> {
    image.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

pub(crate) fn long(image: &[u8], at: usize) -> Option<u64> {
    image.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

/// Reads a number of `width` bytes.
pub(crate) fn narrow(image: &[u8], at: usize, width: usize) -> Option<u32> {
    let bytes = image.get(at..at.checked_add(width)?)?;
    Some(bytes.iter().rev().fold(0, |number, byte| (number << 8) | u32::from(*byte)))
}

#[inline(always)]
pub(crate) fn pair(image: &[u8], section: usize, index: u32, count: u32) -> Option<(u32, u32)> {
    if index >= count {
        return None;
    }
    let at = section.checked_add((index as usize).checked_mul(8)?)?;
    long(image, at).map(|both| (both as u32, (both >> 32) as u32))
}

/// Finds an index below `len` for which `compare` returns `Equal`. A `None` from `compare` ends the
/// search without a result, so that an unreadable place counts as not found.
pub(crate) fn binary_search(
    len: usize,
    compare: impl Fn(usize) -> Option<core::cmp::Ordering>,
) -> Option<usize> {
    let (mut low, mut high) = (0, len);
    while low < high {
        step();
        let middle = low.midpoint(high);
        match compare(middle)? {
            core::cmp::Ordering::Less => low = middle.checked_add(1)?,
            core::cmp::Ordering::Equal => return Some(middle),
            core::cmp::Ordering::Greater => high = middle,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::width;

    #[test]
    fn width_is_the_bytes_of_the_largest_number() {
        for (below, expected) in [(0, 1), (0x100, 1), (0x101, 2), (0x1_0000, 2)] {
            assert_eq!(width(below), expected, "{below:#x}");
        }
        for (below, expected) in [(0x1_0001, 3), (0x100_0000, 3), (0x100_0001, 4), (u32::MAX, 4)] {
            assert_eq!(width(below), expected, "{below:#x}");
        }
    }
}
