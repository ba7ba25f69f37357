//! Whether a handshake met the policy of a server block.

use crate::codes::{
    COALESCE_CLIENT_ASKED_NONE_GIVEN, COALESCE_CLIENT_NOT_ASKED, COALESCE_CLIENT_VERIFIED,
};
use crate::fault::Fault;
use crate::structs::{HandshakeFacts, HandshakePolicy};
use crate::values::{CheckedHandshakePolicy, Clients, check_facts};

use coalesce_core::ClientCertificates;

/// Returns whether the handshake with `facts` met `policy`. A fact that is unknown meets no demand.
///
/// | policy | client certificate fact | met |
/// | --- | --- | --- |
/// | not asked | any | yes |
/// | optional | asked, none given | yes |
/// | optional, required | verified, by the same CA | yes |
/// | optional, required | verified, by another or an unknown CA | no |
/// | required | asked, none given | no |
/// | optional, required | not asked, unknown | no |
pub(crate) fn met(policy: &HandshakePolicy, facts: &HandshakeFacts) -> Result<bool, Fault> {
    let policy = CheckedHandshakePolicy::parse(policy)?;
    check_facts(facts)?;
    let same_ca = facts.client_ca != 0 && facts.client_ca == policy.client_ca;
    let verified = facts.client_certificate == COALESCE_CLIENT_VERIFIED && same_ca;
    let clients = match policy.clients {
        Clients::NotAsked => true,
        Clients::Optional => {
            verified || facts.client_certificate == COALESCE_CLIENT_ASKED_NONE_GIVEN
        }
        Clients::Required => verified,
    };
    // An unknown version is 0, which is below every minimum but "any".
    Ok(clients && facts.tls_version >= policy.tls_version_min && facts.other == policy.other)
}

/// Returns whether the handshake asked its client for a certificate. It did not if the policy and
/// the facts agree on that.
pub(crate) fn clients(
    policy: &HandshakePolicy,
    facts: &HandshakeFacts,
) -> Result<ClientCertificates, Fault> {
    let not_asked = CheckedHandshakePolicy::parse(policy)?.clients == Clients::NotAsked
        && facts.client_certificate == COALESCE_CLIENT_NOT_ASKED;
    Ok(if not_asked { ClientCertificates::NotAsked } else { ClientCertificates::Asked })
}
