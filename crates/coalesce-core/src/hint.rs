//! Hints for the operator: what a connection may carry, where a request on it was misdirected.

use core::fmt;

use crate::decide::ServerConnection;
use crate::identifier_set::PresentedSet;
use crate::limits::HINTED_NAMES_MAX;
use crate::reason::Misdirected;

/// A sentence about a connection that helps an operator with a misdirected request: the ports of
/// its listener, the names of its certificate. For logs; nothing of it belongs in a response.
///
/// # Examples
///
#[cfg_attr(feature = "alloc", doc = "```")]
#[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
/// use coalesce_core::{
///     ClientCertificates, GroupId, IdentifierSet, Misdirected, PresentedIdentifier, RefusalHint,
///     ServerConnection,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let presented = IdentifierSet::build([PresentedIdentifier::parse_dns(b"*.a.test")?])?;
/// let clients = ClientCertificates::NotAsked;
/// let ports = &[443, 8443];
/// let connection = ServerConnection::tls(&presented, GroupId::new(1), clients, ports);
/// let hint = |reason| RefusalHint::new(&connection, reason).map(|hint| hint.to_string());
/// let port = hint(Misdirected::Port);
/// assert_eq!(port.as_deref(), Some("the listener answers for the ports: 443, 8443"));
/// let certificate = hint(Misdirected::Certificate);
/// assert_eq!(certificate.as_deref(), Some("the certificate is for: *.a.test"));
/// assert_eq!(hint(Misdirected::UnknownAuthority), None);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RefusalHint<'a> {
    connection: &'a ServerConnection<'a>,
    reason: Misdirected,
}

impl<'a> RefusalHint<'a> {
    /// Returns the hint for a request that was refused on `connection` for this reason. `None` if
    /// the connection alone does not explain the reason.
    pub fn new(connection: &'a ServerConnection<'a>, reason: Misdirected) -> Option<Self> {
        let explains = match reason {
            Misdirected::Scheme | Misdirected::Port | Misdirected::ServerName => true,
            Misdirected::Certificate => {
                connection.presented().flat_map(PresentedSet::identifiers).next().is_some()
            }
            Misdirected::UnknownAuthority | Misdirected::Listener | Misdirected::Group => false,
        };
        explains.then_some(Self { connection, reason })
    }
}

impl fmt::Display for RefusalHint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connection, reason } = self;
        match reason {
            Misdirected::Scheme => {
                write!(
                    f,
                    "requests on this connection have the scheme {}",
                    connection.scheme().as_str()
                )
            }
            Misdirected::Port => {
                f.write_str("the listener answers for the ports: ")?;
                list(f, connection.ports().as_slice().iter())
            }
            Misdirected::Certificate => {
                f.write_str("the certificate is for: ")?;
                list(f, connection.presented().flat_map(PresentedSet::identifiers))
            }
            Misdirected::ServerName => match connection.server_name() {
                Some(name) => write!(f, "the connection is for {name} only"),
                None => f.write_str("the connection has no server name"),
            },
            Misdirected::UnknownAuthority | Misdirected::Listener | Misdirected::Group => Ok(()),
        }
    }
}

/// Writes the first [`HINTED_NAMES_MAX`] of `items`, and counts the others.
fn list(
    f: &mut fmt::Formatter<'_>,
    mut items: impl Iterator<Item = impl fmt::Display>,
) -> fmt::Result {
    for (number, item) in items.by_ref().take(HINTED_NAMES_MAX).enumerate() {
        if number > 0 {
            f.write_str(", ")?;
        }
        item.fmt(f)?;
    }
    match items.count() {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use std::format;
    use std::string::{String, ToString};
    use std::vec::Vec;

    use super::*;
    use crate::{ClientCertificates, DnsName, GroupId, IdentifierSet, Ports, PresentedIdentifier};

    fn hint(connection: &ServerConnection<'_>, reason: Misdirected) -> Option<String> {
        RefusalHint::new(connection, reason).map(|hint| hint.to_string())
    }

    #[test]
    fn hint_names_what_the_connection_may_carry() {
        let presented = ["a.test", "*.b.test"];
        let presented =
            presented.map(|name| PresentedIdentifier::parse_dns(name.as_bytes()).unwrap());
        let presented = IdentifierSet::build(presented).unwrap();
        let clients = ClientCertificates::NotAsked;
        let group = GroupId::new(1);
        let connection = ServerConnection::tls(&presented, group, clients, [443, 8443])
            .with_server_name(DnsName::parse(b"a.test").ok());
        let hints = Misdirected::ALL.iter().map(|reason| hint(&connection, *reason));
        let expected = [
            Some("requests on this connection have the scheme https"),
            None,
            Some("the listener answers for the ports: 443, 8443"),
            Some("the certificate is for: a.test, *.b.test"),
            None,
            None,
            Some("the connection is for a.test only"),
        ];
        assert_eq!(hints.collect::<Vec<_>>(), expected.map(|hint| hint.map(str::to_string)));

        let unnamed = connection.with_server_name(None);
        let said = hint(&unnamed, Misdirected::ServerName);
        assert_eq!(said.as_deref(), Some("the connection has no server name"));

        let empty = IdentifierSet::build([]).unwrap();
        let nameless = ServerConnection::tls(&empty, group, clients, 443);
        assert_eq!(hint(&nameless, Misdirected::Certificate), None);

        let cleartext = ServerConnection::cleartext(group, 80);
        assert_eq!(hint(&cleartext, Misdirected::Certificate), None);
        let said = hint(&cleartext, Misdirected::Scheme);
        assert_eq!(said.as_deref(), Some("requests on this connection have the scheme http"));
    }

    #[test]
    fn long_lists_are_cut_in_hints() {
        let names: Vec<String> = (0..1_000).map(|number| format!("n{number}.test")).collect();
        let presented = names.iter().map(|name| PresentedIdentifier::parse_dns(name.as_bytes()));
        let presented = IdentifierSet::build(presented.map(Result::unwrap)).unwrap();
        let clients = ClientCertificates::NotAsked;
        let ports: Ports<'_> = (1..=9).collect();
        let connection = ServerConnection::tls(&presented, GroupId::new(1), clients, ports);
        let said = hint(&connection, Misdirected::Certificate).unwrap();
        assert!(said.starts_with("the certificate is for: n0.test, "), "{said}");
        assert!(said.ends_with(" and 992 more"), "{said}");
        let said = hint(&connection, Misdirected::Port).unwrap();
        assert_eq!(said, "the listener answers for the ports: 1, 2, 3, 4, 5, 6, 7, 8 and 1 more");
    }
}
