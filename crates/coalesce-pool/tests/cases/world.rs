//! Translates a case into calls of the crate, and compares the results.

use std::sync::Arc;
use std::time::Duration;

use coalesce_core::{Authority, Host, IdentifierSet, Origin, PresentedIdentifier, Scheme};
use coalesce_pool::{
    Alpn, Answer, AnswerAction, Candidate, Choice, ConnectionFacts, ConnectionState,
    ConnectionStatus, DnsPolicy, Endpoint, HandshakeCheck, Inquiry, LeafDigest, OriginFrame,
    Partition, Policy, PoolKey, Protocol, Proxy, RefusalMemory, RequestBody, RequestFacts,
    RequestKind, TlsConfigurationId, TlsFacts, Verification, VerifierKind, choose, record_answer,
    superseded,
};

use crate::case::{Case, Connection, Kind, Record, Request};

/// The time of every case. Certificates may have expired before it.
const NOW: Duration = Duration::from_secs(1_000);

/// Runs a case. An error has the actual result beside the expected one.
pub(crate) fn run(case: &Case) -> Result<(), String> {
    match case.kind {
        Kind::Choose => choice(case),
        Kind::Response => response(case),
        Kind::OriginFrame => origin_frame(case),
        Kind::Close => closing(case),
    }
}

fn equal<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{found:?}, expected {expected:?}")) }
}

fn choice(case: &Case) -> Result<(), String> {
    let request = case.request.as_ref().expect("a request");
    let facts = request_facts(request);
    let endpoints = endpoints(request, facts.key.origin.as_origin().port());
    let mut connections: Vec<_> = case.connection.iter().map(|it| connection(case, it)).collect();
    for (written, (of, status)) in case.connection.iter().zip(&mut connections) {
        verify(written, request, of, status);
    }
    let memory = memory(case, &connections);
    let candidates = case.connection.iter().zip(&connections).map(|(written, (of, status))| {
        let id = written.id.as_str();
        match written.state.as_str() {
            "connecting" => (id, Candidate::connecting(&of.key)),
            _ => (id, Candidate::connected(of, status)),
        }
    });
    let inquiry = Inquiry::new(&facts, endpoints.as_deref(), &memory, NOW);
    let found = match choose(candidates, &inquiry, |_, _| {}) {
        Choice::Reuse { candidate, grounds, .. } => ("reuse", candidate, grounds.code()),
        Choice::Verify { candidate, .. } => ("verify", candidate, "unverified"),
        Choice::Resolve { candidate, .. } => ("needs-resolution", candidate, "unresolved"),
        Choice::Wait { candidate, refusal, .. } => ("wait", candidate, refusal.code()),
        Choice::Connect { refusal, .. } => {
            ("connect", "", refusal.map_or("none", |refusal| refusal.code()))
        }
        other => panic!("{other:?}"),
    };
    let expected = &case.expected;
    let [decision, connection, reason] =
        [&expected.decision, &expected.connection, &expected.reason]
            .map(|field| field.as_deref().expect("a decision, a connection and a reason"));
    equal(&found, &(decision, connection, reason))
}

fn response(case: &Case) -> Result<(), String> {
    let written = case.response.as_ref().expect("a response");
    let (mut facts, mut status) = connection(case, &case.connection[0]);
    let mut request = request_facts(case.request.as_ref().expect("a request"));
    if written.via_proxy {
        let proxy = Some(Proxy::new("http://proxy.test:3128"));
        (facts.key.proxy, request.key.proxy) = (proxy.clone(), proxy);
    }
    let mut answer = Answer::new(written.status);
    answer.attempt = written.attempt;
    answer.ended = written.ended;
    let mut memory = RefusalMemory::default();
    let action = record_answer(&facts, &mut status, &request, &answer, &mut memory, NOW);
    let origin = request.key.origin.as_origin();
    let remembered = memory.holds(&facts.server_identity(), &origin, NOW);
    let (action, reset) = match action {
        AnswerAction::Deliver => ("deliver", "none"),
        AnswerAction::RetryAlone { reset: true } => ("retry-fresh", "CANCEL"),
        AnswerAction::RetryAlone { reset: false } => ("retry-fresh", "none"),
    };
    let expected = &case.expected;
    equal(&Some(action), &expected.action.as_deref())?;
    equal(&Some(remembered), &expected.memory)?;
    equal(&reset, &expected.reset.as_deref().unwrap_or("none"))?;
    expected.origin_set.as_ref().map_or(Ok(()), |set| equal(&origins(&status), set))
}

