//! The policies of a group, checked.

use coalesce_core::{
    ClientCertificates, CoalescePolicy, ConnectPolicy, Enforcement, HandshakeRules,
    UnknownAuthority,
};

use crate::codes::{
    COALESCE_BY_CERTIFICATE_AND_GROUP, COALESCE_CONNECT_ANY, COALESCE_CONNECT_EXTENDED,
    COALESCE_CONNECT_REFUSE, COALESCE_ENFORCE, COALESCE_NEVER, COALESCE_OBSERVE,
    COALESCE_STRICT_SERVER_NAME, COALESCE_UNKNOWN_MISDIRECTED, COALESCE_UNKNOWN_TO_APPLICATION,
};
use crate::fault::Fault;
use crate::structs::GroupPolicy;
use crate::values::Clients;

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
