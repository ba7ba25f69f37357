//! Checks the numbers of structs and turns them into the values of the core.

use coalesce_core::{
    ClientCertificates, CoalescePolicy, ConnectPolicy, Enforcement, HandshakeRules, MethodKind,
    Scheme, UnknownAuthority,
};

use crate::codes::{
    COALESCE_BY_CERTIFICATE_AND_GROUP, COALESCE_CLIENT_VERIFIED, COALESCE_CLIENTS_NOT_ASKED,
    COALESCE_CLIENTS_OPTIONAL, COALESCE_CLIENTS_REQUIRED, COALESCE_CONNECT_ANY,
    COALESCE_CONNECT_EXTENDED, COALESCE_CONNECT_REFUSE, COALESCE_ENFORCE, COALESCE_METHOD_CONNECT,
    COALESCE_METHOD_EXTENDED_CONNECT, COALESCE_METHOD_ORDINARY, COALESCE_NEVER, COALESCE_OBSERVE,
    COALESCE_SCHEME_HTTP, COALESCE_SCHEME_HTTPS, COALESCE_STRICT_SERVER_NAME,
    COALESCE_UNKNOWN_MISDIRECTED, COALESCE_UNKNOWN_TO_APPLICATION,
};
use crate::fault::Fault;
use crate::structs::{GroupPolicy, HandshakeFacts, HandshakePolicy};

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
    fn parse(number: u32) -> Result<Self, Fault> {
        match number {
            COALESCE_CLIENTS_NOT_ASKED => Ok(Self::NotAsked),
            COALESCE_CLIENTS_OPTIONAL => Ok(Self::Optional),
            COALESCE_CLIENTS_REQUIRED => Ok(Self::Required),
            _ => Err(Fault::InvalidValue),
        }
    }
}

/// A checked `coalesce_group_policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CheckedGroupPolicy {
    coalesce: u32,
    unknown_authority: u32,
    connect: u32,
    enforcement: u32,
    clients: Option<Clients>,
}

impl CheckedGroupPolicy {
    /// The policy of a group for which the caller gives none.
    pub(crate) const DEFAULT: Self = Self {
        coalesce: COALESCE_BY_CERTIFICATE_AND_GROUP,
        unknown_authority: COALESCE_UNKNOWN_MISDIRECTED,
        connect: COALESCE_CONNECT_REFUSE,
        enforcement: COALESCE_ENFORCE,
        clients: None,
    };

    pub(crate) fn parse(policy: &GroupPolicy) -> Result<Self, Fault> {
        let in_range = policy.coalesce <= COALESCE_NEVER
            && policy.unknown_authority <= COALESCE_UNKNOWN_TO_APPLICATION
            && policy.connect <= COALESCE_CONNECT_ANY
            && policy.enforcement <= COALESCE_OBSERVE;
        if !in_range {
            return Err(Fault::InvalidValue);
        }
        let clients = match policy.client_certificates {
            0 => None,
            number => Some(Clients::parse(number)?),
        };
        Ok(Self {
            coalesce: policy.coalesce,
            unknown_authority: policy.unknown_authority,
            connect: policy.connect,
            enforcement: policy.enforcement,
            clients,
        })
    }

    /// Adds what the handshakes of the group do. Fails if the policy says otherwise.
    pub(crate) fn with_clients(mut self, clients: Clients) -> Result<Self, Fault> {
        if self.clients.is_some_and(|named| named != clients) {
            return Err(Fault::InvalidValue);
        }
        self.clients = Some(clients);
        Ok(self)
    }

    pub(crate) fn to_core(self) -> coalesce_core::GroupPolicy {
        coalesce_core::GroupPolicy::default()
            .with_coalesce(match self.coalesce {
                COALESCE_BY_CERTIFICATE_AND_GROUP => CoalescePolicy::CertificateAndGroup,
                COALESCE_STRICT_SERVER_NAME => CoalescePolicy::StrictServerName,
                _ => CoalescePolicy::Never,
            })
            .with_unknown_authority(match self.unknown_authority {
                COALESCE_UNKNOWN_TO_APPLICATION => UnknownAuthority::HandToApplication,
                _ => UnknownAuthority::Misdirected,
            })
            .with_connect(match self.connect {
                COALESCE_CONNECT_ANY => ConnectPolicy::Any,
                COALESCE_CONNECT_EXTENDED => ConnectPolicy::Extended,
                _ => ConnectPolicy::Refuse,
            })
            .with_enforcement(match self.enforcement {
                COALESCE_OBSERVE => Enforcement::Observe,
                _ => Enforcement::Enforce,
            })
            .with_handshake_rules(&self)
    }
}

impl HandshakeRules for CheckedGroupPolicy {
    fn client_certificates(&self) -> ClientCertificates {
        match self.clients {
            Some(Clients::NotAsked) => ClientCertificates::NotAsked,
            Some(Clients::Optional | Clients::Required) | None => ClientCertificates::Asked,
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
