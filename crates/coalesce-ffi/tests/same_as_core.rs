//! The interface decides as the core does, for every combination of some tables, connections and
//! requests.
#![allow(unsafe_code, reason = "the test calls the functions of C")]
#![allow(clippy::borrow_as_ptr, reason = "a reference shows what a pointer points to")]

use coalesce_core::{
    AuthorityTable, ClientCertificates, CoalescePolicy, ConnectPolicy, DnsName, Enforcement,
    GroupId, HandshakeRules, HostField, IdentifierSet, MethodKind, NamePattern,
    PresentedIdentifier, RequestTarget, Scheme, ServerConnection, UnknownAuthority,
    Verdict as CoreVerdict, VirtualHostId, decide,
};
use coalesce_ffi::codes::{
    COALESCE_CLIENT_NOT_ASKED, COALESCE_CLIENT_VERIFIED, COALESCE_CLIENTS_NOT_ASKED,
    COALESCE_CLIENTS_REQUIRED, COALESCE_GROUP_NONE, COALESCE_MALFORMED, COALESCE_MISDIRECTED,
    COALESCE_OK, COALESCE_SCHEME_HTTP, COALESCE_SCHEME_HTTPS, COALESCE_SERVE,
    COALESCE_TRUSTED_GATEWAY,
};
use coalesce_ffi::{
    Bytes, Connection, GroupPolicy, HandshakeFacts, HandshakePolicy, Identifiers, Request, Table,
    Verdict, coalesce_decide, coalesce_identifiers_from_bytes, coalesce_reason_code,
    coalesce_table_builder_build, coalesce_table_builder_entry, coalesce_table_builder_group,
    coalesce_table_builder_new,
};

const PORTS: &[u16] = &[443, 80];
const NAMES: [(&str, u32); 5] =
    [("a.test", 1), ("*.a.test", 1), ("b.test", 2), ("192.0.2.1", 1), ("staff.test", 2)];
const AUTHORITIES: [&str; 9] = [
    "a.test",
    "A.test.:443",
    "x.a.test",
    "b.test",
    "192.0.2.1",
    "gone.test",
    "a.test:8443",
    "u@a",
    "",
];

/// The policies of both groups, as the numbers of a `coalesce_group_policy`.
const POLICIES: [[u32; 5]; 7] = [
    [0, 0, 0, 0, 0],
    [1, 0, 0, 0, 1],
    [2, 0, 0, 0, 2],
    [0, 1, 1, 0, 3],
    [0, 0, 2, 0, 0],
    [0, 0, 0, 1, 0],
    [1, 1, 2, 1, 1],
];

struct Rules(ClientCertificates);

impl HandshakeRules for Rules {
    fn client_certificates(&self) -> ClientCertificates {
        self.0
    }
}

fn bytes(text: &str) -> Bytes<'_> {
    Bytes::from(text.as_bytes())
}

fn core_policy(
    [coalesce, unknown, connect, enforcement, clients]: [u32; 5],
) -> coalesce_core::GroupPolicy {
    let asked = if clients == 1 { ClientCertificates::NotAsked } else { ClientCertificates::Asked };
    let coalesces = [
        CoalescePolicy::CertificateAndGroup,
        CoalescePolicy::StrictServerName,
        CoalescePolicy::Never,
    ];
    let unknowns = [UnknownAuthority::Misdirected, UnknownAuthority::HandToApplication];
    let connects = [ConnectPolicy::Refuse, ConnectPolicy::Extended, ConnectPolicy::Any];
    coalesce_core::GroupPolicy::default()
        .with_coalesce(coalesces[coalesce as usize])
        .with_unknown_authority(unknowns[unknown as usize])
        .with_connect(connects[connect as usize])
        .with_enforcement([Enforcement::Enforce, Enforcement::Observe][enforcement as usize])
        .with_handshake_rules(&Rules(asked))
}

