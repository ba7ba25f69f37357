//! Checks compiled tables that are committed as files. On every machine, an old file must be read
//! as before, and a new one must be the same byte for byte. If a file differs, the format has
//! changed: undo the change, or give the format another version. `golden/README.md` has the command
//! that writes the files.

use coalesce_core::{
    Authority, AuthorityTable, ClientCertificates, GroupId, IdentifierSet, Layout, Misdirected,
    RequestTarget, ServerConnection, Verdict, VirtualHostId, decide,
};

const FAST: &[u8] = include_bytes!("golden/table-fast.image");
const COMPACT: &[u8] = include_bytes!("golden/table-compact.image");
const IDENTIFIERS: &[u8] = include_bytes!("golden/identifiers.image");

/// Every kind of pattern, short and long, in canonical order, with its group. Virtual hosts are
/// numbered from 10.
const ENTRIES: &[(&str, u32)] = &[
    ("example.test", 1),
    ("a.example.test", 1),
    ("b.example.test", 1),
    ("**.deep.example.test", 1),
    ("m.example.test", 2),
    ("*.wild.example.test", 1),
    ("thirty-bytes-altogether.w.test", 1),
    ("thirty-bytes-altogether.ww.test", 1),
    ("x--n_0.1.www.test", 1),
    ("a-name-of-more-than-thirty-bytes.www.test", 2),
    ("*.a-suffix-of-more-than-thirty-bytes.www.test", 1),
    ("**.a-suffix-of-more-than-thirty-bytes.www.test", 2),
    ("192.0.2.1", 1),
    ("2001:db8::1", 1),
    ("*", 1),
];

/// Each authority with the index of the entry that it finds.
const LOOKUPS: &[(&str, Option<u32>)] = &[
    ("a.example.test", Some(1)),
    ("A.Example.TEST.:443", Some(1)),
    ("b.example.test", Some(2)),
    ("example.test", Some(0)),
    ("x.wild.example.test", Some(5)),
    ("x.y.wild.example.test", Some(14)),
    ("x.y.deep.example.test", Some(3)),
    ("m.example.test", Some(4)),
    ("A-NAME-of-more-than-thirty-bytes.www.test", Some(9)),
    ("x.a-suffix-of-more-than-thirty-bytes.www.test:1", Some(10)),
    ("thirty-bytes-altogether.w.test", Some(6)),
    ("thirty-bytes-altogether.ww.test.", Some(7)),
    ("X--N_0.1.www.test", Some(8)),
    ("x.y.a-suffix-of-more-than-thirty-bytes.www.test", Some(11)),
    ("192.0.2.1", Some(12)),
    ("2001:db8::1", None),
    ("unknown.test", Some(14)),
    ("192.0.2.2", Some(14)),
    ("!.wild.example.test", None),
    ("a..example.test", None),
];

/// Each authority with the number of the identifier that covers it. The identifiers are the entries
/// that a certificate can contain.
const COVERED: &[(&str, Option<usize>)] = &[
    ("a.example.test", Some(0)),
    ("b.example.test:443", Some(1)),
    ("x.wild.example.test", Some(3)),
    ("x.y.wild.example.test", None),
    ("m.example.test", Some(2)),
    ("a-name-of-more-than-thirty-bytes.www.test", Some(4)),
    ("x.a-suffix-of-more-than-thirty-bytes.www.test", Some(5)),
    ("192.0.2.1", Some(6)),
    ("cdn.example.test", None),
];

#[test]
fn committed_tables_give_the_same_answers() {
    for (image, layout) in [(FAST, Layout::Fast), (COMPACT, Layout::Compact)] {
        let table = AuthorityTable::from_bytes(image).unwrap();
        assert_eq!((table.layout(), table.len()), (layout, ENTRIES.len()));
        for (text, expected) in LOOKUPS {
            let host = Authority::parse(text.as_bytes()).ok().map(|authority| authority.host());
            let by_host = host.and_then(|host| table.lookup(&host));
            let expected = expected.map(|place| (place + 10, ENTRIES[place as usize].1));
            for found in [by_host, table.lookup_authority(text.as_bytes())] {
                let found = found.map(|found| (found.virtual_host.get(), found.group.get()));
                assert_eq!(found, expected, "{text} in {layout:?}");
            }
        }
        for (number, (entry, (_, group))) in (10..).zip(table.entries().zip(ENTRIES)) {
            assert_eq!((entry.virtual_host.get(), entry.group.get()), (number, *group));
        }
    }
}

