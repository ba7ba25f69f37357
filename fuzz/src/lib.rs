//! The checks of the fuzz targets, as functions of bytes. To replay a crash, call one of them.
//!
//! The model and its conversions come from the property tests of `coalesce-core`.

#[path = "../../crates/coalesce-core/tests/oracle/build.rs"]
mod build;
mod connection;
#[path = "../../crates/coalesce-core/tests/oracle/format.rs"]
mod format;
mod generate;
mod image;
mod interface;
#[path = "../../crates/coalesce-core/tests/oracle/model.rs"]
mod model;
mod origin_set;
#[path = "../../crates/coalesce-pool/tests/model/mod.rs"]
mod pool_model;
mod reports;
mod wire;

use std::collections::BTreeSet;

use arbitrary::Unstructured;
use coalesce_core::{
    Authority, AuthorityTable, AuthorityTableBuilder, BuildError, DnsName, GroupId, GroupPolicy,
    Host, IdentifierSet, Malformed, Memo, NamePattern, PresentedIdentifier, Verdict, VirtualHostId,
};

use coalesce_tls::PresentedNames;

use build::{LAYOUTS, build_table, outcome, presented, run, run_with};
use model::Transport;

pub use connection::connection;
pub use image::image;
pub use interface::interface;
pub use origin_set::received_origins;
pub use reports::reports;
pub use wire::{announce, answer, inspect};

/// Checks that the parser and the model agree about `field`, and that the printed form means the
/// same.
pub fn authority(field: &[u8]) {
    match (Authority::parse(field), model::authority(field)) {
        (Ok(parsed), Ok((host, port))) => {
            assert_eq!(parsed.port(), port);
            match (parsed.host(), host) {
                (Host::Name(name), model::Host::Name(text)) => assert_eq!(name.to_string(), text),
                (Host::Ip(address), model::Host::Ip(other)) => assert_eq!(address, other),
                (Host::Other(_), model::Host::Other(_)) => {}
                (found, expected) => panic!("{found:?} / {expected:?}"),
            }
            let shown = parsed.to_string();
            let again = Authority::parse(shown.as_bytes()).expect("printed form is well-formed");
            assert_eq!(again, parsed);
            let upper = Authority::parse(&field.to_ascii_uppercase()).map(|it| it.to_string());
            assert!(matches!(parsed.host(), Host::Other(_)) || upper == Ok(shown));
        }
        (Err(found), Err(expected)) => {
            assert_eq!(Malformed::Authority(found).code(), format!("authority_{expected}"));
        }
        (parsed, expected) => panic!("{parsed:?} / {expected:?}"),
    }
}

/// Reads lines of text. Each line is used as an entry of a table, an identifier and a query, if it
/// can be parsed as such.
pub fn names(data: &[u8]) {
    let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').take(64).collect();
    let mut builder = AuthorityTable::builder();
    builder.group(GROUP, GroupPolicy::default()).expect("one group fits");
    let mut patterns = Vec::new();
    let mut identifiers = Vec::new();
    for line in &lines {
        check_parsers(line);
        if let Ok(pattern) = NamePattern::parse(line) {
            add_pattern(pattern, &mut patterns, &mut builder);
        }
        identifiers.extend(PresentedIdentifier::parse_dns(line));
        identifiers.extend(PresentedIdentifier::from_address_octets(line));
    }
    let tables = LAYOUTS.map(|layout| builder.layout(layout).build().expect("few entries fit"));
    let set = IdentifierSet::build(identifiers.iter().copied()).expect("few identifiers fit");
    let listed: Vec<String> = set.identifiers().map(|found| found.to_string()).collect();
    for line in &lines {
        check_lookups(line, &patterns, &tables);
        check_covering(line, &identifiers, &set, &listed);
    }
    let slices = &lines[..];
    for table in &tables {
        table.lookup_authorities(slices, |number, found| {
            assert_eq!(found, table.lookup_authority(slices[number]));
        });
        let patterns = table.entries().map(|entry| entry.pattern.to_string());
        assert_eq!(patterns.count(), table.len());
    }
}

/// The group of every entry in [`names`].
const GROUP: GroupId = GroupId::new(0);

/// Checks that the parsers accept what the model accepts.
fn check_parsers(line: &[u8]) {
    let Ok(text) = str::from_utf8(line) else { return };
    assert_eq!(DnsName::parse(line).is_ok(), model::is_name(text));
    assert_eq!(Host::parse(line).is_ok(), model::is_host(text));
    assert_eq!(NamePattern::parse(line).is_ok(), model::is_pattern(text));
    let identifier = PresentedIdentifier::parse_dns(line).is_ok();
    assert_eq!(identifier, model::is_identifier(text));
}

