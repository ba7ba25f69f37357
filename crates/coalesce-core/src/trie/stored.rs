//! Names as an image stores them.

use core::fmt;

use super::hash::{SHAPE_SHIFT, Shape};
use super::header::Header;
use crate::packed::{TAIL_CODES, TAIL_MASK, WINDOW, unpack};

/// The position of a long name's length in the first word of its key.
pub(crate) const LONG_LEN_SHIFT: u32 = 12;

/// Returns the key of a name that is longer than [`TAIL_CODES`] and is stored at `at` among the
/// long names.
pub(crate) const fn long_key(at: usize, len: usize, shape: Shape) -> [u64; 3] {
    [((shape as u64) << SHAPE_SHIFT) | (len as u64) << LONG_LEN_SHIFT, at as u64, 0]
}

/// A key and a value, read from a slot or decoded from a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) key: [u64; 3],
    pub(crate) value: u32,
}

impl Stored {
    /// An empty slot. Only an empty slot has a key of zeros.
    pub(crate) const VACANT: Self = Self { key: [0; 3], value: 0 };

    pub(crate) const fn shape(&self) -> Option<Shape> {
        let [a, _, _] = self.key;
        Shape::from_bits(a >> SHAPE_SHIFT & 3)
    }

    /// Returns the name, or `None` if it cannot be read.
    pub(crate) fn name<'a>(&self, header: &Header, image: &'a [u8]) -> Option<StoredName<'a>> {
        let [a, b, _] = self.key;
        match (a & 0x1f) as usize {
            0 => {
                let len = usize::try_from(a >> LONG_LEN_SHIFT).ok()?;
                header.long_name(image, usize::try_from(b).ok()?, len).map(StoredName::Long)
            }
            len => StoredName::unpack(self.key, len),
        }
    }
}

/// The bytes of a stored name, in lower case.
#[derive(Clone, Copy)]
pub(crate) enum StoredName<'a> {
    Short {
        /// The name, right-aligned.
        bytes: [u8; WINDOW],
        len: u8,
    },
    Long(&'a [u8]),
}

impl StoredName<'_> {
    fn unpack(key: [u64; 3], len: usize) -> Option<Self> {
        let [a, b, c] = key;
        let bytes = unpack([a & TAIL_MASK, b, c]);
        (len <= TAIL_CODES).then_some(Self::Short { bytes, len: len as u8 })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short { bytes, len } => {
                let start = WINDOW.saturating_sub(usize::from(*len));
                bytes.get(start..).unwrap_or_default()
            }
            Self::Long(bytes) => bytes,
        }
    }
}

impl fmt::Debug for StoredName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_bytes().escape_ascii())
    }
}
