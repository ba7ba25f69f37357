//! Images from the fuzzer's bytes: read as they are, under a fitting header, or as damage to a
//! valid one. What is accepted is read a second time by a reader that knows the format's text only,
//! and the lookups of the two are compared.

use arbitrary::{Result, Unstructured};
use coalesce_core::{Authority, AuthorityTable, IdentifierSet};

use crate::build::{build_set, build_table};
use crate::generate::{field, identifier, world};
use crate::model::{self, Host};

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Identifiers = 1,
    Table = 2,
}

/// Whatever the bytes are, an image is refused or answers as its text says.
pub fn image(data: &[u8]) {
    let _ = try_image(&mut Unstructured::new(data));
}

fn try_image(u: &mut Unstructured<'_>) -> Result<()> {
    let kind = if u.arbitrary()? { Kind::Identifiers } else { Kind::Table };
    // Queries first: what remains of the bytes is the image.
    let mut queries: Vec<Vec<u8>> = (0..4).map(|_| field(u)).collect::<Result<_>>()?;
    let image = match u.int_in_range(0..=3)? {
        0 => u.bytes(u.len())?.to_vec(),
        1 => under_a_header(kind, u)?,
        _ => damaged(kind, u)?,
    };
    let patterns = match kind {
        Kind::Identifiers if IdentifierSet::from_bytes(&image).is_ok() => read(&image),
        Kind::Table if AuthorityTable::from_bytes(&image).is_ok() => read(&image),
        _ => return Ok(()),
    };
    // RFC 9525 §6.3: no certificate presents everything, or a wildcard for several labels.
    let too_wide = |(pattern, _): &(String, u32)| pattern == "*" || pattern.starts_with("**");
    assert!(kind == Kind::Table || !patterns.iter().any(too_wide));
    // The image's own names are the queries most likely to find something.
    for (pattern, _) in patterns.iter().take(64) {
        queries.push(pattern.replace('*', "a").into_bytes());
    }
    for query in &queries {
        let Ok(host) = Authority::parse(query).map(|authority| authority.host()) else { continue };
        let (naive, _) = model::authority(query).expect("the parsers agree");
        let expected = most_specific(&patterns, &naive);
        if kind == Kind::Identifiers {
            let set = IdentifierSet::from_bytes(&image).expect("it was read before");
            let found = set.find(&host);
            assert!(found.is_none_or(|found| found < set.len()));
            assert_eq!(found, expected.map(|value| value as usize));
        } else {
            let table = AuthorityTable::from_bytes(&image).expect("it was read before");
            let found = table.lookup(&host);
            assert_eq!(found.map(|found| found.entry), expected);
            if let Some(found) = found {
                assert!((found.entry as usize) < table.len());
                assert!(table.group_policy(found.group).is_some());
            }
        }
    }
    Ok(())
}

fn most_specific(patterns: &[(String, u32)], host: &Host) -> Option<u32> {
    let ranked = |(pattern, _): &&(String, u32)| model::stands_for(pattern, host);
    let best = patterns.iter().filter(|pattern| ranked(pattern).is_some()).max_by_key(ranked);
    best.map(|(_, value)| *value)
}

/// Small counts, and as many bytes behind them as they ask for.
fn under_a_header(kind: Kind, u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut count = || u.int_in_range(0..=7_u32);
    let (nodes, addresses, values, groups) = (count()?, count()?, count()?, count()?);
    let catch_all = if u.arbitrary()? { u32::from(u.arbitrary::<u8>()?) } else { NONE };
    let pairs = if kind == Kind::Table { values + groups } else { groups };
    let sections = (nodes * 7 + addresses * 6 + pairs * 2) as usize * 4;
    // Words with their high bytes set are nearly always wrong, so one byte makes one word, and
    // what follows the sections is label bytes.
    let mut body = Vec::new();
    while body.len() < sections {
        let byte: u8 = u.arbitrary()?;
        let word = if byte == 0xff { NONE } else { u32::from(byte) };
        body.extend_from_slice(&word.to_le_bytes());
    }
    let labels = u.bytes(u.len())?;
    let mut image = b"COAL".to_vec();
    let label_len = u32::try_from(labels.len()).expect("inputs are small");
    for word in [1 << 16 | kind as u32, nodes, addresses, values, groups, label_len, catch_all] {
        image.extend_from_slice(&word.to_le_bytes());
    }
    image.extend_from_slice(&body);
    image.extend_from_slice(labels);
    Ok(image)
}

fn damaged(kind: Kind, u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut image = if kind == Kind::Identifiers {
        let names: Vec<String> =
            (0..u.int_in_range(0..=8)?).map(|_| identifier(u)).collect::<Result<_>>()?;
        build_set(&names).as_bytes().to_vec()
    } else {
        build_table(&world(u)?).as_bytes().to_vec()
    };
    for _ in 0..u.int_in_range(0..=3)? {
        let at = u.choose_index(image.len() / 4)? * 4;
        let word = match u.int_in_range(0..=3)? {
            0 => u.arbitrary()?,
            1 => NONE,
            _ => u.int_in_range(0..=31)?,
        };
        image[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }
    Ok(image)
}

/// Every pattern of a valid image with its value, by the text of the format: sections at computed
/// places, and for each node its label in front of its parent's name.
fn read(image: &[u8]) -> Vec<(String, u32)> {
    let words: Vec<u32> = image
        .chunks_exact(4)
        .map(|word| u32::from_le_bytes(word.try_into().expect("four bytes")))
        .collect();
    let [_, version_and_kind, nodes, addresses, values, groups, _, catch_all] = words[..8] else {
        panic!("a valid image has a header");
    };
    let (nodes, addresses) = (nodes as usize, addresses as usize);
    let entries = if version_and_kind & 0xffff == Kind::Table as u32 { values as usize } else { 0 };
    let addresses_at = 8 + nodes * 7;
    let labels_at = (addresses_at + addresses * 6 + (entries + groups as usize) * 2) * 4;

    let mut patterns = vec![("*".to_owned(), catch_all)];
    let mut names = vec![String::new(); nodes];
    for index in 0..nodes {
        let [_, _, first_child, children, exact, one_label, any_depth] =
            words[8 + index * 7..][..7]
        else {
            panic!("a node has seven words");
        };
        let name = names[index].clone();
        for child in first_child as usize..(first_child + children) as usize {
            let [offset, len] = words[8 + child * 7..][..2] else {
                panic!("a node has seven words");
            };
            let label = &image[labels_at + offset as usize..][..len as usize];
            let dot = if name.is_empty() { "" } else { "." };
            names[child] = String::from_utf8_lossy(label).into_owned() + dot + &name;
        }
        // What no host can be called stands for nothing, whatever values it has.
        if model::is_name(&name) {
            patterns.push((format!("*.{name}"), one_label));
            patterns.push((format!("**.{name}"), any_depth));
            patterns.push((name, exact));
        }
    }
    for index in 0..addresses {
        let at = (addresses_at + index * 6) * 4;
        let octets = &image[at + 4..at + 20];
        let address = match words[addresses_at + index * 6] {
            4 => octets.first_chunk::<4>().map(|octets| std::net::IpAddr::from(*octets)),
            _ => octets.first_chunk::<16>().map(|octets| std::net::IpAddr::from(*octets)),
        };
        let address = address.expect("sixteen octets").to_string();
        patterns.push((address, words[addresses_at + index * 6 + 5]));
    }
    patterns.retain(|(_, value)| *value != NONE);
    patterns
}
