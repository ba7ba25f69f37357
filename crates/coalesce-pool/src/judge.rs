//! The decision on one candidate, in its numbered order.

use core::time::Duration;

use coalesce_core::{Host, Origin, Scheme};

use crate::candidate::{
    Candidate, ConnectionFacts, ConnectionState, ConnectionStatus, HandshakeCheck, Protocol,
    TlsFacts, Verification, VerifierKind,
};
use crate::endpoint::{Endpoint, Reach, comparable, reach};
use crate::memory::RefusalMemory;
use crate::refusal::{Grounds, Refusal};
use crate::request::{Coalescing, DnsPolicy, RequestFacts, RequestKind};

/// A request with everything outside of a connection that the decision depends on.
///
/// # Examples
/// ```
/// use core::time::Duration;
///
/// use coalesce_pool::{Inquiry, PoolKey, RefusalMemory, RequestFacts};
///
/// # fn main() -> Result<(), coalesce_core::OriginError> {
/// let request = RequestFacts::new(PoolKey::new("https://a.example.test".parse()?));
/// let memory = RefusalMemory::default();
/// let inquiry = Inquiry::new(&request, None, &memory, Duration::ZERO);
/// assert!(inquiry.endpoints.is_none());
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Inquiry<'a> {
    /// The request.
    pub request: &'a RequestFacts,
    /// The endpoints of its host. `None` if the host has not been resolved; an empty list if it has
    /// no address.
    pub endpoints: Option<&'a [Endpoint]>,
    /// The refusals of all servers.
    pub memory: &'a RefusalMemory,
    /// The time since a start that the caller chose.
    pub now: Duration,
}

impl<'a> Inquiry<'a> {
    /// Makes an inquiry.
    pub const fn new(
        request: &'a RequestFacts,
        endpoints: Option<&'a [Endpoint]>,
        memory: &'a RefusalMemory,
        now: Duration,
    ) -> Self {
        Self { request, endpoints, memory, now }
    }

    fn origin(&self) -> Origin<'a> {
        self.request.key.origin.as_origin()
    }
}

/// The result of [`judge`].
///
/// # Examples
/// ```
/// use coalesce_pool::{Eligibility, Grounds, Refusal};
///
/// assert_eq!(Eligibility::Eligible(Grounds::Covered).code(), "covered");
/// assert_eq!(Eligibility::Refused(Refusal::Port).code(), "port");
/// assert_eq!(Eligibility::Unresolved.code(), "unresolved");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Eligibility {
    /// The connection may carry the request.
    Eligible(Grounds),
    /// The connection may carry the request if the verifier accepts its chain for the host.
    Unverified,
    /// The connection may carry the request if the host has the connected address.
    Unresolved,
    /// The connection may not carry the request.
    Refused(Refusal),
}

impl Eligibility {
    /// Returns a stable name for logs, metrics and tools.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Eligible(grounds) => grounds.code(),
            Self::Unverified => "unverified",
            Self::Unresolved => "unresolved",
            Self::Refused(refusal) => refusal.code(),
        }
    }
}

/// Decides whether a candidate may carry a request.
///
/// The steps are in this order, and the first that refuses gives the reason. Steps 2, 8 and 11 to
/// 20 are for candidates that were made for another origin.
///
/// | step | refuses with |
/// | --- | --- |
/// | 1 | `scheme` |
/// | 2 | `protocol`: another origin needs HTTP/2 |
/// | 3 | `closed` |
/// | 4 | `partition`, `tls_configuration`, `proxy` |
/// | 5 | `connecting` |
/// | 6 | `draining` |
/// | 7 | `alone`, `refused`: by this connection, or by the memory for another origin's connection |
/// | 8 | `settings` |
/// | 9 | `full` |
/// | 10 | `extended_connect`, `shared`; then one of the same origin is eligible; `policy` |
/// | 11 | `handshake`, `verifier` |
/// | 12 | `client_certificate` |
/// | 13 | `port`, unless the origin set has the origin and the policy is `AnyOrigin` |
/// | 14 | `origin_set` |
/// | 15 | `certificate`: the names, the time, the verifier |
/// | 16 | `pin`, `transparency` |
/// | 17 | nothing: the origin set makes the candidate eligible, if the policy waives DNS and is `AnyOrigin` |
/// | 18 | nothing: without endpoints the result is [`Eligibility::Unresolved`] |
/// | 19 | `address` |
/// | 20 | `alpn`; then the candidate is eligible |
///
/// Does the verifier run before the addresses are compared? No: it is the most expensive check. As
/// long as its result is not known, steps 15 and 16 refuse only by names and time, and a candidate
/// that passes all the others is [`Eligibility::Unverified`].
///
/// Is a cleartext connection ever eligible for another origin? Yes, by steps 13, 18 and 19 alone,
/// for `http` origins (RFC 9113 §9.1.1).
///
/// # Allocation
/// None.
///
/// # Examples
/// ```
/// use core::time::Duration;
///
/// use coalesce_pool::{
///     Candidate, ConnectionFacts, ConnectionStatus, Eligibility, Grounds, Inquiry, PoolKey,
///     Protocol, RefusalMemory, RequestFacts, judge,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = PoolKey::new("http://a.test".parse()?);
/// let facts = ConnectionFacts::new(key.clone(), "192.0.2.10:80".parse()?, Protocol::Http2);
/// let status = ConnectionStatus::default();
/// let (request, memory) = (RequestFacts::new(key), RefusalMemory::default());
/// let inquiry = Inquiry::new(&request, None, &memory, Duration::ZERO);
/// let result = judge(&Candidate::connected(&facts, &status), &inquiry);
/// assert_eq!(result, Eligibility::Eligible(Grounds::SameOrigin));
/// # Ok(()) }
/// ```
pub fn judge(candidate: &Candidate<'_>, inquiry: &Inquiry<'_>) -> Eligibility {
    steps(candidate, inquiry).unwrap_or_else(Eligibility::Refused)
}

