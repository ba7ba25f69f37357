//! The origin set of a connection (RFC 8336 §2): what a server may truthfully announce on it.

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

/// Whether a listing of origins came to its end.
///
/// # Examples
/// ```
/// use coalesce_core::Listing;
///
/// /// A set that was cut off is true, and not all of the truth.
/// fn warn(listing: Listing) -> Option<&'static str> {
///     match listing {
///         Listing::Whole => None,
///         Listing::Cut => Some("the origin set leaves some origins out"),
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[allow(clippy::exhaustive_enums, reason = "it did or it did not")]
pub enum Listing {
    /// It did: these are all.
    Whole,
    /// There were more than [`ORIGIN_CANDIDATES_MAX`] names to look at, or more than were wanted.
    Cut,
}

impl ServerConnection<'_> {
    /// Calls `each`, until it breaks, with every origin of this connection's origin set: the names
    /// that the certificate or the table spells out and for which [`decide`](crate::decide())
    /// answers [`Serve`](Verdict::Serve) here, with every port that the listener answers for.
    ///
    /// Each of them has been decided, so the set says what the connection does, by construction:
    ///
    /// | name | in the set |
    /// | --- | --- |
    /// | exact in the table, and the certificate covers it by name or by wildcard | if it is served |
    /// | exact in the certificate, and a wildcard of the table matches it | if it is served |
    /// | served to this server name only, by its [policy](crate::CoalescePolicy) | if it is that name |
    /// | known to both by wildcards only | no: an origin set has no wildcards (RFC 8336 Appendix B) |
    /// | another group's, another listener's, another server name's | no |
    /// | served only because its group is [observed](crate::Enforcement::Observe) | no: it is to be refused |
    /// | in no entry, handed over for a 404 | no |
    /// | an address | no: a client that connects to one has it in its set (RFC 8336 §2.3) |
    ///
    /// Does [`decide`](crate::decide()) still serve a name that the set leaves out? Yes: an origin
    /// set changes no decision. But a client that has an origin set asks for nothing outside it on
    /// that connection (RFC 8336 §2.4, Appendix B), so it no longer coalesces names that both sides
    /// know by wildcards only. The origin of the server name is the exception, because the client
    /// adds it to the set itself (§2.3).
    ///
    /// A connection in the clear has no origin set, nor has one from a gateway: ORIGIN is for TLS,
    /// hop by hop (RFC 8336 §2.2, §2.3).
    ///
    /// # Allocation
    /// None.
    ///
    /// # Complexity
    /// A decision for every name looked at, and a binary search for every wildcard of the
    /// certificate. Names that are more than one label below such a wildcard are skipped. Without a
    /// server name, the set is the same for all connections of a certificate, a group, a listener
    /// and a table: make it once, and complete it for each connection by
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

    /// The part of [`origins`](Self::origins) that rests on the server name: its own, where it is
    /// served because the ClientHello named it and would not be otherwise.
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

    /// The part that does not. It breaks off where it is cut.
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
        // Those that certificates spell out first: they are few, and what certificates are for.
        for (number, presented) in self.presented().enumerate() {
            for identifier in presented.identifiers() {
                spend()?;
                if let Some(pattern @ NamePattern::Exact(name)) = identifier.as_pattern()
                    && !self.presented().take(number).any(|earlier| earlier.has(&pattern))
                {
                    ask(name)?;
                }
            }
        }
        for (number, presented) in self.presented().enumerate() {
            for identifier in presented.identifiers() {
                let Some(wildcard @ NamePattern::OneLabel(parent)) = identifier.as_pattern() else {
                    continue;
                };
                if self.presented().take(number).any(|earlier| earlier.has(&wildcard)) {
                    continue;
                }
                for entry in table.children(parent) {
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

    /// Whether a request for this origin would be served, as a virtual host and by every step.
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

/// A name, a colon, and the digits of a port.
const FIELD_LEN_MAX: usize = NAME_LEN_MAX + ":65535".len();

/// An `:authority` field that is being written.
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
