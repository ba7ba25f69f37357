//! A connection that remembers the last authority it served.

use super::{
    Allowed, Authoritative, ServedAs, ServerConnection, Verdict, decide, decided, verdict,
};
use crate::authorities::Authorities;
#[cfg(feature = "alloc")]
use crate::identifier_set::PresentedSet;
use crate::policy::{CoalescePolicy, VirtualHostId};
use crate::request::{HostField, MethodKind, RequestTarget};

/// The longest authority that a memo remembers: one cache line.
const AUTHORITY_LEN_MAX: usize = 64;

/// A connection that remembers the last authority it served.
///
/// Most streams of a browser's connection name the same authority as the stream before.
/// [`decide`](Self::decide) answers those without parsing and without a lookup, and passes every
/// other request to the function [`decide`](crate::decide()). The verdicts are the same, because a
/// memo holds for one connection and one generation of the table, and forgets when the connection
/// changes.
///
/// A memo remembers a verdict only if the request is served, no step recorded a finding, the
/// request had no `Host` field, the policy is [`CoalescePolicy::CertificateAndGroup`], and
/// listeners do not share the port.
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
/// The generation identifies the table among those that you pass to this memo. Two tables that
/// differ must never have the same generation.
///
/// # Allocation
/// None. A memo is about 90 bytes larger than the connection.
///
/// # Complexity
/// One comparison for the remembered authority. One decision for any other.
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
    /// Makes a memo of `connection` that remembers nothing.
    pub const fn new(connection: ServerConnection<'a>) -> Self {
        Self { connection, last: None }
    }

    /// Returns the connection.
    pub const fn connection(&self) -> &ServerConnection<'a> {
        &self.connection
    }

    /// Replaces the connection, for example after a reload changed its facts, and forgets.
    pub fn set_connection(&mut self, connection: ServerConnection<'a>) {
        *self = Self::new(connection);
    }

    /// Adds a certificate that the connection presented after its handshake
    /// ([`ServerConnection::present`]), and forgets.
    ///
    /// # Allocation
    /// One list of all certificates after the first.
    #[cfg(feature = "alloc")]
    pub fn present(&mut self, presented: impl Into<PresentedSet<'a>>) {
        self.connection.present(presented);
        self.last = None;
    }

    /// Decides one request, as [`decide`](crate::decide()) does. `generation` identifies `table`.
    /// No other table that you pass to this memo may have the same generation.
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

    /// Returns whether the memo would serve `authority` again without a decision.
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

/// Returns the authority of a request whose other fields cannot change the verdict.
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