fn steps(candidate: &Candidate<'_>, inquiry: &Inquiry<'_>) -> Result<Eligibility, Refusal> {
    let (key, wanted, origin) = (candidate.key(), &inquiry.request.key, inquiry.origin());
    let same_origin = key.origin == origin;
    let connection = candidate.connection();

    require(key.origin.as_origin().scheme() == origin.scheme(), Refusal::Scheme)?; // 1
    let http2 = connection.is_none_or(|(facts, _)| facts.protocol == Protocol::Http2);
    require(same_origin || http2, Refusal::Protocol)?; // 2
    let is_in = |state| connection.is_some_and(|(_, status)| status.state == state);
    require(!is_in(ConnectionState::Closed), Refusal::Closed)?; // 3
    require(key.partition == wanted.partition, Refusal::Partition)?; // 4
    require(key.tls_configuration == wanted.tls_configuration, Refusal::TlsConfiguration)?;
    let direct = key.proxy.is_none();
    require(key.proxy == wanted.proxy && (same_origin || direct), Refusal::Proxy)?;
    let Some((facts, status)) = connection else { return Err(Refusal::Connecting) }; // 5
    require(!is_in(ConnectionState::Draining), Refusal::Draining)?; // 6
    require(same_origin || !status.alone, Refusal::Alone)?; // 7
    // A connection made for the origin is the one retry that the memory must not forbid.
    let remembered = || inquiry.memory.holds(&facts.server_identity(), &origin, inquiry.now);
    let refused = status.has_refused(&origin) || (!same_origin && remembered());
    require(!refused, Refusal::Refused)?;
    require(same_origin || status.settings_received, Refusal::Settings)?; // 8
    require(room(facts, status), Refusal::Full)?; // 9
    let ordinary = inquiry.request.kind == RequestKind::Ordinary;
    require(ordinary || status.extended_connect, Refusal::ExtendedConnect)?; // 10
    let coalescing = inquiry.request.policy.coalescing;
    if same_origin {
        require(coalescing != Coalescing::Off || !status.shared, Refusal::Shared)?;
        return Ok(Eligibility::Eligible(Grounds::SameOrigin));
    }
    require(coalescing.allows_other_origins(), Refusal::Policy)?;
    match (&facts.tls, origin.scheme()) {
        (Some(tls), Scheme::Https) => secured(facts, tls, status, inquiry),
        (None, Scheme::Http) => cleartext(facts, inquiry),
        // A contradiction of the caller, which must not weaken a check.
        _ => Err(Refusal::Scheme),
    }
}

