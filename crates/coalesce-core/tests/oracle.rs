//! Tries, parsers and the decision against naive oracles, for generated inputs.
//!
//! Labels come from a small alphabet, so that names, wildcards and queries meet all the time:
//! `every_outcome_is_reached` proves that the comparisons are not about nothing.
#![cfg(feature = "alloc")]

mod model;

use std::collections::BTreeSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use coalesce_core::{
    Authority, AuthorityTable, CoalescePolicy, ConnectPolicy, Connection, DnsName, GroupId,
    GroupPolicy, Host, HostField, IdentifierSet, MethodKind, NamePattern, PresentedIdentifier,
    RequestTarget, Scheme, Site, UnknownAuthority, Verdict, VirtualHostId, decide,
};
use model::{Coalesce, Connect, Entry, Facts, Method, Outcome, Policy, Request, Transport, World};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

const CASES: u32 = 2_000;

/// The labels that everything is made of; the long one makes names of over 253 bytes.
const LABELS: &[&str] = &[
    "a",
    "b",
    "ab",
    "a-b",
    "x_y",
    "xn--a",
    "0",
    "1",
    "test",
    "lllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll",
];
const LAST_LABELS: &[&str] = &["test", "a", "ab"];
const ADDRESSES: &[&str] = &["192.0.2.1", "192.0.2.2", "::1", "2001:db8::1", "::ffff:192.0.2.1"];
const GROUPS: &[u32] = &[0, 1, 7, u32::MAX];
const PORTS: &[u16] = &[443, 80, 8443, 0];

fn config() -> ProptestConfig {
    ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() }
}

// ---------------------------------------------------------------- generators

/// A valid name, lower case and without a trailing dot.
fn name(labels_max: usize) -> impl Strategy<Value = String> {
    (vec(select(LABELS), 0..labels_max), select(LAST_LABELS)).prop_map(|(labels, last)| {
        let all: Vec<&str> = labels.into_iter().chain([last]).collect();
        // The long label would make some names longer than a name may be.
        let all = if all.join(".").len() > 240 { &all[all.len() - 1..] } else { &all[..] };
        all.join(".")
    })
}

/// Another spelling of the same name.
fn spell(name: &str, case: u64, dot: bool) -> String {
    let upper = |(at, c): (usize, char)| {
        if case >> (at % 64) & 1 == 1 { c.to_ascii_uppercase() } else { c }
    };
    let mut spelled: String = name.chars().enumerate().map(upper).collect();
    if dot {
        spelled.push('.');
    }
    spelled
}

/// What an entry may be called, in the model's canonical spelling.
fn pattern() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => name(4),
        3 => name(3).prop_map(|name| format!("*.{name}")),
        3 => name(3).prop_map(|name| format!("**.{name}")),
        2 => select(ADDRESSES).prop_map(str::to_owned),
        1 => Just("*".to_owned()),
    ]
}

/// What a certificate may present.
fn identifier() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => name(4),
        4 => name(3).prop_map(|name| format!("*.{name}")),
        2 => select(ADDRESSES).prop_map(str::to_owned),
    ]
}

/// A host as an authority would have it: mostly one that some pattern may stand for.
fn host() -> impl Strategy<Value = String> {
    let odd = select(vec![
        "%61.test",
        "%41.Test",
        "a..test",
        ".",
        "..",
        ".a",
        "a.test..",
        "-a.test",
        "1.2.3",
        "192.0.2.1.",
        "192.0.2.01",
        "a'b",
        "a!$&'()*+,;=~b",
        "*.test",
        "[v1.a]",
        "[vF.x'y:z]",
        "[vf.1.2]",
        "vf.1.2",
        "0x7f",
    ]);
    prop_oneof![
        12 => (name(5), any::<u64>(), any::<bool>()).prop_map(|(name, c, d)| spell(&name, c, d)),
        3 => select(ADDRESSES).prop_map(|address| {
            if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
        }),
        1 => odd.prop_map(str::to_owned),
        1 => vec(select(LABELS), 4..8).prop_map(|labels| labels.join(".")),
    ]
}

