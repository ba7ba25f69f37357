//! Generators that make valid things by construction, in the model's types.
//!
//! Labels come from a small alphabet, so that names, wildcards and queries meet all the time.

use std::collections::BTreeSet;

use proptest::array::uniform7;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use crate::model::{Coalesce, Connect, Entry, Facts, Method, Policy, Request, Transport, World};

/// `factor` times as many cases as usual, which `PROPTEST_CASES` sets.
pub(crate) fn cases(factor: u32) -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases * factor, failure_persistence: None, ..usual }
}

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
const ADDRESSES: &[&str] =
    &["192.0.2.1", "203.0.113.200", "::1", "2001:db8::1", "::ffff:192.0.2.1"];
const GROUPS: &[u32] = &[0, 1, 7, u32::MAX];
const PORTS: &[u16] = &[443, 80, 8443, 0];

/// A valid name, lower case and without a trailing dot.
pub(crate) fn name(labels_max: usize) -> impl Strategy<Value = String> {
    (vec(select(LABELS), 0..labels_max), select(LAST_LABELS)).prop_map(|(labels, last)| {
        let all: Vec<&str> = labels.into_iter().chain([last]).collect();
        // The long label would make some names longer than a name may be.
        let all = if all.join(".").len() > 240 { &all[all.len() - 1..] } else { &all[..] };
        all.join(".")
    })
}

/// Another spelling of the same name.
pub(crate) fn spell(name: &str, case: u64, dot: bool) -> String {
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
pub(crate) fn pattern() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => name(4),
        3 => name(3).prop_map(|name| format!("*.{name}")),
        3 => name(3).prop_map(|name| format!("**.{name}")),
        2 => select(ADDRESSES).prop_map(str::to_owned),
        1 => Just("*".to_owned()),
    ]
}

/// What a certificate may present.
pub(crate) fn identifier() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => name(4),
        4 => name(3).prop_map(|name| format!("*.{name}")),
        2 => select(ADDRESSES).prop_map(str::to_owned),
    ]
}

/// A host as an authority would have it: mostly one that some pattern may stand for.
pub(crate) fn host() -> impl Strategy<Value = String> {
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
pub(crate) fn authority() -> impl Strategy<Value = String> {
    let port = prop_oneof![
        8 => Just(String::new()),
        1 => Just(":".to_owned()),
        2 => select(PORTS).prop_map(|port| format!(":{port}")),
        1 => any::<u16>().prop_map(|port| format!(":000{port}")),
    ];
    (host(), port).prop_map(|(host, port)| host + &port)
}

/// Bytes that are often nearly an authority.
pub(crate) fn field() -> impl Strategy<Value = Vec<u8>> {
    let byte = select(b"ab.-_:[]@%0194x*~' /\t\0\r\n\x7f\xc3v".as_slice());
    prop_oneof![
        4 => authority().prop_map(String::into_bytes),
        1 => select(vec![
            "", ":443", "user@a.test", "a.test:65536", "a.test:x", "a b.test", " a.test", "a\0",
            "[::1", "[1.2.3.4]", "a%zz", "b\u{fc}cher.test",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(byte, 0..24),
        1 => (authority(), any::<Index>(), any::<u8>()).prop_map(|(text, at, byte)| {
            let mut bytes = text.into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes
        }),
    ]
}

pub(crate) fn policy() -> impl Strategy<Value = Policy> {
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

pub(crate) fn world() -> impl Strategy<Value = World> {
    // Few groups, so that an entry is in the connection's group about half of the time.
    let groups = subsequence(GROUPS, 1..=3)
        .prop_flat_map(|ids| (vec(policy(), ids.len()), Just(ids)))
        .prop_map(|(policies, ids)| ids.into_iter().zip(policies).collect::<Vec<_>>());
    let entries = vec((pattern(), 0_u32..5, any::<Index>()), 0..12);
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
    let ports = subsequence(PORTS, 0..=PORTS.len());
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

/// What turns a request into one that some step is content with.
#[derive(Clone, Debug)]
struct Aim {
    entry: Index,
    label: &'static str,
    case: u64,
    /// Each mostly true: authority, method, group, certificate, server name, port, `Host`.
    right: [bool; 7],
}

fn aim() -> impl Strategy<Value = Aim> {
    let right = uniform7(prop::bool::weighted(0.85));
    (any::<Index>(), select(LABELS), any::<u64>(), right)
        .prop_map(|(entry, label, case, right)| Aim { entry, label, case, right })
}

/// Everything that one decision needs. Three of four requests are aimed at an entry of the table,
/// so that the last steps are reached as often as the first.
pub(crate) fn case() -> impl Strategy<Value = (World, Facts, Request)> {
    (world(), facts(), request(), prop::option::weighted(0.75, aim())).prop_map(
        |(world, mut facts, mut request, aim)| {
            if let Some(aim) = aim.filter(|_| !world.entries.is_empty()) {
                take_aim(&aim, &world, &mut facts, &mut request);
            }
            (world, facts, request)
        },
    )
}

fn take_aim(aim: &Aim, world: &World, facts: &mut Facts, request: &mut Request) {
    let entry = &world.entries[aim.entry.index(world.entries.len())];
    let host = match entry.pattern.rsplit_once("*.") {
        Some((_, suffix)) => format!("{}.{suffix}", aim.label),
        None if entry.pattern == "*" => format!("{}.test", aim.label),
        None => entry.pattern.clone(),
    };
    let is_address = ADDRESSES.contains(&host.as_str());
    let written = match (is_address, host.contains(':')) {
        (true, true) => format!("[{host}]"),
        (true, false) => host.clone(),
        (false, _) => spell(&host, aim.case, aim.case & 1 == 1),
    };
    let [authority, method, group, certificate, server_name, port, same_host] = aim.right;
    if authority {
        request.authority = Some(written.into_bytes());
        request.scheme = None;
    }
    if method && request.method == Method::Connect {
        request.method = Method::Ordinary;
    }
    if group {
        facts.group = entry.group;
    }
    if port {
        facts.ports.extend([443, 80]);
    }
    if same_host && !request.hosts.is_empty() {
        request.hosts = request.authority.iter().cloned().collect();
    }
    if server_name && !is_address {
        facts.server_name = Some(host.clone());
    }
    if certificate {
        let parent = host.split_once('.').filter(|_| !is_address && aim.case & 2 == 2);
        facts.certificate.push(parent.map_or(host.clone(), |(_, parent)| format!("*.{parent}")));
    }
}