/// Steps 11 to 20, for a connection with TLS.
fn secured(
    facts: &ConnectionFacts,
    tls: &TlsFacts,
    status: &ConnectionStatus,
    inquiry: &Inquiry<'_>,
) -> Result<Eligibility, Refusal> {
    let (origin, set) = (inquiry.origin(), status.origin_set());
    let own = facts.key.origin.as_origin();
    let policy = &inquiry.request.policy;

    require(tls.check == HandshakeCheck::Verified, Refusal::Handshake)?; // 11
    require(tls.verifier == VerifierKind::Rerunnable, Refusal::Verifier)?;
    let may_share = |host| policy.client_certificate_hosts.iter().any(|known| *known == host);
    let shared = may_share(own.host()) && may_share(origin.host());
    require(!tls.client_certificate_sent || shared, Refusal::ClientCertificate)?; // 12
    let announced = set.contains(&origin);
    let widens = announced && policy.coalescing == Coalescing::AnyOrigin;
    require(own.port() == origin.port() || widens, Refusal::Port)?; // 13
    require(!set.is_initialised() || announced, Refusal::OriginSet)?; // 14
    let verification = status.verification(&origin.host());
    let named = tls.identifiers.covers(&origin.host()) && inquiry.now < tls.expires_at;
    require(named && verification != Some(Verification::Rejected), Refusal::Certificate)?; // 15
    require(verification != Some(Verification::PinMismatch), Refusal::Pin)?; // 16
    require(verification != Some(Verification::TransparencyMissing), Refusal::Transparency)?;
    let waived = match policy.dns {
        DnsPolicy::Required => false,
        DnsPolicy::WaivedWithEvidence => tls.evidence,
        DnsPolicy::WaivedByOriginSet => true,
    };
    let found = if waived && widens {
        Eligibility::Eligible(Grounds::OriginSet) // 17
    } else {
        reached(facts, inquiry, Grounds::Covered)?
    };
    let accepted = verification.is_some() || !matches!(found, Eligibility::Eligible(_));
    Ok(if accepted { found } else { Eligibility::Unverified })
}

/// Steps 13, 18 and 19, for a connection without TLS. There is no certificate to rely on, so
/// address and port decide (RFC 9113 §9.1.1).
fn cleartext(facts: &ConnectionFacts, inquiry: &Inquiry<'_>) -> Result<Eligibility, Refusal> {
    let same_port = facts.key.origin.as_origin().port() == inquiry.origin().port();
    require(same_port, Refusal::Port)?;
    reached(facts, inquiry, Grounds::Cleartext)
}

/// Steps 18 to 20. A host that is an address needs no resolution.
fn reached(
    facts: &ConnectionFacts,
    inquiry: &Inquiry<'_>,
    grounds: Grounds,
) -> Result<Eligibility, Refusal> {
    let origin = inquiry.origin();
    let found = match (origin.host(), inquiry.endpoints) {
        (Host::Ip(address), _) => {
            let literal = Endpoint::new((address, origin.port()).into());
            reach(facts.peer, &[literal])
        }
        (_, None) if comparable(facts.peer).is_none() => Reach::OtherAddress,
        (_, None) => return Ok(Eligibility::Unresolved), // 18
        (_, Some(endpoints)) => reach(facts.peer, endpoints),
    };
    match found {
        Reach::OtherAddress => Err(Refusal::Address), // 19
        Reach::OtherProtocol => Err(Refusal::Alpn),   // 20
        Reach::Same => Ok(Eligibility::Eligible(grounds)),
    }
}

/// Returns whether one more stream fits. HTTP/1.1 has room for one request.
fn room(facts: &ConnectionFacts, status: &ConnectionStatus) -> bool {
    match facts.protocol {
        Protocol::Http1 => status.streams_active == 0,
        Protocol::Http2 => status.room() > 0,
    }
}

