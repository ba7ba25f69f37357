//! The checksum of an image. It finds accidental damage, not attacks: an attacker who changes bytes
//! can change the checksum as well. Validation therefore trusts no other byte.

use super::hash::fold;

const KEYS: [u64; 4] =
    [0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db, 0x8ebc_6af0_9c88_c6e3, 0x5899_65cc_7537_4cc3];

/// Computes the checksum. Four lanes take eight bytes each of every 32, little-endian, with the
/// last 32 padded with zeros: `lane = fold(lane ^ bytes, key)`. The lanes and the length are folded
/// into one word.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    let mut lanes = KEYS;
    let mut blocks = bytes.chunks_exact(32);
    for block in &mut blocks {
        mix(&mut lanes, block);
    }
    let rest = blocks.remainder();
    if !rest.is_empty() {
        let mut block = [0; 32];
        for (byte, value) in block.iter_mut().zip(rest) {
            *byte = *value;
        }
        mix(&mut lanes, &block);
    }
    let [a, b, c, d] = lanes;
    // Factors are odd, because a zero would erase the other factor.
    fold(fold(a, b | 1) ^ c, fold(d, bytes.len() as u64 ^ KEYS[0]) | 1)
}

#[inline(always)]
fn mix(lanes: &mut [u64; 4], block: &[u8]) {
    let (words, _) = block.as_chunks::<8>();
    for ((lane, word), key) in lanes.iter_mut().zip(words).zip(KEYS) {
        *lane = fold(*lane ^ u64::from_le_bytes(*word), key);
    }
}

#[cfg(test)]
mod tests {
    use super::checksum;
    use std::vec;

    #[test]
    fn checksum_changes_with_every_bit_and_the_length() {
        for len in (0..100).step_by(if cfg!(miri) { 33 } else { 1 }) {
            let mut bytes = vec![0x5a; len];
            let before = checksum(&bytes);
            for bit in 0..len * 8 {
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert_ne!(checksum(&bytes), before, "bit {bit} of {len} bytes");
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            bytes.push(0);
            assert_ne!(checksum(&bytes), before, "{len} bytes and a zero");
        }
    }
}