fn core_table(policy: [u32; 5]) -> AuthorityTable {
    let mut builder = AuthorityTable::builder();
    for group in [1, 2] {
        builder.group(GroupId::new(group), core_policy(policy)).unwrap();
    }
    for (id, (name, group)) in (0..).zip(NAMES) {
        let pattern = NamePattern::parse(name.as_bytes()).unwrap();
        builder.entry(pattern, VirtualHostId::new(id), GroupId::new(group)).unwrap();
    }
    builder.build().unwrap()
}

fn table(
    [coalesce, unknown_authority, connect, enforcement, client_certificates]: [u32; 5],
) -> Box<Table> {
    let size = size_of::<GroupPolicy>();
    let policy = GroupPolicy {
        size,
        coalesce,
        unknown_authority,
        connect,
        enforcement,
        client_certificates,
    };
    let (mut builder, mut table) = (None, None);
    // SAFETY: every pointer of this test comes from a reference.
    unsafe {
        assert_eq!(coalesce_table_builder_new(&mut builder), COALESCE_OK);
        for group in [1, 2] {
            let added = coalesce_table_builder_group(builder.as_deref_mut(), group, &policy);
            assert_eq!(added, COALESCE_OK);
        }
        for (id, (name, group)) in (0..).zip(NAMES) {
            let added =
                coalesce_table_builder_entry(builder.as_deref_mut(), bytes(name), id, group);
            assert_eq!(added, COALESCE_OK);
        }
        assert_eq!(coalesce_table_builder_build(builder.as_deref(), &mut table), COALESCE_OK);
    }
    table.unwrap()
}

/// The numbers of a verdict that do not depend on the connection, with the code of its reason.
fn core_numbers(verdict: &CoreVerdict) -> (u32, u32, &'static str, Option<u32>, &'static str) {
    match verdict {
        CoreVerdict::Serve(proof) => {
            let observed = proof.observed().map_or("", |reason| reason.code());
            (COALESCE_SERVE, 0, "", proof.virtual_host().map(VirtualHostId::get), observed)
        }
        CoreVerdict::Misdirected(reason) => (COALESCE_MISDIRECTED, 421, reason.code(), None, ""),
        CoreVerdict::Malformed(reason) => {
            (COALESCE_MALFORMED, reason.answer().status().into(), reason.code(), None, "")
        }
    }
}

fn code(reason: u32) -> &'static str {
    // SAFETY: the texts of reasons are static and end with NUL.
    unsafe { std::ffi::CStr::from_ptr(coalesce_reason_code(reason)) }.to_str().unwrap()
}

/// Decides in both ways.
fn compare(
    tables: (&Table, &AuthorityTable),
    connections: (&Connection<'_>, &ServerConnection<'_>),
    (authority, host, scheme, method): (Option<&str>, Option<&str>, Option<&str>, u32),
) {
    let request = Request {
        size: size_of::<Request<'_>>(),
        authority: authority.map_or(Bytes::ABSENT, bytes),
        host: host.map_or(Bytes::ABSENT, bytes),
        scheme: scheme.map_or(Bytes::ABSENT, bytes),
        host_count: 0,
        method,
    };
    let target = RequestTarget {
        authority: authority.map(str::as_bytes),
        host: host.map_or(HostField::Absent, |host| HostField::One(host.as_bytes())),
        scheme: scheme.map(str::as_bytes),
        method: [MethodKind::Ordinary, MethodKind::Connect, MethodKind::ExtendedConnect]
            [method as usize],
    };
    // SAFETY: a verdict of zeros is a verdict.
    let mut verdict: Verdict = unsafe { std::mem::zeroed() };
    verdict.size = size_of::<Verdict>();
    // SAFETY: as above.
    let result = unsafe { coalesce_decide(Some(tables.0), connections.0, &request, &mut verdict) };
    assert_eq!(result, COALESCE_OK, "{connections:?} {request:?}");
    let virtual_host = (verdict.served_as == 1).then_some(verdict.virtual_host);
    let found = (
        verdict.outcome,
        verdict.status,
        code(verdict.reason),
        virtual_host,
        code(verdict.observed),
    );
    let expected = decide(tables.1, connections.1, &target);
    assert_eq!(found, core_numbers(&expected), "{connections:?} {target:?}");
}

