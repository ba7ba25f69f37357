//! Turns the structs of a call into the values that the core decides on.

use coalesce_core::{
    ClientCertificates, DnsName, GroupId, HostField, IdentifierSet, PresentedSet, RequestTarget,
    Scheme, ServerConnection,
};

use crate::codes::{
    COALESCE_GROUP_NONE, COALESCE_OWN_CERTIFICATE, COALESCE_PORTS_MAX, COALESCE_TRUSTED_GATEWAY,
};
use crate::fault::Fault;
use crate::handshake;
use crate::structs::{Connection, Request};
use crate::values;

/// The compiled form of a set without identifiers, for a connection whose certificate is not known.
static NO_IDENTIFIERS: &[u8] = include_bytes!("no_identifiers.bin");

/// Who checks the certificate of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    OwnCertificate,
    Gateway,
}

/// A place for the empty set that a connection without identifiers borrows.
pub(crate) type EmptySet = Option<IdentifierSet<&'static [u8]>>;

/// Returns the connection to decide with. It is in no group if its handshake did not meet the
/// policy of its server block.
pub(crate) fn connection<'a>(
    facts: &Connection<'a>,
    empty: &'a mut EmptySet,
) -> Result<ServerConnection<'a>, Fault> {
    let scheme = values::scheme(facts.scheme)?;
    let trust = match facts.trust {
        COALESCE_OWN_CERTIFICATE => Trust::OwnCertificate,
        COALESCE_TRUSTED_GATEWAY => Trust::Gateway,
        _ => return Err(Fault::InvalidValue),
    };
    if facts.reserved != 0 {
        return Err(Fault::InvalidValue);
    }
    let ports = facts.ports()?;
    if ports.is_empty() || ports.len() > COALESCE_PORTS_MAX {
        return Err(Fault::InvalidValue);
    }
    let (met, clients) = handshake_of(facts, scheme, trust)?;
    let group = GroupId::new(if met { facts.group } else { COALESCE_GROUP_NONE });
    let connection = match (trust, scheme) {
        (Trust::Gateway, _) => ServerConnection::trusted_gateway(scheme, group, clients, ports),
        (Trust::OwnCertificate, Scheme::Http) => ServerConnection::cleartext(group, ports),
        (Trust::OwnCertificate, Scheme::Https) => {
            ServerConnection::tls(presented(facts, empty)?, group, clients, ports)
        }
    };
    let server_name = facts.server_name.get()?.and_then(|name| DnsName::parse(name).ok());
    Ok(connection.with_server_name(server_name))
}

/// Returns whether the handshake met the policy, and whether it asked for a client certificate.
fn handshake_of(
    facts: &Connection<'_>,
    scheme: Scheme,
    trust: Trust,
) -> Result<(bool, ClientCertificates), Fault> {
    if facts.policy().is_null() {
        return if trust == Trust::OwnCertificate && scheme == Scheme::Https {
            Err(Fault::NullArgument)
        } else {
            // A gateway without a policy says nothing of its handshakes, so they count as asking.
            // A cleartext connection has none.
            Ok((true, ClientCertificates::Asked))
        };
    }
    let (policy, met) = (facts.policy().read()?, facts.met().read()?);
    Ok((handshake::met(policy, met)?, handshake::clients(policy, met)?))
}

/// Returns the identifiers. Without any, the certificate covers no host.
fn presented<'a>(
    facts: &Connection<'a>,
    empty: &'a mut EmptySet,
) -> Result<PresentedSet<'a>, Fault> {
    if let Some(identifiers) = facts.presented() {
        return Ok(PresentedSet::from(identifiers.set()));
    }
    let set = IdentifierSet::from_bytes(NO_IDENTIFIERS).map_err(|_| Fault::InvalidTable)?;
    Ok(PresentedSet::from(&*empty.insert(set)))
}

/// Returns the target to decide on.
pub(crate) fn target<'a>(request: &Request<'a>) -> Result<RequestTarget<'a>, Fault> {
    let host = match (request.host.get()?, request.host_count) {
        (_, 2..) => HostField::Several,
        (Some(host), _) => HostField::One(host),
        (None, _) => HostField::Absent,
    };
    Ok(RequestTarget {
        authority: request.authority.get()?,
        host,
        scheme: request.scheme.get()?,
        method: values::method(request.method)?,
    })
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    #[test]
    fn embedded_empty_set_is_the_one_that_the_core_builds() {
        let built = IdentifierSet::build([]).unwrap();
        if std::env::var_os("COALESCE_BLESS").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/no_identifiers.bin");
            std::fs::write(path, built.as_bytes()).unwrap();
        } else {
            assert_eq!(NO_IDENTIFIERS, built.as_bytes());
        }
    }
}
