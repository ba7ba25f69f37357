//! Compares lookups with linear scans.

use coalesce_core::{
    Authority, AuthorityTable, BuildError, CoalescePolicy, DnsName, Entry as Found, GroupId,
    GroupPolicy, Host, IdentifierSet, Layout, NamePattern, PresentedIdentifier, VirtualHostId,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::build::{LAYOUTS, build_in, build_table, group_policy, presented};
use crate::generate::{Query, cases, crowded, identifier, long_name, name, query, spell, world};
use crate::model::{self, Entry, World};

/// Returns the rank of a pattern: exact before wildcards, the longer suffix before the shorter, one
/// label before any depth, and the catch-all last.
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

/// Prefers a name to a wildcard.
fn scan_set(identifiers: &[PresentedIdentifier<'_>], host: &Host<'_>) -> Option<usize> {
    (0..identifiers.len())
        .filter(|at| identifiers[*at].covers(host))
        .min_by_key(|at| matches!(identifiers[*at], PresentedIdentifier::Wildcard(_)))
}

fn numbers(found: Option<Found>) -> Option<(u32, u32)> {
    found.map(|found| (found.virtual_host.get(), found.group.get()))
}

fn parsed(world: &World) -> Vec<NamePattern<'_>> {
    world
        .entries
        .iter()
        .map(|entry| NamePattern::parse(entry.pattern.as_bytes()).unwrap())
        .collect()
}

fn texts(world: &World) -> Vec<&str> {
    world.entries.iter().map(|entry| entry.pattern.as_str()).collect()
}

/// Checks that the table answers as the model does, by the bytes of `field` and by the parsed host.
/// The model shares no code with the crate, and `field` may be any bytes.
#[track_caller]
fn assert_answer(table: &AuthorityTable<Vec<u8>>, world: &World, field: &[u8]) {
    let naive = model::authority(field).ok();
    let expected = naive.as_ref().and_then(|(host, _)| world.lookup(host));
    let expected = expected.map(|entry| (entry.virtual_host, entry.group));
    let shown = || format!("{} in {:?}", field.escape_ascii(), table.layout());
    let host = Authority::parse(field).ok().map(|authority| authority.host());
    let by_host = host.and_then(|host| table.lookup(&host));
    assert_eq!(numbers(by_host), expected, "by host: {}", shown());
    assert_eq!(numbers(table.lookup_authority(field)), expected, "by bytes: {}", shown());
    // A name made by `parent` must equal the name parsed from its text.
    let Some(Host::Name(mut name)) = host else { return };
    while let Some(parent) = name.parent() {
        let parsed = DnsName::parse(parent.as_bytes()).unwrap();
        let (cut, whole) = (table.lookup(&Host::Name(parent)), table.lookup(&Host::Name(parsed)));
        assert_eq!(cut, whole, "{parent}, cut from {}", shown());
        name = parent;
    }
}

#[track_caller]
fn assert_answers(table: &AuthorityTable<Vec<u8>>, world: &World, fields: &[Vec<u8>]) {
    for field in fields {
        assert_answer(table, world, field);
    }
}

/// Checks that a batch gives the same answers as single lookups.
#[track_caller]
fn assert_batch(table: &AuthorityTable<Vec<u8>>, fields: &[Vec<u8>]) {
    let slices: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
    let mut found = Vec::new();
    table.lookup_authorities(&slices, |number, entry| found.push((number, entry)));
    let expected = slices.iter().map(|field| table.lookup_authority(field)).enumerate();
    assert!(expected.eq(found));
}

proptest! {
    #![proptest_config(cases(4))]

    #[test]
    fn table_lookup_agrees_with_the_model_in_every_layout(
        world in crowded(),
        queries in vec(query(), 1..24),
    ) {
        for layout in LAYOUTS {
            let table = build_in(&world, layout);
            prop_assert_eq!(table.layout(), layout);
            let fields: Vec<Vec<u8>> =
                queries.iter().map(|query| query.about(&texts(&world))).collect();
            assert_answers(&table, &world, &fields);
            assert_batch(&table, &fields);
        }
    }

    #[test]
    fn table_lookup_agrees_with_a_linear_scan(world in crowded(), queries in vec(query(), 1..24)) {
        let table = build_table(&world);
        let again = AuthorityTable::from_bytes(table.as_bytes()).unwrap();
        let patterns = parsed(&world);
        for query in &queries {
            let field = query.about(&texts(&world));
            let Ok(authority) = Authority::parse(&field) else { continue };
            let host = authority.host();
            let found = table.lookup(&host);
            prop_assert_eq!(found, again.lookup(&host));
            prop_assert_eq!(found, table.as_ref().lookup(&host));
            prop_assert_eq!(again.lookup_authority(&field), found);
            let expected = scan_table(&patterns, &host).map(|at| &world.entries[at]);
            let said = expected.map(|entry| (entry.virtual_host, entry.group));
            prop_assert_eq!(numbers(found), said, "{}", host);
        }
    }

    #[test]
    fn set_lookup_agrees_with_a_linear_scan(
        names in vec((identifier(), any::<u64>()), 0..24),
        queries in vec(query(), 1..24),
    ) {
        let spelled: Vec<String> =
            names.iter().map(|(name, case)| spell(name, *case, false)).collect();
        let given: Vec<_> = spelled.iter().map(|name| presented(name)).collect();
        let set = IdentifierSet::build(given.iter().copied()).unwrap();
        let listed: Vec<String> = set.identifiers().map(|found| found.to_string()).collect();
        let numbered: Vec<_> = listed.iter().map(|name| presented(name)).collect();
        prop_assert_eq!(set.len(), numbered.len());
        let again = IdentifierSet::from_bytes(set.as_bytes()).unwrap();
        let texts: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
        for query in &queries {
            let field = query.about(&texts);
            let naive = model::authority(&field).ok().map(|(host, _)| host);
            let found = set.find_authority(&field);
            let covered =
                |name: &&str| naive.as_ref().is_some_and(|host| model::covers(name, host));
            prop_assert_eq!(found.is_some(), texts.iter().any(covered), "{}", field.escape_ascii());
            prop_assert_eq!(again.find_authority(&field), found);
            let host = Authority::parse(&field).ok().map(|authority| authority.host());
            prop_assert_eq!(host.and_then(|host| set.find(&host)), found);
            prop_assert_eq!(host.and_then(|host| scan_set(&numbered, &host)), found);
            prop_assert_eq!(host.and_then(|host| again.as_ref().find(&host)), found);
        }
    }

    /// Arbitrary bytes get the answer that the parser leads to.
    #[test]
    fn arbitrary_bytes_get_the_answer_of_the_parser(
        world in crowded(),
        fields in vec(vec(any::<u8>(), 0..40), 0..16),
    ) {
        for layout in LAYOUTS {
            let table = build_in(&world, layout);
            for field in &fields {
                assert_answer(&table, &world, field);
            }
        }
    }

    /// Entries are numbered in the order of adding, but the answers do not depend on that.
    #[test]
    fn order_of_adding_does_not_change_answers(
        (world, shuffled) in world().prop_flat_map(|world| {
            (Just(world.clone()), Just(world.entries).prop_shuffle())
        }),
        queries in vec(query(), 1..24),
    ) {
        let other = build_table(&World { entries: shuffled, groups: world.groups.clone() });
        let table = build_table(&world);
        for query in &queries {
            let field = query.about(&texts(&world));
            prop_assert_eq!(table.lookup_authority(&field), other.lookup_authority(&field));
        }
    }

    /// All spellings of a name, in the configuration and in the request, are the same name.
    #[test]
    fn spelling_does_not_change_answers(
        world in crowded(),
        query in prop_oneof![name(4), long_name()],
        case in any::<u64>(),
        dot in any::<bool>(),
    ) {
        for layout in LAYOUTS {
            let table = build_in(&world, layout);
            let mut respelled = AuthorityTable::builder();
            for (id, policy) in &world.groups {
                respelled.group(GroupId::new(*id), group_policy(*policy)).unwrap();
            }
            for entry in &world.entries {
                let text = spell(&entry.pattern, case, false);
                let pattern = NamePattern::parse(text.as_bytes()).unwrap();
                let id = VirtualHostId::new(entry.virtual_host);
                respelled.entry(pattern, id, GroupId::new(entry.group)).unwrap();
            }
            let respelled = respelled.layout(layout).build().unwrap();
            prop_assert_eq!(respelled.as_bytes(), table.as_bytes());
            let written = spell(&query, case, dot);
            let answer = table.lookup_authority(written.as_bytes());
            prop_assert_eq!(answer, table.lookup_authority(query.as_bytes()));
        }
    }
}

/// Fields that a fast path might misread, for every combination of the patterns that choose the
/// path.
#[test]
fn malformed_field_finds_nothing_on_any_path() {
    let patterns =
        ["a.example.test", "*.example.test", "**.example.test", "*", "2001:db8::1", "192.0.2.1"];
    let before =
        ["", "a.", "b.", "x.y.", "!x.", "-x.", "x-.", ".", "a..", "%61.", "u@", "*.", "a:1."];
    let long = "l".repeat(40) + ".";
    let hosts = ["example.test", "[2001:db8::1]", "[2001:DB8:0::1]", "[::2]", "192.0.2.1", "test"];
    let after =
        ["", ".", "..", ":", ":443", "::", "::443", ":1:2", ".:443", "..:443", ":65536", ":a", " "];
    for present in 0_u32..1 << patterns.len() {
        let chosen = (0..6).filter(|at| present >> at & 1 == 1);
        let entries = chosen.map(|at| Entry {
            pattern: patterns[at].to_owned(),
            virtual_host: u32::try_from(at).unwrap(),
            group: 1,
        });
        let policy = model::Policy {
            coalesce: model::Coalesce::Never,
            unknown_to_application: false,
            connect: model::Connect::Refuse,
        };
        let world = World { entries: entries.collect(), groups: vec![(1, policy)] };
        for layout in LAYOUTS {
            let table = build_in(&world, layout);
            for host in hosts {
                for before in before.into_iter().chain([long.as_str()]) {
                    for after in after {
                        let field = format!("{before}{host}{after}");
                        assert_answer(&table, &world, field.as_bytes());
                    }
                }
            }
        }
    }
}

/// Puts every byte at every place of a name. The fast path compares names before it validates them,
/// so no byte may pass for another.
#[test]
fn no_byte_passes_for_another() {
    let policy = model::Policy {
        coalesce: model::Coalesce::Never,
        unknown_to_application: false,
        connect: model::Connect::Refuse,
    };
    let tables: &[&[&str]] = &[
        &["x_y-1.b.test"],
        &["x_y-1.b.test", "*.b.test"],
        &["x_y-1.b.test", "**.b.test", "**.test"],
        &["*.b.test", "**.test", "*"],
        &["*.b.test", "a-name-of-more-than-thirty-bytes.b.test"],
    ];
    for (patterns, layout) in tables.iter().flat_map(|it| LAYOUTS.map(|layout| (it, layout))) {
        let entry = |(number, pattern): (u32, &&str)| Entry {
            pattern: (*pattern).to_owned(),
            virtual_host: number,
            group: 1,
        };
        let entries = (0..).zip(*patterns).map(entry).collect();
        let world = World { entries, groups: vec![(1, policy)] };
        let table = build_in(&world, layout);
        for name in ["x_y-1.b.test", "a-name-of-more-than-thirty-bytes.b.test"] {
            for at in 0..name.len() {
                for byte in 0..=u8::MAX {
                    let mut field = name.as_bytes().to_vec();
                    field[at] = byte;
                    assert_answer(&table, &world, &field);
                }
            }
        }
    }
}

/// Looks up names of every length, with names and wildcards of every length alone and together. The
/// lengths decide which suffixes are looked up.
#[test]
fn wildcard_of_every_length_is_found_from_every_depth() {
    let policy = model::Policy {
        coalesce: model::Coalesce::Never,
        unknown_to_application: false,
        connect: model::Connect::Refuse,
    };
    // Labels of two bytes, so that a suffix of every third length begins at a label. For the other
    // lengths the first label has one or three bytes.
    let all = "ab.".repeat(83) + "test";
    let suffix = |len: usize| {
        let whole = &all[all.len() - len..];
        match (len + 2) % 3 {
            0 => whole.to_owned(),
            1 => format!("c{}", &whole[1..]),
            _ => format!("cc{}", &whole[2..]),
        }
    };
    let lengths: Vec<usize> = (4..=253).filter(|len| model::is_name(&suffix(*len))).collect();
    assert!(lengths.len() > 150, "{lengths:?}");
    let entry = |number: usize, len: usize, stars: &str| Entry {
        pattern: format!("{stars}{}", suffix(len)),
        virtual_host: u32::try_from(number).unwrap(),
        group: 1,
    };
    let groups = vec![(1, policy)];
    let long = "x".repeat(33);
    let (longest, too_long) = ("y".repeat(63), "z".repeat(64));
    let befores = ["", "x.", "x.y.", "x.y.z.", "!.", "-.", "x.-."].map(str::to_owned);
    let befores: Vec<String> = befores
        .into_iter()
        .chain([format!("{long}."), format!("{long}.y."), format!("!{long}."), format!("-{long}.")])
        .chain([format!("{longest}."), format!("{too_long}."), format!("{too_long}.y.")])
        .collect();
    let fields = |len: usize| -> Vec<Vec<u8>> {
        let name = suffix(len);
        befores.iter().map(|before| format!("{before}{name}").into_bytes()).collect()
    };
    for layout in LAYOUTS {
        for len in &lengths {
            for stars in ["", "*.", "**."] {
                let world = World { entries: vec![entry(0, *len, stars)], groups: groups.clone() };
                let table = build_in(&world, layout);
                assert_answers(&table, &world, &fields(*len));
            }
            // Adds wildcards of the other kind, so that the length alone does not choose the path.
            let both = vec![entry(0, *len, "**."), entry(1, 4, "*.")];
            let world = World { entries: both, groups: groups.clone() };
            let table = build_in(&world, layout);
            assert_answers(&table, &world, &fields(*len));
        }
        let stars = ["", "*.", "**."];
        let entries = lengths.iter().flat_map(|len| stars.map(|stars| (*len, stars)));
        let entries =
            entries.enumerate().map(|(number, (len, stars))| entry(number, len, stars)).collect();
        let world = World { entries, groups: groups.clone() };
        let table = build_in(&world, layout);
        for len in lengths.iter().filter(|len| *len % 5 == 0 || (27..36).contains(*len)) {
            assert_answers(&table, &world, &fields(*len));
        }
    }
}

/// Checks a table with many blocks and with more slots than are read without their tag: every name
/// is found, and no other.
#[test]
fn large_table_finds_every_name_and_no_other() {
    let mut table = AuthorityTable::builder();
    let group = GroupId::new(1);
    table.group(group, GroupPolicy::default()).unwrap();
    let count = 6_000;
    let name = |number: u32| match number % 5 {
        0 => format!("*.w{number}.example.test"),
        1 => format!("h{number}.a-name-that-is-longer-than-thirty-bytes.example.test"),
        2 => format!("n{number}.test"),
        3 => format!("**.d{number}.a-suffix-of-more-bytes-than-a-window.test"),
        _ => format!("host-{number}.shop.example.test"),
    };
    let names: Vec<String> = (0..count).map(name).collect();
    for (number, text) in (0..).zip(&names) {
        let pattern = NamePattern::parse(text.as_bytes()).unwrap();
        table.entry(pattern, VirtualHostId::new(number), group).unwrap();
    }
    for layout in LAYOUTS {
        let table = table.layout(layout).build().unwrap();
        let again = AuthorityTable::from_bytes(table.as_bytes()).unwrap();
        let find = |text: &str| {
            let by_bytes = again.lookup_authority(text.as_bytes());
            let host = Authority::parse(text.as_bytes()).unwrap().host();
            assert_eq!(table.lookup(&host), by_bytes, "{text} in {layout:?}");
            by_bytes.map(|found| found.virtual_host.get())
        };
        for (number, text) in (0..).zip(&names) {
            let host = text.replace("**", "x.y").replace('*', "x");
            assert_eq!(find(&host), Some(number), "{host} in {layout:?}");
            assert_eq!(find(&format!("{}:443", host.to_ascii_uppercase())), Some(number));
            // A name below a stored name or below a one-label wildcard's names, and the suffix of a
            // wildcard.
            let below = text.starts_with("**").then_some(number);
            assert_eq!(find(&format!("z.{host}")), below, "z.{host}");
            let suffix = text.trim_start_matches(['*', '.']);
            let own = (suffix == text).then_some(number);
            assert_eq!(find(suffix), own, "{suffix}");
            assert_eq!(find(&format!("{host}a")), None);
        }
        let fields: Vec<Vec<u8>> = names
            .iter()
            .map(|text| text.replace('*', "x").into_bytes())
            .chain([b"".to_vec(), b"::1".to_vec(), vec![0; 300], b"x".to_vec()])
            .collect();
        for count in [0, 1, 31, 32, 33, fields.len()] {
            assert_batch(&table, &fields[fields.len() - count..]);
        }
        let listed: Vec<u32> = again.entries().map(|entry| entry.virtual_host.get()).collect();
        let mut sorted = listed.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..count), "every entry is listed once");
        assert_ne!(listed[0], 0, "in canonical order, not in that of adding");
    }
}

