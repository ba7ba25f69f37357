//! The owned form of a name.

use alloc::boxed::Box;

use super::{DnsName, NameError};
use crate::forms::owned_form;

/// An owned [`DnsName`]: in lower case, without a trailing dot, and parsed once.
///
/// # Allocation
/// One, when it is made.
///
/// # Examples
/// ```
/// use std::collections::HashMap;
///
/// use coalesce_core::{DnsName, DnsNameBuf, NameError};
///
/// # fn main() -> Result<(), NameError> {
/// let name: DnsNameBuf = "A.Example.TEST.".parse()?;
/// assert_eq!(name, DnsName::parse(b"a.example.test")?);
///
/// let ports = HashMap::from([(name, 8443)]);
/// let asked = DnsName::parse(b"a.EXAMPLE.test")?.to_buf();
/// assert_eq!(ports.get(&asked), Some(&8443));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct DnsNameBuf {
    bytes: Box<[u8]>,
    tail: [u64; 3],
    dots: u32,
    parent_len: u32,
}

impl DnsNameBuf {
    /// Returns the borrowed form, without parsing again.
    #[inline]
    pub const fn as_name(&self) -> DnsName<'_> {
        let Self { ref bytes, tail, dots, parent_len } = *self;
        DnsName { bytes, tail, dots, parent_len }
    }
}

impl DnsName<'_> {
    /// Returns the owned form.
    ///
    /// # Allocation
    /// One, of the name's length.
    pub fn to_buf(self) -> DnsNameBuf {
        DnsNameBuf::from(self)
    }
}

impl From<DnsName<'_>> for DnsNameBuf {
    fn from(name: DnsName<'_>) -> Self {
        // The tail, the dots and the parent's length do not depend on case, so they hold for the
        // folded bytes too.
        let DnsName { bytes, tail, dots, parent_len } = name;
        Self { bytes: bytes.to_ascii_lowercase().into(), tail, dots, parent_len }
    }
}

impl AsRef<[u8]> for DnsNameBuf {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

owned_form!(DnsNameBuf, DnsName, as_name, NameError);

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;
    use alloc::vec;

    #[test]
    fn owned_name_equals_the_name_parsed_from_its_text() {
        let long = [&[b'L'; 40][..], b".example.test"].concat();
        let names: [&[u8]; 5] = [b"a", b"A.Example.TEST.", b"x-1.b_2.c", &long, &[b'z'; 63]];
        for bytes in names {
            let name = DnsName::parse(bytes).unwrap();
            let owned = name.to_buf();
            let text = owned.to_string();
            let again = DnsName::parse(text.as_bytes()).unwrap();
            let parts = |name: DnsName<'_>| (vec![name.tail()], name.dots(), name.parent_len());
            assert_eq!(parts(owned.as_name()), parts(again), "{text}");
            assert_eq!((owned.as_name(), owned.as_name().as_bytes()), (name, text.as_bytes()));
            assert_eq!(owned.as_ref(), text.as_bytes());
        }
    }
}
