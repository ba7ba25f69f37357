//! The number of a certificate in its handshake table.

use std::fmt;

/// The number of a certificate in a [`HandshakeTableBuilder`](crate::HandshakeTableBuilder), in the
/// order of adding.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use coalesce_tls::CertificateId;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // The builder has one group, and one certificate for `*.example.test`.
/// # let (mut builder, group, certificate) = one_certificate()?;
/// let first: CertificateId = certificate;
/// assert_eq!(first.get(), 0);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertificateId(u32);

impl CertificateId {
    pub(crate) const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Returns the number, counted from 0.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for CertificateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