/// Does the same for sets, because certificates of CDNs have thousands of names.
#[test]
fn large_set_finds_every_name_and_no_other() {
    let texts: Vec<String> = (0..3_000)
        .map(|number| match number % 3 {
            0 => format!("*.w{number}.example.test"),
            1 => format!("h{number}.a-name-that-is-longer-than-thirty-bytes.example.test"),
            _ => format!("n{number}.test"),
        })
        .collect();
    let set = IdentifierSet::build(texts.iter().map(|text| presented(text))).unwrap();
    let listed: Vec<String> = set.identifiers().map(|found| found.to_string()).collect();
    assert_eq!(listed.len(), texts.len());
    for text in &texts {
        let number = listed.iter().position(|other| other == text);
        let host = text.replace('*', "x");
        assert_eq!(set.find_authority(host.as_bytes()), number, "{host}");
        assert_eq!(set.number(&presented(text)), number, "{text}");
        assert_eq!(set.find_authority(format!("z.{host}").as_bytes()), None, "z.{host}");
    }
}

#[test]
fn builder_refuses_ambiguous_groups_and_entries() {
    let (group, other) = (GroupId::new(1), GroupId::new(2));
    let mut never = GroupPolicy::default();
    never.coalesce = CoalescePolicy::Never;
    let mut table = AuthorityTable::builder();
    assert!(table.is_empty());
    table.group(group, GroupPolicy::default()).unwrap();
    table.group(group, GroupPolicy::default()).unwrap();
    let conflict = table.group(group, never).unwrap_err();
    assert_eq!(conflict, BuildError::GroupConflict { group: 1 });
    let patterns = ["a.test", "*.a.test", "**.a.test", "192.0.2.1", "::1", "*"];
    let mut add = |text: &str, id: u32, group| {
        let pattern = NamePattern::parse(text.as_bytes()).unwrap();
        table.entry(pattern, VirtualHostId::new(id), group).map(|_| ())
    };
    for text in patterns {
        assert_eq!(add(text, 9, other), Err(BuildError::UnknownGroup { group: 2 }), "{text}");
    }
    for (id, text) in (0..).zip(patterns) {
        assert_eq!(add(text, id, group), Ok(()), "{text}");
    }
    assert_eq!(table.len(), patterns.len());
    let spelled = ["A.Test.", "*.A.test", "**.a.TEST", "192.0.2.1", "[0::1]", "*"];
    for (earlier, text) in (0..).zip(spelled) {
        let mut twice = table.clone();
        let pattern = NamePattern::parse(text.as_bytes()).unwrap();
        twice.entry(pattern, VirtualHostId::new(9), group).unwrap();
        let refused = twice.build().unwrap_err();
        assert_eq!(refused, BuildError::Duplicate { earlier, later: 6 }, "{text}");
    }
    for layout in LAYOUTS {
        let table = table.layout(layout).build().unwrap();
        assert_eq!(table.len(), patterns.len());
        assert_eq!(table.group_policy(group), Some(GroupPolicy::default()));
        assert_eq!(table.group_policy(other), None);
        let queries = ["a.test", "b.a.test", "c.b.a.test", "192.0.2.1", "[::1]", "b"];
        for (id, query) in (0..).zip(queries) {
            let found = table.lookup_authority(query.as_bytes()).unwrap();
            assert_eq!(found.virtual_host.get(), id, "{query}");
        }
    }
}

