//! Limits the steps that reading and lookups take.

use std::format;
use std::string::String;
use std::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::super::NameTrie;
use super::super::checksum::checksum;
use super::super::compact::BLOCK;
use super::super::format::{CHECKED_FROM, CHECKSUM_AT, Kind};
use super::TAKEN;
use crate::{
    Authority, AuthorityTable, DnsName, GroupId, GroupPolicy, Layout, NamePattern, VirtualHostId,
};

/// Returns the most steps of a lookup. A name can match as itself and by a one-label wildcard; both
/// are looked up again if the first result is not certain. It can also match by an any-depth
/// wildcard above each of its labels. Each of these reads a pilot and a slot, or a pilot and a
/// block of names.
fn lookup_steps_max(name: &str) -> usize {
    (4 + name.split('.').count()) * (1 + BLOCK)
}
/// The most steps of reading a whole image, per byte. A name takes at least two bytes. It is read,
/// looked up, and compared with its neighbour.
const STEPS_PER_BYTE_MAX: usize = 4;

/// Runs `work` and returns the steps that it takes.
fn steps<T>(work: impl FnOnce() -> T) -> (usize, T) {
    TAKEN.set(0);
    let result = work();
    (TAKEN.get(), result)
}

fn image(patterns: &[String], layout: Layout) -> Vec<u8> {
    let mut table = AuthorityTable::builder();
    table.layout(layout).group(GroupId::new(1), GroupPolicy::default()).unwrap();
    for pattern in patterns {
        let pattern = NamePattern::parse(pattern.as_bytes()).unwrap();
        table.entry(pattern, VirtualHostId::new(1), GroupId::new(1)).unwrap();
    }
    table.build().unwrap().as_bytes().to_vec()
}

/// Looks names up in an image that may be damaged, and lists the names below one.
fn assert_bounded(image: &[u8], names: &[String]) -> usize {
    let mut most = 0;
    let (taken, _) = steps(|| AuthorityTable::from_bytes(image).is_ok());
    assert!(taken <= STEPS_PER_BYTE_MAX * image.len(), "{taken} for {} bytes", image.len());
    // An image from trusted bytes is not validated, whatever it contains.
    let Ok(table) = AuthorityTable::from_trusted_bytes(image, checksum(&image[CHECKED_FROM..]))
    else {
        return 0;
    };
    for name in names {
        let (taken, _) = steps(|| table.lookup_authority(name.as_bytes()));
        assert!(taken <= lookup_steps_max(name), "{taken} for {name}");
        most = most.max(taken);
        let Ok(name) = DnsName::parse(name.as_bytes()) else { continue };
        let (taken, _) = steps(|| table.entries_below(name).count());
        assert!(taken <= STEPS_PER_BYTE_MAX * image.len(), "{taken} below {name}");
    }
    let (taken, _) = steps(|| table.entries().count());
    assert!(taken <= STEPS_PER_BYTE_MAX * image.len(), "{taken} to list all");
    most
}

/// A name of 127 labels, and an any-depth wildcard of every length above it but of other names:
/// each is looked up and none is found.
#[test]
fn costliest_lookup_stays_within_its_limit() {
    let labels = |count: usize, last: &str| format!("{}{last}", "a.".repeat(count));
    let patterns: Vec<String> = (0..126).map(|n| format!("**.{}", labels(n, "b"))).collect();
    let asked = [labels(126, "c"), labels(126, "b"), format!("{}:443", labels(126, "c"))];
    for layout in [Layout::Fast, Layout::Compact] {
        let most = assert_bounded(&image(&patterns, layout), &asked);
        assert!(most >= 126, "{most} steps are not the most there can be, {layout:?}");
    }
}

