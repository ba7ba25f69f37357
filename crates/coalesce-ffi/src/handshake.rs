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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::{
        COALESCE_CLIENT_UNKNOWN, COALESCE_CLIENTS_NOT_ASKED, COALESCE_CLIENTS_OPTIONAL,
        COALESCE_CLIENTS_REQUIRED,
    };

    const NOT_ASKED: u32 = COALESCE_CLIENTS_NOT_ASKED;
    const OPTIONAL: u32 = COALESCE_CLIENTS_OPTIONAL;
    const REQUIRED: u32 = COALESCE_CLIENTS_REQUIRED;
    const CA: u64 = 7;
    const OTHER_CA: u64 = 8;

    /// Every policy and fact about client certificates. The last column is for the CAs of the
    /// handshake: the policy's, another, an unknown one.
    const CLIENTS: &[(u32, u32, [bool; 3])] = &[
        (NOT_ASKED, COALESCE_CLIENT_UNKNOWN, [true, true, true]),
        (NOT_ASKED, COALESCE_CLIENT_NOT_ASKED, [true, true, true]),
        (NOT_ASKED, COALESCE_CLIENT_ASKED_NONE_GIVEN, [true, true, true]),
        (NOT_ASKED, COALESCE_CLIENT_VERIFIED, [true, true, true]),
        (OPTIONAL, COALESCE_CLIENT_UNKNOWN, [false, false, false]),
        (OPTIONAL, COALESCE_CLIENT_NOT_ASKED, [false, false, false]),
        (OPTIONAL, COALESCE_CLIENT_ASKED_NONE_GIVEN, [true, true, true]),
        (OPTIONAL, COALESCE_CLIENT_VERIFIED, [true, false, false]),
        (REQUIRED, COALESCE_CLIENT_UNKNOWN, [false, false, false]),
        (REQUIRED, COALESCE_CLIENT_NOT_ASKED, [false, false, false]),
        (REQUIRED, COALESCE_CLIENT_ASKED_NONE_GIVEN, [false, false, false]),
        (REQUIRED, COALESCE_CLIENT_VERIFIED, [true, false, false]),
    ];

    /// The lowest version of the policy, the version of the handshake, and whether it is met.
    const VERSIONS: &[(u32, u32, bool)] = &[
        (0, 0, true),
        (0, 0x0301, true),
        (0, 0x0304, true),
        (0x0301, 0, false),
        (0x0303, 0x0302, false),
        (0x0303, 0x0303, true),
        (0x0303, 0x0304, true),
        (0x0304, 0x0303, false),
        (0x0304, 0, false),
    ];

    #[test]
    fn handshake_is_met_by_clients_version_and_the_rest_together() {
        for (clients, fact, by_ca) in CLIENTS {
            for (client_ca, clients_met) in [CA, OTHER_CA, 0].into_iter().zip(by_ca) {
                for (tls_version_min, tls_version, version_met) in VERSIONS {
                    for other in [0, 1] {
                        let policy = HandshakePolicy {
                            size: size_of::<HandshakePolicy>(),
                            client_certificates: *clients,
                            tls_version_min: *tls_version_min,
                            client_ca: CA,
                            other: 1,
                        };
                        let facts = HandshakeFacts {
                            size: size_of::<HandshakeFacts>(),
                            client_certificate: *fact,
                            tls_version: *tls_version,
                            client_ca,
                            other,
                        };
                        let expected = *clients_met && *version_met && other == 1;
                        assert_eq!(met(&policy, &facts), Ok(expected), "{policy:?} {facts:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn policy_without_a_ca_is_met_by_no_certificate() {
        for clients in [OPTIONAL, REQUIRED] {
            let policy = HandshakePolicy {
                size: 0,
                client_certificates: clients,
                tls_version_min: 0,
                client_ca: 0,
                other: 0,
            };
            let facts = HandshakeFacts {
                size: 0,
                client_certificate: COALESCE_CLIENT_VERIFIED,
                tls_version: 0,
                client_ca: 0,
                other: 0,
            };
            assert_eq!(met(&policy, &facts), Ok(false));
        }
    }
}
