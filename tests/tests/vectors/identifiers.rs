//! Presented identifiers × reference identifier.

use coalesce_core::{Authority, IdentifierSet, PresentedIdentifier};
use coalesce_tls::PresentedNames;
use rcgen::KeyPair;
use serde::Deserialize;

use crate::certificates::{certificate, openssl_covers, webpki_covers};
use crate::model;
use crate::report::Report;
use crate::rows::{Bytes, Presented, address, assert_distinct, read};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    row: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    #[serde(rename = "rule")]
    _rule: String,
    presented: Vec<Presented>,
    common_name: Option<String>,
    reference: Bytes,
    covered: bool,
    #[serde(rename = "why")]
    _why: Option<String>,
}

/// What this project makes of the names, without a certificate around them.
fn parsed(row: &Row) -> Vec<PresentedIdentifier<'_>> {
    row.presented.iter().filter_map(identifier).collect()
}

fn identifier(name: &Presented) -> Option<PresentedIdentifier<'_>> {
    match name {
        Presented::Dns(bytes) => PresentedIdentifier::parse_dns(bytes).ok(),
        Presented::Ip(octets) => PresentedIdentifier::from_address_octets(octets).ok(),
        Presented::Uri(_) | Presented::Email(_) => None,
    }
}

/// The frozen trie, asked by bytes and by the parsed host, as it was built and as it is read back.
fn trie(row: &Row) -> bool {
    let built = IdentifierSet::build(parsed(row)).expect("few identifiers fit");
    let set = IdentifierSet::from_bytes(built.as_bytes()).expect("what was built is whole");
    let found = set.find_authority(&row.reference.0);
    let host = Authority::parse(&row.reference.0).ok().map(|authority| authority.host());
    assert_eq!(host.and_then(|host| set.find(&host)), found, "{}", row.id);
    assert_eq!(built.find_authority(&row.reference.0), found, "{}", row.id);
    found.is_some()
}

/// Identifier by identifier.
fn linear(row: &Row) -> bool {
    let Ok(authority) = Authority::parse(&row.reference.0) else { return false };
    parsed(row).iter().any(|identifier| identifier.covers(&authority.host()))
}

/// The text of an identifier as the naive oracle takes it.
fn text(name: &Presented) -> Option<String> {
    match name {
        Presented::Dns(bytes) => {
            let text = str::from_utf8(bytes).ok().filter(|text| model::is_identifier(text))?;
            Some(text.to_ascii_lowercase())
        }
        Presented::Ip(octets) => address(octets).map(|address| address.to_string()),
        Presented::Uri(_) | Presented::Email(_) => None,
    }
}

fn oracle(row: &Row) -> bool {
    let Ok((host, _)) = model::authority(&row.reference.0) else { return false };
    row.presented.iter().filter_map(text).any(|name| model::covers(&name, &host))
}

#[test]
fn every_implementation_covers_the_same_hosts() {
    let File { row: rows } = read("identifiers");
    assert_distinct("identifiers", rows.iter().map(|row| row.id.as_str()));
    let key = KeyPair::generate().expect("a key");
    let der: Vec<Vec<u8>> = rows
        .iter()
        .map(|row| certificate(&row.presented, row.common_name.as_deref().unwrap_or("-"), &key))
        .collect();
    let mut report = Report::of("identifiers");
    let mut run = |implementation, covers: &dyn Fn(&Row, &[u8]) -> bool| {
        let shown = |covered: bool| if covered { "covered" } else { "not covered" }.to_owned();
        let answers = rows
            .iter()
            .zip(&der)
            .map(|(row, der)| (row.id.as_str(), shown(row.covered), shown(covers(row, der))));
        report.run(implementation, answers);
    };
    run("trie", &|row, _| trie(row));
    run("linear", &|row, _| linear(row));
    run("oracle", &|row, _| oracle(row));
    run("certificate", &|row, der| {
        let Ok(names) = PresentedNames::read_der(der) else { return false };
        let authority = Authority::parse(&row.reference.0);
        authority.is_ok_and(|authority| names.covering(&authority.host()).is_some())
    });
    run("webpki", &|row, der| webpki_covers(der, &row.reference.0));
    run("openssl", &|row, der| openssl_covers(der, &row.reference.0));
    report.finish();
}
