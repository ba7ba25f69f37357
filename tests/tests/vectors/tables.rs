//! Authority tables: valid entries, and the entry that matches a host.

use coalesce_core::{
    Authority, AuthorityTable, GroupId, GroupPolicy, Layout, NamePattern, VirtualHostId,
};
use serde::Deserialize;

use crate::build::LAYOUTS;
use crate::model;
use crate::report::Report;
use crate::rows::{Bytes, assert_distinct, read};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    pattern: Vec<Pattern>,
    table: Vec<Table>,
    row: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pattern {
    id: String,
    #[serde(rename = "pattern")]
    text: Bytes,
    valid: bool,
    #[serde(rename = "why")]
    _why: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    id: String,
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    pattern: String,
    virtual_host: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    table: String,
    authority: Bytes,
    found: Option<String>,
    #[serde(rename = "why")]
    _why: Option<String>,
}

impl Table {
    /// Builds a table whose virtual hosts are the numbers of its entries, added forwards or
    /// backwards.
    fn build(&self, layout: Layout, backwards: bool) -> AuthorityTable<Vec<u8>> {
        let mut builder = AuthorityTable::builder();
        let group = GroupId::new(0);
        builder.layout(layout).group(group, GroupPolicy::default()).expect("one group fits");
        let mut entries: Vec<(u32, &Entry)> = (0..).zip(&self.entries).collect();
        if backwards {
            entries.reverse();
        }
        for (number, entry) in entries {
            let pattern = NamePattern::parse(entry.pattern.as_bytes()).expect("a pattern");
            builder.entry(pattern, VirtualHostId::new(number), group).expect("few entries fit");
        }
        builder.build().expect("no pattern is there twice")
    }

    fn name_of(&self, found: Option<coalesce_core::Entry>) -> Option<&str> {
        let number = found?.virtual_host.get() as usize;
        Some(&self.entries[number].virtual_host)
    }
}

fn shown(found: Option<&str>) -> String {
    found.unwrap_or("none").to_owned()
}

/// Looks a host up in this layout: for either order of building, as built and as read back, by
/// bytes and by host.
fn trie(table: &Table, layout: Layout, authority: &[u8]) -> String {
    let (built, again) = (table.build(layout, false), table.build(layout, true));
    let read = AuthorityTable::from_bytes(built.as_bytes()).expect("what was built is whole");
    let found = table.name_of(read.lookup_authority(authority));
    let host = Authority::parse(authority).ok().map(|authority| authority.host());
    assert_eq!(table.name_of(host.and_then(|host| read.lookup(&host))), found);
    assert_eq!(table.name_of(built.lookup_authority(authority)), found);
    assert_eq!(table.name_of(again.lookup_authority(authority)), found);
    shown(found)
}

/// Asks every entry, and returns the most specific one that matches.
fn oracle(table: &Table, authority: &[u8]) -> String {
    let Ok((host, _)) = model::authority(authority) else { return shown(None) };
    let ranked = |entry: &&Entry| {
        let pattern = entry.pattern.trim_matches(['[', ']']).to_ascii_lowercase();
        model::match_rank(&pattern, &host)
    };
    let found = table.entries.iter().filter(|entry| ranked(entry).is_some()).max_by_key(ranked);
    shown(found.map(|entry| entry.virtual_host.as_str()))
}

#[test]
fn every_implementation_finds_the_same_entries() {
    let File { pattern: patterns, table: tables, row: rows } = read("tables");
    let ids = patterns.iter().map(|pattern| pattern.id.as_str());
    assert_distinct("tables", ids.chain(rows.iter().map(|row| row.id.as_str())));
    let mut report = Report::of("tables");
    let mut run =
        |implementation, valid: fn(&[u8]) -> bool, find: &dyn Fn(&Table, &[u8]) -> String| {
            let word = |valid: bool| if valid { "valid" } else { "invalid" }.to_owned();
            let patterns = patterns.iter().map(|pattern| {
                (pattern.id.as_str(), word(pattern.valid), word(valid(&pattern.text.0)))
            });
            let rows = rows.iter().map(|row| {
                let table = tables.iter().find(|table| table.id == row.table);
                let table = table.unwrap_or_else(|| panic!("{}: no table {}", row.id, row.table));
                (&*row.id, shown(row.found.as_deref()), find(table, &row.authority.0))
            });
            report.run(implementation, patterns.chain(rows));
        };
    let parses = |pattern: &[u8]| NamePattern::parse(pattern).is_ok();
    for (name, layout) in ["trie, fast", "trie, compact"].into_iter().zip(LAYOUTS) {
        run(name, parses, &|table, authority| trie(table, layout, authority));
    }
    run("oracle", |pattern| str::from_utf8(pattern).is_ok_and(model::is_pattern), &oracle);
    report.finish();
}
