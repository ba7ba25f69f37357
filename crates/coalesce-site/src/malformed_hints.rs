//! Hints about malformed requests: how the client can correct them.

use coalesce_core::{AuthorityError, Malformed, Scheme};

/// Returns a sentence about a request that was refused for this reason. `named` is the authority
/// that the reason is about.
pub(crate) fn hint(reason: Malformed, named: &str) -> String {
    match reason {
        Malformed::NoAuthority => {
            "a request names its authority in :authority, over HTTP/1.1 in Host".to_owned()
        }
        Malformed::SeveralHosts => "a request has one Host field and no more".to_owned(),
        Malformed::Authority(error) | Malformed::Host(error) | Malformed::HostBeside(error) => {
            authority(error, named)
        }
        Malformed::HostDiffers => {
            "send the same authority in Host as in :authority, or leave Host out".to_owned()
        }
        Malformed::ConnectRefused => {
            "CONNECT asks a proxy for a tunnel, and this server is no proxy".to_owned()
        }
        Malformed::ExtendedConnectRefused => {
            "this group takes no extended CONNECT: WebSockets need HTTP/1.1 here".to_owned()
        }
        Malformed::ConnectPort => "CONNECT names a host and a port: a.example.test:443".to_owned(),
        _ => "see the rule".to_owned(),
    }
}

fn authority(error: AuthorityError, named: &str) -> String {
    match error {
        AuthorityError::FieldValue { .. } => {
            "leave out the byte: a field value has no control characters".to_owned()
        }
        AuthorityError::Userinfo { at } => {
            let rest = named.get(at.saturating_add(1)..).unwrap_or_default();
            format!("leave out the userinfo: did you mean {}?", rest.escape_debug())
        }
        AuthorityError::EmptyHost => "an authority is a host and, if need be, a port".to_owned(),
        AuthorityError::ForbiddenByte { byte, .. } if !byte.is_ascii() => {
            "write the name in ASCII, with A-labels: xn--bcher-kva.example.test".to_owned()
        }
        AuthorityError::ForbiddenByte { byte: b'/', .. } => {
            "an authority has neither scheme nor path: a.example.test:8443".to_owned()
        }
        AuthorityError::BadPercentEncoding { .. } => {
            "two hexadecimal digits follow a '%', and no name has one".to_owned()
        }
        AuthorityError::BadIpLiteral => {
            "brackets are for IPv6 addresses: [2001:db8::1]:8443".to_owned()
        }
        AuthorityError::BadPort if named.contains("//") => {
            "an authority has neither scheme nor path: a.example.test:8443".to_owned()
        }
        AuthorityError::BadPort => format!(
            "a port is a number up to 65535; without one, the authority means {}",
            Scheme::Https.default_port()
        ),
        _ => "a host is a name of letters, digits, hyphens and dots, or an address".to_owned(),
    }
}
