//! The origin set of a connection (RFC 8336 §2): the origins that a server may truthfully announce.

use core::fmt::{self, Write as _};
use core::ops::ControlFlow;

use crate::decide::{ServerConnection, Verdict, decide};
use crate::host::Host;
use crate::limits::{NAME_LEN_MAX, ORIGIN_CANDIDATES_MAX};
use crate::name::DnsName;
use crate::origin::Origin;
use crate::pattern::NamePattern;
use crate::request::{RequestTarget, Scheme};
use crate::table::AuthorityTable;

/// Whether a list of origins is complete.
///
/// # Examples
/// ```
/// use coalesce_core::Listing;
///
/// /// A set that was cut is true but not complete.
/// fn warn(listing: Listing) -> Option<&'static str> {
///     match listing {
///         Listing::Whole => None,
///         Listing::Cut => Some("the origin set leaves some origins out"),
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[allow(clippy::exhaustive_enums, reason = "a list is either complete or cut")]
pub enum Listing {
    /// The list has all origins.
    Whole,
    /// The list ended early: there were more than [`ORIGIN_CANDIDATES_MAX`] names to examine, or
    /// the callback stopped it.
    Cut,
}

impl ServerConnection<'_> {
    /// Calls `each` with every origin of this connection's origin set, until `each` breaks. The set
    /// has the names that the certificate or the table spells out and that
    /// [`decide`](crate::decide()) [serves](Verdict::Serve) on this connection, each with every
    /// port that the listener answers for.
    ///
    /// Each origin has been decided, so the set cannot disagree with the decision:
    ///
    /// | name | in the set |
    /// | --- | --- |
    /// | exact in the table, and the certificate covers it by name or by wildcard | if it is served |
    /// | exact in the certificate, and a wildcard of the table matches it | if it is served |
    /// | served to this server name only, by its [policy](crate::CoalescePolicy) | if it is that name |
    /// | matched on both sides by wildcards only | no: an origin set has no wildcards (RFC 8336 Appendix B) |
    /// | another group's, another listener's, another server name's | no |
    /// | served only because its group is [observed](crate::Enforcement::Observe) | no: the rules refuse it |
    /// | in no entry, passed to the application for a 404 | no |
    /// | an address | no: a client that connects to one has it in its set (RFC 8336 §2.3) |
    ///
    /// Does [`decide`](crate::decide()) still serve a name that the set omits? Yes: an origin set
    /// changes no decision. But a client that has an origin set requests nothing outside it on that
    /// connection (RFC 8336 §2.4, Appendix B), so it no longer coalesces names that both sides
    /// match by wildcards only. The origin of the server name is the exception, because the client
    /// adds it to the set itself (§2.3).
    ///
    /// A cleartext connection has no origin set, and neither has a connection from a gateway:
    /// ORIGIN is for TLS, hop by hop (RFC 8336 §2.2, §2.3).
    ///
    /// # Allocation
    /// None.
    ///
    /// # Complexity
    /// One decision for every name examined, and a binary search for every wildcard of the
    /// certificate. Names more than one label below such a wildcard are skipped. Without a server
    /// name, the set is the same for all connections with the same certificate, group, listener and
    /// table. Make it once, and complete it for each connection with
    /// [`origins_of_server_name`](Self::origins_of_server_name).
    ///
    /// # Examples
    ///
    #[cfg_attr(feature = "alloc", doc = "```")]
    #[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
    /// use std::ops::ControlFlow;
    ///
    /// use coalesce_core::{
    ///     AuthorityTable, ClientCertificates, GroupId, GroupPolicy, IdentifierSet, Listing,
    ///     NamePattern, PresentedIdentifier, ServerConnection, VirtualHostId,
    /// };
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let group = GroupId::new(1);
    /// let mut table = AuthorityTable::builder();
    /// table.group(group, GroupPolicy::default())?;
    /// for name in ["a.test", "b.test"] {
    ///     table.entry(NamePattern::parse(name.as_bytes())?, VirtualHostId::new(0), group)?;
    /// }
    /// let table = table.build()?;
    ///
    /// // The certificate covers one of the two names.
    /// let presented = IdentifierSet::build([PresentedIdentifier::parse_dns(b"a.test")?])?;
    /// let clients = ClientCertificates::NotAsked;
    /// let connection = ServerConnection::tls(&presented, group, clients, 443);
    /// let mut origins = Vec::new();
    /// let listing = connection.origins(&table, |origin| {
    ///     origins.push(origin.to_string());
    ///     ControlFlow::Continue(())
    /// });
    /// assert_eq!((listing, origins), (Listing::Whole, vec!["https://a.test".to_owned()]));
    /// # Ok(()) }
    /// ```
    pub fn origins<S: AsRef<[u8]>>(
        &self,
        table: &AuthorityTable<S>,
        mut each: impl FnMut(&Origin<'_>) -> ControlFlow<()>,
    ) -> Listing {
        let listed = self.clone().with_server_name(None).shared_origins(table, &mut each);
        let listed = listed.map_continue(|()| self.origins_of_server_name(table, each));
        if listed == ControlFlow::Continue(Listing::Whole) { Listing::Whole } else { Listing::Cut }
    }

    /// Calls `each` with the part of [`origins`](Self::origins) that depends on the server name:
    /// the server name's own origins, if they are served only because the ClientHello named them.
    ///
    /// # Allocation
    /// None.
    ///
    /// # Complexity
    /// Two decisions for every port.
    pub fn origins_of_server_name<S: AsRef<[u8]>>(
        &self,
        table: &AuthorityTable<S>,
        mut each: impl FnMut(&Origin<'_>) -> ControlFlow<()>,
    ) -> Listing {
        let (Some(_), Some(host)) = (self.presented().next(), self.server_name()) else {
            return Listing::Whole;
        };
        let others = self.clone().with_server_name(None);
        for port in self.ports.as_slice() {
            let origin = Origin::new(Scheme::Https, Host::Name(host), *port);
            if self.serves(table, &origin)
                && !others.serves(table, &origin)
                && each(&origin).is_break()
            {
                return Listing::Cut;
            }
        }
        Listing::Whole
    }

    /// Calls `each` with the origins that do not depend on the server name. Breaks if the list is
    /// cut.
    fn shared_origins<S: AsRef<[u8]>>(
        &self,
        table: &AuthorityTable<S>,
        each: &mut impl FnMut(&Origin<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut left = ORIGIN_CANDIDATES_MAX;
        let mut spend = || match left.checked_sub(1) {
            Some(less) => {
                left = less;
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(()),
        };
        let mut ask = |name: DnsName<'_>| {
            let origin = |port: &u16| Origin::new(Scheme::Https, Host::Name(name), *port);
            let mut origins = self.ports.as_slice().iter().map(origin);
            origins.try_for_each(|origin| {
                if self.serves(table, &origin) { each(&origin) } else { ControlFlow::Continue(()) }
            })
        };
        // Names that a certificate spells out come first: they are few, and they are the names that
        // the certificate was made for.
        for (number, presented) in self.presented().enumerate() {
            for identifier in presented.identifiers() {
                spend()?;
                // A name of several certificates is listed once, with the first of them.
                if let Some(pattern @ NamePattern::Exact(name)) = identifier.as_pattern()
                    && !self.presented().take(number).any(|earlier| earlier.has(&pattern))
                {
                    ask(name)?;
                }
            }
        }
        // Then come names of the table that a certificate covers by a wildcard only.
        for (number, presented) in self.presented().enumerate() {
            for identifier in presented.identifiers() {
                let Some(wildcard @ NamePattern::OneLabel(parent)) = identifier.as_pattern() else {
                    continue;
                };
                if self.presented().take(number).any(|earlier| earlier.has(&wildcard)) {
                    continue;
                }
                for entry in table.children(parent) {
                    // Entries deeper below the wildcard come as `None`. They count too, because
                    // skipping each of them takes a binary search.
                    spend()?;
                    let pattern = entry.as_ref().and_then(|entry| entry.pattern.as_pattern());
                    if let Some(pattern @ NamePattern::Exact(name)) = pattern
                        && !self.presented().any(|set| set.has(&pattern))
                    {
                        ask(name)?;
                    }
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Returns whether a request for this origin is served as a virtual host, and not only because
    /// the group is observed.
    fn serves<S: AsRef<[u8]>>(&self, table: &AuthorityTable<S>, origin: &Origin<'_>) -> bool {
        let mut authority = Field { bytes: [0; FIELD_LEN_MAX], len: 0 };
        if write!(authority, "{}:{}", origin.host(), origin.port()).is_err() {
            return false;
        }
        match decide(table, self, &RequestTarget::https(authority.as_bytes())) {
            Verdict::Serve(proof) => proof.virtual_host().is_some() && proof.observed().is_none(),
            Verdict::Misdirected(_) | Verdict::Malformed(_) => false,
        }
    }
}

/// The longest field: a name, a colon, and the digits of a port.
const FIELD_LEN_MAX: usize = NAME_LEN_MAX + ":65535".len();

/// A buffer for an `:authority` field.
struct Field {
    bytes: [u8; FIELD_LEN_MAX],
    len: usize,
}

impl Field {
    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl fmt::Write for Field {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len.checked_add(text.len()).ok_or(fmt::Error)?;
        let room = self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
