//! The parts of the image format that are needed to damage an image without breaking its checksum.
//! They are written from the format's documentation.

/// The offset of the checksum, and of the first byte that it covers.
pub(crate) const CHECKSUM_AT: usize = 8;
pub(crate) const CHECKED_FROM: usize = 16;

const KEYS: [u64; 4] =
    [0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db, 0x8ebc_6af0_9c88_c6e3, 0x5899_65cc_7537_4cc3];

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    let halves = product.to_le_bytes();
    let half = |at: usize| u64::from_le_bytes(halves[at..at + 8].try_into().unwrap());
    half(0) ^ half(8)
}

/// Computes the checksum of `bytes`: four lanes over 32 bytes at a time, the last ones padded with
/// zeros.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len().next_multiple_of(32), 0);
    let mut lanes = KEYS;
    for (number, word) in padded.chunks(8).enumerate() {
        let word = u64::from_le_bytes(word.try_into().unwrap());
        lanes[number % 4] = fold(lanes[number % 4] ^ word, KEYS[number % 4]);
    }
    let [a, b, c, d] = lanes;
    fold(fold(a, b | 1) ^ c, fold(d, bytes.len() as u64 ^ KEYS[0]) | 1)
}

/// Writes the checksum that belongs to the bytes.
pub(crate) fn repair(image: &mut [u8]) {
    if image.len() >= CHECKED_FROM {
        let sum = checksum(&image[CHECKED_FROM..]);
        image[CHECKSUM_AT..CHECKED_FROM].copy_from_slice(&sum.to_le_bytes());
    }
}
