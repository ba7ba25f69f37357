//! Images from the fuzzer's bytes: as they are, after a valid header, or as damage to a valid
//! image, mostly with a right checksum. An accepted image lists its patterns, and every lookup is
//! compared with a search through that list.

use arbitrary::{Result, Unstructured};
use coalesce_core::{Authority, AuthorityTable, IdentifierSet};

use crate::build::{LAYOUTS, build_in, build_set};
use crate::format::repair;
use crate::generate::{field, identifier, world};
use crate::model::{self, Host};

/// Checks that any bytes are refused, or that the image finds exactly what it lists.
pub fn image(data: &[u8]) {
    let _ = try_image(&mut Unstructured::new(data));
}

fn try_image(u: &mut Unstructured<'_>) -> Result<()> {
    // Queries come first, because the rest of the bytes is the image.
    let mut queries: Vec<Vec<u8>> = (0..4).map(|_| field(u)).collect::<Result<_>>()?;
    let known = u.arbitrary()?;
    let image = match u.int_in_range(0..=5)? {
        0 => u.bytes(u.len())?.to_vec(),
        1 => under_a_header(u)?,
        _ => damaged(u)?,
    };
    if let Ok(table) = AuthorityTable::from_bytes(&image) {
        let mut patterns = Vec::new();
        for entry in table.entries() {
            let pattern = entry.pattern.as_pattern().expect("it was read");
            let found = table.get(&pattern).map(|found| (found.virtual_host, found.group));
            assert_eq!(found, Some((entry.virtual_host, entry.group)), "{pattern}");
            assert!(table.group_policy(entry.group).is_some());
            patterns.push((pattern.to_string(), (entry.virtual_host, entry.group)));
        }
        assert_eq!(patterns.len(), table.len());
        ask_about(&patterns, &mut queries);
        for query in &queries {
            let expected = most_specific(&patterns, query);
            let found = table.lookup_authority(query);
            assert_eq!(found.map(|found| (found.virtual_host, found.group)), expected);
            let parsed = Authority::parse(query).ok().map(|authority| authority.host());
            assert_eq!(parsed.and_then(|host| table.lookup(&host)), found);
        }
        for (id, policy) in table.groups() {
            assert_eq!(table.group_policy(id), Some(policy));
        }
    } else if let Ok(set) = IdentifierSet::from_bytes(&image) {
        let numbered = set.identifiers().enumerate();
        let patterns: Vec<_> = numbered.map(|(number, it)| (it.to_string(), number)).collect();
        assert_eq!(patterns.len(), set.len());
        // RFC 9525 §6.3: a certificate cannot present everything, or a wildcard for several labels.
        assert!(!patterns.iter().any(|(it, _)| it == "*" || it.starts_with("**")));
        ask_about(&patterns, &mut queries);
        for query in &queries {
            let found = set.find_authority(query);
            assert_eq!(found, most_specific(&patterns, query));
            let parsed = Authority::parse(query).ok().map(|authority| authority.host());
            assert_eq!(parsed.and_then(|host| set.find(&host)), found);
        }
    } else if known {
        trusted(&image, &queries);
    }
    Ok(())
}

/// Looks names up in bytes that are trusted without a check. Only a panic is a fault.
fn trusted(image: &[u8], queries: &[Vec<u8>]) {
    let Some(sum) = image.get(8..).and_then(|rest| rest.first_chunk()) else { return };
    let sum = u64::from_le_bytes(*sum);
    let Ok(table) = AuthorityTable::from_trusted_bytes(image, sum) else { return };
    for query in queries {
        table.lookup_authority(query);
        if let Ok(authority) = Authority::parse(query) {
            table.lookup(&authority.host());
        }
    }
    let shown: Vec<String> =
        table.entries().take(64).map(|entry| entry.pattern.to_string()).collect();
    for text in shown {
        table.lookup_authority(text.as_bytes());
    }
}

/// Adds the image's own names to the queries, because they are the most likely to be found.
fn ask_about<T>(patterns: &[(String, T)], queries: &mut Vec<Vec<u8>>) {
    for (pattern, _) in patterns.iter().take(32) {
        let host = pattern.trim_start_matches("**.").trim_start_matches("*.");
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        queries.push(format!("x.{host}:1").into_bytes());
        queries.push(format!("x.y.{host}.").into_bytes());
        queries.push(host.to_ascii_uppercase().into_bytes());
    }
}

fn most_specific<T: Copy>(patterns: &[(String, T)], query: &[u8]) -> Option<T> {
    let host: Host = model::authority(query).ok()?.0;
    let ranked = |(pattern, _): &&(String, T)| model::match_rank(pattern, &host);
    let best = patterns.iter().filter(|pattern| ranked(pattern).is_some()).max_by_key(ranked);
    best.map(|(_, value)| *value)
}

/// Makes a header with small counts, and as many bytes after it as the counts require.
fn under_a_header(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut image = b"COAL".to_vec();
    let (kind, layout) = (u.int_in_range(1..=3_u8)?, u.int_in_range(1..=2_u8)?);
    image.extend([4, kind, layout, 0]);
    image.resize(16, 0);
    for _ in 0..20 {
        image.extend(u.int_in_range(0..=7_u32)?.to_le_bytes());
    }
    image.extend(u.bytes(u.len())?);
    repair(&mut image);
    Ok(image)
}

fn damaged(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut image = if u.arbitrary()? {
        let names: Vec<String> =
            (0..u.int_in_range(0..=8)?).map(|_| identifier(u)).collect::<Result<_>>()?;
        build_set(&names).as_bytes().to_vec()
    } else {
        let mut world = world(u)?;
        // Virtual hosts and groups that do not fit in one word together.
        if u.arbitrary()? {
            world.entries.iter_mut().for_each(|entry| entry.virtual_host ^= u32::MAX);
        }
        build_in(&world, *u.choose(&LAYOUTS)?).as_bytes().to_vec()
    };
    let whole = image.clone();
    for _ in 0..u.int_in_range(0..=4)? {
        let at = u.choose_index(image.len())?;
        match u.int_in_range(0..=3)? {
            0 => image[at] ^= 1 << u.int_in_range(0..=7)?,
            1 => image[at] = u.arbitrary()?,
            2 => {
                let at = at / 4 * 4;
                let word: u32 =
                    if u.arbitrary()? { u.arbitrary()? } else { u.int_in_range(0..=31)? };
                let end = image.len().min(at + 4);
                image[at..end].copy_from_slice(&word.to_le_bytes()[..end - at]);
            }
            _ => {
                let to = u.choose_index(image.len())?;
                image.swap(at, to);
            }
        }
    }
    if u.arbitrary()? {
        repair(&mut image);
    } else if image != whole {
        // Any damage must be found.
        let table = AuthorityTable::from_bytes(&image);
        assert!(table.is_err() && IdentifierSet::from_bytes(&image).is_err());
    }
    Ok(image)
}
