//! Checks the numbers of structs and turns them into the values of the core.

use coalesce_core::{MethodKind, Scheme};

use crate::codes::{
    COALESCE_CLIENT_VERIFIED, COALESCE_CLIENTS_NOT_ASKED, COALESCE_CLIENTS_OPTIONAL,
    COALESCE_CLIENTS_REQUIRED, COALESCE_METHOD_CONNECT, COALESCE_METHOD_EXTENDED_CONNECT,
    COALESCE_METHOD_ORDINARY, COALESCE_SCHEME_HTTP, COALESCE_SCHEME_HTTPS,
};
use crate::fault::Fault;
use crate::structs::{HandshakeFacts, HandshakePolicy};

/// The lowest number of a TLS version (RFC 8446 §4.1.2): TLS 1.0.
const TLS_VERSION_MIN: u32 = 0x0301;
/// The highest one: TLS 1.3. Higher numbers are drafts, DTLS or GREASE, which have another order.
const TLS_VERSION_MAX: u32 = 0x0304;

/// Whether the handshakes of a group ask clients for a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Clients {
    NotAsked,
    Optional,
    Required,
}

impl Clients {
    pub(crate) fn parse(number: u32) -> Result<Self, Fault> {
        match number {
            COALESCE_CLIENTS_NOT_ASKED => Ok(Self::NotAsked),
            COALESCE_CLIENTS_OPTIONAL => Ok(Self::Optional),
            COALESCE_CLIENTS_REQUIRED => Ok(Self::Required),
            _ => Err(Fault::InvalidValue),
        }
    }
}

/// A checked `coalesce_handshake_policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CheckedHandshakePolicy {
    pub(crate) clients: Clients,
    pub(crate) tls_version_min: u32,
    pub(crate) client_ca: u64,
    pub(crate) other: u64,
}

impl CheckedHandshakePolicy {
    pub(crate) fn parse(policy: &HandshakePolicy) -> Result<Self, Fault> {
        Ok(Self {
            clients: Clients::parse(policy.client_certificates)?,
            tls_version_min: tls_version(policy.tls_version_min)?,
            client_ca: policy.client_ca,
            other: policy.other,
        })
    }
}

/// Checks the numbers of `facts`.
pub(crate) fn check_facts(facts: &HandshakeFacts) -> Result<(), Fault> {
    tls_version(facts.tls_version)?;
    if facts.client_certificate > COALESCE_CLIENT_VERIFIED {
        return Err(Fault::InvalidValue);
    }
    Ok(())
}

/// Returns a version if it is 0 or one of those whose numbers are in the order of their age.
fn tls_version(number: u32) -> Result<u32, Fault> {
    match number {
        0 | TLS_VERSION_MIN..=TLS_VERSION_MAX => Ok(number),
        _ => Err(Fault::InvalidValue),
    }
}

pub(crate) fn scheme(number: u32) -> Result<Scheme, Fault> {
    match number {
        COALESCE_SCHEME_HTTP => Ok(Scheme::Http),
        COALESCE_SCHEME_HTTPS => Ok(Scheme::Https),
        _ => Err(Fault::InvalidValue),
    }
}

pub(crate) fn method(number: u32) -> Result<MethodKind, Fault> {
    match number {
        COALESCE_METHOD_ORDINARY => Ok(MethodKind::Ordinary),
        COALESCE_METHOD_CONNECT => Ok(MethodKind::Connect),
        COALESCE_METHOD_EXTENDED_CONNECT => Ok(MethodKind::ExtendedConnect),
        _ => Err(Fault::InvalidValue),
    }
}
