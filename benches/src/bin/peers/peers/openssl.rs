//! OpenSSL's matching of names.
#![allow(unsafe_code, reason = "the bindings of these functions have no safe form")]

use std::net::IpAddr;
use std::ptr;

use openssl_sys::{X509, X509_check_host, X509_check_ip, X509_free, d2i_X509};

use super::certificate::der;
use super::normalise::{Host, split};
use super::{Built, Lookup, Refusal};
use crate::sets::NameSet;

/// `X509_CHECK_FLAG_NEVER_CHECK_SUBJECT` of `openssl/x509v3.h`: no fallback to the common name.
const NEVER_CHECK_SUBJECT: u32 = 0x20;

/// A parsed certificate; never null.
struct Certificate(*mut X509);

impl Drop for Certificate {
    fn drop(&mut self) {
        // SAFETY: `d2i_X509` made it, and nothing else frees it.
        unsafe { X509_free(self.0) }
    }
}

impl Lookup for Certificate {
    fn find(&self, authority: &[u8]) -> Option<u32> {
        let found = match split(authority)? {
            // SAFETY: the certificate is alive, and pointer and length belong to one slice. The
            // matching name is not requested.
            Host::Name(name) => unsafe {
                let (at, len) = (name.as_ptr().cast(), name.len());
                X509_check_host(self.0, at, len, NEVER_CHECK_SUBJECT, ptr::null_mut())
            },
            Host::Address(IpAddr::V4(address)) => self.address(&address.octets()),
            Host::Address(IpAddr::V6(address)) => self.address(&address.octets()),
        };
        (found == 1).then_some(0)
    }
}

impl Certificate {
    fn address(&self, octets: &[u8]) -> i32 {
        // SAFETY: the certificate is alive, and pointer and length belong to one slice.
        unsafe { X509_check_ip(self.0, octets.as_ptr(), octets.len(), 0) }
    }
}

pub(super) fn build(set: &NameSet) -> Result<Built, Refusal> {
    let der = der(set)?;
    let len = der.len().try_into().map_err(Refusal::new)?;
    let mut at = der.as_ptr();
    // SAFETY: pointer and length belong to one slice. No existing certificate is passed for reuse.
    let certificate = unsafe { d2i_X509(ptr::null_mut(), &raw mut at, len) };
    if certificate.is_null() {
        return Err(Refusal::new("did not parse the certificate"));
    }
    Ok(Built::new(Certificate(certificate)))
}
