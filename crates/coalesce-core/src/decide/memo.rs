//! What a connection was served last, so that a stream for the same authority is not decided anew.

use super::{
    Allowed, Authoritative, Coverage, ServedAs, ServerConnection, Verdict, decide, decided, verdict,
};
use crate::authority::Authority;
use crate::policy::{CoalescePolicy, GroupId, VirtualHostId};
use crate::request::{HostField, MethodKind, RequestTarget, Scheme};
use crate::table::AuthorityTable;

/// The longest authority that is remembered: a cache line of them.
const AUTHORITY_LEN_MAX: usize = 64;

/// Remembers the last authority that was served, for one connection.
///
/// Browsers repeat themselves: most streams of a connection name the authority of the stream
/// before. [`decide`](Self::decide) answers those without parsing and without a lookup, and every
/// other as [`decide`](crate::decide()) does. The verdicts are the same: everything that the
/// remembered one rested on is compared, the bytes of the authority, the checksums and lengths of
/// table and presented identifiers, group, scheme and port. A memo that outlives a reload or is
/// lent to another connection forgets.
///
/// Only verdicts to serve are remembered, without a reason to refuse, of requests without a `Host`
/// field, under [`CoalescePolicy::CertificateAndGroup`], where listeners do not share a port.
///
/// # Security
/// Images of the same length and checksum are taken for each other. By chance that does not happen,
/// but checksums are no signatures: where someone may choose the bytes of certificates or tables, a
/// memo belongs to one connection, whose certificate never changes.
///
/// # Allocation
/// None, ever; the memo itself has 128 bytes.
///
/// # Complexity
/// A comparison for what is remembered; for another authority that is served, a decision and once
/// more the parsing of it.
#[derive(Clone, Debug, Default)]
pub struct Memo {
    last: Option<Remembered>,
}

#[derive(Clone, Debug)]
struct Remembered {
    authority: [u8; AUTHORITY_LEN_MAX],
    len: usize,
    facts: Facts,
    port: u16,
    virtual_host: VirtualHostId,
}

/// What a verdict rests on beside the request.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Facts {
    table: (u64, usize),
    /// `None` where nothing is presented, which is a fact of the scheme and the gateway.
    presented: Option<(u64, usize)>,
    gateway: bool,
    scheme: Scheme,
    group: GroupId,
}

impl Facts {
    #[inline(always)]
    fn of<S: AsRef<[u8]>>(table: &AuthorityTable<S>, connection: &ServerConnection<'_>) -> Self {
        Self {
            table: (table.checksum(), table.as_bytes().len()),
            presented: match &connection.coverage {
                Coverage::Presented(set) => Some((set.checksum(), set.as_bytes().len())),
                Coverage::Cleartext | Coverage::TrustedGateway => None,
            },
            gateway: matches!(connection.coverage, Coverage::TrustedGateway),
            scheme: connection.scheme,
            group: connection.group,
        }
    }
}

impl Memo {
    /// A memo that remembers nothing yet.
    pub const fn new() -> Self {
        Self { last: None }
    }

    /// Decides one request, as [`decide`](crate::decide()) does.
    ///
    /// # Panics
    /// Never, for any input.
    pub fn decide<S: AsRef<[u8]>>(
        &mut self,
        table: &AuthorityTable<S>,
        connection: &ServerConnection<'_>,
        request: &RequestTarget<'_>,
    ) -> Verdict {
        let Some(authority) = plain(connection, request) else {
            return decide(table, connection, request);
        };
        if let Some(last) = &self.last
            && last.authority.get(..last.len) == Some(authority)
            && connection.ports.contains(&last.port)
            && last.facts == Facts::of(table, connection)
        {
            let served_as = ServedAs::VirtualHost(last.virtual_host);
            let group = connection.group;
            return Verdict::Serve(Authoritative { served_as, group, observed: None });
        }
        let decided = decided(table, connection, request);
        if let Ok(served) = &decided {
            self.remember(table, connection, authority, served);
        }
        verdict(connection, &decided)
    }

    /// Whether `authority` is what would be served again without a decision.
    #[cfg(test)]
    pub(super) fn remembers(&self, authority: &[u8]) -> bool {
        self.last.as_ref().and_then(|last| last.authority.get(..last.len)) == Some(authority)
    }

    #[inline(never)]
    fn remember<S: AsRef<[u8]>>(
        &mut self,
        table: &AuthorityTable<S>,
        connection: &ServerConnection<'_>,
        authority: &[u8],
        served: &Allowed,
    ) {
        let by_group = served.coalesce == CoalescePolicy::CertificateAndGroup;
        let (ServedAs::VirtualHost(virtual_host), Ok(parsed)) =
            (served.served_as, Authority::parse(authority))
        else {
            return;
        };
        let always = by_group && served.observed.is_none();
        let mut bytes = [0; AUTHORITY_LEN_MAX];
        if let (true, Some(room)) = (always, bytes.get_mut(..authority.len())) {
            room.copy_from_slice(authority);
            self.last = Some(Remembered {
                authority: bytes,
                len: authority.len(),
                facts: Facts::of(table, connection),
                port: parsed.port_or(connection.scheme.default_port()),
                virtual_host,
            });
        }
    }
}

/// The authority of a request about which nothing else has to be decided.
#[inline(always)]
fn plain<'a>(connection: &ServerConnection<'_>, request: &RequestTarget<'a>) -> Option<&'a [u8]> {
    let scheme = connection.scheme.as_str().as_bytes();
    let own = request.scheme.is_none_or(|named| named == scheme);
    let ordinary = connection.listener.is_none()
        && own
        && request.method == MethodKind::Ordinary
        && matches!(request.host, HostField::Absent);
    request.authority.filter(|_| ordinary)
}
