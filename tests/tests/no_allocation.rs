//! Counts that the hot path allocates nothing.
//!
//! Tables and certificates are built before the count; only the work of each request is counted.

use std::hint::black_box;

use allocation_counter::measure;
use coalesce_core::{
    Authority, AuthorityTable, ClientCertificates, CoalescePolicy, ConnectPolicy, DnsName, GroupId,
    GroupPolicy, HostField, IdentifierSet, Layout, ListenerId, ListenerTable, Memo, MethodKind,
    NamePattern, PresentedIdentifier, RequestTarget, Scheme, ServerConnection, UnknownAuthority,
    Verdict, VirtualHostId, decide,
};

const OPEN: GroupId = GroupId::new(1);
const STRICT: GroupId = GroupId::new(2);

const LAYOUTS: [Layout; 2] = [Layout::Fast, Layout::Compact];

fn table() -> AuthorityTable<Vec<u8>> {
    table_in(Layout::Fast)
}

fn table_in(layout: Layout) -> AuthorityTable<Vec<u8>> {
    let mut open = GroupPolicy::default();
    open.connect = ConnectPolicy::Any;
    let mut strict = GroupPolicy::default();
    strict.coalesce = CoalescePolicy::StrictServerName;
    strict.unknown_authority = UnknownAuthority::HandToApplication;
    let mut table = AuthorityTable::builder();
    table.group(OPEN, open).unwrap().group(STRICT, strict).unwrap();
    let entries = [
        ("a.example.test", OPEN),
        ("*.wild.example.test", OPEN),
        ("**.deep.example.test", OPEN),
        ("192.0.2.1", OPEN),
        ("2001:db8::1", OPEN),
        ("cdn.example.test", OPEN),
        ("s.example.test", STRICT),
        ("t.example.test", STRICT),
        ("a-name-of-more-than-thirty-bytes.long.example.test", OPEN),
    ];
    for (number, (text, group)) in (0..).zip(entries) {
        let pattern = NamePattern::parse(text.as_bytes()).unwrap();
        table.entry(pattern, VirtualHostId::new(number), group).unwrap();
    }
    // A table of a realistic size.
    for number in 0..10_000 {
        let text = format!("host-{number}.bulk.example.test");
        let pattern = NamePattern::parse(text.as_bytes()).unwrap();
        table.entry(pattern, VirtualHostId::new(number), OPEN).unwrap();
    }
    table.layout(layout).build().unwrap()
}

fn presented() -> IdentifierSet<Vec<u8>> {
    let names =
        ["a.example.test", "*.wild.example.test", "*.deep.example.test", "*.bulk.example.test"];
    let more = ["s.example.test", "t.example.test", "dead.example.test"];
    let names = names.into_iter().chain(more);
    let names = names.map(|name| PresentedIdentifier::parse_dns(name.as_bytes()).unwrap());
    let address = PresentedIdentifier::from_address_octets(&[192, 0, 2, 1]).unwrap();
    IdentifierSet::build(names.chain([address])).unwrap()
}

/// A name of 8 KiB, longer than any name in a table.
fn huge() -> String {
    format!("{}test", "abcdefg.".repeat(1_024))
}

/// Runs `work` often enough that a rare allocation shows too; panics if there is one.
fn assert_no_allocation(what: &str, mut work: impl FnMut()) {
    // Leave out the allocations of the first call in a process.
    work();
    let counted = measure(|| (0..100).for_each(|_| work()));
    assert_eq!(counted.count_total, 0, "{what}: {counted:?}");
}

#[test]
fn allocation_counter_counts() {
    let counted = measure(|| drop(black_box(Box::new(black_box(1_u64)))));
    assert_eq!((counted.count_total, counted.bytes_total), (1, 8));
    let counted = measure(|| drop(black_box(table())));
    assert!(counted.count_total > 10, "building allocates: {counted:?}");
}

