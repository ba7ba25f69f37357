//! An origin that owns its bytes.

use super::{Origin, OriginError};
use crate::forms::owned_form;
use crate::host::HostBuf;
use crate::request::Scheme;

/// An owned [`Origin`].
///
/// # Allocation
/// One, when it is made, unless the host is an address.
///
/// # Examples
/// ```
/// use std::collections::BTreeSet;
///
/// use coalesce_core::{Origin, OriginBuf, OriginError};
///
/// # fn main() -> Result<(), OriginError> {
/// let announced: [OriginBuf; 2] = ["https://a.example.test".parse()?, "https://[::1]".parse()?];
/// let set = BTreeSet::from(announced);
/// let asked = Origin::parse(b"https://A.example.test:443")?.to_buf();
/// assert!(set.contains(&asked));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct OriginBuf {
    scheme: Scheme,
    host: HostBuf,
    port: u16,
}

impl OriginBuf {
    /// Returns the borrowed form, without parsing again.
    pub const fn as_origin(&self) -> Origin<'_> {
        Origin { scheme: self.scheme, host: self.host.as_host(), port: self.port }
    }
}

impl Origin<'_> {
    /// Returns the owned form.
    ///
    /// # Allocation
    /// One, of the host's length, unless it is an address.
    pub fn to_buf(self) -> OriginBuf {
        OriginBuf::from(self)
    }
}

impl From<Origin<'_>> for OriginBuf {
    fn from(origin: Origin<'_>) -> Self {
        Self { scheme: origin.scheme, host: origin.host.to_buf(), port: origin.port }
    }
}

owned_form!(OriginBuf, Origin, as_origin, OriginError);