fn origin_frame(case: &Case) -> Result<(), String> {
    let (facts, mut status) = connection(case, &case.connection[0]);
    for frame in &case.frame {
        let payload = match (&frame.origins, &frame.payload) {
            (Some(origins), None) => payload(origins),
            (None, Some(hex)) => bytes_of(hex),
            both => panic!("{both:?}"),
        };
        let frame = OriginFrame::new(frame.stream, frame.flags, &payload);
        status.receive_origin(&facts, &frame);
    }
    equal(&Some(status.origin_set().is_initialised()), &case.expected.initialised)?;
    equal(&Some(origins(&status)), &case.expected.origin_set)
}

fn closing(case: &Case) -> Result<(), String> {
    let connections: Vec<_> = case.connection.iter().map(|it| connection(case, it)).collect();
    let found =
        case.connection.iter().zip(&connections).filter_map(|(written, (facts, status))| {
            let others = connections.iter();
            let mut closing =
                others.filter_map(|(by, theirs)| superseded((facts, status), (by, theirs)));
            Some((written.id.clone(), closing.next()?.code().to_owned()))
        });
    equal(&Some(found.collect()), &case.expected.closing)
}

fn connection(case: &Case, written: &Connection) -> (ConnectionFacts, ConnectionStatus) {
    let cleartext = written.protocol == "h2c";
    let scheme = if cleartext { Scheme::Http } else { Scheme::Https };
    let authority = Authority::parse(written.opened_for.as_bytes()).unwrap();
    let mut key = PoolKey::new(Origin::from_authority(scheme, &authority).to_buf());
    set_terms(&mut key, &written.partition, &written.tls, &written.proxy);
    let protocol = match written.protocol.as_str() {
        "h2" | "h2c" => Protocol::Http2,
        "http/1.1" => Protocol::Http1,
        other => panic!("{other}"),
    };
    let mut facts = ConnectionFacts::new(key, written.peer.parse().unwrap(), protocol);
    facts.tls = (!cleartext).then(|| tls_facts(written));

    let mut status = ConnectionStatus::with_origins_max(case.origins_max.unwrap_or(usize::MAX));
    status.state = match written.state.as_str() {
        "open" | "connecting" => ConnectionState::Open,
        "draining" => ConnectionState::Draining,
        "closed" => ConnectionState::Closed,
        other => panic!("{other}"),
    };
    status.streams_max = written.streams_max;
    status.streams_active = written.streams_active;
    status.requests_served = written.requests_served;
    status.settings_received = written.settings;
    status.extended_connect = written.extended_connect;
    if let Some(set) = &written.origin_set {
        status.receive_origin(&facts, &OriginFrame::new(0, 0, &payload(set)));
    }
    for origin in &written.refused {
        status.refuse(&Origin::try_from(origin.as_str()).unwrap());
    }
    (facts, status)
}

fn tls_facts(written: &Connection) -> TlsFacts {
    let names = written.certificate.iter().map(|name| match name.split_once(':') {
        Some(("DNS", name)) => PresentedIdentifier::parse_dns(name.as_bytes()).unwrap(),
        Some(("IP", address)) => PresentedIdentifier::Ip(address.parse().unwrap()),
        _ => panic!("{name}"),
    });
    let identifiers = IdentifierSet::build(names).unwrap();
    let expires_at = NOW.as_secs().saturating_add_signed(written.expires_in_s);
    let leaf = LeafDigest::new([7; 32]);
    let mut tls = TlsFacts::new(Arc::new(identifiers), leaf, Duration::from_secs(expires_at));
    tls.client_certificate_sent = written.client_certificate;
    tls.evidence = written.evidence;
    if written.verifier == "opaque" {
        tls.verifier = VerifierKind::Opaque;
    }
    if written.handshake_error {
        tls.check = HandshakeCheck::ErrorOverridden;
    }
    tls
}