fn compare_requests(
    tables: (&Table, &AuthorityTable),
    connection: &Connection<'_>,
    core: &ServerConnection<'_>,
) {
    for authority in AUTHORITIES {
        for method in 0..3 {
            let some = Some(authority);
            for scheme in [None, Some("https"), Some("http")] {
                compare(tables, (connection, core), (some, None, scheme, method));
                compare(tables, (connection, core), (None, some, scheme, method));
            }
            compare(tables, (connection, core), (some, Some("a.test"), Some("https"), method));
        }
    }
}

#[test]
fn interface_decides_as_the_core_does() {
    let identifiers = ["a.test", "*.a.test", "b.test"]
        .map(|name| PresentedIdentifier::parse_dns(name.as_bytes()).unwrap());
    let set = IdentifierSet::build(identifiers).unwrap();
    let mut presented: Option<Box<Identifiers>> = None;
    // SAFETY: as above.
    let read =
        unsafe { coalesce_identifiers_from_bytes(Bytes::from(set.as_bytes()), &mut presented) };
    assert_eq!(read, COALESCE_OK);
    let presented = presented.unwrap();
    let handshakes = [
        (COALESCE_CLIENTS_NOT_ASKED, COALESCE_CLIENT_NOT_ASKED, ClientCertificates::NotAsked, true),
        (COALESCE_CLIENTS_NOT_ASKED, COALESCE_CLIENT_VERIFIED, ClientCertificates::Asked, true),
        (COALESCE_CLIENTS_REQUIRED, COALESCE_CLIENT_VERIFIED, ClientCertificates::Asked, true),
        (COALESCE_CLIENTS_REQUIRED, COALESCE_CLIENT_NOT_ASKED, ClientCertificates::Asked, false),
    ];
    for policies in POLICIES {
        let (table, core) = (table(policies), core_table(policies));
        for (clients, fact, asked, met) in handshakes {
            let policy = HandshakePolicy {
                size: size_of::<HandshakePolicy>(),
                client_certificates: clients,
                tls_version_min: 0,
                client_ca: 7,
                other: 0,
            };
            let facts = HandshakeFacts {
                size: size_of::<HandshakeFacts>(),
                client_certificate: fact,
                tls_version: 0,
                client_ca: 7,
                other: 0,
            };
            let group = GroupId::new(if met { 1 } else { COALESCE_GROUP_NONE });
            for name in [None, Some("a.test"), Some("b.test"), Some("not a name")] {
                let server_name = name.and_then(|name| DnsName::parse(name.as_bytes()).ok());
                let mut connection = Connection::new(COALESCE_SCHEME_HTTPS, 1, PORTS)
                    .with_handshake(&policy, &facts)
                    .with_presented(&presented);
                connection.server_name = name.map_or(Bytes::ABSENT, bytes);
                let direct =
                    ServerConnection::tls(&set, group, asked, PORTS).with_server_name(server_name);
                compare_requests((&table, &core), &connection, &direct);

                connection.trust = COALESCE_TRUSTED_GATEWAY;
                let gateway = ServerConnection::trusted_gateway(Scheme::Https, group, asked, PORTS)
                    .with_server_name(server_name);
                compare_requests((&table, &core), &connection, &gateway);
            }
        }
        let connection = Connection::new(COALESCE_SCHEME_HTTP, 2, PORTS);
        let cleartext = ServerConnection::cleartext(GroupId::new(2), PORTS);
        compare_requests((&table, &core), &connection, &cleartext);
    }
}
