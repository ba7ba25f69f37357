//! Generators of valid values in the model's types.
//!
//! Labels come from a small alphabet, so that names, wildcards and queries often match.

use std::collections::BTreeSet;

use proptest::array::{uniform4, uniform7};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use crate::model::{
    Coalesce, Connect, Entry, Extra, Facts, Method, Observe, Policy, Request, Transport, World,
};

/// Returns a configuration with `factor` times the usual number of cases, which `PROPTEST_CASES`
/// sets.
pub(crate) fn cases(factor: u32) -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases * factor, failure_persistence: None, ..usual }
}

/// The labels of all names. The long label produces names of over 253 bytes.
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

/// Generates a valid name in lower case without a trailing dot.
pub(crate) fn name(labels_max: usize) -> impl Strategy<Value = String> {
    (vec(select(LABELS), 0..labels_max), select(LAST_LABELS)).prop_map(|(labels, last)| {
        let all: Vec<&str> = labels.into_iter().chain([last]).collect();
        // The long label would make some names too long.
        let all = if all.join(".").len() > 240 { &all[all.len() - 1..] } else { &all[..] };
        all.join(".")
    })
}

/// Lengths at the limits of short names, of a window, of a label and of a name, and some in
/// between.
const LENGTHS: &[usize] = &[
    27, 28, 29, 30, 31, 32, 33, 34, 61, 62, 63, 64, 65, 66, 100, 127, 128, 191, 192, 251, 252, 253,
];
const LABEL_LENGTHS: &[usize] = &[1, 2, 7, 29, 30, 31, 32, 33, 63];
const SUFFIXES: &[&str] = &["test", "a.test", "x_y.b.a.test", "a"];

/// Returns a name of about `len` bytes that ends in `suffix`, with further labels of `label` bytes
/// each. With labels of one byte, 253 bytes hold 127 of them.
pub(crate) fn stretched(suffix: &str, len: usize, label: usize, fill: char) -> String {
    let mut name = suffix.to_owned();
    while len >= name.len() + 2 {
        let room = len - name.len() - 1;
        // One byte is not enough for a label and its dot.
        let step = match label.min(room) {
            step if room - step != 1 => step,
            1 => 2,
            step => step - 1,
        };
        name = format!("{}.{name}", String::from(fill).repeat(step));
    }
    name
}

/// Generates names of every important length, with few different suffixes.
pub(crate) fn long_name() -> impl Strategy<Value = String> {
    let fill = select(vec!['a', 'b', 'z', '_', '0']);
    (select(SUFFIXES), select(LENGTHS), select(LABEL_LENGTHS), fill)
        .prop_map(|(suffix, len, label, fill)| stretched(suffix, len, label, fill))
}

fn any_name(labels_max: usize) -> impl Strategy<Value = String> {
    prop_oneof![2 => name(labels_max), 1 => long_name()]
}

/// Returns another spelling of the same name.
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

/// Generates the pattern of an entry, in the model's canonical spelling.
pub(crate) fn pattern() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => any_name(4),
        3 => any_name(3).prop_map(|name| format!("*.{name}")),
        3 => any_name(3).prop_map(|name| format!("**.{name}")),
        2 => select(ADDRESSES).prop_map(str::to_owned),
        1 => Just("*".to_owned()),
    ]
}

/// Generates an identifier of a certificate.
pub(crate) fn identifier() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => any_name(4),
        // The wildcard label counts towards the length.
        4 => any_name(3).prop_map(|name| {
            if name.len() > 251 { "*.test".to_owned() } else { format!("*.{name}") }
        }),
        2 => select(ADDRESSES).prop_map(str::to_owned),
    ]
}

/// Generates a host as in an authority, mostly one that some pattern matches.
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

/// Generates a well-formed host with an optional port.
pub(crate) fn authority() -> impl Strategy<Value = String> {
    let port = prop_oneof![
        8 => Just(String::new()),
        1 => Just(":".to_owned()),
        2 => select(PORTS).prop_map(|port| format!(":{port}")),
        1 => any::<u16>().prop_map(|port| format!(":000{port}")),
    ];
    (host(), port).prop_map(|(host, port)| host + &port)
}

/// Generates bytes that are often nearly an authority.
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
    (coalesce, any::<bool>(), connect).prop_map(|(coalesce, unknown_to_application, connect)| {
        Policy { coalesce, unknown_to_application, connect }
    })
}

