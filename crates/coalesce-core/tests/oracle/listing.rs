//! Checks how tables and sets list their content, and that the same content gives the same bytes.

use std::net::IpAddr;

use coalesce_core::limits::GROUPS_MAX;
use coalesce_core::{
    AuthorityTable, AuthorityTableBuilder, BuildError, CoalescePolicy, DnsName, Entry as Found,
    GroupId, GroupPolicy, IdentifierSet, NamePattern, VirtualHostId,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::build::{LAYOUTS, build_in, build_set, builder, group_policy, presented};
use crate::format;
use crate::generate::{cases, crowded, identifier, long_name, name, pattern, policy, spell};
use crate::model::World;

/// Returns the sort key of a pattern: names come before addresses, and those before the catch-all.
/// Names sort by their labels from the right, then the name itself, its one-label wildcard, its
/// any-depth wildcard.
pub(crate) fn place(pattern: &str) -> (u8, Vec<&str>, u8, Option<IpAddr>) {
    if pattern == "*" {
        return (2, vec![], 0, None);
    }
    if let Ok(address) = pattern.parse() {
        return (1, vec![], 0, Some(address));
    }
    let (shape, name) = match (pattern.strip_prefix("**."), pattern.strip_prefix("*.")) {
        (Some(suffix), _) => (2, suffix),
        (None, Some(suffix)) => (1, suffix),
        (None, None) => (0, pattern),
    };
    (0, name.rsplit('.').collect(), shape, None)
}

/// Returns the entries of a world in canonical order, as a table lists them.
fn sorted(world: &World) -> Vec<(String, u32, u32)> {
    let mut entries: Vec<_> = world
        .entries
        .iter()
        .map(|entry| (entry.pattern.clone(), entry.virtual_host, entry.group))
        .collect();
    entries.sort_by(|(a, ..), (b, ..)| place(a).cmp(&place(b)));
    entries
}

fn listed<'a>(
    entries: impl Iterator<Item = coalesce_core::TableEntry<'a>>,
) -> Vec<(String, u32, u32)> {
    entries
        .map(|entry| {
            let text = entry.pattern.to_string();
            let pattern = entry.pattern.as_pattern().unwrap();
            assert_eq!(pattern.to_string(), text);
            let suffix = text.trim_start_matches("**.").trim_start_matches("*.").to_owned();
            let is_name = text != "*" && text.parse::<IpAddr>().is_err();
            let name = entry.pattern.name().map(|name| name.to_string());
            assert_eq!(name, is_name.then_some(suffix));
            (text, entry.virtual_host.get(), entry.group.get())
        })
        .collect()
}

/// Returns a builder with everything that the table lists.
fn rebuilt(table: &AuthorityTable<Vec<u8>>) -> AuthorityTableBuilder {
    let mut again = AuthorityTable::builder();
    for (id, policy) in table.groups() {
        again.group(id, policy).unwrap();
    }
    for entry in table.entries() {
        let pattern = entry.pattern.as_pattern().unwrap();
        again.entry(pattern, entry.virtual_host, entry.group).unwrap();
    }
    again
}

fn numbers(found: Option<Found>) -> Option<(u32, u32)> {
    found.map(|found| (found.virtual_host.get(), found.group.get()))
}

