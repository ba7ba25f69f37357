//! The authority of a request.

use coalesce_core::{Authority, Host, Malformed};
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
    authority: Bytes,
    kind: Option<String>,
    host: Option<String>,
    port: Option<u16>,
    error: Option<String>,
    #[serde(rename = "why")]
    _why: Option<String>,
}

impl Row {
    fn expected(&self) -> String {
        match (&self.kind, &self.host, &self.error) {
            (None, None, Some(error)) if self.port.is_none() => format!("error {error}"),
            (Some(kind), Some(host), None) if kind != "other" => shown(kind, host, self.port),
            (Some(kind), None, None) if kind == "other" => shown(kind, "", self.port),
            _ => panic!("{} has neither a kind with its host nor an error alone", self.id),
        }
    }
}

fn shown(kind: &str, host: &str, port: Option<u16>) -> String {
    format!("{kind} {host} {}", port.map_or_else(|| "-".to_owned(), |port| port.to_string()))
}

fn coalesce(field: &[u8]) -> String {
    match Authority::parse(field) {
        Ok(authority) => {
            let host = authority.host();
            let (kind, text) = match host {
                Host::Name(name) => ("name", name.to_string()),
                Host::Ip(_) => ("ip", host.to_string()),
                _ => ("other", String::new()),
            };
            shown(kind, &text, authority.port())
        }
        Err(error) => Malformed::Authority(error).code().replacen("authority_", "error ", 1),
    }
}

fn oracle(field: &[u8]) -> String {
    match model::authority(field) {
        Ok((model::Host::Name(name), port)) => shown("name", &name, port),
        Ok((model::Host::Ip(address), port)) if address.is_ipv6() => {
            shown("ip", &format!("[{address}]"), port)
        }
        Ok((model::Host::Ip(address), port)) => shown("ip", &address.to_string(), port),
        Ok((model::Host::Other(_), port)) => shown("other", "", port),
        Err(error) => format!("error {error}"),
    }
}

#[test]
fn every_implementation_reads_the_same_authority() {
    let File { row: rows } = read("authorities");
    assert_distinct("authorities", rows.iter().map(|row| row.id.as_str()));
    let mut report = Report::of("authorities");
    let mut run = |implementation, of: fn(&[u8]) -> String| {
        let answers = rows.iter().map(|row| (&*row.id, row.expected(), of(&row.authority.0)));
        report.run(implementation, answers);
    };
    run("coalesce", coalesce);
    run("oracle", oracle);
    report.finish();
}