pub(crate) fn world() -> impl Strategy<Value = World> {
    // Few groups, so that about half of the entries are in the connection's group.
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

/// Generates a table of several blocks. Virtual hosts are numbered from the first entry on. The
/// tables have few or all kinds of wildcards, and few or many groups.
pub(crate) fn crowded() -> impl Strategy<Value = World> {
    let first = select(vec![0, 0, 7, 1 << 16, u32::MAX - 99]);
    let groups = prop_oneof![
        2 => vec(policy(), 1),
        2 => vec(policy(), 2..6),
        1 => vec(policy(), 250..300),
    ];
    let kinds = uniform4(prop::bool::weighted(0.7));
    let entries = vec((pattern(), any::<Index>()), 0..70);
    (first, groups, kinds, entries).prop_map(|(first, policies, kinds, drawn)| {
        let [one_label, any_depth, catch_all, addresses] = kinds;
        let wanted = |pattern: &String| match pattern.as_bytes() {
            b"*" => catch_all,
            [b'*', b'*', ..] => any_depth,
            [b'*', ..] => one_label,
            _ => addresses || !ADDRESSES.contains(&pattern.as_str()),
        };
        // Ids that differ from the groups' indices.
        let id = |place: usize| u32::MAX - 5 * u32::try_from(place).unwrap();
        let groups: Vec<_> = policies.into_iter().enumerate().map(|(at, p)| (id(at), p)).collect();
        let mut seen = BTreeSet::new();
        let entries = (first..)
            .zip(drawn.into_iter().filter(|(p, _)| wanted(p) && seen.insert(p.clone())))
            .map(|(virtual_host, (pattern, group))| Entry {
                pattern,
                virtual_host,
                group: groups[group.index(groups.len())].0,
            })
            .collect();
        World { entries, groups }
    })
}

/// A change of a field: a name below or above, a longer or shorter name, another spelling, or an
/// invalid name.
#[derive(Clone, Debug)]
enum Change {
    Prepend(&'static str),
    Append(&'static str),
    Stretch(usize, usize),
    CutLabel,
    Case(u64),
    Byte(Index, u8),
    Remove(Index),
}

fn change() -> impl Strategy<Value = Change> {
    let index = any::<Index>;
    let labels = select(vec!["a.", "b.", "0.", "x_y.", "a.b.", "xn--a.", "b.a-b.a."]);
    let wrong = select(vec![
        "!", "!x.", "-", "-a.", "a-.", ".", "a..", "%61.", "%61", "a\0.", "\x7f", "\x7f.", "@",
        "u@", "*.", "**.", "[", "]", "a:1.", " ", "\t", "`.", "{.", "~", "\u{fc}.", "/", "^.",
        "&.", "-.", "a.-",
    ]);
    let port = select(vec![":", ":0", ":443", ":65535", ":00443", "."]);
    let behind = select(vec![
        "..",
        ":443:80",
        "::80",
        "::",
        ":65536",
        ":99999999999",
        ":a",
        ":-1",
        ":+1",
        "/",
        "]",
        "\0",
        "\r",
        "%",
        "%4",
        "%41",
        " ",
        "-",
        ".0",
        ".1",
        ".0x1",
        ".0x",
        "1",
        ".-",
        ".a-",
        ".!",
        "_",
        "\x7f",
    ]);
    prop_oneof![
        8 => labels.prop_map(Change::Prepend),
        2 => wrong.prop_map(Change::Prepend),
        4 => port.prop_map(Change::Append),
        2 => behind.prop_map(Change::Append),
        2 => (select(LENGTHS), select(LABEL_LENGTHS)).prop_map(|(len, l)| Change::Stretch(len, l)),
        1 => Just(Change::Stretch(255, 63)),
        2 => Just(Change::CutLabel),
        6 => any::<u64>().prop_map(Change::Case),
        1 => (index(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        1 => index().prop_map(Change::Remove),
    ]
}

impl Change {
    fn apply(&self, field: &mut Vec<u8>) {
        match self {
            Self::Prepend(text) => drop(field.splice(..0, text.bytes())),
            Self::Append(text) => field.extend(text.bytes()),
            Self::Stretch(len, label) => {
                if let Ok(text) = str::from_utf8(field) {
                    *field = stretched(text, *len, *label, 'b').into_bytes();
                }
            }
            Self::CutLabel => {
                if let Some(dot) = field.iter().position(|byte| *byte == b'.') {
                    field.drain(..=dot);
                }
            }
            Self::Case(case) => {
                for (at, byte) in field.iter_mut().enumerate() {
                    if case >> (at % 64) & 1 == 1 {
                        byte.make_ascii_uppercase();
                    }
                }
            }
            Self::Byte(at, byte) if !field.is_empty() => {
                let at = at.index(field.len());
                field[at] = *byte;
            }
            Self::Remove(at) if !field.is_empty() => drop(field.remove(at.index(field.len()))),
            Self::Byte(..) | Self::Remove(_) => {}
        }
    }
}

/// A field that mostly refers to a pattern of a table or of a certificate.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    about: Index,
    changes: Vec<Change>,
    instead: Option<Vec<u8>>,
}

pub(crate) fn query() -> impl Strategy<Value = Query> {
    (any::<Index>(), vec(change(), 0..4), prop::option::weighted(0.15, field()))
        .prop_map(|(about, changes, instead)| Query { about, changes, instead })
}

impl Query {
    pub(crate) fn about(&self, patterns: &[&str]) -> Vec<u8> {
        let mut field = match &self.instead {
            Some(field) => field.clone(),
            None if patterns.is_empty() => b"a.test".to_vec(),
            None => sample(patterns[self.about.index(patterns.len())]).into_bytes(),
        };
        self.changes.iter().for_each(|change| change.apply(&mut field));
        field
    }
}

/// Returns an authority that an exact pattern matches, or the suffix of a wildcard.
fn sample(pattern: &str) -> String {
    match pattern.rsplit_once('*') {
        Some((_, "")) => "a.test".to_owned(),
        Some((_, suffix)) => suffix.trim_start_matches('.').to_owned(),
        None if pattern.contains(':') => format!("[{pattern}]"),
        None => pattern.to_owned(),
    }
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
            extra: Extra::default(),
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
        // The same authority twice in different spellings, so that step 7 often passes.
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

/// A change that makes a request pass some of the steps.
#[derive(Clone, Debug)]
struct Aim {
    entry: Index,
    label: &'static str,
    case: u64,
    /// Each is mostly true: authority, method, group, certificate, server name, port, `Host`.
    right: [bool; 7],
}

fn aim() -> impl Strategy<Value = Aim> {
    let right = uniform7(prop::bool::weighted(0.85));
    (any::<Index>(), select(LABELS), any::<u64>(), right)
        .prop_map(|(entry, label, case, right)| Aim { entry, label, case, right })
}

/// Generates all inputs of one decision. Three of four requests aim at an entry of the table, so
/// that the last steps are reached as often as the first ones.
pub(crate) fn case() -> impl Strategy<Value = (World, Facts, Request)> {
    let more = prop::option::weighted(0.4, more());
    (world(), facts(), request(), prop::option::weighted(0.75, aim()), more).prop_map(
        |(world, mut facts, mut request, aim, more)| {
            facts.extra = more.map(|more| more.into_extra(&world)).unwrap_or_default();
            if let Some(aim) = aim.filter(|_| !world.entries.is_empty()) {
                take_aim(&aim, &world, &mut facts, &mut request);
            }
            (world, facts, request)
        },
    )
}

/// Becomes an [`Extra`] as soon as the world is known.
#[derive(Clone, Debug)]
struct More {
    observed: Vec<(u32, Observe)>,
    own: Vec<(Index, Coalesce)>,
    listeners: Option<(u32, Vec<(String, u32)>)>,
}

fn more() -> impl Strategy<Value = More> {
    let coalesce =
        [Coalesce::CertificateAndGroup, Coalesce::StrictServerName, Coalesce::Never].to_vec();
    let observe = select(vec![Observe::AsksNothing, Observe::AsksForCertificates]);
    let observed = vec((select(GROUPS), observe), 0..6);
    let own = vec((any::<Index>(), select(coalesce)), 0..4);
    let catch_all = (Just("*".to_owned()), 0_u32..3);
    let hostname = prop_oneof![2 => (pattern(), 0_u32..3), 1 => catch_all];
    let listeners = prop::option::of((0_u32..3, vec(hostname, 0..5)));
    (observed, own, listeners).prop_map(|(observed, own, listeners)| More {
        observed,
        own,
        listeners,
    })
}

impl More {
    fn into_extra(self, world: &World) -> Extra {
        let mut extra = Extra { observed: self.observed, ..Extra::default() };
        for (index, coalesce) in self.own.iter().filter(|_| !world.entries.is_empty()) {
            let pattern = world.entries[index.index(world.entries.len())].pattern.clone();
            if extra.own.iter().all(|(own, _)| *own != pattern) {
                extra.own.push((pattern, *coalesce));
            }
        }
        extra.listeners = self.listeners.map(|(own, mut hostnames)| {
            let mut seen = BTreeSet::new();
            hostnames.retain(|(hostname, _)| seen.insert(hostname.clone()));
            (own, hostnames)
        });
        extra
    }
}

fn take_aim(aim: &Aim, world: &World, facts: &mut Facts, request: &mut Request) {
    let entry = &world.entries[aim.entry.index(world.entries.len())];
    let host = match entry.pattern.rsplit_once("*.") {
        // The longest names have no names below them.
        Some((_, suffix)) if aim.label.len() + 1 + suffix.len() > 253 => suffix.to_owned(),
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
        let parent = parent.filter(|(_, parent)| parent.len() <= 251);
        facts.certificate.push(parent.map_or(host.clone(), |(_, parent)| format!("*.{parent}")));
    }
}