proptest! {
    #![proptest_config(cases(2))]

    #[test]
    fn entries_list_the_input_in_canonical_order(world in crowded()) {
        let mut groups = world.groups.clone();
        groups.sort_by_key(|(id, _)| *id);
        for layout in LAYOUTS {
            let table = build_in(&world, layout);
            prop_assert_eq!(listed(table.entries()), sorted(&world));
            prop_assert_eq!(table.len(), world.entries.len());
            let expected =
                groups.iter().map(|(id, policy)| (GroupId::new(*id), group_policy(*policy)));
            prop_assert!(table.groups().eq(expected));
            for (id, policy) in table.groups() {
                prop_assert_eq!(table.group_policy(id), Some(policy));
            }
            let (checked, image) = (format::CHECKED_FROM, table.as_bytes());
            prop_assert_eq!(table.checksum(), format::checksum(&image[checked..]));
            prop_assert_eq!(&table.checksum().to_le_bytes(), &image[format::CHECKSUM_AT..checked]);
        }
    }

    #[test]
    fn entries_below_list_the_name_and_all_below_it(
        world in crowded(),
        others in vec(prop_oneof![name(3), long_name()], 0..4),
        case in any::<u64>(),
        dot in any::<bool>(),
    ) {
        let mut suffixes = others;
        for entry in &world.entries {
            let mut name = entry.pattern.trim_start_matches(['*', '.']);
            if name.is_empty() || name.parse::<IpAddr>().is_ok() {
                continue;
            }
            suffixes.push(name.to_owned());
            while let Some((_, parent)) = name.split_once('.') {
                name = parent;
                suffixes.push(name.to_owned());
            }
        }
        suffixes.sort_unstable();
        suffixes.dedup();
        let all = sorted(&world);
        for layout in LAYOUTS {
            let table = build_in(&world, layout);
            for suffix in suffixes.iter().take(100) {
                let below = |pattern: &str| {
                    let name = pattern.trim_start_matches("**.").trim_start_matches("*.");
                    let name = if pattern == "*" { "" } else { name };
                    name == suffix || name.ends_with(&format!(".{suffix}"))
                };
                let expected: Vec<_> =
                    all.iter().filter(|(pattern, ..)| below(pattern)).cloned().collect();
                let spelled = spell(suffix, case, dot);
                let found = table.entries_below(DnsName::parse(spelled.as_bytes()).unwrap());
                prop_assert_eq!(listed(found), expected, "below {} in {:?}", suffix, layout);
            }
        }
    }

    #[test]
    fn get_finds_exactly_the_stored_patterns(
        world in crowded(),
        others in vec(pattern(), 0..8),
        case in any::<u64>(),
    ) {
        let mut asked = others;
        for entry in &world.entries {
            asked.push(entry.pattern.clone());
            let suffix = entry.pattern.trim_start_matches(['*', '.']);
            if !suffix.is_empty() && suffix.parse::<IpAddr>().is_err() {
                asked.extend(["", "*.", "**."].map(|stars| format!("{stars}{suffix}")));
                asked.push(format!("a.{suffix}"));
                asked.extend(suffix.split_once('.').map(|(_, parent)| parent.to_owned()));
            }
        }
        asked.push("*".to_owned());
        for layout in LAYOUTS {
            let table = build_in(&world, layout);
            for text in &asked {
                let spelled = spell(text, case, false);
                // One more label may make the name too long.
                let Ok(pattern) = NamePattern::parse(spelled.as_bytes()) else { continue };
                let there = world.entries.iter().find(|entry| entry.pattern == *text);
                let there = there.map(|entry| (entry.virtual_host, entry.group));
                prop_assert_eq!(numbers(table.get(&pattern)), there, "{} in {:?}", text, layout);
            }
        }
    }

    /// The bytes are the same in both layouts, for any order of entries and groups, and if a table
    /// is built again from its list.
    #[test]
    fn same_content_gives_the_same_bytes(
        (world, entries, groups) in crowded().prop_flat_map(|world| (
            Just(world.clone()),
            Just(world.entries).prop_shuffle(),
            Just(world.groups).prop_shuffle(),
        )),
    ) {
        let shuffled = World { entries, groups };
        for layout in LAYOUTS {
            let table = build_in(&world, layout);
            let other = build_in(&shuffled, layout);
            prop_assert_eq!(table.as_bytes(), other.as_bytes());
            for other in LAYOUTS {
                let again = rebuilt(&build_in(&world, other)).layout(layout).build().unwrap();
                prop_assert_eq!(table.as_bytes(), again.as_bytes());
            }
        }
    }

    #[test]
    fn identifiers_are_numbered_once_in_canonical_order(
        (names, shuffled) in vec(identifier(), 0..40)
            .prop_flat_map(|names| (Just(names.clone()), Just(names).prop_shuffle())),
        others in vec(identifier(), 0..8),
        case in any::<u64>(),
    ) {
        let mut expected = names.clone();
        expected.sort_by(|a, b| place(a).cmp(&place(b)));
        expected.dedup();
        let spelled: Vec<String> = shuffled.iter().map(|name| spell(name, case, false)).collect();
        let set = IdentifierSet::build(names.iter().map(|name| presented(name))).unwrap();
        let other = IdentifierSet::build(spelled.iter().map(|name| presented(name))).unwrap();
        prop_assert_eq!(set.as_bytes(), other.as_bytes());
        let listed: Vec<String> = set.identifiers().map(|found| found.to_string()).collect();
        prop_assert_eq!(&listed, &expected);
        prop_assert_eq!(set.len(), expected.len());
        for name in names.iter().chain(&spelled).chain(&others) {
            let lower = name.to_ascii_lowercase();
            let number = expected.iter().position(|other| *other == lower);
            prop_assert_eq!(set.number(&presented(name)), number, "{}", name);
        }
        let image = set.as_bytes();
        let sum = format::checksum(&image[format::CHECKED_FROM..]).to_le_bytes();
        prop_assert_eq!(set.checksum().to_le_bytes(), sum);
        prop_assert_eq!(&sum, &image[format::CHECKSUM_AT..format::CHECKED_FROM]);
    }

    /// Pairs every entry with the nearest equal one before it. A table with duplicates is not
    /// built.
    #[test]
    fn duplicates_agree_with_a_naive_search(
        pool in vec(pattern(), 1..12),
        policies in vec(policy(), 2),
        drawn in vec((any::<Index>(), 0_u32..3, 0_u32..2, any::<u64>()), 0..40),
    ) {
        let mut table = AuthorityTable::builder();
        for (id, policy) in (0..).zip(&policies) {
            table.group(GroupId::new(id), group_policy(*policy)).unwrap();
        }
        let mut added: Vec<(&str, u32, u32)> = Vec::new();
        let mut expected = Vec::new();
        for (later, (at, virtual_host, group, case)) in drawn.iter().enumerate() {
            let text = &pool[at.index(pool.len())];
            let spelled = spell(text, *case, false);
            let pattern = NamePattern::parse(spelled.as_bytes()).unwrap();
            table.entry(pattern, VirtualHostId::new(*virtual_host), GroupId::new(*group)).unwrap();
            if let Some(earlier) = added.iter().rposition(|(other, ..)| other == text) {
                let conflicting = added[earlier] != (text, *virtual_host, *group);
                expected.push((earlier, later, conflicting));
            }
            added.push((text, *virtual_host, *group));
        }
        let found: Vec<(usize, usize, bool)> = table
            .duplicates()
            .iter()
            .map(|found| (found.earlier as usize, found.later as usize, found.conflicting))
            .collect();
        prop_assert_eq!(&found, &expected);
        for layout in LAYOUTS {
            match table.layout(layout).build() {
                Ok(built) => prop_assert!(expected.is_empty() && built.len() == drawn.len()),
                Err(BuildError::Duplicate { earlier, later }) => {
                    let pair = (earlier as usize, later as usize);
                    prop_assert!(expected.iter().any(|(a, b, _)| (*a, *b) == pair));
                }
                Err(error) => prop_assert!(false, "{}", error),
            }
        }
    }
}