#[test]
fn deciding_allocates_nothing_for_any_verdict() {
    let (table, presented, huge) = (table(), presented(), huge());
    let name = DnsName::parse(b"s.example.test").ok();
    let open = ServerConnection::tls(&presented, OPEN, ClientCertificates::NotAsked, 443);
    let strict = ServerConnection::tls(&presented, STRICT, ClientCertificates::NotAsked, 443)
        .with_server_name(name);
    let get = |authority| RequestTarget::https(authority);
    let hostnames = [("**.wild.example.test", 1), ("*", 0)];
    let of_port = ListenerTable::build(hostnames.map(|(hostname, number)| {
        (NamePattern::parse(hostname.as_bytes()).unwrap(), ListenerId::new(number))
    }))
    .unwrap();
    let catch_all = open.clone().with_listener(ListenerId::new(0), &of_port);
    let ordinary = get(b"a.example.test");
    let method = |method, authority| RequestTarget { method, ..get(authority) };
    let host = |host| RequestTarget { host, ..ordinary };
    let alone = |host| RequestTarget { authority: None, host, ..ordinary };
    let (tunnel, extended) = (MethodKind::Connect, MethodKind::ExtendedConnect);
    let cases = [
        // Served.
        (&open, ordinary, "serve"),
        (&open, get(b"A.Example.TEST.:00443"), "serve"),
        (&open, get(b"x.wild.example.test"), "serve"),
        (&open, get(b"x.deep.example.test"), "serve"),
        (&open, get(b"host-9999.bulk.example.test"), "serve"),
        (&open, get(b"192.0.2.1"), "serve"),
        (&open, host(HostField::One(b"a.example.test:443")), "serve"),
        (&open, alone(HostField::One(b"a.example.test")), "serve"),
        (&open, method(tunnel, b"elsewhere.test:443"), "serve"),
        (&open, method(extended, b"a.example.test"), "serve"),
        (&strict, get(b"s.example.test"), "serve"),
        (&strict, get(b"dead.example.test"), "serve"),
        // Misdirected, for each reason.
        (&open, RequestTarget { scheme: Some(b"http"), ..ordinary }, "scheme"),
        (&open, get(b"dead.example.test"), "unknown_authority"),
        (&open, get(b"%61.example.test"), "unknown_authority"),
        (&open, get(huge.as_bytes()), "unknown_authority"),
        (&open, get(b"a.example.test:8443"), "port"),
        (&open, get(b"cdn.example.test"), "certificate"),
        (&open, get(b"x.y.deep.example.test"), "certificate"),
        (&open, get(b"[2001:db8::1]"), "certificate"),
        (&open, get(b"s.example.test"), "group"),
        (&strict, get(b"t.example.test"), "server_name"),
        (&catch_all, get(b"x.wild.example.test"), "listener"),
        (&catch_all, get(b"y.x.wild.example.test"), "unknown_authority"),
        // Malformed, for each reason.
        (&open, alone(HostField::Absent), "no_authority"),
        (&open, host(HostField::Several), "several_hosts"),
        (&open, get(b"a\0"), "authority_field_value"),
        (&open, get(b"user@a.example.test"), "authority_userinfo"),
        (&open, get(b""), "authority_empty_host"),
        (&open, get(b"a:99999"), "authority_port"),
        (&open, get(b"a b"), "authority_host"),
        (&open, get(b"[::1"), "authority_host"),
        (&open, get(b"a%zz"), "authority_host"),
        (&open, alone(HostField::One(b"a b")), "host_invalid"),
        (&open, host(HostField::One(b"b.example.test")), "host_differs"),
        (&strict, method(tunnel, b"elsewhere.test:443"), "connect_refused"),
        (&strict, method(extended, b"s.example.test"), "extended_connect_refused"),
        (&open, host(HostField::One(b"a b")), "host_invalid"),
        (&open, method(tunnel, b"elsewhere.test"), "connect_port"),
    ];
    for (connection, request, expected) in &cases {
        let what =
            format!("{expected} {}", String::from_utf8_lossy(request.authority.unwrap_or(b"")));
        assert_no_allocation(&what, || {
            let verdict = decide(black_box(&table), black_box(connection), black_box(request));
            let code = match &verdict {
                Verdict::Serve(_) => "serve",
                Verdict::Misdirected(reason) => reason.code(),
                Verdict::Malformed(reason) => reason.code(),
            };
            assert_eq!(code, *expected);
        });
    }
    // The list has every stable name of a verdict.
    let tried = |code: &str| cases.iter().any(|(.., expected)| *expected == code);
    assert!(coalesce_core::Misdirected::ALL.iter().all(|reason| tried(reason.code())));
}

#[test]
fn connections_without_a_certificate_allocate_nothing() {
    let table = table();
    let http = RequestTarget { scheme: Some(b"http"), ..RequestTarget::https(b"a.example.test") };
    for connection in [
        ServerConnection::cleartext(OPEN, 80),
        ServerConnection::trusted_gateway(Scheme::Http, OPEN, ClientCertificates::NotAsked, 80),
    ] {
        assert_no_allocation("http", || {
            let verdict = decide(black_box(&table), &connection, black_box(&http));
            assert!(matches!(verdict, Verdict::Serve(_)));
        });
    }
}

