//! An authority that owns its bytes.

use super::{Authority, AuthorityError};
use crate::forms::owned_form;
use crate::host::HostBuf;

/// An owned [`Authority`].
///
/// # Allocation
/// One, when it is made, unless the host is an address.
///
/// # Examples
/// ```
/// use coalesce_core::{Authority, AuthorityBuf, AuthorityError};
///
/// # fn main() -> Result<(), AuthorityError> {
/// let authority: AuthorityBuf = "A.example.test.:8443".parse()?;
/// assert_eq!(authority, Authority::parse(b"a.example.test:8443")?);
/// assert_eq!(authority.as_authority().port(), Some(8443));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct AuthorityBuf {
    host: HostBuf,
    port: Option<u16>,
}

impl AuthorityBuf {
    /// Returns the borrowed form, without parsing again.
    pub const fn as_authority(&self) -> Authority<'_> {
        Authority { host: self.host.as_host(), port: self.port }
    }
}

impl Authority<'_> {
    /// Returns the owned form.
    ///
    /// # Allocation
    /// One, of the host's length, unless it is an address.
    pub fn to_buf(self) -> AuthorityBuf {
        AuthorityBuf::from(self)
    }
}

impl From<Authority<'_>> for AuthorityBuf {
    fn from(authority: Authority<'_>) -> Self {
        Self { host: authority.host.to_buf(), port: authority.port }
    }
}

owned_form!(AuthorityBuf, Authority, as_authority, AuthorityError);
