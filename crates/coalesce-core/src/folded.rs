//! Bytes compared without regard to ASCII case.

use core::cmp::Ordering;
use core::hash::{Hash, Hasher};

/// Bytes whose `Eq`, `Ord` and `Hash` ignore ASCII case. The three agree, because all of them look
/// at the lower-case bytes only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Folded<'a>(pub(crate) &'a [u8]);

impl Folded<'_> {
    /// Returns the bytes in lower case.
    pub(crate) fn bytes(&self) -> impl Iterator<Item = u8> {
        self.0.iter().map(u8::to_ascii_lowercase)
    }
}

impl PartialEq for Folded<'_> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(other.0)
    }
}

impl Eq for Folded<'_> {}

impl PartialOrd for Folded<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Folded<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bytes().cmp(other.bytes())
    }
}

impl Hash for Folded<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes().for_each(|byte| state.write_u8(byte));
        // A byte that is not part of any host ends the value, as in `str`. Without it, "ab", "c"
        // and "a", "bc" would have the same hash.
        state.write_u8(0xff);
    }
}
