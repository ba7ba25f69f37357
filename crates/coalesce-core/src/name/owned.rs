//! A name that owns its bytes.

use alloc::boxed::Box;
use core::fmt;

use super::DnsName;

/// A [`DnsName`] that is kept: in lower case, without a trailing dot, and parsed once.
///
/// # Allocation
/// One, when it is made.
#[derive(Clone)]
pub struct DnsNameBuf {
    bytes: Box<[u8]>,
    tail: [u64; 3],
    dots: u32,
    parent_len: u32,
}

impl DnsNameBuf {
    /// The name. Costs nothing.
    #[inline]
    pub const fn as_name(&self) -> DnsName<'_> {
        let Self { ref bytes, tail, dots, parent_len } = *self;
        DnsName { bytes, tail, dots, parent_len }
    }
}

impl From<DnsName<'_>> for DnsNameBuf {
    fn from(name: DnsName<'_>) -> Self {
        // What was found out about the name does not depend on its case.
        let DnsName { bytes, tail, dots, parent_len } = name;
        Self { bytes: bytes.to_ascii_lowercase().into(), tail, dots, parent_len }
    }
}

impl fmt::Display for DnsNameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_name().fmt(f)
    }
}

impl fmt::Debug for DnsNameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_name().fmt(f)
    }
}

impl PartialEq for DnsNameBuf {
    fn eq(&self, other: &Self) -> bool {
        self.as_name() == other.as_name()
    }
}

impl Eq for DnsNameBuf {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;
    use alloc::vec;

    #[test]
    fn a_kept_name_is_what_parsing_its_text_gives() {
        let long = [&[b'L'; 40][..], b".example.test"].concat();
        let names: [&[u8]; 5] = [b"a", b"A.Example.TEST.", b"x-1.b_2.c", &long, &[b'z'; 63]];
        for bytes in names {
            let name = DnsName::parse(bytes).unwrap();
            let kept = DnsNameBuf::from(name);
            let text = kept.to_string();
            let again = DnsName::parse(text.as_bytes()).unwrap();
            let parts = |name: DnsName<'_>| (vec![name.tail()], name.dots(), name.parent_len());
            assert_eq!(parts(kept.as_name()), parts(again), "{text}");
            assert_eq!((kept.as_name(), kept.as_name().as_bytes()), (name, text.as_bytes()));
        }
    }
}
