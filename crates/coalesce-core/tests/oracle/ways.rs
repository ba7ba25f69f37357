//! Tests the other ways to query a table: in batches, and with the matching pattern.

use std::collections::BTreeMap;

use coalesce_core::limits::IDENTIFIERS_MAX;
use coalesce_core::{
    Authority, AuthorityTable, BuildError, Entry as Found, GroupId, GroupPolicy, Host,
    IdentifierSet, Layout, NamePattern, Progress, Stage, VirtualHostId,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::build::{LAYOUTS, build_in, presented};
use crate::generate::{cases, query, world};
use crate::model;

/// Returns the results of a batch, and checks their indices and their order.
fn batch(table: &AuthorityTable<Vec<u8>>, fields: &[Vec<u8>]) -> Vec<Option<Found>> {
    let slices: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
    let mut all = Vec::new();
    table.lookup_authorities(&slices, |number, found| {
        assert_eq!(number, all.len(), "in order, and each once");
        all.push(found);
    });
    all
}

fn each(table: &AuthorityTable<Vec<u8>>, fields: &[Vec<u8>]) -> Vec<Option<Found>> {
    fields.iter().map(|field| table.lookup_authority(field)).collect()
}

proptest! {
    #![proptest_config(cases(2))]

    #[test]
    fn batch_agrees_with_single_lookups(
        world in world(),
        queries in vec(query(), 0..80),
    ) {
        let patterns: Vec<&str> = world.entries.iter().map(|it| it.pattern.as_str()).collect();
        let fields: Vec<Vec<u8>> = queries.iter().map(|query| query.about(&patterns)).collect();
        for layout in LAYOUTS {
            let table = build_in(&world, layout);
            prop_assert_eq!(batch(&table, &fields), each(&table, &fields));
        }
    }

    /// The pattern belongs to the most specific entry, as the model finds it, and has that entry's
    /// values.
    #[test]
    fn lookup_pattern_returns_the_most_specific_pattern(
        world in world(),
        queries in vec(query(), 1..20),
    ) {
        let patterns: Vec<&str> = world.entries.iter().map(|it| it.pattern.as_str()).collect();
        let table = build_in(&world, LAYOUTS[0]);
        for field in queries.iter().map(|query| query.about(&patterns)) {
            let Ok(authority) = Authority::parse(&field) else { continue };
            let host = authority.host();
            let found = table.lookup_pattern(&host);
            prop_assert_eq!(found.map(|(_, entry)| entry), table.lookup(&host));
            let (naive, _) = model::authority(&field).unwrap();
            let expected = world.lookup(&naive).map(|entry| entry.pattern.clone());
            prop_assert_eq!(found.map(|(pattern, _)| pattern.to_string()), expected);
            if let Some((pattern, entry)) = found {
                prop_assert!(pattern.matches(&host));
                prop_assert_eq!(table.get(&pattern), Some(entry));
            }
        }
    }
}

/// Batches read ahead in tables that exceed the caches and have wildcards of one kind. Each answer
/// must still be the right one.
#[test]
fn batch_in_a_large_table_agrees_with_single_lookups() {
    for stars in ["*.", "**.", ""] {
        let mut builder = AuthorityTable::builder();
        let group = GroupId::new(0);
        builder.group(group, GroupPolicy::default()).unwrap();
        let name = |number: u32| match number % 3 {
            0 => format!("{stars}w{number}.test"),
            1 => format!("n{number}.example.test"),
            _ => format!("host-{number}.shop.example.test"),
        };
        for number in 0..3_000 {
            let text = name(number);
            let pattern = NamePattern::parse(text.as_bytes()).unwrap();
            builder.entry(pattern, VirtualHostId::new(number), group).unwrap();
        }
        let odd = ["", "a", "1.2.3", "[::1]", "a..test", "nobody.test", "x.test:443", "u@x.test"];
        let long = "l".repeat(40) + ".w0.test";
        let mut fields: Vec<Vec<u8>> =
            odd.iter().map(|text| text.as_bytes().to_vec()).chain([long.into_bytes()]).collect();
        for number in (0..3_000).step_by(7) {
            let host = name(number).replace("**", "x.y").replace('*', "x");
            fields.push(host.to_ascii_uppercase().into_bytes());
            fields.push(format!("z.{host}:443").into_bytes());
        }
        for layout in LAYOUTS {
            let table = builder.layout(layout).build().unwrap();
            let found = batch(&table, &fields);
            assert_eq!(found, each(&table, &fields), "{stars} in {layout:?}");
            assert!(found.iter().flatten().count() > 400, "{stars} in {layout:?}");
        }
    }
}

/// A set holds as many identifiers as the limit, and equal ones count once.
#[test]
fn set_holds_identifiers_up_to_the_limit() {
    let names: Vec<String> = (0..=IDENTIFIERS_MAX).map(|number| format!("n{number}.a")).collect();
    let build = |names: &mut dyn Iterator<Item = &String>| {
        IdentifierSet::build(names.map(|name| presented(name)))
    };
    let twice = build(&mut names[1..].iter().chain(&names[1..3])).unwrap();
    assert_eq!(twice.len(), IDENTIFIERS_MAX);
    assert_eq!(build(&mut names.iter()).unwrap_err(), BuildError::TooLarge);
}

/// Building a large table reports its progress several times, but not for each name and not only at
/// the end.
#[test]
fn build_reports_progress_in_steps() {
    let mut table = AuthorityTable::builder();
    let group = GroupId::new(0);
    table.group(group, GroupPolicy::default()).unwrap();
    for number in 0..70_000 {
        let name = format!("n{number}.test");
        let pattern = NamePattern::parse(name.as_bytes()).unwrap();
        table.entry(pattern, VirtualHostId::new(number), group).unwrap();
    }
    for (layout, last) in [(Layout::Fast, Stage::Writing), (Layout::Compact, Stage::Sharing)] {
        let mut seen = BTreeMap::<_, Vec<usize>>::new();
        let progress = &mut |now: Progress| seen.entry(now.stage).or_default().push(now.done);
        table.layout(layout).build_with(progress).unwrap();
        let buckets = (70_000 / 3_usize).next_power_of_two();
        let placing: Vec<usize> = (0..buckets).step_by(4_096).collect();
        assert_eq!(seen[&Stage::Placing], placing, "{layout:?}");
        // Once more at the end.
        assert_eq!((&seen[&last][..2], seen[&last].len()), (&[0, 65_536][..], 3), "{layout:?}");
    }
}

#[test]
fn host_outside_dns_has_no_pattern() {
    let world = model::World {
        entries: vec![model::Entry { pattern: "*".into(), virtual_host: 1, group: 0 }],
        groups: vec![],
    };
    let mut builder = AuthorityTable::builder();
    builder.group(GroupId::new(0), GroupPolicy::default()).unwrap();
    builder.entry(NamePattern::CatchAll, VirtualHostId::new(1), GroupId::new(0)).unwrap();
    let table = builder.build().unwrap();
    for field in ["a..test", "1.2.3", "%61.test"] {
        let host = Authority::parse(field.as_bytes()).unwrap().host();
        assert!(matches!(host, Host::Other(_)) && table.lookup_pattern(&host).is_none(), "{field}");
        assert!(world.lookup(&model::authority(field.as_bytes()).unwrap().0).is_none());
    }
    let host = Authority::parse(b"a.test").unwrap().host();
    assert_eq!(table.lookup_pattern(&host).map(|(it, _)| it), Some(NamePattern::CatchAll));
}
