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

/// A certificate, with hosts that it covers and hosts that it does not.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Certificate {
    presented: Vec<Presented>,
    #[serde(default)]
    covers: Vec<Bytes>,
    #[serde(default)]
    leaves: Vec<Bytes>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Certificates {
    certificate: Vec<Certificate>,
}

impl Certificate {
    /// One row for each host.
    fn rows(&self) -> impl Iterator<Item = Row> {
        let covered = self.covers.iter().map(|host| (host, true));
        covered.chain(self.leaves.iter().map(|host| (host, false))).map(|(host, covered)| Row {
            id: format!("{} × {}", shown(&self.presented), host.0.escape_ascii()),
            _rule: String::new(),
            presented: self.presented.clone(),
            common_name: None,
            reference: host.clone(),
            covered,
            _why: None,
        })
    }
}

/// The names of a certificate in a line, for messages.
fn shown(presented: &[Presented]) -> String {
    let shown = presented.iter().map(|name| match name {
        Presented::Dns(bytes) => format!("dns:{}", bytes.escape_ascii()),
        Presented::Ip(octets) => match address(octets) {
            Some(address) => format!("ip:{address}"),
            None => format!("ip:{octets:x?}"),
        },
        Presented::Uri(bytes) => format!("uri:{}", bytes.escape_ascii()),
        Presented::Email(bytes) => format!("email:{}", bytes.escape_ascii()),
    });
    shown.collect::<Vec<_>>().join(" ")
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

/// Looks a host up in the frozen trie: by bytes and by parsed host, as built and as read back.
fn trie(row: &Row) -> bool {
    let built = IdentifierSet::build(parsed(row)).expect("few identifiers fit");
    let set = IdentifierSet::from_bytes(built.as_bytes()).expect("what was built is whole");
    let found = set.find_authority(&row.reference.0);
    let host = Authority::parse(&row.reference.0).ok().map(|authority| authority.host());
    assert_eq!(host.and_then(|host| set.find(&host)), found, "{}", row.id);
    assert_eq!(built.find_authority(&row.reference.0), found, "{}", row.id);
    found.is_some()
}

/// Checks the identifiers one by one.
fn linear(row: &Row) -> bool {
    let Ok(authority) = Authority::parse(&row.reference.0) else { return false };
    parsed(row).iter().any(|identifier| identifier.covers(&authority.host()))
}

/// Returns an identifier in the text form of the naive oracle.
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

/// Runs the rows of a file, on other people's libraries too if `others` says so.
fn run(file: &'static str, rows: &[Row], others: bool) {
    assert_distinct(file, rows.iter().map(|row| row.id.as_str()));
    let key = KeyPair::generate().expect("a key");
    let der: Vec<Vec<u8>> = rows
        .iter()
        .map(|row| certificate(&row.presented, row.common_name.as_deref().unwrap_or("-"), &key))
        .collect();
    let mut report = Report::of(file);
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
    if others {
        run("webpki", &|row, der| webpki_covers(der, &row.reference.0));
        run("openssl", &|row, der| openssl_covers(der, &row.reference.0));
    }
    report.finish();
}

#[test]
fn every_implementation_covers_the_same_hosts() {
    let File { row: rows } = read("identifiers");
    run("identifiers", &rows, true);
}

#[test]
fn every_certificate_covers_its_hosts_and_no_others() {
    let Certificates { certificate } = read("certificates");
    let rows: Vec<Row> = certificate.iter().flat_map(Certificate::rows).collect();
    run("certificates", &rows, false);
}