/// Only one ending is removed from an authority, and only at its place.
#[test]
fn authority_endings_follow_the_grammar() {
    let hosts = ["a.test", "x.a.test", "a", "b.c", "a.1", "192.0.2.1", "[::1]", "x.y.b.test", ""];
    let ends = ["", ".", "..", ":", ":443", ":443.", ".:443", ":.", "::", ":1:2", ":65536", ":x"];
    let patterns = ["a.test", "a", "b.c", "192.0.2.1", "::1", "*.a.test", "**.b.test"];
    // A table with wildcards of one kind takes another path than a table with both.
    for (layout, count) in [(Layout::Fast, 6), (Layout::Fast, 7), (Layout::Compact, 7)] {
        let mut table = AuthorityTable::builder();
        table.layout(layout).group(GroupId::new(1), GroupPolicy::default()).unwrap();
        for (id, text) in (0..).zip(&patterns[..count]) {
            let pattern = NamePattern::parse(text.as_bytes()).unwrap();
            table.entry(pattern, VirtualHostId::new(id), GroupId::new(1)).unwrap();
        }
        let table = table.build().unwrap();
        for authority in hosts.iter().flat_map(|host| ends.map(|end| format!("{host}{end}"))) {
            let parsed = Authority::parse(authority.as_bytes());
            let expected = parsed.ok().and_then(|parsed| table.lookup(&parsed.host()));
            let found = table.lookup_authority(authority.as_bytes());
            assert_eq!(found, expected, "{authority} in {layout:?}");
        }
    }
}