/// Virtual hosts and groups that do not fit in one word together are stored as pairs. No bits are
/// lost, and equal pairs are stored once.
#[test]
fn largest_numbers_are_stored_exactly() {
    let policy = GroupPolicy::default();
    for groups in [1_u32, 2, 3, 1_000] {
        for layout in LAYOUTS {
            let mut table = AuthorityTable::builder();
            for place in 0..groups {
                table.group(GroupId::new(u32::MAX - place), policy).unwrap();
            }
            let host = |number: u32| u32::MAX - number % 7;
            let group = |number: u32| u32::MAX - number % groups;
            let names: Vec<String> = (0..100).map(|number| format!("n{number}.test")).collect();
            for (number, text) in (0..).zip(&names) {
                let pattern = NamePattern::parse(text.as_bytes()).unwrap();
                let (id, group) = (VirtualHostId::new(host(number)), GroupId::new(group(number)));
                table.entry(pattern, id, group).unwrap();
            }
            let address = NamePattern::parse(b"192.0.2.1").unwrap();
            table.entry(address, VirtualHostId::new(0), GroupId::new(u32::MAX)).unwrap();
            let any = NamePattern::CatchAll;
            table.entry(any, VirtualHostId::new(u32::MAX), GroupId::new(group(1))).unwrap();
            let table = table.layout(layout).build().unwrap();
            for (number, text) in (0..).zip(&names) {
                let found = numbers(table.lookup_authority(text.as_bytes()));
                assert_eq!(found, Some((host(number), group(number))), "{text}");
            }
            assert_eq!(numbers(table.lookup_authority(b"192.0.2.1")), Some((0, u32::MAX)));
            assert_eq!(numbers(table.lookup_authority(b"a")), Some((u32::MAX, group(1))));
            let again = rebuilt(&table).layout(layout).build().unwrap();
            assert_eq!(again.as_bytes(), table.as_bytes());
        }
    }
}