/// Host and port, well-formed.
fn authority() -> impl Strategy<Value = String> {
    let port = prop_oneof![
        8 => Just(String::new()),
        1 => Just(":".to_owned()),
        2 => select(PORTS).prop_map(|port| format!(":{port}")),
        1 => any::<u16>().prop_map(|port| format!(":000{port}")),
    ];
    (host(), port).prop_map(|(host, port)| host + &port)
}

/// Bytes that are often nearly an authority.
fn field() -> impl Strategy<Value = Vec<u8>> {
    let byte = select(b"ab.-_:[]@%0194x*~' /\t\0\r\n\x7f\xc3v".as_slice());
    prop_oneof![
        4 => authority().prop_map(String::into_bytes),
        1 => select(vec![
            "", ":443", "user@a.test", "a.test:65536", "a.test:x", "a b.test", " a.test", "a\0",
            "[::1", "[1.2.3.4]", "a%zz", "b\u{fc}cher.test",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(byte, 0..24),
        1 => (authority(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(text, at, byte)| {
            let mut bytes = text.into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes
        }),
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    let coalesce = select(vec![
        Coalesce::CertificateAndGroup,
        Coalesce::CertificateAndGroup,
        Coalesce::StrictServerName,
        Coalesce::Never,
    ]);
    let connect = select(vec![Connect::Refuse, Connect::Extended, Connect::Any]);
    (coalesce, any::<bool>(), connect).prop_map(|(coalesce, hand_unknown_over, connect)| Policy {
        coalesce,
        hand_unknown_over,
        connect,
    })
}

fn world() -> impl Strategy<Value = World> {
    // Few groups, so that an entry is in the connection's group about half of the time.
    let groups = prop::sample::subsequence(GROUPS, 1..=3)
        .prop_flat_map(|ids| (vec(policy(), ids.len()), Just(ids)))
        .prop_map(|(policies, ids)| ids.into_iter().zip(policies).collect::<Vec<_>>());
    let entries = vec((pattern(), 0_u32..5, any::<prop::sample::Index>()), 0..12);
    (groups, entries).prop_map(|(groups, drawn)| {
        let mut seen = BTreeSet::new();
        let entries = drawn
            .into_iter()
            .filter(|(pattern, ..)| seen.insert(pattern.clone()))
            .map(|(pattern, virtual_host, group)| Entry {
                pattern,
                virtual_host,
                group: groups[group.index(groups.len())].0,
            })
            .collect();
        World { entries, groups }
    })
}

fn facts() -> impl Strategy<Value = Facts> {
    let transport = prop_oneof![
        6 => Just(Transport::Tls),
        1 => Just(Transport::Cleartext),
        1 => Just(Transport::GatewayHttp),
        1 => Just(Transport::GatewayHttps),
    ];
    let server_name = prop::option::of(name(3));
    let ports = prop::sample::subsequence(PORTS, 0..=PORTS.len());
    (transport, vec(identifier(), 0..6), server_name, select(GROUPS), ports).prop_map(
        |(transport, certificate, server_name, group, ports)| Facts {
            transport,
            certificate,
            server_name,
            group,
            ports,
        },
    )
}

fn request() -> impl Strategy<Value = Request> {
    let scheme = prop_oneof![
        4 => Just(Some("https")),
        2 => Just(None),
        1 => select(vec![Some("HTTPS"), Some("http"), Some("ftp"), Some("")]),
    ];
    let method = prop_oneof![
        6 => Just(Method::Ordinary),
        1 => Just(Method::Connect),
        1 => Just(Method::ExtendedConnect),
    ];
    let fields = prop_oneof![
        4 => field().prop_map(|one| (Some(one), vec![])),
        1 => field().prop_map(|one| (None, vec![one])),
        // The same authority twice in other spellings, so that step 7 is often content.
        2 => (authority(), any::<u64>()).prop_map(|(one, case)| {
            (Some(one.clone().into_bytes()), vec![spell(&one, case, false).into_bytes()])
        }),
        1 => (authority(), field()).prop_map(|(a, b)| (Some(a.into_bytes()), vec![b])),
        1 => (prop::option::of(field()), vec(field(), 0..3)),
    ];
    (fields, scheme, method).prop_map(|((authority, hosts), scheme, method)| Request {
        authority,
        hosts,
        scheme: scheme.map(|scheme| scheme.as_bytes().to_vec()),
        method,
    })
}

// ---------------------------------------------------------------- from the model to the crate

fn build_table(world: &World) -> AuthorityTable<Vec<u8>> {
    let mut table = AuthorityTable::builder();
    for (id, policy) in &world.groups {
        table.group(GroupId::new(*id), group_policy(*policy)).unwrap();
    }
    for Entry { pattern, virtual_host, group } in &world.entries {
        let pattern = NamePattern::parse(pattern.as_bytes()).unwrap();
        table.entry(pattern, VirtualHostId::new(*virtual_host), GroupId::new(*group)).unwrap();
    }
    table.build().unwrap()
}

fn group_policy(policy: Policy) -> GroupPolicy {
    let mut built = GroupPolicy::default();
    built.coalesce = match policy.coalesce {
        Coalesce::CertificateAndGroup => CoalescePolicy::CertificateAndGroup,
        Coalesce::StrictServerName => CoalescePolicy::StrictServerName,
        Coalesce::Never => CoalescePolicy::Never,
    };
    if policy.hand_unknown_over {
        built.unknown_authority = UnknownAuthority::HandToApplication;
    }
    built.connect = match policy.connect {
        Connect::Refuse => ConnectPolicy::Refuse,
        Connect::Extended => ConnectPolicy::Extended,
        Connect::Any => ConnectPolicy::Any,
    };
    built
}

fn presented(name: &str) -> PresentedIdentifier<'_> {
    match name.parse() {
        Ok(address) => PresentedIdentifier::Ip(address),
        Err(_) => PresentedIdentifier::parse_dns(name.as_bytes()).unwrap(),
    }
}

fn build_set(certificate: &[String]) -> IdentifierSet<Vec<u8>> {
    IdentifierSet::build(certificate.iter().map(|name| presented(name))).unwrap()
}

fn target(request: &Request) -> RequestTarget<'_> {
    RequestTarget {
        authority: request.authority.as_deref(),
        host: HostField::collect(request.hosts.iter().map(Vec::as_slice)),
        scheme: request.scheme.as_deref(),
        method: match request.method {
            Method::Ordinary => MethodKind::Ordinary,
            Method::Connect => MethodKind::Connect,
            Method::ExtendedConnect => MethodKind::ExtendedConnect,
        },
    }
}

fn run(world: &World, facts: &Facts, request: &Request) -> Verdict {
    let set = build_set(&facts.certificate);
    let group = GroupId::new(facts.group);
    let connection = match facts.transport {
        Transport::Tls => Connection::tls(set.borrow(), group, &facts.ports),
        Transport::Cleartext => Connection::cleartext(group, &facts.ports),
        Transport::GatewayHttp => Connection::trusted_gateway(Scheme::Http, group, &facts.ports),
        Transport::GatewayHttps => Connection::trusted_gateway(Scheme::Https, group, &facts.ports),
    };
    let server_name = facts.server_name.as_ref().map(|name| DnsName::parse(name.as_bytes()));
    let connection = connection.with_server_name(server_name.transpose().unwrap());
    decide(&build_table(world), &connection, &target(request))
}

fn outcome(verdict: &Verdict) -> Outcome {
    match verdict {
        Verdict::Serve(proof) => match proof.site() {
            Site::VirtualHost(id) => Outcome::VirtualHost(id.get()),
            Site::Unlisted => Outcome::Unlisted,
            Site::Tunnel => Outcome::Tunnel,
        },
        Verdict::Misdirected(reason) => Outcome::Misdirected(reason.code()),
        Verdict::Malformed(reason) => Outcome::Malformed(reason.code()),
    }
}

// ---------------------------------------------------------------- oracles over the crate's types

/// Exact before wildcards, the longer suffix before the shorter, one label before any depth, and
/// the catch-all last.
fn specificity(pattern: &NamePattern<'_>) -> (u8, usize, u8) {
    match pattern {
        NamePattern::Exact(_) | NamePattern::Ip(_) => (2, 0, 0),
        NamePattern::OneLabel(suffix) => (1, suffix.as_bytes().len(), 1),
        NamePattern::AnyDepth(suffix) => (1, suffix.as_bytes().len(), 0),
        NamePattern::CatchAll => (0, 0, 0),
        other => unreachable!("{other} is a pattern that this oracle does not know"),
    }
}

fn scan_table(patterns: &[NamePattern<'_>], host: &Host<'_>) -> Option<usize> {
    (0..patterns.len())
        .filter(|at| patterns[*at].matches(host))
        .max_by_key(|at| specificity(&patterns[*at]))
}

/// A name before a wildcard; of equal ones the first.
fn scan_set(identifiers: &[PresentedIdentifier<'_>], host: &Host<'_>) -> Option<usize> {
    (0..identifiers.len())
        .filter(|at| identifiers[*at].covers(host))
        .min_by_key(|at| matches!(identifiers[*at], PresentedIdentifier::Wildcard(_)))
}

fn hash_of(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

// ---------------------------------------------------------------- lookups

proptest! {
    #![proptest_config(config())]

    #[test]
    fn table_lookup_is_the_linear_scan(world in world(), queries in vec(authority(), 1..24)) {
        let table = build_table(&world);
        let again = AuthorityTable::from_image(table.as_image()).unwrap();
        let patterns: Vec<_> = world
            .entries
            .iter()
            .map(|entry| NamePattern::parse(entry.pattern.as_bytes()).unwrap())
            .collect();
        for query in &queries {
            let host = Authority::parse(query.as_bytes()).unwrap().host();
            let found = table.lookup(&host);
            prop_assert_eq!(found, again.lookup(&host));
            prop_assert_eq!(found, table.borrow().lookup(&host));
            let expected = scan_table(&patterns, &host);
            prop_assert_eq!(found.map(|found| found.entry as usize), expected, "{}", query);
            let said = expected.map(|at| (world.entries[at].virtual_host, world.entries[at].group));
            prop_assert_eq!(found.map(|f| (f.virtual_host.get(), f.group.get())), said);
            // The model, which shares no code with the crate, picks the same entry.
            let (naive, _) = model::authority(query.as_bytes()).unwrap();
            let naive = world.lookup(&naive).map(|entry| (entry.virtual_host, entry.group));
            prop_assert_eq!(naive, said, "{}", query);
        }
    }

    #[test]
    fn set_lookup_is_the_linear_scan(
        names in vec((identifier(), any::<u64>()), 0..12),
        queries in vec(authority(), 1..24),
    ) {
        let spelled: Vec<String> = names.iter().map(|(name, case)| spell(name, *case, false)).collect();
        let identifiers: Vec<_> = spelled.iter().map(|name| presented(name)).collect();
        let set = IdentifierSet::build(identifiers.iter().copied()).unwrap();
        prop_assert_eq!(set.len(), identifiers.len());
        let again = IdentifierSet::from_image(set.as_image()).unwrap();
        for query in &queries {
            let host = Authority::parse(query.as_bytes()).unwrap().host();
            prop_assert_eq!(set.find(&host), scan_set(&identifiers, &host), "{}", query);
            prop_assert_eq!(set.find(&host), again.find(&host));
            let (naive, _) = model::authority(query.as_bytes()).unwrap();
            let covered = names.iter().any(|(name, _)| model::covers(name, &naive));
            prop_assert_eq!(set.find(&host).is_some(), covered, "{}", query);
        }
    }

    /// Entries are numbered as they come; what they stand for does not depend on that.
    #[test]
    fn order_of_adding_changes_no_answer(
        (world, shuffled) in world().prop_flat_map(|world| {
            (Just(world.clone()), Just(world.entries).prop_shuffle())
        }),
        queries in vec(authority(), 1..24),
    ) {
        let other = build_table(&World { entries: shuffled, groups: world.groups.clone() });
        let table = build_table(&world);
        for query in &queries {
            let host = Authority::parse(query.as_bytes()).unwrap().host();
            let answer = |table: &AuthorityTable<Vec<u8>>| {
                table.lookup(&host).map(|found| (found.virtual_host, found.group))
            };
            prop_assert_eq!(answer(&table), answer(&other), "{}", query);
        }
    }

    /// However a name is spelled in the configuration and in the request, it is one name.
    #[test]
    fn spelling_changes_no_answer(
        world in world(),
        query in name(4),
        case in any::<u64>(),
        dot in any::<bool>(),
    ) {
        let table = build_table(&world);
        let mut respelled = AuthorityTable::builder();
        for (id, policy) in &world.groups {
            respelled.group(GroupId::new(*id), group_policy(*policy)).unwrap();
        }
        for entry in &world.entries {
            let text = spell(&entry.pattern, case, false);
            let pattern = NamePattern::parse(text.as_bytes()).unwrap();
            let (id, group) = (VirtualHostId::new(entry.virtual_host), GroupId::new(entry.group));
            respelled.entry(pattern, id, group).unwrap();
        }
        prop_assert_eq!(respelled.build().unwrap().as_image(), table.as_image());
        let written = spell(&query, case, dot);
        let host = Authority::parse(written.as_bytes()).unwrap().host();
        let plain = Authority::parse(query.as_bytes()).unwrap().host();
        prop_assert_eq!(table.lookup(&host), table.lookup(&plain));
    }
}

// ---------------------------------------------------------------- parsers

proptest! {
    #![proptest_config(config())]

    #[test]
    fn authority_round_trips(text in authority()) {
        let parsed = Authority::parse(text.as_bytes()).unwrap();
        let shown = parsed.to_string();
        prop_assert_eq!(Authority::parse(shown.as_bytes()), Ok(parsed), "{}", &shown);
        prop_assert_eq!(Authority::parse(shown.as_bytes()).unwrap().to_string(), shown);
    }

    #[test]
    fn dns_name_round_trips(name in name(5), case in any::<u64>(), dot in any::<bool>()) {
        let written = spell(&name, case, dot);
        let parsed = DnsName::parse(written.as_bytes()).unwrap();
        prop_assert_eq!(parsed.to_string(), name.clone());
        let plain = DnsName::parse(name.as_bytes()).unwrap();
        prop_assert_eq!(parsed, plain);
        prop_assert_eq!(hash_of(parsed), hash_of(plain));
        let mut parent = Some(plain);
        while let Some(name) = parent {
            prop_assert_eq!(DnsName::parse(name.as_bytes()), Ok(name));
            parent = name.parent();
            prop_assert!(parent.is_none_or(|parent| name.is_below(parent)));
        }
    }

    #[test]
    fn patterns_and_identifiers_round_trip(pattern in pattern(), name in identifier()) {
        let parsed = NamePattern::parse(pattern.as_bytes()).unwrap();
        prop_assert_eq!(parsed.to_string(), pattern);
        let shown = presented(&name).to_string();
        prop_assert!(shown == format!("DNS:{name}") || shown == format!("IP:{name}"));
    }

    /// The parser and the model agree about every byte string, faults included.
    #[test]
    fn authority_parser_is_the_model(field in field()) {
        let parsed = Authority::parse(&field);
        let expected = model::authority(&field);
        match (parsed, expected) {
            (Ok(parsed), Ok((host, port))) => {
                prop_assert_eq!(parsed.port(), port);
                match (parsed.host(), host) {
                    (Host::Name(name), model::Host::Name(text)) => {
                        prop_assert_eq!(name.to_string(), text);
                    }
                    (Host::Ip(address), model::Host::Ip(other)) => prop_assert_eq!(address, other),
                    (Host::Other(_), model::Host::Nobodys(_)) => {}
                    (found, expected) => prop_assert!(false, "{:?} / {:?}", found, expected),
                }
                // A wrong kind of equality would show up as two hosts that only look the same.
                let shown = parsed.to_string();
                prop_assert_eq!(Authority::parse(shown.as_bytes()), Ok(parsed), "{}", shown);
            }
            (Err(_), Err(_)) => {}
            (parsed, expected) => prop_assert!(false, "{:?} / {:?}", parsed, expected),
        }
    }

    /// Two authorities are equal exactly when the model says that they name the same.
    #[test]
    fn authority_equality_is_the_models(one in authority(), other in authority()) {
        let equal = Authority::parse(one.as_bytes()) == Authority::parse(other.as_bytes());
        let expected = model::authority(one.as_bytes()) == model::authority(other.as_bytes());
        prop_assert_eq!(equal, expected, "{} / {}", one, other);
    }

    #[test]
    fn name_parser_is_the_model(field in field()) {
        let text = String::from_utf8_lossy(&field);
        let name = text.strip_suffix('.').unwrap_or(&text);
        prop_assert_eq!(DnsName::parse(&field).is_ok(), model::is_dns_name(name));
    }

    #[test]
    fn nothing_panics_on_arbitrary_bytes(bytes in vec(any::<u8>(), 0..600)) {
        let _ = Authority::parse(&bytes);
        let _ = DnsName::parse(&bytes);
        let _ = Host::parse(&bytes);
        let _ = NamePattern::parse(&bytes);
        let _ = PresentedIdentifier::parse_dns(&bytes);
        let _ = PresentedIdentifier::from_address_octets(&bytes);
        let _ = AuthorityTable::from_image(&bytes);
        let _ = IdentifierSet::from_image(&bytes);
    }
}

// ---------------------------------------------------------------- images

/// A change to a valid image: what a bad disk, an old file or an enemy might do to it.
#[derive(Clone, Debug)]
enum Damage {
    Byte(prop::sample::Index, u8),
    /// A word, where every count, offset and index of the format is.
    Word(prop::sample::Index, u32),
    Swap(prop::sample::Index, prop::sample::Index),
    Cut(prop::sample::Index),
    Append(Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    let index = any::<prop::sample::Index>;
    let word = prop_oneof![
        6 => 0_u32..16,
        1 => select(vec![u32::MAX, u32::MAX - 1, 1 << 31, 1 << 26, 1 << 16, 63, 64]),
    ];
    prop_oneof![
        2 => (index(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        6 => (index(), word).prop_map(|(at, word)| Damage::Word(at, word)),
        2 => (index(), index()).prop_map(|(a, b)| Damage::Swap(a, b)),
        1 => index().prop_map(Damage::Cut),
        1 => vec(any::<u8>(), 1..9).prop_map(Damage::Append),
    ]
}

fn apply(image: &mut Vec<u8>, damage: &Damage) {
    let words = image.len() / 4;
    if words == 0 {
        return;
    }
    match damage {
        Damage::Byte(at, byte) => {
            let at = at.index(image.len());
            image[at] = *byte;
        }
        Damage::Word(at, word) => {
            let at = at.index(words) * 4;
            image[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
        Damage::Swap(a, b) => {
            let (a, b) = (a.index(words) * 4, b.index(words) * 4);
            for offset in 0..4 {
                image.swap(a + offset, b + offset);
            }
        }
        Damage::Cut(at) => image.truncate(at.index(image.len())),
        Damage::Append(bytes) => image.extend_from_slice(bytes),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..config() })]

    #[test]
    fn a_damaged_table_is_refused_or_stays_in_range(
        world in world(),
        damages in vec(damage(), 1..4),
        queries in vec(authority(), 8),
    ) {
        let mut image = build_table(&world).as_image().to_vec();
        damages.iter().for_each(|damage| apply(&mut image, damage));
        let Ok(table) = AuthorityTable::from_image(&image) else { return Ok(()) };
        prop_assert_eq!(table.as_image(), &image);
        for query in &queries {
            let host = Authority::parse(query.as_bytes()).unwrap().host();
            if let Some(found) = table.lookup(&host) {
                prop_assert!((found.entry as usize) < table.len());
                prop_assert!(table.group_policy(found.group).is_some());
                prop_assert!(!matches!(host, Host::Other(_)));
            }
        }
    }

    #[test]
    fn a_damaged_set_is_refused_or_stays_in_range(
        certificate in vec(identifier(), 0..8),
        damages in vec(damage(), 1..4),
        queries in vec(authority(), 8),
    ) {
        let mut image = build_set(&certificate).as_image().to_vec();
        damages.iter().for_each(|damage| apply(&mut image, damage));
        let Ok(set) = IdentifierSet::from_image(&image) else { return Ok(()) };
        for query in &queries {
            let host = Authority::parse(query.as_bytes()).unwrap().host();
            prop_assert!(set.find(&host).is_none_or(|found| found < set.len()));
        }
    }

    /// RFC 9525 §6.3: a presented wildcard matches one label, and nothing presents everything. So
    /// whatever bytes a set accepts, it never covers a host and one that no identifier could cover
    /// with it.
    #[test]
    fn no_set_covers_at_any_depth(
        certificate in vec(identifier(), 0..8),
        damages in vec(damage(), 1..4),
    ) {
        let mut image = build_set(&certificate).as_image().to_vec();
        damages.iter().for_each(|damage| apply(&mut image, damage));
        let Ok(set) = IdentifierSet::from_image(&image) else { return Ok(()) };
        // Labels that stand in no generated image: only a wildcard could cover them.
        for deep in ["q.q.q.q.q.q.a", "q.q.q.q.q.q.test", "q", "203.0.113.200"] {
            let host = Authority::parse(deep.as_bytes()).unwrap().host();
            prop_assert_eq!(set.find(&host), None, "{}", deep);
        }
    }
}

// ---------------------------------------------------------------- the decision

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..config() })]

    #[test]
    fn decide_is_the_model(world in world(), facts in facts(), request in request()) {
        let verdict = run(&world, &facts, &request);
        prop_assert_eq!(outcome(&verdict), model::decide(&world, &facts, &request));
    }

    /// The security boundary, without the help of any model: a served virtual host is covered by
    /// the presented certificate and in the connection's group.
    #[test]
    fn no_virtual_host_without_coverage_and_group(
        world in world(),
        facts in facts(),
        request in request(),
    ) {
        let Verdict::Serve(proof) = run(&world, &facts, &request) else { return Ok(()) };
        prop_assert_eq!(proof.group().get(), facts.group);
        let Some(id) = proof.virtual_host() else { return Ok(()) };
        let field = request.authority.as_ref().unwrap_or_else(|| &request.hosts[0]);
        let authority = Authority::parse(field).unwrap();
        let found = build_table(&world).lookup(&authority.host()).unwrap();
        prop_assert_eq!((found.virtual_host, found.group.get()), (id, facts.group));
        let covers = |name: &String| presented(name).covers(&authority.host());
        let waived = facts.transport != Transport::Tls;
        prop_assert!(waived || facts.certificate.iter().any(covers));
    }

    /// A 421 says the same whatever the server knows: step 3 is no oracle for names.
    #[test]
    fn a_named_host_of_another_group_is_as_misdirected_as_an_unknown_one(
        world in world(),
        facts in facts(),
        request in request(),
    ) {
        let gone = World {
            entries: world.entries.iter().filter(|e| e.group == facts.group).cloned().collect(),
            groups: world.groups.clone(),
        };
        let handed_over = world.groups.iter().any(|(_, policy)| policy.hand_unknown_over);
        // An entry of the own group may show once the more specific one is gone.
        let host = request.authority.as_deref().and_then(|field| model::authority(field).ok());
        let shadowed = host.is_some_and(|(host, _)| gone.lookup(&host).is_some());
        prop_assume!(!handed_over && !shadowed && request.authority.is_some());
        let kind = |world: &World| match run(world, &facts, &request) {
            Verdict::Serve(_) => "serve",
            Verdict::Misdirected(_) => "misdirected",
            Verdict::Malformed(_) => "malformed",
        };
        prop_assert_eq!(kind(&world), kind(&gone));
    }
}

/// Every outcome that the crate documents appears among a fixed sequence of generated cases.
#[test]
fn every_outcome_is_reached() {
    let mut runner = TestRunner::deterministic();
    let mut reached = BTreeSet::new();
    for _ in 0..20_000 {
        let case = (world(), facts(), request()).new_tree(&mut runner).unwrap();
        let (world, facts, request) = case.current();
        reached.insert(match outcome(&run(&world, &facts, &request)) {
            Outcome::VirtualHost(_) => "virtual_host",
            Outcome::Unlisted => "unlisted",
            Outcome::Tunnel => "tunnel",
            Outcome::Misdirected(code) | Outcome::Malformed(code) => code,
        });
    }
    let expected = BTreeSet::from([
        "authority_empty_host",
        "authority_field_value",
        "authority_host",
        "authority_port",
        "authority_userinfo",
        "certificate",
        "connect_port",
        "connect_refused",
        "group",
        "host_differs",
        "host_invalid",
        "no_authority",
        "port",
        "scheme",
        "server_name",
        "several_hosts",
        "tunnel",
        "unknown_authority",
        "unlisted",
        "virtual_host",
    ]);
    assert_eq!(reached, expected);
}
