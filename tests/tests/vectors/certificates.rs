//! Real certificates with valid or invalid names, and the hosts that other libraries match.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::{X509CheckFlags, X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509StoreContext};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType, KeyPair};
use rustls_pki_types::{CertificateDer, DnsName, ServerName};
use webpki::EndEntityCert;

use crate::rows::Presented;

/// `id-ce-subjectAltName` (RFC 5280 §4.2.1.6).
const SUBJECT_ALT_NAME: &[u64] = &[2, 5, 29, 17];

/// `X509_V_ERR_HOSTNAME_MISMATCH` and `X509_V_ERR_IP_ADDRESS_MISMATCH` of `openssl/x509_vfy.h`.
const MISMATCHES: [i32; 2] = [62, 64];

/// Makes a certificate with these names, valid or not; without names it has no subjectAltName.
pub(crate) fn certificate(names: &[Presented], common_name: &str, key: &KeyPair) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    if !names.is_empty() {
        // Encoded by hand, because libraries refuse to write names that readers must refuse.
        let names: Vec<u8> = names.iter().flat_map(general_name).collect();
        let extension = CustomExtension::from_oid_content(SUBJECT_ALT_NAME, element(0x30, &names));
        params.custom_extensions.push(extension);
    }
    params.self_signed(key).expect("a signature").der().to_vec()
}

fn general_name(name: &Presented) -> Vec<u8> {
    match name {
        Presented::Email(bytes) => element(0x81, bytes),
        Presented::Dns(bytes) => element(0x82, bytes),
        Presented::Uri(bytes) => element(0x86, bytes),
        Presented::Ip(octets) => element(0x87, octets),
    }
}

/// Encodes one element of DER.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("names are short").to_be_bytes();
    let mut element = vec![tag];
    match length {
        [0, short @ 0..=0x7f] => element.push(short),
        [0, long] => element.extend([0x81, long]),
        [high, low] => element.extend([0x82, high, low]),
    }
    element.extend_from_slice(content);
    element
}

/// The host of a URI in the form that other libraries take.
enum Reference<'a> {
    Name(&'a str),
    Address(IpAddr),
}

impl<'a> Reference<'a> {
    /// Divides hosts as RFC 3986 §3.2.2 does: IPv6 addresses in brackets, then IPv4 addresses, then
    /// names. The other library validates the name.
    fn of(host: &'a [u8]) -> Option<Self> {
        let host = str::from_utf8(host).ok()?;
        if let Some(inner) = host.strip_prefix('[') {
            let address: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
            return Some(Self::Address(address.into()));
        }
        Some(host.parse::<Ipv4Addr>().map_or(Self::Name(host), |it| Self::Address(it.into())))
    }
}

/// Returns true if webpki's check of names passes, which rustls makes after that of the chain.
pub(crate) fn webpki_covers(certificate: &[u8], host: &[u8]) -> bool {
    let name = match Reference::of(host) {
        Some(Reference::Address(address)) => ServerName::IpAddress(address.into()),
        Some(Reference::Name(name)) => match DnsName::try_from(name) {
            Ok(name) => ServerName::DnsName(name),
            Err(_) => return false,
        },
        None => return false,
    };
    let certificate = CertificateDer::from(certificate);
    EndEntityCert::try_from(&certificate)
        .is_ok_and(|certificate| certificate.verify_is_valid_for_subject_name(&name).is_ok())
}

/// Returns true if `X509_check_host` or `X509_check_ip` passes, which OpenSSL calls if a
/// verification has a host. OpenSSL's options are set to RFC 9525: no common name, no partial
/// wildcards.
pub(crate) fn openssl_covers(certificate: &[u8], host: &[u8]) -> bool {
    let Ok(certificate) = X509::from_der(certificate) else { return false };
    let mut parameters = X509VerifyParam::new().expect("parameters");
    let flags = X509CheckFlags::NEVER_CHECK_SUBJECT | X509CheckFlags::NO_PARTIAL_WILDCARDS;
    parameters.set_hostflags(flags);
    parameters.set_flags(X509VerifyFlags::PARTIAL_CHAIN).expect("a flag");
    let asked = match Reference::of(host) {
        Some(Reference::Address(address)) => parameters.set_ip(address),
        // An empty name would switch the check off.
        Some(Reference::Name(name)) if !name.is_empty() => parameters.set_host(name),
        _ => return false,
    };
    if asked.is_err() {
        return false;
    }
    let mut store = X509StoreBuilder::new().expect("a store");
    store.add_cert(certificate.clone()).expect("a certificate");
    store.set_param(&parameters).expect("parameters");
    let (store, chain) = (store.build(), Stack::new().expect("no chain"));
    let mut context = X509StoreContext::new().expect("a context");
    let verified = context.init(&store, &certificate, &chain, |context| {
        context.verify_cert().map(|covered| (covered, context.error()))
    });
    let (covered, reason) = verified.expect("a verification");
    // The names must be the only error, or the result would be about another fault.
    assert!(covered || MISMATCHES.contains(&reason.as_raw()), "{reason}");
    covered
}
