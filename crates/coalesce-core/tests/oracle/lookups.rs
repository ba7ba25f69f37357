//! Tries against linear scans.

use coalesce_core::{
    Authority, AuthorityTable, GroupId, Host, IdentifierSet, NamePattern, PresentedIdentifier,
    VirtualHostId,
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
        let respelled = respelled.build().unwrap();
        prop_assert_eq!(respelled.as_image(), table.as_image());
        let written = spell(&query, case, dot);
        let host = Authority::parse(written.as_bytes()).unwrap().host();
        let plain = Authority::parse(query.as_bytes()).unwrap().host();
        prop_assert_eq!(table.lookup(&host), table.lookup(&plain));
    }
}
