//! The decision: from the facts of a connection and the target of a request to a verdict.

use coalesce_core::Memo;
use serde::Deserialize;

use crate::build::{outcome, run, run_with};
use crate::design;
use crate::model::{
    self, Coalesce, Connect, Extra, Facts, Method, Outcome, Policy, Request, Transport, World,
};
use crate::report::Report;
use crate::rows::{Bytes, Presented, address, assert_distinct, read};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    site: Site,
    connection: Vec<Connection>,
    row: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Site {
    groups: Vec<Group>,
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    coalesce: Option<String>,
    unknown_authority: Option<String>,
    connect: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    pattern: String,
    virtual_host: String,
    group: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Connection {
    id: String,
    transport: String,
    #[serde(default)]
    certificate: Vec<Presented>,
    server_name: Option<String>,
    group: String,
    ports: Vec<u16>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    #[serde(rename = "rule")]
    _rule: String,
    connection: String,
    authority: Option<Bytes>,
    #[serde(default)]
    host: Vec<Bytes>,
    scheme: Option<Bytes>,
    method: Option<String>,
    verdict: String,
    #[serde(rename = "why")]
    _why: Option<String>,
}

/// Returns the meaning of a word of the vectors; panics for an unknown word.
fn word<T: Copy>(found: Option<&str>, words: &[(&str, T)]) -> T {
    let found = found.unwrap_or(words[0].0);
    let meaning = words.iter().find(|(word, _)| *word == found);
    meaning.unwrap_or_else(|| panic!("unknown word {found}")).1
}

impl Group {
    fn policy(&self) -> Policy {
        Policy {
            coalesce: word(
                self.coalesce.as_deref(),
                &[
                    ("certificate-and-group", Coalesce::CertificateAndGroup),
                    ("strict-server-name", Coalesce::StrictServerName),
                    ("never", Coalesce::Never),
                ],
            ),
            unknown_to_application: word(
                self.unknown_authority.as_deref(),
                &[("misdirected", false), ("hand-to-application", true)],
            ),
            connect: word(
                self.connect.as_deref(),
                &[
                    ("refuse", Connect::Refuse),
                    ("extended", Connect::Extended),
                    ("any", Connect::Any),
                ],
            ),
        }
    }
}

impl Site {
    /// Numbers the groups and virtual hosts by their positions among the groups and the entries.
    fn world(&self) -> World {
        let groups = self.groups.iter().map(|group| (self.group(&group.name), group.policy()));
        let entry = |(virtual_host, entry): (u32, &Entry)| model::Entry {
            pattern: entry.pattern.clone(),
            virtual_host,
            group: self.group(&entry.group),
        };
        World { groups: groups.collect(), entries: (0..).zip(&self.entries).map(entry).collect() }
    }

    /// Returns a group's number. A group that the site lacks gets the number of a removed group.
    fn group(&self, name: &str) -> u32 {
        let place = self.groups.iter().position(|group| group.name == name);
        u32::try_from(place.unwrap_or(self.groups.len())).expect("few groups")
    }

    fn shown(&self, outcome: &Outcome) -> String {
        match outcome {
            Outcome::VirtualHost(id) => {
                format!("serve {}", self.entries[*id as usize].virtual_host)
            }
            Outcome::Unlisted => "unlisted".to_owned(),
            Outcome::Tunnel => "tunnel".to_owned(),
            Outcome::Misdirected(reason) => format!("misdirected {reason}"),
            Outcome::Malformed(reason) => format!("malformed {reason}"),
            Outcome::Observed(..) => panic!("no group is observed"),
        }
    }
}

impl Connection {
    fn facts(&self, site: &Site) -> Facts {
        let name = |name: &Presented| match name {
            Presented::Dns(bytes) => String::from_utf8(bytes.clone()).expect("a name"),
            Presented::Ip(octets) => address(octets).expect("an address").to_string(),
            Presented::Uri(_) | Presented::Email(_) => panic!("{}: not a DNS-ID or IP-ID", self.id),
        };
        Facts {
            extra: Extra::default(),
            transport: word(
                Some(&self.transport),
                &[
                    ("tls", Transport::Tls),
                    ("cleartext", Transport::Cleartext),
                    ("gateway-http", Transport::GatewayHttp),
                    ("gateway-https", Transport::GatewayHttps),
                ],
            ),
            certificate: self.certificate.iter().map(name).collect(),
            server_name: self.server_name.clone(),
            group: site.group(&self.group),
            ports: self.ports.clone(),
        }
    }
}

impl Row {
    fn request(&self) -> Request {
        let bytes = |field: &Bytes| field.0.clone();
        Request {
            authority: self.authority.as_ref().map(bytes),
            hosts: self.host.iter().map(bytes).collect(),
            scheme: self.scheme.as_ref().map(bytes),
            method: word(
                self.method.as_deref(),
                &[
                    ("ordinary", Method::Ordinary),
                    ("connect", Method::Connect),
                    ("extended-connect", Method::ExtendedConnect),
                ],
            ),
        }
    }
}

#[test]
fn every_implementation_decides_the_same() {
    let File { site, connection: connections, row: rows } = read("decisions");
    assert_distinct("decisions", rows.iter().map(|row| row.id.as_str()));
    assert_distinct("connections", connections.iter().map(|it| it.id.as_str()));
    let world = site.world();
    let mut report = Report::of("decisions");
    let mut run_all = |name, decide: &dyn Fn(&World, &Facts, &Request) -> Outcome| {
        let answers = rows.iter().map(|row| {
            let connection = connections.iter().find(|it| it.id == row.connection);
            let connection = connection.unwrap_or_else(|| panic!("no {}", row.connection));
            let found = decide(&world, &connection.facts(&site), &row.request());
            (row.id.as_str(), row.verdict.clone(), site.shown(&found))
        });
        report.run(name, answers);
    };
    run_all("decide", &|world, facts, request| outcome(&run(world, facts, request)));
    run_all("memo", &|world, facts, request| {
        let remembered = run_with(world, facts, request, |table, connection, target| {
            let mut memo = Memo::new(connection.clone());
            let decided = memo.decide(table, 0, target);
            let remembered = memo.decide(table, 0, target);
            assert_eq!(remembered, decided);
            remembered
        });
        outcome(&remembered)
    });
    run_all("oracle", &model::decide);
    run_all("design", &design::decide);
    report.finish();
}
