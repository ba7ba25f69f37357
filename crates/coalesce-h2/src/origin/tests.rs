//! The announced origins: none is announced twice.

use coalesce_core::{
    AuthorityTable, ClientCertificates, GroupId, GroupPolicy, IdentifierSet, NamePattern,
    PresentedIdentifier, ServerConnection, VirtualHostId,
};

use super::*;
use crate::limits::ORIGIN_SET_BYTES_MAX;

const GROUP: GroupId = GroupId::new(0);

/// Makes the origin set of a connection whose certificate covers `*.test`.
fn set(names: impl IntoIterator<Item = String>) -> OriginSet {
    let mut table = AuthorityTable::builder();
    table.group(GROUP, GroupPolicy::default()).unwrap();
    for name in names {
        let pattern = NamePattern::parse(name.as_bytes()).unwrap();
        table.entry(pattern, VirtualHostId::new(0), GROUP).unwrap();
    }
    let presented = PresentedIdentifier::parse_dns(b"*.test").unwrap();
    let presented = IdentifierSet::build([presented]).unwrap();
    OriginSet::new(
        &table.build().unwrap(),
        &ServerConnection::tls(&presented, GROUP, ClientCertificates::NotAsked, 443),
    )
}

fn of(names: &[&str]) -> OriginSet {
    set(names.iter().map(|name| format!("{name}.test")))
}

fn said(set: &OriginSet) -> Vec<String> {
    set.origins().map(|origin| String::from_utf8(origin.to_vec()).unwrap()).collect()
}

#[test]
fn set_without_another_has_the_origins_missing_there() {
    let all = of(&["a", "b", "c", "d"]);
    for (other, rest) in [
        (of(&[]), vec!["a", "b", "c", "d"]),
        (of(&["a"]), vec!["b", "c", "d"]),
        (of(&["d", "e"]), vec!["a", "b", "c"]),
        (of(&["0", "b", "bb", "c", "z"]), vec!["a", "d"]),
        (all.clone(), vec![]),
    ] {
        let rest: Vec<_> = rest.iter().map(|name| format!("https://{name}.test")).collect();
        assert_eq!(said(&all.without(&other)), rest, "{other:?}");
        assert!(of(&[]).without(&other).is_empty());
    }
}

/// A certificate that covers more names than a set may announce.
#[test]
fn set_is_cut_at_its_size_limit() {
    let names = |count: usize| (0..count).map(|number| format!("n{number:05}.test"));
    // `https://n00000.test` and its length prefix.
    let fit = ORIGIN_SET_BYTES_MAX / 21;
    assert_eq!(said(&set(names(fit))).len(), fit);
    let cut = said(&set(names(fit + 5)));
    assert_eq!(cut.len(), fit);
    assert_eq!(cut, said(&set(names(fit))));
}

#[test]
fn only_tls_announces() {
    let mut table = AuthorityTable::builder();
    table.group(GROUP, GroupPolicy::default()).unwrap();
    let pattern = NamePattern::parse(b"a.test").unwrap();
    table.entry(pattern, VirtualHostId::new(0), GROUP).unwrap();
    let table = table.build().unwrap();
    assert!(OriginSet::new(&table, &ServerConnection::cleartext(GROUP, [80, 443])).is_empty());
}

#[test]
fn new_origins_are_announced() {
    let mut announcer = Announcer::default();
    assert_eq!(announcer.fresh(&of(&[])), Bytes::new());
    assert_eq!(announcer.fresh(&of(&["a", "b"])), of(&["a", "b"]).frames());
    assert_eq!(announcer.fresh(&of(&["a", "b"])), Bytes::new());
    assert_eq!(announcer.fresh(&of(&["b"])), Bytes::new());
    // A client that got a 421 for `a` in between has dropped it from its set.
    assert_eq!(announcer.fresh(&of(&["a", "b", "c"])), of(&["a", "c"]).frames());
}
