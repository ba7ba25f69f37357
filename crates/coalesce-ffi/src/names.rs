//! Identifier sets from certificates and from names.

use coalesce_core::limits::IDENTIFIERS_MAX;
use coalesce_core::{Host, IdentifierSet, PresentedIdentifier};
use coalesce_tls::{CertificateError, PresentedNames};

use crate::builder;
use crate::fault::Fault;
use crate::handles::{Identifiers, Place, Storage};
use crate::pointers::Bytes;

/// Reads the identifiers of a certificate.
pub(crate) fn from_der(certificate: &[u8]) -> Result<Identifiers, Fault> {
    let names = PresentedNames::read_der(certificate).map_err(|error| match error {
        CertificateError::TooLong { .. } | CertificateError::TooManyNames { .. } => Fault::TooLarge,
        CertificateError::Identifiers(error) => builder::fault(error),
        _ => Fault::InvalidCertificate,
    })?;
    Identifiers::new(Storage::Owned(names.identifiers().as_bytes().into()), Place::Heap)
}

/// Makes a set of names as text.
pub(crate) fn from_names(names: &[Bytes<'_>]) -> Result<Identifiers, Fault> {
    if names.len() > IDENTIFIERS_MAX {
        return Err(Fault::TooLarge);
    }
    let identifiers = names.iter().map(|name| identifier(name.present()?));
    let identifiers: Vec<PresentedIdentifier<'_>> = identifiers.collect::<Result<_, _>>()?;
    let set = IdentifierSet::build(identifiers).map_err(builder::fault)?;
    Identifiers::new(Storage::Owned(set.as_bytes().into()), Place::Heap)
}

/// Parses `a.test`, `*.a.test` or an address, each with or without its kind in front.
fn identifier(text: &[u8]) -> Result<PresentedIdentifier<'_>, Fault> {
    let dns = |name| PresentedIdentifier::parse_dns(name).map_err(|_| Fault::InvalidName);
    let ip = |address| match Host::parse(address) {
        Ok(Host::Ip(address)) => Some(PresentedIdentifier::Ip(address)),
        _ => None,
    };
    if let Some(name) = text.strip_prefix(b"DNS:") {
        dns(name)
    } else if let Some(address) = text.strip_prefix(b"IP:") {
        ip(address).ok_or(Fault::InvalidName)
    } else {
        ip(text).map_or_else(|| dns(text), Ok)
    }
}
