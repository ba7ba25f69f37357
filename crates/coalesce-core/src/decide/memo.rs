//! A connection with the verdict that served its last request.

use super::{
    Allowed, Authoritative, ServedAs, ServerConnection, Verdict, decide, decided, verdict,
};
use crate::authorities::Authorities;
#[cfg(feature = "alloc")]
use crate::identifier_set::PresentedSet;
use crate::policy::{CoalescePolicy, VirtualHostId};
use crate::request::{HostField, MethodKind, RequestTarget};

/// The longest authority that is remembered: a cache line of them.
const AUTHORITY_LEN_MAX: usize = 64;

/// A connection that remembers the last authority it served.
///
/// Browsers repeat themselves: most streams of a connection name the authority of the stream
/// before. [`decide`](Self::decide) answers those without parsing and without a lookup, and every
/// other request as the function [`decide`](crate::decide()) does. The verdicts are the same: what
/// is remembered belongs to this connection and to one generation of the table. A memo forgets it
/// when the connection changes.
///
/// A memo remembers a verdict to serve if nothing spoke against it, the request had no `Host`
/// field, the policy is [`CoalescePolicy::CertificateAndGroup`] and listeners do not share the
/// port.
///
/// # Example
/// ```
/// # #[cfg(feature = "alloc")] {
/// use coalesce_core::{
///     AuthorityTable, GroupId, GroupPolicy, Memo, NamePattern, RequestTarget, ServerConnection,
///     Verdict, VirtualHostId,
/// };
///
/// let group = GroupId::new(1);
/// let mut table = AuthorityTable::builder();
/// table.group(group, GroupPolicy::default())?;
/// table.entry(NamePattern::parse(b"shop.test")?, VirtualHostId::new(7), group)?;
/// let table = table.build()?;
///
/// let mut memo = Memo::new(ServerConnection::cleartext(group, 80));
/// let request = RequestTarget { scheme: None, ..RequestTarget::https(b"shop.test") };
/// for _ in 0..2 {
///     let Verdict::Serve(proof) = memo.decide(&table, 1, &request) else { panic!() };
///     assert_eq!(proof.virtual_host(), Some(VirtualHostId::new(7)));
/// }
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Security
/// The generation is the number of the table among those that the memo has decided with: two tables
/// that differ must never have the same.
///
/// # Allocation
/// None, ever; the memo has about 90 bytes beside the connection.
///
/// # Complexity
/// A comparison for the remembered authority. For another one, a decision.
#[derive(Clone, Debug)]
pub struct Memo<'a> {
    connection: ServerConnection<'a>,
    last: Option<Remembered>,
}

#[derive(Clone, Debug)]
struct Remembered {
    authority: [u8; AUTHORITY_LEN_MAX],
    len: usize,
    generation: u64,
    virtual_host: VirtualHostId,
}

impl<'a> Memo<'a> {
    /// Makes a memo of `connection` that remembers nothing yet.
    pub const fn new(connection: ServerConnection<'a>) -> Self {
        Self { connection, last: None }
    }

    /// Returns the connection.
    pub const fn connection(&self) -> &ServerConnection<'a> {
        &self.connection
    }

    /// Replaces the facts of the connection, after a reload has changed them, and forgets.
    pub fn set_connection(&mut self, connection: ServerConnection<'a>) {
        *self = Self::new(connection);
    }

    /// Adds a certificate that the connection has presented since its handshake
    /// ([`ServerConnection::present`]), and forgets.
    ///
    /// # Allocation
    /// One list of all later certificates.
    #[cfg(feature = "alloc")]
    pub fn present(&mut self, presented: impl Into<PresentedSet<'a>>) {
        self.connection.present(presented);
        self.last = None;
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
        request: &RequestTarget<'_>,
    ) -> Verdict {
        let Self { connection, last } = self;
        let Some(authority) = plain(connection, request) else {
            return decide(table, connection, request);
        };
        if let Some(last) = last
            && last.authority.get(..last.len) == Some(authority)
            && last.generation == generation
        {
            let served_as = ServedAs::VirtualHost(last.virtual_host);
            let group = connection.group;
            return Verdict::Serve(Authoritative { served_as, group, observed: None });
        }
        let decided = decided(table, connection, request);
        if let Ok(served) = &decided
            && let Some(remembered) = remembered(generation, authority, served)
        {
            self.last = Some(remembered);
        }
        verdict(&self.connection, &decided)
    }

    /// Whether `authority` is what would be served again without a decision.
    #[cfg(test)]
    pub(super) fn remembers(&self, authority: &[u8]) -> bool {
        self.last.as_ref().and_then(|last| last.authority.get(..last.len)) == Some(authority)
    }
}

#[inline(never)]
fn remembered(generation: u64, authority: &[u8], served: &Allowed) -> Option<Remembered> {
    let by_group = served.coalesce == CoalescePolicy::CertificateAndGroup;
    let ServedAs::VirtualHost(virtual_host) = served.served_as else { return None };
    if !by_group || served.observed.is_some() {
        return None;
    }
    let mut bytes = [0; AUTHORITY_LEN_MAX];
    bytes.get_mut(..authority.len())?.copy_from_slice(authority);
    Some(Remembered { authority: bytes, len: authority.len(), generation, virtual_host })
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