#[test]
fn parsing_and_looking_up_allocate_nothing() {
    let (presented, huge) = (presented(), huge());
    let cases = [
        ("a.example.test", true, true),
        ("HOST-7.Bulk.Example.Test.", true, true),
        ("x.wild.example.test:443", true, true),
        ("x.y.wild.example.test", false, false),
        ("x.y.deep.example.test", true, false),
        ("a-name-of-more-than-thirty-bytes.long.example.test", true, false),
        ("192.0.2.1:80", true, true),
        ("[2001:db8::1]", true, false),
        ("[::2]", false, false),
        ("%61.example.test", false, false),
        (&huge, false, false),
    ];
    let fields = cases.map(|(text, ..)| text.as_bytes());
    for table in LAYOUTS.map(table_in) {
        for (text, known, covered) in cases {
            assert_no_allocation(text, || {
                let bytes = black_box(text.as_bytes());
                let host = Authority::parse(bytes).unwrap().host();
                assert_eq!(black_box(&table).lookup(&host).is_some(), known);
                assert_eq!(black_box(&presented).find(&host).is_some(), covered);
                assert_eq!(table.lookup_authority(bytes).is_some(), known);
                assert_eq!(presented.find_authority(bytes).is_some(), covered);
            });
        }
        assert_no_allocation("many at once", || {
            let mut known = 0;
            black_box(&table).lookup_authorities(black_box(&fields), |_, found| {
                known += i32::from(found.is_some());
            });
            assert_eq!(known, 7);
        });
        for faulty in ["", ":1", "a@b", "a b", "[::", "a:x", "a%", " a", "a\n"] {
            assert_no_allocation(faulty, || {
                let bytes = black_box(faulty.as_bytes());
                assert!(Authority::parse(bytes).is_err());
                assert_eq!(black_box(&table).lookup_authority(bytes), None);
                assert_eq!(black_box(&presented).find_authority(bytes), None);
            });
        }
    }
}

#[test]
fn remembering_the_last_authority_allocates_nothing() {
    let (table, presented) = (table(), presented());
    let connection = ServerConnection::tls(&presented, OPEN, ClientCertificates::NotAsked, 443);
    let mut memo = Memo::new(connection);
    assert_no_allocation("memo", || {
        for authority in [&b"a.example.test"[..], b"a.example.test", b"x.wild.example.test"] {
            let request = RequestTarget::https(black_box(authority));
            let verdict = memo.decide(black_box(&table), 0, &request);
            assert!(matches!(verdict, Verdict::Serve(_)));
        }
    });
}

/// Tables and sets list their entries one at a time, without copies.
#[test]
fn listing_allocates_nothing() {
    let presented = presented();
    let deep = DnsName::parse(b"example.test").unwrap();
    let pattern = NamePattern::parse(b"*.wild.example.test").unwrap();
    let identifier = PresentedIdentifier::parse_dns(b"*.wild.example.test").unwrap();
    for table in LAYOUTS.map(table_in) {
        let table = AuthorityTable::from_bytes(table.as_bytes().to_vec()).unwrap();
        let counted = measure(|| {
            let table = black_box(&table);
            let named = table.entries().filter(|entry| entry.pattern.name().is_some()).count();
            assert_eq!(named, table.len() - 2);
            assert_eq!(table.entries_below(deep).count(), named);
            assert_eq!(table.groups().count(), 2);
        });
        assert_eq!(counted.count_total, 0, "entries: {counted:?}");
        assert_no_allocation("a pattern", || {
            assert!(black_box(&table).get(black_box(&pattern)).is_some());
        });
    }
    assert_no_allocation("identifiers", || {
        assert_eq!(black_box(&presented).identifiers().count(), 8);
        assert!(presented.number(black_box(&identifier)).is_some());
    });
}

/// A compiled table that is mapped from a file or part of a binary needs no allocator.
#[test]
fn reading_images_allocates_nothing() {
    let presented = presented();
    let presented = presented.as_bytes();
    for table in LAYOUTS.map(table_in) {
        let (checksum, table) = (table.checksum(), table.as_bytes());
        let half = &table[..table.len() / 2];
        let counted = measure(|| {
            assert!(AuthorityTable::from_bytes(black_box(table)).is_ok());
            assert!(AuthorityTable::from_trusted_bytes(black_box(table), checksum).is_ok());
            assert!(AuthorityTable::from_bytes(black_box(half)).is_err());
            assert!(IdentifierSet::from_bytes(black_box(presented)).is_ok());
            assert!(AuthorityTable::from_bytes(black_box(presented)).is_err());
        });
        assert_eq!(counted.count_total, 0, "images: {counted:?}");
    }
}

/// The bound covers the collected entries, the builder's working memory and the compiled table.
#[test]
fn building_a_fast_table_takes_at_most_three_times_its_image() {
    let mut len = 0;
    let taken = measure(|| {
        let mut builder = AuthorityTable::builder();
        builder.reserve(100_000, 2_000_000);
        builder.group(OPEN, GroupPolicy::default()).unwrap();
        for number in 0..100_000_u32 {
            let name = format!("host{number}.zone{}.test", number % 997);
            let name = DnsName::parse(name.as_bytes()).unwrap();
            let host = VirtualHostId::new(number);
            builder.entry(NamePattern::Exact(name), host, OPEN).unwrap();
        }
        len = builder.build().unwrap().as_bytes().len() as u64;
    });
    assert!(taken.bytes_max <= 3 * len, "{} bytes for an image of {len}", taken.bytes_max);
}
