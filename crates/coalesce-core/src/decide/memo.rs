//! What a connection was served last, so that a stream for the same authority is not decided anew.

use super::{
    Allowed, Authoritative, Coverage, ServedAs, ServerConnection, Verdict, decide, decided, verdict,
};
use crate::authorities::Authorities;
use crate::authority::Authority;
use crate::policy::{CoalescePolicy, GroupId, VirtualHostId};
use crate::request::{HostField, MethodKind, RequestTarget, Scheme};

/// The longest authority that is remembered: a cache line of them.
const AUTHORITY_LEN_MAX: usize = 64;

/// Remembers the last authority that was served, for one connection.
///
/// Browsers repeat themselves: most streams of a connection name the authority of the stream
/// before. [`decide`](Self::decide) answers those without parsing and without a lookup, and every
/// other as [`decide`](crate::decide()) does. The verdicts are the same: everything that the
/// remembered one rested on is compared, the bytes of the authority, the generation of the table,
/// the number of presented certificates, group, scheme and port. After a reload, or when the
/// connection has presented another certificate, a memo forgets.
///
/// Only verdicts to serve are remembered, without a reason to refuse, of requests without a `Host`
/// field, under [`CoalescePolicy::CertificateAndGroup`], where listeners do not share a port.
///
/// # Security
/// A memo belongs to one connection. The generation is the number of the table among those that the
/// memo has decided with: two tables that differ must never have the same.
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
    generation: u64,
    presented: Shown,
    scheme: Scheme,
    group: GroupId,
}

/// What vouches for the hosts of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shown {
    /// How many certificates, and the checksum of the first one's identifiers, so that a memo that
    /// is lent to a connection with another certificate is most likely of no use there.
    Certificates(usize, u64),
    Nothing,
    Gateway,
}

impl Facts {
    #[inline(always)]
    fn of(generation: u64, connection: &ServerConnection<'_>) -> Self {
        let presented = match &connection.coverage {
            Coverage::Presented(presented) => {
                Shown::Certificates(presented.count(), presented.first.checksum())
            }
            Coverage::Cleartext => Shown::Nothing,
            Coverage::TrustedGateway => Shown::Gateway,
        };
        Self { generation, presented, scheme: connection.scheme, group: connection.group }
    }
}

impl Memo {
    /// A memo that remembers nothing yet.
    pub const fn new() -> Self {
        Self { last: None }
    }

    /// Decides one request, as [`decide`](crate::decide()) does. `generation` is the number of
    /// `table`, which no other table that this memo is asked with may have.
    ///
    /// # Panics
    /// Never, for any input.
    pub fn decide<A: Authorities + ?Sized>(
        &mut self,
        table: &A,
        generation: u64,
        connection: &ServerConnection<'_>,
        request: &RequestTarget<'_>,
    ) -> Verdict {
        let Some(authority) = plain(connection, request) else {
            return decide(table, connection, request);
        };
        if let Some(last) = &self.last
            && last.authority.get(..last.len) == Some(authority)
            && connection.ports.contains(last.port)
            && last.facts == Facts::of(generation, connection)
        {
            let served_as = ServedAs::VirtualHost(last.virtual_host);
            let group = connection.group;
            return Verdict::Serve(Authoritative { served_as, group, observed: None });
        }
        let decided = decided(table, connection, request);
        if let Ok(served) = &decided {
            self.remember(generation, connection, authority, served);
        }
        verdict(connection, &decided)
    }

    /// Whether `authority` is what would be served again without a decision.
    #[cfg(test)]
    pub(super) fn remembers(&self, authority: &[u8]) -> bool {
        self.last.as_ref().and_then(|last| last.authority.get(..last.len)) == Some(authority)
    }

    #[inline(never)]
    fn remember(
        &mut self,
        generation: u64,
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
                facts: Facts::of(generation, connection),
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
