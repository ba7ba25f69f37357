//! Tries against linear scans.

use coalesce_core::{
    Authority, AuthorityTable, BuildError, CoalescePolicy, GroupId, GroupPolicy, Host,
    IdentifierSet, NamePattern, PresentedIdentifier, VirtualHostId,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::build::{build_table, group_policy, presented};
use crate::generate::{authority, cases, identifier, name, spell, world};
use crate::model::{self, World};

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

proptest! {
    #![proptest_config(cases(4))]

    #[test]
    fn table_lookup_is_the_linear_scan(world in world(), queries in vec(authority(), 1..24)) {
        let table = build_table(&world);
        let again = AuthorityTable::from_bytes(table.as_bytes()).unwrap();
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
        let spelled: Vec<String> =
            names.iter().map(|(name, case)| spell(name, *case, false)).collect();
        let identifiers: Vec<_> = spelled.iter().map(|name| presented(name)).collect();
        let set = IdentifierSet::build(identifiers.iter().copied()).unwrap();
        prop_assert_eq!(set.len(), identifiers.len());
        let again = IdentifierSet::from_bytes(set.as_bytes()).unwrap();
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
        let respelled = respelled.build().unwrap();
        prop_assert_eq!(respelled.as_bytes(), table.as_bytes());
        let written = spell(&query, case, dot);
        let host = Authority::parse(written.as_bytes()).unwrap().host();
        let plain = Authority::parse(query.as_bytes()).unwrap().host();
        prop_assert_eq!(table.lookup(&host), table.lookup(&plain));
    }
}

#[test]
fn a_builder_refuses_what_would_be_ambiguous_and_stays_as_it_was() {
    let (group, other) = (GroupId::new(1), GroupId::new(2));
    let mut never = GroupPolicy::default();
    never.coalesce = CoalescePolicy::Never;
    let mut table = AuthorityTable::builder();
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
    let spelled = ["A.Test.", "*.A.test", "**.a.TEST", "192.0.2.1", "[0::1]", "*"];
    for (earlier, text) in (0..).zip(spelled) {
        assert_eq!(add(text, 9, group), Err(BuildError::Duplicate { earlier }), "{text}");
    }
    let table = table.build().unwrap();
    assert_eq!(table.len(), patterns.len());
    assert_eq!(table.group_policy(group), Some(GroupPolicy::default()));
    assert_eq!(table.group_policy(other), None);
    for (id, query) in (0..).zip(["a.test", "b.a.test", "c.b.a.test", "192.0.2.1", "[::1]", "b"]) {
        let host = Authority::parse(query.as_bytes()).unwrap().host();
        let found = table.lookup(&host).unwrap();
        assert_eq!((found.entry, found.virtual_host.get()), (id, id), "{query}");
    }
}

/// Nothing is no mistake: a server without sites, a certificate without names.
#[test]
fn empty_tables_and_sets_know_nobody() {
    let table = AuthorityTable::builder().build().unwrap();
    let set = IdentifierSet::build([]).unwrap();
    assert!(table.is_empty() && set.is_empty());
    for query in ["a", "a.test", "192.0.2.1", "[::1]", "%61"] {
        let host = Authority::parse(query.as_bytes()).unwrap().host();
        assert_eq!(table.lookup(&host), None);
        assert_eq!(set.find(&host), None);
    }
}