/// An empty table or set is valid: a server without sites, a certificate without names.
#[test]
fn empty_tables_and_sets_find_nothing() {
    let set = IdentifierSet::build([]).unwrap();
    assert!(set.is_empty());
    assert_eq!(set.identifiers().count(), 0);
    for layout in LAYOUTS {
        let table = AuthorityTable::builder().layout(layout).build().unwrap();
        assert!(table.is_empty());
        assert_eq!((table.entries().count(), table.groups().count()), (0, 0));
        for query in ["", "a", "a.test", "192.0.2.1", "[::1]", "%61"] {
            assert_eq!(table.lookup_authority(query.as_bytes()), None);
            assert_eq!(set.find_authority(query.as_bytes()), None);
            if let Ok(authority) = Authority::parse(query.as_bytes()) {
                assert_eq!(table.lookup(&authority.host()), None);
                assert_eq!(set.find(&authority.host()), None);
            }
        }
    }
}

/// The default layout is fast, and reserving memory does not change the bytes.
#[test]
fn reserve_and_progress_do_not_change_the_bytes() {
    let mut table = AuthorityTable::builder();
    table.group(GroupId::new(1), GroupPolicy::default()).unwrap();
    table.reserve(3, 40);
    for number in 0..40 {
        let text = format!("n{number}.test");
        let pattern = NamePattern::parse(text.as_bytes()).unwrap();
        table.entry(pattern, VirtualHostId::new(number), GroupId::new(1)).unwrap();
    }
    let mut seen = Vec::new();
    let watched = table.build_with(&mut |progress| seen.push(progress)).unwrap();
    assert_eq!(watched.layout(), Layout::Fast);
    assert_eq!(watched.as_bytes(), table.build().unwrap().as_bytes());
    assert!(!seen.is_empty() && seen.iter().all(|progress| progress.done <= progress.of));
}

