//! Measures lookups and the decision against a linear scan and `HashMap` with label stripping. Use
//! it for a quick look at a change; the program `peers` compares lookups with other libraries.
//!
//! Every figure is for a batch of queries; criterion prints queries per second beside it. Before
//! the timing starts, all implementations answer every query, and their answers are compared.
//!
//! ```text
//! cargo bench -p coalesce-benches --bench matching            # figures, in a few minutes
//! cargo bench -p coalesce-benches --bench matching -- --test  # answers only, in seconds
//! ```

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Duration;

use coalesce_core::{
    Authority, AuthorityTable, ClientCertificates, DnsName, Entry, GroupId, GroupPolicy, Host,
    IdentifierSet, Layout, Memo, NamePattern, PresentedIdentifier, RequestTarget, ServerConnection,
    Verdict, VirtualHostId, decide,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const GROUP: GroupId = GroupId::new(1);
const QUERIES: usize = 256;
/// Scanning 100,000 names takes so long that few queries are enough for a batch.
const QUERIES_TO_SCAN: usize = 8;

// ---------------------------------------------------------------- names and queries

/// The `SplitMix64` generator: the same names and queries in every run, without a dependency.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    fn one_of<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Returns a label of four to eleven letters.
    fn label(&mut self) -> String {
        let len = 4 + self.below(8);
        (0..len).map(|_| char::from(*self.one_of(b"abcdefghijklmnopqrstuvwxyz"))).collect()
    }
}

/// Returns names in zones of about sixteen. Every eighth name is a wildcard. Numbers make the zones
/// distinct.
fn patterns(count: usize, any_depth: bool, random: &mut Random) -> Vec<String> {
    let zones = (0..count.div_ceil(16)).map(|at| format!("{}-{at}.example.test", random.label()));
    let zones: Vec<String> = zones.collect();
    let named = |at: usize| {
        let star = match at % 16 {
            15 if any_depth => "**.",
            7 | 15 => "*.",
            _ => "",
        };
        format!("{star}{}-{at}.{}", random.label(), random.one_of(&zones))
    };
    (0..count).map(named).collect()
}

#[derive(Clone, Copy)]
enum Kind {
    Exact,
    Wildcard,
    Miss,
    Mixed,
}

const KINDS: [(&str, Kind); 4] = [
    ("exact", Kind::Exact),
    ("wildcard", Kind::Wildcard),
    ("miss", Kind::Miss),
    ("mixed", Kind::Mixed),
];

/// Returns queries: known names, names below wildcards, unknown siblings of known names, or a mix.
/// Some are in upper case.
fn queries(kind: Kind, patterns: &[String], count: usize, random: &mut Random) -> Vec<String> {
    let (wildcards, names): (Vec<&String>, Vec<&String>) =
        patterns.iter().partition(|pattern| pattern.starts_with('*'));
    let query = |_| match kind {
        Kind::Mixed => {
            let kind = *random.one_of(&[Kind::Exact, Kind::Wildcard, Kind::Miss]);
            let drawn = query(kind, &names, &wildcards, random);
            if random.below(8) == 0 { drawn.to_ascii_uppercase() } else { drawn }
        }
        kind => query(kind, &names, &wildcards, random),
    };
    (0..count).map(query).collect()
}

fn query(kind: Kind, names: &[&String], wildcards: &[&String], random: &mut Random) -> String {
    match kind {
        Kind::Wildcard if !wildcards.is_empty() => {
            let suffix = random.one_of(wildcards).trim_start_matches('*');
            format!("{}{suffix}", random.label())
        }
        Kind::Miss => {
            let zone = random.one_of(names).split_once('.').map_or("test", |(_, zone)| zone);
            format!("{}.{zone}", random.label())
        }
        _ => (*random.one_of(names)).clone(),
    }
}

fn hosts(queries: &[String]) -> Vec<Host<'_>> {
    queries.iter().map(|text| Authority::parse(text.as_bytes()).unwrap().host()).collect()
}

// ---------------------------------------------------------------- compared implementations

