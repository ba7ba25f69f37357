//! Tables by the numbers of the pool.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A table whose keys are numbers that the pool counts up. No peer chooses them, so the table needs
/// no hash that is safe against chosen keys.
pub(super) type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

/// Spreads a counter over all bits by one multiplication.
#[derive(Debug, Default)]
pub(super) struct IdHasher(u64);

/// The golden ratio as a fraction of 2^64, made odd (Knuth, The Art of Computer Programming, 6.4).
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hasher for IdHasher {
    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(MULTIPLIER);
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn finish(&self) -> u64 {
        // The table takes its index from the low bits, which depend on few bits of the product.
        self.0.rotate_left(32)
    }
}