/// Runs the verifier that the case describes.
fn verify(
    written: &Connection,
    request: &Request,
    facts: &ConnectionFacts,
    status: &mut ConnectionStatus,
) {
    let asked = request_facts(request);
    let host = asked.key.origin.as_origin().host();
    let rejects = |name: &String| Host::try_from(name.as_str()) == Ok(host);
    let verification = if written.verifier_rejects.iter().any(rejects) {
        Verification::Rejected
    } else if request.pins == "mismatch" {
        Verification::PinMismatch
    } else if request.transparency == "required-missing" {
        Verification::TransparencyMissing
    } else {
        Verification::Accepted
    };
    if facts.tls.is_some() {
        status.verified(&host, verification);
    }
}

fn memory(case: &Case, connections: &[(ConnectionFacts, ConnectionStatus)]) -> RefusalMemory {
    let mut memory = RefusalMemory::default();
    for entry in &case.memory {
        let of = case.connection.iter().position(|it| it.id == entry.identity_of).unwrap();
        let origin = Origin::try_from(entry.origin.as_str()).unwrap();
        let expires_at = NOW + Duration::from_secs(entry.ttl_left_s);
        memory.remember_until(connections[of].0.server_identity(), &origin, expires_at, NOW);
    }
    memory
}

fn request_facts(written: &Request) -> RequestFacts {
    let (scheme, rest) = written.url.split_once("://").unwrap();
    let authority = rest.split('/').next().unwrap();
    let origin = format!("{scheme}://{authority}");
    let mut key = PoolKey::new(origin.parse().unwrap());
    set_terms(&mut key, &written.partition, &written.tls, &written.proxy);
    let mut facts = RequestFacts::new(key);
    facts.body = match written.body.as_str() {
        "none" => RequestBody::Empty,
        "replayable" => RequestBody::Replayable,
        "one-shot" => RequestBody::OneShot,
        other => panic!("{other}"),
    };
    if written.extended_connect {
        facts.kind = RequestKind::ExtendedConnect;
    }
    let mut policy = Policy::default();
    policy.connections_per_origin = written.connections_max;
    policy.dns = match written.dns.as_str() {
        "required" => DnsPolicy::Required,
        "waived-by-origin-set" => DnsPolicy::WaivedByOriginSet,
        "waived-with-evidence" => DnsPolicy::WaivedWithEvidence,
        other => panic!("{other}"),
    };
    let hosts = written.allow_client_certificate_hosts.iter();
    policy.client_certificate_hosts = hosts.map(|host| host.parse().unwrap()).collect();
    facts.policy = Arc::new(policy);
    facts
}

fn set_terms(key: &mut PoolKey, partition: &str, tls: &str, proxy: &str) {
    key.partition = Partition::new(partition);
    key.proxy = (!proxy.is_empty()).then(|| Proxy::new(proxy));
    let name = tls.bytes().fold(0, |sum: u32, byte| sum.wrapping_mul(31) + u32::from(byte));
    key.tls_configuration = TlsConfigurationId::new(if tls == "default" { 0 } else { name });
}

fn endpoints(request: &Request, port: u16) -> Option<Vec<Endpoint>> {
    if request.addresses.is_none() && request.endpoints.is_none() {
        return None;
    }
    let plain = request.addresses.iter().flatten();
    let plain = plain.map(|address| Endpoint::new((ip(address), port).into()));
    let records = request.endpoints.iter().flatten();
    let records = records.flat_map(|record| of_record(record, port));
    Some(plain.chain(records).collect())
}

fn of_record(record: &Record, port: u16) -> impl Iterator<Item = Endpoint> {
    let port = record.port.unwrap_or(port);
    record.addresses.iter().map(move |address| {
        let mut endpoint = Endpoint::new((ip(address), port).into());
        endpoint.alpn = Alpn::from_ids(record.alpn.iter().map(String::as_bytes));
        endpoint
    })
}

fn ip(address: &str) -> std::net::IpAddr {
    address.parse().unwrap()
}

/// Returns the payload of an ORIGIN frame (RFC 8336 §2.1).
fn payload(origins: &[String]) -> Vec<u8> {
    let entry = |origin: &String| {
        let len = u16::try_from(origin.len()).unwrap().to_be_bytes();
        [&len[..], origin.as_bytes()].concat()
    };
    origins.iter().flat_map(entry).collect()
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().map(|digit| digit.to_digit(16).unwrap()).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}

fn origins(status: &ConnectionStatus) -> Vec<String> {
    status.origin_set().origins().map(|origin| origin.to_string()).collect()
}
