//! Peers that read a certificate.

use std::net::IpAddr;

use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use rustls_pki_types::{CertificateDer, DnsName, ServerName};
use webpki::EndEntityCert;
use x509_parser::prelude::{FromDer as _, GeneralName, ParsedExtension, X509Certificate};

use super::normalise::{Buffer, Host, lower, split};
use super::{Built, Lookup, Refusal};
use crate::sets::{NameSet, Pattern};

/// Returns a self-signed certificate that presents the names of a set, without a common name.
pub(super) fn der(set: &NameSet) -> Result<Vec<u8>, Refusal> {
    let names = set.iter().map(|(_, pattern)| {
        let name = String::from_utf8_lossy(pattern.name());
        match pattern {
            Pattern::Exact(_) => name.into_owned(),
            Pattern::Wildcard(_) => format!("*.{name}"),
        }
    });
    let addresses = set.addresses().map(|(_, address)| address.to_string());
    let names: Vec<String> = names.chain(addresses).collect();
    let mut params = CertificateParams::new(names).map_err(Refusal::new)?;
    params.distinguished_name = DistinguishedName::new();
    let key = KeyPair::generate().map_err(Refusal::new)?;
    let certificate = params.self_signed(&key).map_err(Refusal::new)?;
    Ok(certificate.der().to_vec())
}

/// Returns a leaked certificate, because the parsed forms borrow it. Its memory is counted.
fn leaked_der(set: &NameSet) -> Result<&'static [u8], Refusal> {
    der(set).map(|der| &*der.leak())
}

// ------------------------------------------------------------------------------ rustls-webpki

struct Webpki(EndEntityCert<'static>);

impl Lookup for Webpki {
    fn find(&self, authority: &[u8]) -> Option<u32> {
        let name = match split(authority)? {
            Host::Name(name) => ServerName::DnsName(DnsName::try_from(name).ok()?),
            Host::Address(address) => ServerName::from(address),
        };
        self.0.verify_is_valid_for_subject_name(&name).ok().map(|()| 0)
    }
}

pub(super) fn webpki(set: &NameSet) -> Result<Built, Refusal> {
    let der: &'static CertificateDer<'static> =
        Box::leak(Box::new(CertificateDer::from(leaked_der(set)?)));
    Ok(Built::new(Webpki(EndEntityCert::try_from(der).map_err(Refusal::new)?)))
}

// ------------------------------------------------------------------------------ x509-parser

/// The subject alternative names of `x509-parser`.
struct Names(Vec<GeneralName<'static>>);

impl Lookup for Names {
    fn find(&self, authority: &[u8]) -> Option<u32> {
        let mut buffer: Buffer = [0; 256];
        let at = match split(authority)? {
            Host::Name(name) => self.name(lower(name, &mut buffer)?),
            Host::Address(address) => self.address(address),
        };
        at.and_then(|at| u32::try_from(at).ok())
    }
}

impl Names {
    fn name(&self, name: &[u8]) -> Option<usize> {
        let parent = name.iter().position(|byte| *byte == b'.').map(|dot| &name[dot..]);
        let mut wildcard = None;
        for (at, presented) in self.0.iter().enumerate() {
            let GeneralName::DNSName(presented) = presented else { continue };
            let presented = presented.as_bytes();
            if presented.eq_ignore_ascii_case(name) {
                return Some(at);
            }
            if let ([b'*', suffix @ ..], Some(parent)) = (presented, parent)
                && suffix.eq_ignore_ascii_case(parent)
            {
                wildcard = Some(at);
            }
        }
        wildcard
    }

    fn address(&self, address: IpAddr) -> Option<usize> {
        let is_it = |octets: &[u8]| match address {
            IpAddr::V4(address) => address.octets() == octets,
            IpAddr::V6(address) => address.octets() == octets,
        };
        let names = &mut self.0.iter();
        names.position(|name| matches!(name, GeneralName::IPAddress(octets) if is_it(octets)))
    }
}

pub(super) fn x509_scan(set: &NameSet) -> Result<Built, Refusal> {
    let (_, certificate) = X509Certificate::from_der(leaked_der(set)?).map_err(Refusal::new)?;
    let names =
        certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) => Some(names.general_names.clone()),
            _ => None,
        });
    Ok(Built::new(Names(names.unwrap_or_default())))
}