#[test]
fn committed_identifiers_give_the_same_answers() {
    let identifiers = IdentifierSet::from_bytes(IDENTIFIERS).unwrap();
    for (text, expected) in COVERED {
        let host = Authority::parse(text.as_bytes()).unwrap().host();
        assert_eq!(identifiers.find(&host), *expected, "{text}");
        assert_eq!(identifiers.find_authority(text.as_bytes()), *expected, "{text}");
    }
    let table = AuthorityTable::from_bytes(FAST).unwrap();
    let connection =
        ServerConnection::tls(&identifiers, GroupId::new(1), ClientCertificates::NotAsked, 443);
    let served = decide(&table, &connection, &RequestTarget::https(b"b.example.test"));
    let Verdict::Serve(proof) = served else { panic!("{served:?}") };
    assert_eq!(proof.virtual_host(), Some(VirtualHostId::new(12)));
    let refused = decide(&table, &connection, &RequestTarget::https(b"m.example.test"));
    assert_eq!(refused, Verdict::Misdirected(Misdirected::Group));
}

#[cfg(feature = "alloc")]
mod made_today {
    use std::path::Path;
    use std::{env, fs};

    use coalesce_core::{CoalescePolicy, GroupPolicy, NamePattern, PresentedIdentifier};

    use super::*;

    fn table(layout: Layout) -> Vec<u8> {
        let mut strict = GroupPolicy::default();
        strict.coalesce = CoalescePolicy::StrictServerName;
        let mut table = AuthorityTable::builder();
        table.group(GroupId::new(1), GroupPolicy::default()).unwrap();
        table.group(GroupId::new(2), strict).unwrap();
        for (number, (text, group)) in (10..).zip(ENTRIES) {
            let pattern = NamePattern::parse(text.as_bytes()).unwrap();
            table.entry(pattern, VirtualHostId::new(number), GroupId::new(*group)).unwrap();
        }
        let table = table.layout(layout).build().unwrap();
        let listed = table.entries().map(|entry| entry.pattern.to_string());
        assert!(listed.eq(ENTRIES.iter().map(|(text, _)| *text)), "canonical order");
        table.as_bytes().to_vec()
    }

    fn identifiers() -> Vec<u8> {
        let names: [&[u8]; 6] = [
            b"a.example.test",
            b"b.example.test",
            b"*.wild.example.test",
            b"m.example.test",
            b"a-name-of-more-than-thirty-bytes.www.test",
            b"*.a-suffix-of-more-than-thirty-bytes.www.test",
        ];
        let addresses: [&[u8]; 2] =
            [&[192, 0, 2, 1], &[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]];
        let names = names.map(|name| PresentedIdentifier::parse_dns(name).unwrap());
        let addresses =
            addresses.map(|octets| PresentedIdentifier::from_address_octets(octets).unwrap());
        IdentifierSet::build(names.into_iter().chain(addresses)).unwrap().as_bytes().to_vec()
    }

    /// Returns the first line of sixteen bytes that differs.
    fn difference(made: &[u8], committed: &[u8]) -> String {
        let lines = made.chunks(16).zip(committed.chunks(16));
        let Some((number, (new, old))) = lines.enumerate().find(|(_, (new, old))| new != old)
        else {
            return format!("{} bytes, {} committed", made.len(), committed.len());
        };
        format!("from byte {}:\n  committed {old:02x?}\n  made now  {new:02x?}", number * 16)
    }

    #[test]
    fn built_tables_equal_the_committed_ones() {
        let images = [
            ("table-fast.image", table(Layout::Fast), FAST),
            ("table-compact.image", table(Layout::Compact), COMPACT),
            ("identifiers.image", identifiers(), IDENTIFIERS),
        ];
        if env::var_os("COALESCE_BLESS").is_some() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
            for (name, made, _) in images {
                fs::write(folder.join(name), made).unwrap();
            }
            return;
        }
        for (name, made, committed) in images {
            assert!(
                made == committed,
                "{name} has changed, {}\nIf the format's VERSION is raised, tables that users keep \
                 are refused; if it is not, they are misread. Undo the change, or raise VERSION in \
                 src/trie/format.rs and run\n  COALESCE_BLESS=1 cargo test -p coalesce-core \
                 --test golden",
                difference(&made, committed),
            );
        }
    }
}