/// Misses cost the most. Every name is looked up as itself and below the wildcard above its first
/// label. Wildcards further up, and names of more than 30 bytes, are looked up only if the table
/// has a wildcard of exactly that length. Each case has the most steps for an authority as bytes,
/// and for its parsed host, which is known to be a name of at most 253 bytes.
#[test]
fn lookup_reads_only_places_that_can_hold_the_name() {
    let any_depth = ["a.example.test", "**.deep.test", "**.very.deep.test"];
    let one_label = ["a.example.test", "*.wild.test"];
    let both = ["a.example.test", "*.wild.test", "**.deep.test"];
    let label = |len: usize| "l".repeat(len);
    let long_wildcard = format!("**.{}.test", label(40));
    let long = [&*long_wildcard, "a.example.test"];
    let cases: &[(&[&str], String, (usize, usize))] = &[
        (&any_depth, "a.example.test".into(), (2, 2)),
        (&any_depth, "b.example.test".into(), (2, 2)),
        (&any_depth, "b.c.example.test".into(), (2, 2)),
        (&any_depth, "b.c.d.example.test".into(), (3, 3)),
        (&any_depth, "b.deep.test".into(), (2, 2)),
        (&any_depth, "b.c.deep.test".into(), (3, 3)),
        (&any_depth, "b.c.deex.test".into(), (3, 3)),
        (&any_depth, "b.c.very.deep.test".into(), (3, 3)),
        (&any_depth, "b.c.verx.deep.test".into(), (4, 4)),
        (&any_depth, "b.c.verx.deex.test".into(), (4, 4)),
        (&any_depth, format!("{}.example.test", label(17)), (2, 2)),
        (&any_depth, format!("{}.example.test", label(18)), (0, 0)),
        (&any_depth, format!("{}.b.example.test", label(30)), (1, 1)),
        (&any_depth, format!("{}.b.deep.test", label(30)), (1, 1)),
        (&any_depth, format!("{}.b.deex.test", label(30)), (1, 1)),
        (&any_depth, format!("{}.b.deep.test", label(64)), (1, 0)),
        (&one_label, "b.wild.test".into(), (2, 2)),
        (&one_label, "b.c.wild.test".into(), (2, 2)),
        (&one_label, format!("{}.wild.test", label(30)), (1, 1)),
        (&one_label, format!("{}.wilx.test", label(30)), (1, 1)),
        (&one_label, format!("{}.wild.test", label(63)), (1, 1)),
        (&one_label, format!("{}.wild.test", label(100)), (0, 0)),
        (&one_label, format!("{}.b.wild.test", label(30)), (1, 0)),
        (&one_label, format!("b.{}.wild.test", label(30)), (0, 0)),
        (&one_label, format!("b.{}", label(30)), (1, 0)),
        (&both, "a.example.test".into(), (1, 1)),
        (&both, "b.example.test".into(), (1, 1)),
        (&both, "b.c.example.test".into(), (0, 0)),
        (&both, "b.c.deep.test".into(), (2, 2)),
        (&both, "b.c.wild.test".into(), (2, 2)),
        (&both, format!("{}.wild.test", label(30)), (1, 1)),
        (&both, format!("{}.b.deep.test", label(30)), (1, 1)),
        (&both, "a".into(), (1, 1)),
        (&long, format!("b.c.{}.test", label(40)), (2, 2)),
        (&long, format!("b.c.{}.test", label(41)), (0, 0)),
        (&long, format!("b.c.d.{}.test", label(38)), (1, 1)),
    ];
    for (patterns, name, most) in cases {
        let patterns: Vec<String> = patterns.iter().map(|&it| it.into()).collect();
        let image = image(&patterns, Layout::Fast);
        let table = AuthorityTable::from_bytes(&image[..]).unwrap();
        let (taken, found) = steps(|| table.lookup_authority(name.as_bytes()));
        let host = Authority::parse(name.as_bytes()).ok();
        let (by_host, again) = steps(|| host.and_then(|host| table.lookup(&host.host())));
        assert!(taken <= most.0 && by_host <= most.1, "{taken}, {by_host}: {name} in {patterns:?}");
        assert_eq!(found, again, "{name} in {patterns:?}");
    }
}

