//! Damaged images: refused, or harmless.

use coalesce_core::limits::{ENTRIES_MAX, IDENTIFIERS_MAX};
use coalesce_core::{
    Authority, AuthorityTable, GroupId, GroupPolicy, Host, IdentifierSet, ImageError, NamePattern,
    VirtualHostId,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::build::{build_set, build_table};
use crate::generate::{authority, cases, identifier, world};

/// A change to a valid image: what a bad disk, an old file or an enemy might do to it.
#[derive(Clone, Debug)]
enum Damage {
    Byte(Index, u8),
    /// A word, where every count, offset and index of the format is.
    Word(Index, u32),
    Swap(Index, Index),
    Cut(Index),
    Append(Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    let index = any::<Index>;
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

fn apply(image: &mut Vec<u8>, damages: &[Damage]) {
    for damage in damages {
        // Nothing is left to damage after a cut near the start.
        if image.len() >= 4 {
            damage_once(image, damage);
        }
    }
}

fn damage_once(image: &mut Vec<u8>, damage: &Damage) {
    let words = image.len() / 4;
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
    #![proptest_config(cases(8))]

    #[test]
    fn a_damaged_table_is_refused_or_stays_in_range(
        world in world(),
        damages in vec(damage(), 1..4),
        queries in vec(authority(), 8),
    ) {
        let mut image = build_table(&world).as_bytes().to_vec();
        apply(&mut image, &damages);
        let Ok(table) = AuthorityTable::from_bytes(&image) else { return Ok(()) };
        prop_assert_eq!(table.as_bytes(), &image);
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
        let mut image = build_set(&certificate).as_bytes().to_vec();
        apply(&mut image, &damages);
        let Ok(set) = IdentifierSet::from_bytes(&image) else { return Ok(()) };
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
        let mut image = build_set(&certificate).as_bytes().to_vec();
        apply(&mut image, &damages);
        let Ok(set) = IdentifierSet::from_bytes(&image) else { return Ok(()) };
        // Labels that stand in no generated image: only a wildcard could cover them.
        for deep in ["q.q.q.q.q.q.a", "q.q.q.q.q.q.test", "q", "198.51.100.7"] {
            let host = Authority::parse(deep.as_bytes()).unwrap().host();
            prop_assert_eq!(set.find(&host), None, "{}", deep);
        }
    }
}

/// Word `at` of an image, counted from its start.
fn with_word(image: &[u8], at: usize, word: u32) -> Vec<u8> {
    let mut image = image.to_vec();
    image[at * 4..at * 4 + 4].copy_from_slice(&word.to_le_bytes());
    image
}

fn word(image: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(image[at * 4..at * 4 + 4].try_into().unwrap())
}

/// Where the words of node `index` start: after the 8 of the header, 7 to each node.
const fn node(index: usize) -> usize {
    8 + 7 * index
}

#[test]
fn each_rule_of_the_format_refuses_with_its_own_error() {
    use ImageError as E;
    // Nodes: the root, `test`, `a.test`, `b.test`.
    let names = ["a.test", "b.test", "192.0.2.1", "192.0.2.2"].map(str::to_owned);
    let image = build_set(&names).as_bytes().to_vec();
    let cut = image.len() - 1;
    let address = node(4) * 4;
    let cases = [
        ("magic", with_word(&image, 0, 0), E::Magic),
        ("nothing", vec![], E::Magic),
        ("a header cut short", image[..8].to_vec(), E::Length { len: 8 }),
        ("too short", image[..cut].to_vec(), E::Length { len: cut }),
        ("too long", [&image[..], b"x"].concat(), E::Length { len: cut + 2 }),
        ("no root", with_word(&image, 2, 0), E::Length { len: cut + 1 }),
        ("sections beyond any memory", with_word(&image, 2, u32::MAX), E::Length { len: cut + 1 }),
        (
            "too many addresses",
            with_word(&image, 3, 1 << 27),
            E::Count { at: 12, count: 1 << 27, max: ENTRIES_MAX },
        ),
        (
            "too many identifiers",
            with_word(&image, 4, 1 << 20 | 1),
            E::Count { at: 16, count: 1 << 20 | 1, max: IDENTIFIERS_MAX },
        ),
        ("groups of identifiers", with_word(&image, 5, 1), E::Count { at: 20, count: 1, max: 0 }),
        ("a catch-all identifier", with_word(&image, 7, 0), E::Value { at: 28, value: 0 }),
        ("a catch-all out of range", with_word(&image, 7, 4), E::Value { at: 28, value: 4 }),
        ("a root with a label", with_word(&image, node(0) + 1, 1), E::Node { at: node(0) * 4 }),
        ("a root with a value", with_word(&image, node(0) + 5, 0), E::Node { at: node(0) * 4 }),
        ("a label outside", with_word(&image, node(1), 99), E::Node { at: node(0) * 4 }),
        ("an empty label", with_word(&image, node(1) + 1, 0), E::Node { at: node(0) * 4 }),
        ("children elsewhere", with_word(&image, node(1) + 2, 3), E::Node { at: node(1) * 4 }),
        ("a child of its own", with_word(&image, node(1) + 2, 1), E::Node { at: node(1) * 4 }),
        ("too many children", with_word(&image, node(1) + 3, 3), E::Node { at: node(1) * 4 }),
        ("an orphan", with_word(&image, node(1) + 3, 1), E::Node { at: node(0) * 4 }),
        ("siblings out of order", with_word(&image, node(2), 5), E::Node { at: node(1) * 4 }),
        (
            "any depth for identifiers",
            with_word(&image, node(1) + 6, 0),
            E::Node { at: node(1) * 4 },
        ),
        (
            "a value out of range",
            with_word(&image, node(2) + 4, 4),
            E::Value { at: node(2) * 4, value: 4 },
        ),
        ("a family that is none", with_word(&image, node(4), 5), E::Address { at: address }),
        ("padding that is none", with_word(&image, node(4) + 4, 1), E::Address { at: address }),
        ("padding that is none", with_word(&image, node(4) + 2, 1), E::Address { at: address }),
        (
            "the same address twice",
            with_word(&image, node(4) + 7, word(&image, node(4) + 1)),
            E::Address { at: address + 24 },
        ),
        (
            "an address without value",
            with_word(&image, node(4) + 5, u32::MAX),
            E::Address { at: address },
        ),
        (
            "addresses out of order",
            with_word(&image, node(4) + 1, u32::MAX),
            E::Address { at: address + 24 },
        ),
    ];
    assert!(IdentifierSet::from_bytes(&image).is_ok());
    for (what, damaged, error) in cases {
        assert_eq!(IdentifierSet::from_bytes(&damaged).unwrap_err(), error, "{what}");
    }
    let found = word(&image, 1);
    let other_kind = AuthorityTable::from_bytes(&image).unwrap_err();
    assert_eq!(other_kind, E::Version { found, expected: found + 1 });
    // The last label bytes are `ab`, and `A` still comes before `b`.
    let upper = [&image[..cut - 1], b"Ab"].concat();
    assert_eq!(IdentifierSet::from_bytes(upper).unwrap_err(), E::Node { at: node(2) * 4 });
}

/// Every node but the root is the child of exactly one node before it.
#[test]
fn children_stand_where_their_parents_say_and_nowhere_else() {
    use ImageError as E;
    // Nodes: the root, `x`, `y`, `a.x`, `b.y`.
    let image = build_set(&["a.x", "b.y"].map(str::to_owned)).as_bytes().to_vec();
    let swapped = with_word(&with_word(&image, node(1) + 2, 4), node(2) + 2, 3);
    assert_eq!(IdentifierSet::from_bytes(swapped).unwrap_err(), E::Node { at: node(1) * 4 });
    let shared = with_word(&image, node(2) + 2, 3);
    assert_eq!(IdentifierSet::from_bytes(shared).unwrap_err(), E::Node { at: node(2) * 4 });
    // A root without children, and the node behind it its own child.
    let childless = with_word(&with_word(&image, node(0) + 2, 0), node(0) + 3, 0);
    let own_child = with_word(&childless, node(1) + 2, 1);
    assert_eq!(IdentifierSet::from_bytes(own_child).unwrap_err(), E::Node { at: node(1) * 4 });
}

#[test]
fn a_table_names_only_groups_and_policies_that_exist() {
    use ImageError as E;
    let (group, other) = (GroupId::new(1), GroupId::new(5));
    let mut table = AuthorityTable::builder();
    table.group(group, GroupPolicy::default()).unwrap();
    table.group(other, GroupPolicy::default()).unwrap();
    table.entry(NamePattern::CatchAll, VirtualHostId::new(0), group).unwrap();
    let image = table.build().unwrap().as_bytes().to_vec();
    // One node, no addresses, one entry, two groups.
    let (entry, groups) = (node(1), node(1) + 2);
    let cases = [
        ("a group that is not there", entry + 1, 4, E::Entry { at: entry * 4 }),
        ("groups out of order", groups, 6, E::Group { at: groups * 4 + 8 }),
        ("a group twice", groups, 5, E::Group { at: groups * 4 + 8 }),
        ("coalescing policy 3", groups + 1, 3, E::Group { at: groups * 4 }),
        ("unknown-authority policy 2", groups + 1, 2 << 2, E::Group { at: groups * 4 }),
        ("CONNECT policy 3", groups + 1, 3 << 4, E::Group { at: groups * 4 }),
        ("a policy bit beyond all", groups + 3, 1 << 31, E::Group { at: groups * 4 + 8 }),
    ];
    assert!(AuthorityTable::from_bytes(&image).is_ok());
    for (what, at, value, error) in cases {
        let damaged = with_word(&image, at, value);
        assert_eq!(AuthorityTable::from_bytes(&damaged).unwrap_err(), error, "{what}");
    }
}