/// Checks that the generated queries contain names that are found in each way, names that are not
/// found, and invalid fields.
#[test]
fn queries_reach_every_kind_of_answer() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut reached = std::collections::BTreeMap::new();
    for _ in 0..400 {
        let drawn: (World, Vec<Query>) =
            (crowded(), vec(query(), 8)).new_tree(&mut runner).unwrap().current();
        let (world, queries) = drawn;
        for query in queries {
            let field = query.about(&texts(&world));
            let kind = match model::authority(&field) {
                Err(_) => "no authority",
                Ok((model::Host::Other(_), _)) => "outside DNS",
                Ok((host, _)) => match world.lookup(&host).map(|entry| entry.pattern.as_str()) {
                    None => "unknown",
                    Some("*") => "catch-all",
                    Some(pattern) if pattern.parse::<std::net::IpAddr>().is_ok() => "address",
                    Some(pattern) => match (pattern.split('.').next(), pattern.len() > 33) {
                        (Some("*"), false) => "one label",
                        (Some("*"), true) => "one label, long",
                        (Some("**"), false) => "any depth",
                        (Some("**"), true) => "any depth, long",
                        (_, false) => "exact",
                        (_, true) => "exact, long",
                    },
                },
            };
            *reached.entry(kind).or_insert(0) += 1;
        }
    }
    assert_eq!(reached.len(), 11, "{reached:?}");
    assert!(reached.values().all(|count| *count >= 15), "{reached:?}");
}