/// Adds a pattern to a table. A pattern that the table already has is a duplicate, in any spelling.
fn add_pattern<'a>(
    pattern: NamePattern<'a>,
    patterns: &mut Vec<NamePattern<'a>>,
    builder: &mut AuthorityTableBuilder,
) {
    let shown = pattern.to_string();
    assert_eq!(NamePattern::parse(shown.as_bytes()), Ok(pattern));
    let number = VirtualHostId::new(u32::try_from(patterns.len()).expect("few lines"));
    if patterns.contains(&pattern) {
        let mut twice = builder.clone();
        twice.entry(pattern, number, GROUP).expect("duplicates are found later");
        assert_eq!(twice.duplicates().len(), 1, "{shown}");
        assert!(matches!(twice.build(), Err(BuildError::Duplicate { .. })), "{shown}");
    } else {
        builder.entry(pattern, number, GROUP).expect("few entries fit");
        patterns.push(pattern);
    }
}

/// Checks that the tables find the entry of highest rank among all that match.
fn check_lookups(line: &[u8], patterns: &[NamePattern<'_>], tables: &[AuthorityTable<Vec<u8>>]) {
    let host = Authority::parse(line).ok().map(|authority| authority.host());
    let naive = model::authority(line).ok().map(|(host, _)| host);
    assert_eq!(host.is_some(), naive.is_some());
    let rank = |at: &usize| model::match_rank(&patterns[*at].to_string(), naive.as_ref()?);
    let expected = (0..patterns.len())
        .filter(|at| {
            let matches = host.is_some_and(|host| patterns[*at].matches(&host));
            assert_eq!(matches, rank(at).is_some());
            matches
        })
        .max_by_key(rank);
    for table in tables {
        let number = |found: coalesce_core::Entry| found.virtual_host.get() as usize;
        assert_eq!(host.and_then(|host| table.lookup(&host)).map(number), expected);
        assert_eq!(table.lookup_authority(line).map(number), expected);
    }
}

/// Checks that the set finds the identifier that covers a host, an exact one before a wildcard.
fn check_covering(
    line: &[u8],
    identifiers: &[PresentedIdentifier<'_>],
    set: &IdentifierSet<Vec<u8>>,
    listed: &[String],
) {
    let host = Authority::parse(line).ok().map(|authority| authority.host());
    let covering = identifiers
        .iter()
        .filter(|identifier| host.is_some_and(|host| identifier.covers(&host)))
        .min_by_key(|identifier| matches!(identifier, PresentedIdentifier::Wildcard(_)));
    let number = covering.map(|identifier| {
        let shown = identifier.to_string();
        let (_, name) = shown.split_once(':').expect("a kind and a name");
        listed.iter().position(|other| other == name).expect("it is listed")
    });
    assert_eq!(covering.and_then(|identifier| set.number(identifier)), number);
    assert_eq!(host.and_then(|host| set.find(&host)), number);
    assert_eq!(set.find_authority(line), number);
}

/// Decides a generated request on a generated connection. The verdict must agree with the model,
/// and a served virtual host must be covered and in the group, whatever the model says.
pub fn decide(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let Ok((world, facts, request)) = generate::case(&mut u) else { return };
    let verdict = run(&world, &facts, &request);
    assert_eq!(outcome(&verdict), model::decide(&world, &facts, &request));
    let remembered = run_with(&world, &facts, &request, |table, connection, target| {
        let mut memo = Memo::new(connection.clone());
        assert_eq!(memo.decide(table, 0, target), verdict);
        memo.decide(table, 0, target)
    });
    assert_eq!(remembered, verdict);

    let Verdict::Serve(proof) = verdict else { return };
    assert_eq!(proof.group().get(), facts.group);
    let Some(id) = proof.virtual_host() else { return };
    let field = request.authority.as_ref().unwrap_or_else(|| &request.hosts[0]);
    let host = Authority::parse(field).expect("it is served").host();
    let found = build_table(&world).lookup(&host).expect("it is served");
    assert_eq!(found.virtual_host, id);
    if proof.observed().is_some() {
        let home = found.group.get();
        assert!(home == facts.group || facts.extra.open([home, facts.group]));
        return;
    }
    assert_eq!(found.group.get(), facts.group);
    let covered = facts.certificate.iter().any(|name| presented(name).covers(&host));
    assert!(covered || facts.transport != Transport::Tls);
}

/// Runs the pool of a client through the events that the bytes describe, and reads the bytes as an
/// ORIGIN frame.
pub fn pool(data: &[u8]) {
    pool_model::run(data);
    received_origins(data);
}

/// Reads the names of any certificate. They are read or refused, and each name that was read covers
/// itself.
pub fn certificate(der: &[u8]) {
    let Ok(presented) = PresentedNames::read_der(der) else { return };
    // A repeated name is one identifier.
    let distinct: BTreeSet<&String> = presented.names().iter().collect();
    assert_eq!(distinct.len(), presented.identifiers().len());
    let again = PresentedNames::from_text(presented.names().iter().map(String::as_str))
        .expect("the text of a name is a name");
    assert_eq!(again.names(), presented.names());
    assert!(again.ignored().is_empty());
    for name in presented.names() {
        let host = name.trim_start_matches("DNS:").trim_start_matches("IP:").replace('*', "any");
        let host = Host::parse(host.as_bytes()).expect("a presented name matches a host");
        assert!(presented.covering(&host).is_some(), "{name} does not cover {host}");
    }
}
