//! Checks that decisions with other stores agree with the authority table.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;

use super::*;
use crate::{Authorities, Entry, Memo};

/// A test double: a list that is searched from its start.
struct List(Vec<(&'static str, Entry)>);

impl Authorities for List {
    fn lookup(&self, host: &Host<'_>) -> Option<Entry> {
        let is_host = |(name, _): &&(&str, Entry)| Host::try_from(*name).as_ref() == Ok(host);
        self.0.iter().find(is_host).map(|(_, entry)| *entry)
    }

    fn group_policy(&self, group: GroupId) -> Option<GroupPolicy> {
        let known = self.0.iter().any(|(_, entry)| entry.group == group);
        known.then(GroupPolicy::default)
    }
}

/// A table with later changes: new entries, and names that were removed.
struct Overlay<A> {
    base: A,
    changed: Vec<(&'static str, Option<Entry>)>,
}

impl<A: Authorities> Authorities for Overlay<A> {
    fn lookup(&self, host: &Host<'_>) -> Option<Entry> {
        let is_host =
            |(name, _): &&(&str, Option<Entry>)| Host::try_from(*name).as_ref() == Ok(host);
        match self.changed.iter().find(is_host) {
            Some((_, changed)) => *changed,
            None => self.base.lookup(host),
        }
    }

    fn group_policy(&self, group: GroupId) -> Option<GroupPolicy> {
        self.base.group_policy(group)
    }
}

#[test]
fn list_store_decides_as_the_table_does() {
    let exact = SITES.iter().enumerate().filter(|(_, (_, pattern, _))| !pattern.contains('*'));
    let entries = exact.map(|(number, (_, name, group))| {
        (*name, Entry::new(VirtualHostId::new(u32::try_from(number).unwrap()), *group))
    });
    let (list, table) = (List(entries.collect()), table());
    let handshakes = Handshakes::new();
    for server_name in ["a.example.test", "api.example.test", "m.example.test", ""] {
        let connection = handshakes.with(server_name);
        for name in ["a.example.test", "b.example.test", "cdn.example.test", "m.example.test", "x"]
        {
            let expected = line(&decide(&table, &connection, &get(name)));
            assert_eq!(line(&decide(&list, &connection, &get(name))), expected, "{name}");
        }
    }
}

#[test]
fn overlay_store_decides_with_its_changes() {
    let new = Entry::new(VirtualHostId::new(1), PUBLIC);
    let changed = vec![("b.example.test", None), ("foo.wild.example.test", Some(new))];
    let overlay = Overlay { base: Arc::new(table()), changed };
    let handshakes = Handshakes::new();
    let connection = handshakes.with("a.example.test");
    let mut memo = Memo::new(connection.clone());
    // Passes the overlay by reference, boxed, and as a trait object.
    let stores: [Box<dyn Authorities + '_>; 2] = [Box::new(&overlay), Box::new(Arc::new(&overlay))];
    for (name, expected) in [
        ("a.example.test", "serve a"),
        ("b.example.test", "421 unknown_authority"),
        ("foo.wild.example.test", "serve b"),
        ("bar.wild.example.test", "serve wild"),
    ] {
        assert_eq!(line(&decide(&overlay, &connection, &get(name))), expected, "{name}");
        for store in &stores {
            assert_eq!(line(&decide(&**store, &connection, &get(name))), expected, "{name}");
        }
        for _ in 0..2 {
            let verdict = memo.decide(&overlay, 0, &get(name));
            assert_eq!(line(&verdict), expected, "{name}");
        }
    }
}
