//! Images that are committed as files: an old image is read as ever, and a new one is made byte for
//! byte as before. Whoever changes the layout sees it in `golden/fingerprint.txt`, raises the
//! format's version, and makes the files anew:
//!
//! ```text
//! COALESCE_BLESS=1 cargo test -p coalesce-core --test golden
//! ```

use coalesce_core::{
    Authority, AuthorityTable, Connection, GroupId, IdentifierSet, Misdirected, RequestTarget,
    Verdict, VirtualHostId, decide,
};

const TABLE: &[u8] = include_bytes!("golden/table.image");
const IDENTIFIERS: &[u8] = include_bytes!("golden/identifiers.image");

/// Entry and group that the table's image answers each host with; virtual hosts count from ten.
const LOOKUPS: &[(&str, Option<(u32, u32)>)] = &[
    ("a.example.test", Some((0, 1))),
    ("A.Example.TEST.", Some((0, 1))),
    ("b.example.test", Some((1, 1))),
    ("x.wild.example.test", Some((2, 1))),
    ("x.y.wild.example.test", Some((6, 1))),
    ("m.example.test", Some((3, 2))),
    ("192.0.2.1", Some((4, 1))),
    ("[2001:db8::1]", Some((5, 1))),
    ("deep.below.example.test", Some((6, 1))),
    ("192.0.2.2", None),
    ("example.test", None),
];

/// The number of the identifier that covers each host.
const COVERED: &[(&str, Option<usize>)] = &[
    ("a.example.test", Some(0)),
    ("b.example.test", Some(1)),
    ("x.wild.example.test", Some(2)),
    ("x.y.wild.example.test", None),
    ("m.example.test", Some(3)),
    ("192.0.2.1", Some(4)),
    ("[2001:db8::1]", Some(5)),
    ("cdn.example.test", None),
];

#[test]
fn committed_images_are_read_as_ever() {
    let table = AuthorityTable::from_bytes(TABLE).unwrap();
    for (text, expected) in LOOKUPS {
        let found = table.lookup(&Authority::parse(text.as_bytes()).unwrap().host());
        assert_eq!(found.map(|found| (found.entry, found.group.get())), *expected, "{text}");
        assert!(found.is_none_or(|found| found.virtual_host.get() == found.entry + 10));
    }
    let identifiers = IdentifierSet::from_bytes(IDENTIFIERS).unwrap();
    for (text, expected) in COVERED {
        let host = Authority::parse(text.as_bytes()).unwrap().host();
        assert_eq!(identifiers.find(&host), *expected, "{text}");
    }
    let connection = Connection::tls(identifiers, GroupId::new(1), &[443]);
    let served = decide(&table, &connection, &RequestTarget::https(b"b.example.test"));
    let Verdict::Serve(proof) = served else { panic!("{served:?}") };
    assert_eq!(proof.virtual_host(), Some(VirtualHostId::new(11)));
    let refused = decide(&table, &connection, &RequestTarget::https(b"m.example.test"));
    assert_eq!(refused, Verdict::Misdirected(Misdirected::Group));
}

#[cfg(feature = "alloc")]
mod made_today {
    use std::fmt::Write as _;
    use std::path::Path;
    use std::{env, fs};

    use coalesce_core::{CoalescePolicy, GroupPolicy, NamePattern, PresentedIdentifier};

    use super::*;

    const FINGERPRINT: &str = include_str!("golden/fingerprint.txt");

    /// Every kind of pattern, both families of address, two groups with different policies.
    fn table() -> Vec<u8> {
        let mut strict = GroupPolicy::default();
        strict.coalesce = CoalescePolicy::StrictServerName;
        let mut table = AuthorityTable::builder();
        table.group(GroupId::new(1), GroupPolicy::default()).unwrap();
        table.group(GroupId::new(2), strict).unwrap();
        let entries = [
            ("a.example.test", 1),
            ("b.example.test", 1),
            ("*.wild.example.test", 1),
            ("m.example.test", 2),
            ("192.0.2.1", 1),
            ("2001:db8::1", 1),
            ("**.example.test", 1),
        ];
        for (number, (text, group)) in (0..).zip(entries) {
            let pattern = NamePattern::parse(text.as_bytes()).unwrap();
            table.entry(pattern, VirtualHostId::new(number + 10), GroupId::new(group)).unwrap();
        }
        table.build().unwrap().as_bytes().to_vec()
    }

    fn identifiers() -> Vec<u8> {
        let names: [&[u8]; 4] =
            [b"a.example.test", b"b.example.test", b"*.wild.example.test", b"m.example.test"];
        let addresses: [&[u8]; 2] =
            [&[192, 0, 2, 1], &[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]];
        let names = names.map(|name| PresentedIdentifier::parse_dns(name).unwrap());
        let addresses =
            addresses.map(|octets| PresentedIdentifier::from_address_octets(octets).unwrap());
        IdentifierSet::build(names.into_iter().chain(addresses)).unwrap().as_bytes().to_vec()
    }

    /// Sixteen bytes a line, so that a diff shows which words have changed.
    fn fingerprint(images: &[(&str, &[u8])]) -> String {
        let mut text = String::new();
        for (name, image) in images {
            writeln!(text, "{name}: {} bytes", image.len()).unwrap();
            for (number, line) in image.chunks(16).enumerate() {
                write!(text, "{:04x} ", number * 16).unwrap();
                for (at, byte) in line.iter().enumerate() {
                    let gap = if at % 4 == 0 { " " } else { "" };
                    write!(text, "{gap}{byte:02x}").unwrap();
                }
                text.push('\n');
            }
        }
        text
    }

    #[test]
    fn todays_images_are_the_committed_ones() {
        let (table, identifiers) = (table(), identifiers());
        let shown = fingerprint(&[("table", &table), ("identifiers", &identifiers)]);
        if env::var_os("COALESCE_BLESS").is_some() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
            fs::write(folder.join("table.image"), table).unwrap();
            fs::write(folder.join("identifiers.image"), identifiers).unwrap();
            fs::write(folder.join("fingerprint.txt"), shown).unwrap();
            return;
        }
        assert_eq!(shown, FINGERPRINT);
        assert_eq!(table, TABLE);
        assert_eq!(identifiers, IDENTIFIERS);
    }
}