/// A batch reads ahead in a table that is larger than the caches: it goes through its names once
/// more, computes two places for each and reads them. In a small table that would gain nothing.
#[test]
fn batch_reads_ahead_in_large_tables_only() {
    let long = format!("{}.test", "l".repeat(40));
    let batch: [&[u8]; 4] = [b"a.test", b"b.test:443", b"x.b.test.", long.as_bytes()];
    let (looked_for, read_ahead) = (2 * 3 + 1, 4 * batch.len());
    for (names, least, most) in [(10, 1, looked_for), (3_000, read_ahead, looked_for + read_ahead)]
    {
        let patterns: Vec<String> = (0..names).map(|n| format!("*.n{n}.test")).collect();
        let image = image(&patterns, Layout::Fast);
        let table =
            AuthorityTable::from_trusted_bytes(&image[..], checksum(&image[CHECKED_FROM..]));
        let (taken, ()) = steps(|| table.unwrap().lookup_authorities(&batch, |_, _| {}));
        assert!((least..=most).contains(&taken), "{taken} steps for {names} names");
    }
}

/// Hosts right below a suffix are found without reading the names below each of them.
#[test]
fn skipped_names_are_not_read() {
    let patterns: Vec<String> = (0..2_000)
        .map(|n| format!("n{n}.a.test"))
        .chain(["b.test", "c.test", "a.c.test"].map(String::from))
        .collect();
    let suffix = DnsName::parse(b"test").unwrap();
    for (layout, steps_each) in [(Layout::Fast, 1), (Layout::Compact, 1 + BLOCK)] {
        let image = image(&patterns, layout);
        let index = NameTrie::validated(&image[..], Kind::Table).unwrap();
        let children = index.patterns_below(suffix).children();
        let (taken, found) = steps(|| children.flatten().count());
        assert_eq!(found, 2, "{layout:?}");
        // Three searches among 2,000 names, each of at most twice eleven steps.
        assert!(taken <= 3 * 22 * steps_each, "{taken} steps, {layout:?}");
    }
    let image = image(&patterns[..1_000], Layout::Fast);
    let table = AuthorityTable::from_bytes(&image[..]).unwrap();
    let mut entries = table.entries();
    assert_eq!(entries.size_hint(), (0, Some(1_000)));
    assert!(entries.next().is_some());
    assert_eq!(entries.size_hint(), (0, Some(999)));
}

fn name() -> impl Strategy<Value = String> {
    let label = select(&["a", "b", "ab", "a-label-of-twenty-eight-bytes"][..]);
    let short = vec(label, 1..5).prop_map(|labels| labels.join("."));
    prop_oneof![4 => short, 1 => (1_usize..120).prop_map(|n| format!("{}{n}b", "a.".repeat(n)))]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn damaged_image_keeps_loops_within_their_limit(
        patterns in vec((select(&["", "*.", "**."][..]), name()), 1..200),
        asked in vec(name(), 1..8),
        damage in vec((any::<Index>(), any::<u8>()), 0..6),
        hole in (any::<Index>(), 0_usize..600),
        compact in any::<bool>(),
    ) {
        let patterns: std::collections::BTreeSet<String> =
            patterns.into_iter().map(|(star, name)| format!("{star}{name}")).collect();
        let patterns: Vec<String> = patterns.into_iter().collect();
        let layout = if compact { Layout::Compact } else { Layout::Fast };
        let mut image = image(&patterns, layout);
        for (at, byte) in damage {
            let at = at.index(image.len());
            image[at] ^= byte;
        }
        // Names of zeros have no place in the order, so no search ends at them.
        let from = CHECKED_FROM + hole.0.index(image.len() - CHECKED_FROM);
        let to = image.len().min(from + hole.1);
        image[from..to].fill(0);
        // An attacker would also write the matching checksum.
        let sum = checksum(&image[CHECKED_FROM..]);
        image[CHECKSUM_AT..CHECKED_FROM].copy_from_slice(&sum.to_le_bytes());
        assert_bounded(&image, &asked);
    }
}
