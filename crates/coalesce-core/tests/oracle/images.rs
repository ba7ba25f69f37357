//! Checks that damaged images are refused or harmless.

use coalesce_core::{Authority, AuthorityTable, FormatError, IdentifierSet, Layout, NamePattern};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::build::{LAYOUTS, build_in, build_set};
use crate::format::repair;
use crate::generate::{Query, cases, crowded, identifier, query};
use crate::model::{self, Coalesce, Connect, Entry, Policy, World};

/// A change of a valid image, by a bad disk, an old file or an attacker.
#[derive(Clone, Debug)]
enum Damage {
    Bit(Index, u8),
    Byte(Index, u8),
    /// A word, such as any count, offset or index of the format.
    Word(Index, u32),
    /// A word of the header.
    Header(Index, u32),
    Swap(Index, Index),
    Cut(Index),
    Append(Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    let index = any::<Index>;
    let word = || {
        prop_oneof![
            6 => 0_u32..16,
            1 => select(vec![u32::MAX, u32::MAX - 1, 1 << 31, 1 << 26, 1 << 16, 63, 64]),
        ]
    };
    prop_oneof![
        4 => (index(), 0_u8..8).prop_map(|(at, bit)| Damage::Bit(at, bit)),
        2 => (index(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        3 => (index(), word()).prop_map(|(at, word)| Damage::Word(at, word)),
        2 => (index(), word()).prop_map(|(at, word)| Damage::Header(at, word)),
        2 => (index(), index()).prop_map(|(a, b)| Damage::Swap(a, b)),
        1 => index().prop_map(Damage::Cut),
        1 => vec(any::<u8>(), 1..9).prop_map(Damage::Append),
    ]
}

fn apply(image: &mut Vec<u8>, damages: &[Damage]) {
    for damage in damages {
        // After a cut near the start nothing is left to damage.
        if image.len() >= 4 {
            damage_once(image, damage);
        }
    }
}

fn damage_once(image: &mut Vec<u8>, damage: &Damage) {
    let words = image.len() / 4;
    let mut put = |at: usize, word: u32| image[at..at + 4].copy_from_slice(&word.to_le_bytes());
    match damage {
        Damage::Word(at, word) => put(at.index(words) * 4, *word),
        Damage::Header(at, word) => put(at.index(words.min(24)) * 4, *word),
        Damage::Bit(at, bit) => {
            let at = at.index(image.len());
            image[at] ^= 1 << bit;
        }
        Damage::Byte(at, byte) => {
            let at = at.index(image.len());
            image[at] = *byte;
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

/// Queries for an image, in addition to the names that it lists.
const QUERIES: &[&str] = &[
    "",
    "a",
    "test",
    "a.test",
    "x.y.z.test",
    "192.0.2.1",
    "[::1]",
    "q.q.q.q.q.q.a",
    "!a.test",
    "lllllllllllllllllllllllllllllllllllllll.test",
];

fn queries_about(listed: &[String], further: &[Query]) -> Vec<Vec<u8>> {
    let texts: Vec<&str> = listed.iter().map(String::as_str).collect();
    let mut queries: Vec<Vec<u8>> = QUERIES.iter().map(|query| query.as_bytes().to_vec()).collect();
    queries.extend(further.iter().map(|query| query.about(&texts)));
    for text in listed {
        let suffix = text.trim_start_matches("**.").trim_start_matches("*.");
        let host = if text.contains(':') { format!("[{text}]") } else { suffix.to_owned() };
        queries.push(format!("x.y.{host}").into_bytes());
        queries.push(format!("x.{host}:1").into_bytes());
        queries.push(host.into_bytes());
    }
    queries
}

/// Checks that an accepted table knows exactly the entries that it lists, whoever made its bytes.
#[track_caller]
pub(crate) fn assert_finds_what_it_lists(table: &AuthorityTable<&[u8]>, further: &[Query]) {
    let mut entries = Vec::new();
    for entry in table.entries() {
        let pattern = entry.pattern.to_string();
        let there = table.get(&entry.pattern.as_pattern().unwrap());
        let there = there.map(|found| (found.virtual_host, found.group));
        assert_eq!(there, Some((entry.virtual_host, entry.group)), "{pattern}");
        assert!(table.group_policy(entry.group).is_some(), "{pattern}");
        let (virtual_host, group) = (entry.virtual_host.get(), entry.group.get());
        entries.push(Entry { pattern, virtual_host, group });
    }
    assert_eq!(entries.len(), table.len());
    let texts: Vec<String> = entries.iter().map(|entry| entry.pattern.clone()).collect();
    let world = World { entries, groups: vec![] };
    for query in queries_about(&texts, further) {
        let host = model::authority(&query).ok().map(|(host, _)| host);
        let expected = host.and_then(|host| world.lookup(&host));
        let expected = expected.map(|entry| (entry.virtual_host, entry.group));
        let found = table.lookup_authority(&query);
        let found = found.map(|found| (found.virtual_host.get(), found.group.get()));
        assert_eq!(found, expected, "{} among {texts:?}", query.escape_ascii());
    }
}

/// Does the same for a set. RFC 9525 §6.3: a presented wildcard matches one label, and no
/// identifier matches everything, whatever the bytes are.
#[track_caller]
pub(crate) fn assert_covers_what_it_lists(set: &IdentifierSet<&[u8]>, further: &[Query]) {
    let texts: Vec<String> = set.identifiers().map(|found| found.to_string()).collect();
    assert_eq!(texts.len(), set.len());
    assert!(!texts.iter().any(|text| text == "*" || text.starts_with("**")), "{texts:?}");
    for query in queries_about(&texts, further) {
        let host = model::authority(&query).ok().map(|(host, _)| host);
        let ranked =
            |at: &usize| host.as_ref().and_then(|host| model::match_rank(&texts[*at], host));
        let covering = (0..texts.len()).filter(|at| ranked(at).is_some()).max_by_key(ranked);
        let found = set.find_authority(&query);
        assert_eq!(found, covering, "{} among {texts:?}", query.escape_ascii());
    }
}

/// Returns whether the bytes are accepted. If they are, checks that they know what they list.
fn check(image: &[u8], further: &[Query]) -> bool {
    let (table, set) = (AuthorityTable::from_bytes(image), IdentifierSet::from_bytes(image));
    assert!(table.is_err() || set.is_err(), "one kind or the other");
    if let Ok(table) = &table {
        assert_finds_what_it_lists(table, further);
    }
    if let Ok(set) = &set {
        assert_covers_what_it_lists(set, further);
    }
    table.is_ok() || set.is_ok()
}

fn policy() -> Policy {
    Policy {
        coalesce: Coalesce::CertificateAndGroup,
        unknown_to_application: false,
        connect: Connect::Refuse,
    }
}

/// Returns a world with something in each section.
fn small(hosts: [u32; 2]) -> World {
    let long = "a-name-of-more-than-thirty.bytes.test";
    let patterns = ["a.test", "b.test", "*.test", "**.x-1.test", long, "192.0.2.1", "::1", "*"];
    let entry = |(number, pattern): (usize, &str)| Entry {
        pattern: pattern.to_owned(),
        virtual_host: hosts[number % 2],
        group: if number % 3 == 0 { 5 } else { 1 },
    };
    let entries = patterns.into_iter().enumerate().map(entry).collect();
    World { entries, groups: vec![(1, policy()), (5, policy())] }
}

/// Returns small images of every kind and layout, with and without pairs.
fn small_images() -> Vec<(&'static str, Vec<u8>)> {
    let names = ["a.test", "*.b.test", "a-name-of-more-than-thirty.bytes.test", "192.0.2.1", "::1"];
    let image = |hosts, layout| build_in(&small(hosts), layout).as_bytes().to_vec();
    vec![
        ("identifiers", build_set(&names.map(str::to_owned)).as_bytes().to_vec()),
        ("no identifiers", build_set(&[]).as_bytes().to_vec()),
        ("fast", image([0, 1], Layout::Fast)),
        ("fast, pairs", image([7, u32::MAX], Layout::Fast)),
        ("compact", image([0, 1], Layout::Compact)),
        ("compact, pairs", image([7, u32::MAX], Layout::Compact)),
    ]
}

#[test]
fn image_with_a_missing_or_changed_byte_is_refused() {
    for (case, image) in small_images() {
        assert!(check(&image, &[]), "{case}");
        for len in 0..image.len() {
            assert!(!check(&image[..len], &[]), "{case}, {len} bytes of it");
        }
        let longer = [&image[..], b"\0"].concat();
        assert!(!check(&longer, &[]), "{case}, and a zero");
        for bit in 0..image.len() * 8 {
            let mut damaged = image.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(!check(&damaged, &[]), "{case}, bit {bit}");
            // The bytes before the checksum are compared with constants.
            let refused = AuthorityTable::from_bytes(&damaged).err();
            let counted = bit / 8 >= 8 && case.starts_with(['f', 'c']);
            let early = matches!(refused, Some(FormatError::Magic | FormatError::Version { .. }));
            assert_ne!(counted, early, "{case}, bit {bit}: {refused:?}");
        }
    }
}

/// The checksum finds accidents, not attacks. With a right checksum, the other rules must refuse
/// the image.
#[test]
fn repaired_image_is_refused_or_finds_what_it_lists() {
    for (case, image) in small_images() {
        let (mut accepted, mut refused) = (0, 0);
        for at in 0..image.len() {
            let changes = (0..8).map(|bit| image[at] ^ 1 << bit);
            for byte in changes.chain([0, 0xff, image[at].wrapping_add(1)]) {
                let mut damaged = image.clone();
                damaged[at] = byte;
                repair(&mut damaged);
                *(if check(&damaged, &[]) { &mut accepted } else { &mut refused }) += 1;
            }
        }
        // Another virtual host or policy may be accepted. Other damage to a name's place is not.
        assert!(refused > accepted, "{case}: {accepted} accepted, {refused} refused");
    }
}

proptest! {
    #![proptest_config(cases(4))]

    #[test]
    fn damaged_table_is_refused_or_finds_what_it_lists(
        world in crowded(),
        fast in any::<bool>(),
        damages in vec(damage(), 1..4),
        right in prop::bool::weighted(0.9),
        queries in vec(query(), 8),
    ) {
        let mut image = build_in(&world, LAYOUTS[usize::from(fast)]).as_bytes().to_vec();
        let whole = image.clone();
        apply(&mut image, &damages);
        if right {
            repair(&mut image);
        }
        let accepted = check(&image, &queries);
        prop_assert!(!accepted || right || image == whole);
    }

    /// `from_trusted_bytes` checks the header only. Later damage must not cause more than wrong
    /// answers.
    #[test]
    fn trusted_bytes_with_damage_do_not_panic(
        world in crowded(),
        fast in any::<bool>(),
        damages in vec(damage(), 1..16),
        queries in vec(query(), 8),
    ) {
        let whole = build_in(&world, LAYOUTS[usize::from(fast)]);
        let checksum = whole.checksum();
        let known = AuthorityTable::from_trusted_bytes(whole.as_bytes(), checksum).unwrap();
        prop_assert_eq!(known.len(), whole.len());
        let other = AuthorityTable::from_trusted_bytes(whole.as_bytes(), checksum ^ 1).err();
        prop_assert!(matches!(other, Some(FormatError::Unexpected { .. })), "{:?}", other);
        let mut image = whole.as_bytes().to_vec();
        apply(&mut image, &damages);
        let Some(sum) = image.get(8..16) else { return Ok(()) };
        let sum = u64::from_le_bytes(sum.try_into().unwrap());
        let Ok(table) = AuthorityTable::from_trusted_bytes(&image[..], sum) else { return Ok(()) };
        let texts: Vec<String> = world.entries.into_iter().map(|entry| entry.pattern).collect();
        for query in queries_about(&texts, &queries) {
            table.lookup_authority(&query);
            if let Ok(authority) = Authority::parse(&query) {
                table.lookup(&authority.host());
            }
        }
        for text in &texts {
            let pattern = NamePattern::parse(text.as_bytes()).unwrap();
            table.get(&pattern);
            if let NamePattern::Exact(name) = pattern {
                prop_assert!(table.entries_below(name).count() <= table.len());
            }
        }
        let shown: Vec<String> =
            table.entries().map(|entry| entry.pattern.to_string()).collect();
        prop_assert!(shown.len() <= table.len());
        prop_assert!(table.groups().count() <= 300);
    }

    #[test]
    fn damaged_set_is_refused_or_covers_what_it_lists(
        certificate in vec(identifier(), 0..24),
        damages in vec(damage(), 1..4),
        queries in vec(query(), 8),
    ) {
        let mut image = build_set(&certificate).as_bytes().to_vec();
        apply(&mut image, &damages);
        repair(&mut image);
        check(&image, &queries);
    }

    /// Checks that neither kind accepts an image of the other kind, and that noise is refused or
    /// consistent.
    #[test]
    fn noise_behind_a_header_is_refused_or_finds_what_it_lists(
        kind in 0_u8..4,
        layout in 0_u8..4,
        words in vec(prop_oneof![3 => 0_u32..4, 1 => any::<u32>()], 20..40),
    ) {
        let mut image = b"COAL".to_vec();
        image.extend([2, kind, layout, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        image.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        repair(&mut image);
        check(&image, &[]);
    }
}

/// An image has one kind and one layout, and its header names them.
#[test]
fn image_of_another_kind_is_refused() {
    for (case, image) in small_images() {
        let (table, set) = (AuthorityTable::from_bytes(&image), IdentifierSet::from_bytes(&image));
        assert_ne!(table.is_ok(), set.is_ok(), "{case}");
        if let Ok(table) = table {
            let layout = table.layout();
            assert_eq!(layout == Layout::Fast, case.starts_with("fast"), "{case}");
            assert!(table.get(&NamePattern::CatchAll).is_some(), "{case}");
        }
    }
}
