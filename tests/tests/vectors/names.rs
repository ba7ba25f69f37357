//! DNS names: those that this project accepts, and those that the reader of the ClientHello
//! accepts.

use coalesce_core::{DnsName, NamePattern};
use rustls_pki_types::DnsName as ServerName;
use serde::Deserialize;

use crate::model;
use crate::report::Report;
use crate::rows::{Bytes, assert_distinct, read};

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
    name: Bytes,
    valid: bool,
    #[serde(rename = "why")]
    _why: Option<String>,
}

#[test]
fn every_implementation_takes_the_same_names() {
    let File { row: rows } = read("names");
    assert_distinct("names", rows.iter().map(|row| row.id.as_str()));
    let mut report = Report::of("names");
    let mut run = |implementation, takes: fn(&[u8]) -> bool| {
        let shown = |valid: bool| if valid { "valid" } else { "invalid" }.to_owned();
        let answers =
            rows.iter().map(|row| (row.id.as_str(), shown(row.valid), shown(takes(&row.name.0))));
        report.run(implementation, answers);
    };
    run("coalesce", |name| DnsName::parse(name).is_ok());
    // A name is valid or not independently of where it occurs.
    run("table entry", |name| matches!(NamePattern::parse(name), Ok(NamePattern::Exact(_))));
    run("oracle", |name| str::from_utf8(name).is_ok_and(model::is_name));
    run("rustls", |name| ServerName::try_from(name).is_ok());
    report.finish();
}