fn require(holds: bool, otherwise: Refusal) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(otherwise) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::sync::Arc;
    use coalesce_core::{IdentifierSet, PresentedIdentifier};

    use crate::endpoint::Alpn;
    use crate::key::PoolKey;
    use crate::memory::LeafDigest;
    use crate::origin_set::OriginFrame;
    use crate::request::Policy;

    fn key(origin: &str) -> PoolKey {
        PoolKey::new(origin.parse().unwrap())
    }

    fn connection() -> (ConnectionFacts, ConnectionStatus) {
        let names = ["a.test", "b.test"].map(|it| PresentedIdentifier::parse_dns(it.as_bytes()));
        let names = IdentifierSet::build(names.map(Result::unwrap)).unwrap();
        let peer = "192.0.2.10:443".parse().unwrap();
        let mut facts = ConnectionFacts::new(key("https://a.test"), peer, Protocol::Http2);
        let expires_at = Duration::from_secs(100);
        facts.tls = Some(TlsFacts::new(Arc::new(names), LeafDigest::new([7; 32]), expires_at));
        let mut status = ConnectionStatus::default();
        status.settings_received = true;
        (facts, status)
    }

    fn result(
        facts: &ConnectionFacts,
        status: &ConnectionStatus,
        request: &RequestFacts,
        endpoints: Option<&[Endpoint]>,
    ) -> &'static str {
        let memory = RefusalMemory::default();
        let inquiry = Inquiry::new(request, endpoints, &memory, Duration::from_secs(1));
        judge(&Candidate::connected(facts, status), &inquiry).code()
    }

    #[test]
    fn verifier_is_asked_last() {
        let (facts, mut status) = connection();
        let request = RequestFacts::new(key("https://b.test"));
        let here = [Endpoint::new("192.0.2.10:443".parse().unwrap())];
        let elsewhere = [Endpoint::new("192.0.2.11:443".parse().unwrap())];
        assert_eq!(result(&facts, &status, &request, None), "unresolved");
        assert_eq!(result(&facts, &status, &request, Some(&elsewhere)), "address");
        assert_eq!(result(&facts, &status, &request, Some(&here)), "unverified");
        let host = request.key.origin.as_origin().host();
        for (verification, expected) in [
            (Verification::Accepted, "covered"),
            (Verification::Rejected, "certificate"),
            (Verification::PinMismatch, "pin"),
            (Verification::TransparencyMissing, "transparency"),
        ] {
            status.verified(&host, verification);
            assert_eq!(result(&facts, &status, &request, Some(&here)), expected);
        }
    }

    #[test]
    fn connection_made_after_a_421_serves_its_own_origin_alone() {
        let (facts, mut status) = connection();
        status.alone = true;
        let other = RequestFacts::new(key("https://b.test"));
        assert_eq!(result(&facts, &status, &other, None), "alone");
        let own = RequestFacts::new(key("https://a.test"));
        assert_eq!(result(&facts, &status, &own, None), "same_origin");
    }

    #[test]
    fn policy_of_own_origin_refuses_other_connections() {
        let (facts, status) = connection();
        let mut request = RequestFacts::new(key("https://b.test"));
        let coalescing = Coalescing::OwnOrigin;
        request.policy = Arc::new(Policy { coalescing, ..Policy::default() });
        assert_eq!(result(&facts, &status, &request, None), "policy");
        request.key = key("https://a.test");
        assert_eq!(result(&facts, &status, &request, None), "same_origin");
    }

    #[test]
    fn policy_without_sharing_refuses_an_own_connection_that_was_shared() {
        let (facts, mut status) = connection();
        let mut request = RequestFacts::new(key("https://a.test"));
        let coalescing = Coalescing::Off;
        request.policy = Arc::new(Policy { coalescing, ..Policy::default() });
        assert_eq!(result(&facts, &status, &request, None), "same_origin");
        status.shared = true;
        assert_eq!(result(&facts, &status, &request, None), "shared");
        request.key = key("https://b.test");
        assert_eq!(result(&facts, &status, &request, None), "policy");
    }

    #[test]
    fn origin_set_allows_nothing_more_under_the_policy_of_addresses() {
        let (facts, mut status) = connection();
        let payload = b"\x00\x0ehttps://b.test\x00\x13https://b.test:8443";
        status.receive_origin(&facts, &OriginFrame::new(0, 0, payload));
        status.verified(&key("https://b.test").origin.as_origin().host(), Verification::Accepted);
        let here = [Endpoint::new("192.0.2.10:443".parse().unwrap())];
        let elsewhere = [Endpoint::new("192.0.2.11:443".parse().unwrap())];
        let mut request = RequestFacts::new(key("https://b.test"));
        for (coalescing, at_other_address, at_other_port) in [
            (Coalescing::AnyOrigin, "origin_set", "origin_set"),
            (Coalescing::Address, "address", "port"),
        ] {
            let dns = DnsPolicy::WaivedByOriginSet;
            request.policy = Arc::new(Policy { coalescing, dns, ..Policy::default() });
            request.key = key("https://b.test");
            let found = result(&facts, &status, &request, Some(&elsewhere));
            assert_eq!(found, at_other_address);
            if coalescing == Coalescing::Address {
                assert_eq!(result(&facts, &status, &request, Some(&here)), "covered");
            }
            request.key = key("https://b.test:8443");
            assert_eq!(result(&facts, &status, &request, Some(&here)), at_other_port);
            request.key = key("https://c.test");
            assert_eq!(result(&facts, &status, &request, Some(&here)), "origin_set");
        }
    }

    #[test]
    fn https_origin_on_a_connection_without_handshake_facts_is_refused() {
        let (mut facts, status) = connection();
        facts.tls = None;
        let request = RequestFacts::new(key("https://b.test"));
        assert_eq!(result(&facts, &status, &request, None), "scheme");
    }

    #[test]
    fn endpoint_for_other_protocols_refuses_with_alpn() {
        let (facts, status) = connection();
        let request = RequestFacts::new(key("https://b.test"));
        let mut endpoint = Endpoint::new("192.0.2.10:443".parse().unwrap());
        endpoint.alpn = Alpn::from_ids([&b"h3"[..]]);
        assert_eq!(result(&facts, &status, &request, Some(&[endpoint])), "alpn");
    }
}