fn parse(patterns: &[String]) -> Vec<NamePattern<'_>> {
    patterns.iter().map(|text| NamePattern::parse(text.as_bytes()).unwrap()).collect()
}

fn table(patterns: &[String]) -> AuthorityTable<Vec<u8>> {
    table_in(Layout::Fast, patterns)
}

fn table_in(layout: Layout, patterns: &[String]) -> AuthorityTable<Vec<u8>> {
    let mut table = AuthorityTable::builder();
    table.layout(layout);
    table.group(GROUP, GroupPolicy::default()).unwrap();
    for (number, pattern) in (0..).zip(parse(patterns)) {
        table.entry(pattern, VirtualHostId::new(number), GROUP).unwrap();
    }
    table.build().unwrap()
}

fn set(patterns: &[String]) -> IdentifierSet<Vec<u8>> {
    let presented = patterns.iter().map(|name| PresentedIdentifier::parse_dns(name.as_bytes()));
    IdentifierSet::build(presented.map(Result::unwrap)).unwrap()
}

/// Finds a host by the simplest means: a scan of all entries that remembers the most specific one.
fn scan(patterns: &[NamePattern<'_>], host: &Host<'_>) -> Option<usize> {
    let mut best = None;
    for (at, pattern) in patterns.iter().enumerate() {
        if pattern.matches(host) {
            let rank = match pattern {
                NamePattern::OneLabel(suffix) => 2 * suffix.as_bytes().len() + 1,
                NamePattern::AnyDepth(suffix) => 2 * suffix.as_bytes().len(),
                _ => usize::MAX,
            };
            if best.is_none_or(|(found, _)| rank > found) {
                best = Some((rank, at));
            }
        }
    }
    best.map(|(_, at)| at)
}

/// The usual structure of a server: a map of names, and maps of wildcards by suffix, searched with
/// one suffix of the query after another. The query is folded into a buffer on the stack, so that
/// this peer does not allocate either.
#[derive(Default)]
struct Maps {
    exact: HashMap<Vec<u8>, usize>,
    one_label: HashMap<Vec<u8>, usize>,
    any_depth: HashMap<Vec<u8>, usize>,
}

impl Maps {
    fn new(patterns: &[String]) -> Self {
        let mut maps = Self::default();
        for (at, pattern) in patterns.iter().enumerate() {
            let (map, name) = if let Some(suffix) = pattern.strip_prefix("**.") {
                (&mut maps.any_depth, suffix)
            } else if let Some(suffix) = pattern.strip_prefix("*.") {
                (&mut maps.one_label, suffix)
            } else {
                (&mut maps.exact, pattern.as_str())
            };
            map.insert(name.as_bytes().to_vec(), at);
        }
        maps
    }

    fn find(&self, host: &Host<'_>) -> Option<usize> {
        let Host::Name(name) = host else { return None };
        let mut buffer = [0; coalesce_core::limits::NAME_LEN_MAX];
        let folded = &mut buffer[..name.as_bytes().len()];
        folded.copy_from_slice(name.as_bytes());
        folded.make_ascii_lowercase();
        if let Some(found) = self.exact.get(&*folded) {
            return Some(*found);
        }
        let mut suffix = strip_label(folded)?;
        if let Some(found) = self.one_label.get(suffix) {
            return Some(*found);
        }
        while !self.any_depth.is_empty() {
            if let Some(found) = self.any_depth.get(suffix) {
                return Some(*found);
            }
            suffix = strip_label(suffix)?;
        }
        None
    }
}

fn strip_label(name: &[u8]) -> Option<&[u8]> {
    let dot = name.iter().position(|byte| *byte == b'.')?;
    name.get(dot + 1..)
}

// ---------------------------------------------------------------- benchmarks

/// Times `find` for all `hosts`, after checking that it answers as `expected`.
fn time(
    criterion: &mut Criterion,
    group: &str,
    id: BenchmarkId,
    hosts: &[Host<'_>],
    expected: &[Option<usize>],
    find: impl Fn(&Host<'_>) -> Option<usize>,
) {
    for (host, expected) in hosts.iter().zip(expected) {
        assert_eq!(find(host), *expected, "{group} {host}");
    }
    let mut group = criterion.benchmark_group(group);
    group.throughput(Throughput::Elements(u64::try_from(hosts.len()).unwrap()));
    group.bench_function(id, |bencher| {
        bencher.iter(|| {
            for host in black_box(hosts) {
                black_box(find(host));
            }
        });
    });
    group.finish();
}

fn identifier_sets(criterion: &mut Criterion) {
    let mut random = Random(1);
    for size in [1, 10, 100] {
        let patterns = patterns(size, false, &mut random);
        let (set, parsed, maps) = (set(&patterns), parse(&patterns), Maps::new(&patterns));
        let mut places = vec![0; set.len()];
        for (place, pattern) in patterns.iter().enumerate() {
            let identifier = PresentedIdentifier::parse_dns(pattern.as_bytes()).unwrap();
            places[set.number(&identifier).unwrap()] = place;
        }
        let find = |host: &Host<'_>| set.find(host).map(|number| places[number]);
        for (kind_name, kind) in KINDS {
            let queries = queries(kind, &patterns, QUERIES, &mut random);
            let hosts = hosts(&queries);
            let expected: Vec<_> = hosts.iter().map(|host| scan(&parsed, host)).collect();
            assert_kind(kind, size, &expected);
            let group = format!("identifier_set/{size}/{kind_name}");
            let id = BenchmarkId::from_parameter;
            time(criterion, &group, id("ours"), &hosts, &expected, find);
            time(criterion, &group, id("linear"), &hosts, &expected, |host| scan(&parsed, host));
            time(criterion, &group, id("hash_map"), &hosts, &expected, |host| maps.find(host));
        }
    }
}

fn authority_tables(criterion: &mut Criterion) {
    let mut random = Random(2);
    for size in [1_000, 100_000] {
        let patterns = patterns(size, true, &mut random);
        let (table, parsed, maps) = (table(&patterns), parse(&patterns), Maps::new(&patterns));
        let compact = table_in(Layout::Compact, &patterns);
        let entry = |found: Entry| found.virtual_host.get() as usize;
        for (kind_name, kind) in KINDS {
            let queries = queries(kind, &patterns, QUERIES, &mut random);
            let hosts = hosts(&queries);
            let expected: Vec<_> = hosts.iter().map(|host| maps.find(host)).collect();
            assert_kind(kind, size, &expected);
            let group = format!("authority_table/{size}/{kind_name}");
            let id = BenchmarkId::from_parameter;
            let (fast, small) = (id("ours_fast"), id("ours_compact"));
            time(criterion, &group, fast, &hosts, &expected, |host| table.lookup(host).map(entry));
            time(criterion, &group, small, &hosts, &expected, |host| {
                compact.lookup(host).map(entry)
            });
            time(criterion, &group, id("hash_map"), &hosts, &expected, |host| maps.find(host));
            let few = &hosts[..QUERIES_TO_SCAN];
            time(criterion, &group, id("linear"), few, &expected, |host| scan(&parsed, host));
        }
    }
}

/// Checks that a batch has the queries that its name promises. A set of one name has no wildcard.
fn assert_kind(kind: Kind, size: usize, expected: &[Option<usize>]) {
    let found = expected.iter().flatten().count();
    let wanted = match kind {
        Kind::Exact | Kind::Wildcard => QUERIES..=QUERIES,
        Kind::Miss => 0..=0,
        Kind::Mixed => QUERIES / 3..=QUERIES - QUERIES / 5,
    };
    assert!(wanted.contains(&found), "{found} of {QUERIES} found among {size}");
}

/// Measures the whole decision, from the bytes of `:authority` to the verdict.
fn decisions(criterion: &mut Criterion) {
    let mut random = Random(3);
    for size in [1_000, 100_000] {
        let mut names = patterns(size, true, &mut random);
        names.truncate(size - 3);
        names.extend(["a.own.test", "*.own.test", "other.test"].map(str::to_owned));
        let table = table(&names);
        let presented: Vec<String> = ["a.own.test", "*.own.test", "gone.test"]
            .into_iter()
            .chain(["b.test", "c.test", "d.test", "e.test", "f.test", "g.test", "h.test"])
            .map(str::to_owned)
            .collect();
        let presented = set(&presented);
        let name = DnsName::parse(b"a.own.test").ok();
        let connection =
            ServerConnection::tls(&presented, GROUP, ClientCertificates::NotAsked, 443)
                .with_server_name(name);
        let cases = [
            ("serve", "a.own.test", "serve"),
            ("serve_port_and_case", "A.Own.Test:443", "serve"),
            ("serve_wildcard", "x.own.test", "serve"),
            ("unknown", "gone.test", "unknown_authority"),
            ("port", "a.own.test:8443", "port"),
            ("certificate", "other.test", "certificate"),
            ("userinfo", "user@a.own.test", "authority_userinfo"),
        ];
        let mut group = criterion.benchmark_group(format!("decide/{size}"));
        group.throughput(Throughput::Elements(1));
        for (id, authority, expected) in cases {
            let request = RequestTarget::https(authority.as_bytes());
            assert_eq!(code(&decide(&table, &connection, &request)), expected, "{authority}");
            group.bench_function(id, |bencher| {
                bencher.iter(|| decide(black_box(&table), &connection, black_box(&request)));
            });
        }
        // One connection that repeats its authority, and one that never does, which is the worst
        // case for a memo.
        let targets =
            ["a.own.test", "x.own.test"].map(|name| RequestTarget::https(name.as_bytes()));
        for (id, count) in [("memo_same", 1), ("memo_changing", 2)] {
            let mut memo = Memo::new(connection.clone());
            let mut next = 0;
            group.bench_function(id, |bencher| {
                bencher.iter(|| {
                    next = (next + 1) % count;
                    let verdict = memo.decide(black_box(&table), 0, &targets[next]);
                    assert!(matches!(verdict, Verdict::Serve(_)));
                });
            });
        }
        group.finish();
    }
}

/// Compares validating or opening an image with building maps of the same names.
fn images(criterion: &mut Criterion) {
    let patterns = patterns(100_000, true, &mut Random(4));
    let mut group = criterion.benchmark_group("image/100000");
    group.sample_size(10);
    group.bench_function("hash_maps_built", |bencher| bencher.iter(|| Maps::new(&patterns)));
    for (name, layout) in [("fast", Layout::Fast), ("compact", Layout::Compact)] {
        let table = table_in(layout, &patterns);
        let (image, checksum) = (table.as_bytes(), table.checksum());
        group.bench_function(format!("{name}_validated"), |bencher| {
            bencher.iter(|| assert!(AuthorityTable::from_bytes(black_box(image)).is_ok()));
        });
        group.bench_function(format!("{name}_known"), |bencher| {
            bencher.iter(|| {
                assert!(AuthorityTable::from_trusted_bytes(black_box(image), checksum).is_ok());
            });
        });
    }
    group.finish();
}

fn code(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Serve(_) => "serve",
        Verdict::Misdirected(reason) => reason.code(),
        Verdict::Malformed(reason) => reason.code(),
    }
}

fn parsers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("authority");
    let long = format!("{}test", "abcdefg.".repeat(1_024));
    let cases = [
        ("name", "a.example.test", "a.example.test"),
        ("name_and_port", "A.Example.Test.:0443", "a.example.test:443"),
        ("ipv4", "192.0.2.1:443", "192.0.2.1:443"),
        ("ipv6", "[2001:db8::1]:443", "[2001:db8::1]:443"),
        ("8_kib", &long, &long),
    ];
    for (id, text, shown) in cases {
        assert_eq!(Authority::parse(text.as_bytes()).unwrap().to_string(), shown);
        group.throughput(Throughput::Elements(1));
        group.bench_function(id, |bencher| {
            bencher.iter(|| Authority::parse(black_box(text.as_bytes())));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_millis(1_500));
    targets = parsers, identifier_sets, authority_tables, decisions, images
}
criterion_main!(benches);