/// Canonical order makes lists comparable: two tables that differ in one entry differ in one line.
#[test]
fn canonical_order_agrees_with_the_documentation() {
    let order = [
        "example",
        "a.example",
        "*.a.example",
        "**.a.example",
        "b.a.example",
        "a-b.example",
        "a0.example",
        "a_.example",
        "ab.example",
        "test",
        "*.test",
        "**.test",
        "192.0.2.1",
        "203.0.113.200",
        "::",
        "::1",
        "2001:db8::1",
        "*",
    ];
    let policy = GroupPolicy::default();
    for layout in LAYOUTS {
        let mut table = AuthorityTable::builder();
        table.group(GroupId::new(0), policy).unwrap();
        for (number, text) in (0..).zip(order.iter().rev()) {
            let pattern = NamePattern::parse(text.as_bytes()).unwrap();
            table.entry(pattern, VirtualHostId::new(number), GroupId::new(0)).unwrap();
        }
        let table = table.layout(layout).build().unwrap();
        let found: Vec<String> = table.entries().map(|entry| entry.pattern.to_string()).collect();
        assert_eq!(found, order);
    }
}

/// Asking a builder for duplicates or a table does not change the tables it builds.
#[test]
fn builder_builds_the_same_after_queries() {
    let world = World { entries: vec![], groups: vec![] };
    let table = builder(&world);
    assert!(table.duplicates().is_empty());
    assert_eq!(table.build().unwrap().as_bytes(), table.build().unwrap().as_bytes());
}

#[test]
fn counts_agree_with_the_entries_added() {
    let names = ["a.test", "*.a.test", "192.0.2.1"].map(str::to_owned);
    for count in 0..=names.len() {
        let set = build_set(&names[..count]);
        assert_eq!((set.len(), set.is_empty()), (count, count == 0));
        assert_eq!(set.identifiers().count(), count);
        let group = GroupId::new(0);
        let mut builder = AuthorityTable::builder();
        builder.group(group, GroupPolicy::default()).unwrap();
        for name in &names[..count] {
            let pattern = NamePattern::parse(name.as_bytes()).unwrap();
            builder.entry(pattern, VirtualHostId::new(7), group).unwrap();
        }
        assert_eq!((builder.len(), builder.is_empty()), (count, count == 0));
        let table = builder.build().unwrap();
        assert_eq!((table.len(), table.is_empty()), (count, count == 0));
        assert_eq!((table.entries().count(), table.groups().count()), (count, 1));
    }
}

#[test]
fn groups_count_once_and_up_to_their_limit() {
    let mut builder = AuthorityTable::builder();
    let most = u32::try_from(GROUPS_MAX).unwrap();
    for id in 0..most {
        builder.group(GroupId::new(id), GroupPolicy::default()).unwrap();
    }
    let mut never = GroupPolicy::default();
    never.coalesce = CoalescePolicy::Never;
    let mut add = |id, policy| builder.group(GroupId::new(id), policy).err();
    assert_eq!(add(most, GroupPolicy::default()), Some(BuildError::TooLarge));
    assert_eq!(add(most - 1, GroupPolicy::default()), None, "the same again is no mistake");
    assert_eq!(add(0, never), Some(BuildError::GroupConflict { group: 0 }));
    let table = builder.build().unwrap();
    assert_eq!(table.groups().count(), GROUPS_MAX);
    assert_eq!(table.group_policy(GroupId::new(most)), None);
}
