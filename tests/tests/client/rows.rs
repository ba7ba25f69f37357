//! The matrix: which requests share a connection. Each row is one client that asks hosts one after
//! the other.
//!
//! In `asks`, `b@x` is a request for `b` in the partition `x`. In `connections`, the requests of a
//! connection are together, and `!b` is a request without an answer. `codes` are the reasons that
//! the trail of the last request has.

use coalesce_client::{Client, ClientBuilder, Coalesce};

use crate::asking::{builder, fixed, in_partition, read, trusting};
use crate::certificates;
use crate::origin::{Origin, Script};
use crate::place::{Place, name};

struct Row {
    rule: &'static str,
    /// The servers, by the numbers of their addresses.
    servers: fn() -> Vec<(u8, Script)>,
    hosts: &'static [(&'static str, &'static [u8])],
    client: fn(ClientBuilder) -> ClientBuilder,
    asks: &'static str,
    connections: &'static str,
    codes: &'static [&'static str],
}

/// One server at the first address, with a certificate for `a` and `b`.
fn both() -> Script {
    Script::new(&["a", "b"])
}

const DEFAULT: Row = Row {
    rule: "",
    servers: || vec![(1, both())],
    hosts: &[("a", &[1]), ("b", &[1]), ("c", &[1])],
    client: |builder| builder,
    asks: "a b",
    connections: "a b",
    codes: &[],
};

const CERTIFICATES: &[Row] = &[
    Row { rule: "one certificate and one address share", ..DEFAULT },
    Row {
        rule: "a wildcard covers hosts that the client has not seen",
        servers: || vec![(1, Script::new(&["*"]))],
        asks: "a b c a",
        connections: "a b c a",
        ..DEFAULT
    },
    Row {
        rule: "a wildcard covers one label",
        servers: || vec![(1, Script::new(&["*"]).certificate(&["b.a"]))],
        hosts: &[("a", &[1]), ("b.a", &[1])],
        asks: "a b.a",
        connections: "a | b.a",
        codes: &["certificate"],
        ..DEFAULT
    },
    Row {
        rule: "another certificate at the same address",
        servers: || vec![(1, Script::new(&["a"]).certificate(&["b"]))],
        connections: "a | b",
        codes: &["certificate"],
        ..DEFAULT
    },
    Row {
        rule: "the connection of the wider certificate is used for both",
        servers: || vec![(1, Script::new(&["a"]).certificate(&["a", "b"]))],
        asks: "a b a",
        connections: "a a | b",
        ..DEFAULT
    },
    Row {
        rule: "a server without a certificate for the host gets no request",
        servers: || vec![(1, Script::new(&["a"]))],
        connections: "a | !b",
        ..DEFAULT
    },
    Row {
        rule: "a verifier that cannot be run again",
        client: |builder| builder.tls(coalesce_client::TlsConfig::opaque(opaque())),
        connections: "a | b",
        codes: &["verifier"],
        ..DEFAULT
    },
    Row {
        rule: "an overridden handshake",
        client: |builder| builder.tls(unverified()),
        connections: "a | b",
        codes: &["handshake"],
        ..DEFAULT
    },
];

const ADDRESSES: &[Row] = &[
    Row {
        rule: "one certificate and two addresses",
        servers: || vec![(1, both()), (2, both())],
        hosts: &[("a", &[1]), ("b", &[2])],
        connections: "a | b",
        codes: &["address"],
        ..DEFAULT
    },
    Row {
        rule: "one of the addresses is enough",
        servers: || vec![(1, both()), (2, both())],
        hosts: &[("a", &[1]), ("b", &[2, 1])],
        ..DEFAULT
    },
    Row {
        rule: "0.0.0.0 names no server, and the next address does",
        hosts: &[("a", &[0, 1]), ("b", &[0, 1])],
        ..DEFAULT
    },
    Row {
        rule: "a host that is blocked by 0.0.0.0 uses no other connection",
        hosts: &[("a", &[0, 1]), ("b", &[0])],
        connections: "a | !b",
        ..DEFAULT
    },
    Row {
        rule: "a dead address is passed over",
        hosts: &[("a", &[9, 1]), ("b", &[9, 1])],
        ..DEFAULT
    },
    Row {
        rule: "a host whose only address is dead uses no other connection",
        hosts: &[("a", &[1]), ("b", &[9])],
        connections: "a | !b",
        ..DEFAULT
    },
    Row {
        rule: "a host without addresses has no answer",
        hosts: &[("a", &[1])],
        connections: "a | !b",
        ..DEFAULT
    },
];

const SETTINGS: &[Row] = &[
    Row {
        rule: "partitions share nothing",
        asks: "a b@x a@x b",
        connections: "a b | b a",
        codes: &["partition"],
        ..DEFAULT
    },
    Row {
        rule: "coalescing is off",
        client: |builder| builder.coalesce(Coalesce::Off),
        asks: "a b a b",
        connections: "a a | b b",
        codes: &["alone"],
        ..DEFAULT
    },
    Row {
        rule: "only the own origin",
        client: |builder| builder.coalesce(Coalesce::OwnOrigin),
        asks: "a b a b",
        connections: "a a | b b",
        codes: &["policy"],
        ..DEFAULT
    },
    Row {
        rule: "one host is off",
        servers: || vec![(1, Script::new(&["*"]))],
        client: |builder| builder.coalesce_for(&name("b"), Coalesce::Off),
        asks: "a b c b",
        connections: "a c | b b",
        codes: &["policy"],
        ..DEFAULT
    },
    Row {
        rule: "the connection of a host that is off carries no other host",
        servers: || vec![(1, Script::new(&["*"]))],
        client: |builder| builder.coalesce_for(&name("b"), Coalesce::Off),
        asks: "b a c",
        connections: "b | a c",
        ..DEFAULT
    },
    Row {
        rule: "HTTP/1.1 is all that the server speaks",
        servers: || vec![(1, both().http1())],
        asks: "a b a",
        connections: "a a | b",
        ..DEFAULT
    },
    Row {
        rule: "HTTP/1.1 is all that the client speaks",
        client: |builder| builder.http1_only(true),
        connections: "a | b",
        codes: &["protocol"],
        ..DEFAULT
    },
    Row {
        rule: "a server that asks for a certificate and gets none",
        servers: || vec![(1, both().asking_for_certificate())],
        ..DEFAULT
    },
    Row {
        rule: "a client certificate stays with its host",
        servers: || vec![(1, both().asking_for_certificate())],
        client: |builder| builder.tls(with_certificate()),
        connections: "a | b",
        codes: &["client_certificate"],
        ..DEFAULT
    },
    Row {
        rule: "a client certificate that no server asked for",
        client: |builder| builder.tls(with_certificate()),
        ..DEFAULT
    },
    Row {
        rule: "a client certificate that both hosts may see",
        servers: || vec![(1, Script::new(&["*"]).asking_for_certificate())],
        client: |builder| builder.tls(shown_to(&["a", "b"])),
        asks: "a b c",
        connections: "a b | c",
        codes: &["client_certificate"],
        ..DEFAULT
    },
];

const MISDIRECTED: &[Row] = &[
    Row {
        rule: "a host that the server serves alone gets a connection of its own",
        servers: || vec![(1, both().serves_alone(&["b"]))],
        asks: "a b b a",
        connections: "a b a | b b",
        ..DEFAULT
    },
    Row {
        rule: "a refusal is remembered for one host, not for others",
        servers: || vec![(1, Script::new(&["*"]).serves_alone(&["b"]))],
        asks: "a b c",
        connections: "a b c | b",
        ..DEFAULT
    },
    Row {
        rule: "a host that is refused by every connection gets its second 421",
        servers: || vec![(1, both().never_serves(&["b"]))],
        connections: "a b | b=421",
        ..DEFAULT
    },
    Row {
        rule: "a 421 for the first request of an own connection is the answer",
        servers: || vec![(1, both().never_serves(&["a"]))],
        asks: "a",
        connections: "a=421",
        ..DEFAULT
    },
];

fn opaque() -> rustls::ClientConfig {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(certificates::roots())
        .with_no_client_auth()
}

fn unverified() -> coalesce_client::TlsConfig {
    coalesce_client::TlsConfig::dangerous_without_verification().expect("a configuration")
}

fn with_certificate() -> coalesce_client::TlsConfig {
    let (chain, key) = certificates::client();
    trusting().client_certificate(chain, key).expect("a certificate")
}

fn shown_to(hosts: &[&str]) -> coalesce_client::TlsConfig {
    let hosts = hosts.iter().map(|host| name(host).parse().expect("a host"));
    with_certificate().client_certificate_hosts(hosts)
}

#[tokio::test]
async fn certificate_decides_who_shares() {
    check(CERTIFICATES).await;
}

#[tokio::test]
async fn address_decides_who_shares() {
    check(ADDRESSES).await;
}

#[tokio::test]
async fn settings_of_the_client_decide_who_shares() {
    check(SETTINGS).await;
}

#[tokio::test]
async fn misdirected_request_goes_to_a_connection_of_its_own() {
    check(MISDIRECTED).await;
}

async fn check(rows: &[Row]) {
    for row in rows {
        let place = Place::new();
        let mut servers = Vec::new();
        for (number, script) in (row.servers)() {
            servers.push(Origin::start(place.address(number), script).await);
        }
        let client = (row.client)(builder().resolver(fixed(place, row.hosts)));
        let client = client.build().expect("a client");
        let mut without_answer = Vec::new();
        let mut last = None;
        let mut refused = Vec::new();
        for ask in row.asks.split(' ') {
            match ask_one(&client, place, ask).await {
                Ok(answered) => {
                    let host = ask.split('@').next().unwrap_or(ask);
                    assert_eq!(answered.content, host, "{}: a wrong answer", row.rule);
                    if answered.status != 200 {
                        refused.push((host, answered.status));
                    }
                    last = Some(answered);
                }
                Err(_) => without_answer.push(format!("!{ask}")),
            }
        }
        let found = connections(&servers, &refused, without_answer);
        let trail = last.map(|it| it.trail);
        let shown = trail.as_ref().map(ToString::to_string).unwrap_or_default();
        assert_eq!(found, row.connections, "{}\n{shown}", row.rule);
        for code in row.codes {
            let has = trail.iter().any(|it| it.steps().iter().any(|step| step.code() == *code));
            assert!(has, "{}: no {code} in\n{shown}", row.rule);
        }
    }
}

async fn ask_one(
    client: &Client,
    place: Place,
    ask: &str,
) -> Result<crate::asking::Answered, coalesce_client::Error> {
    match ask.split_once('@') {
        Some((host, partition)) => {
            read(client.request(in_partition(&place.url(host, "/"), partition))).await
        }
        None => read(client.get(&place.url(ask, "/"))).await,
    }
}

/// Returns the hosts of the requests by connection. The last request of a host that was answered
/// with another status than 200 shows it.
fn connections(servers: &[Origin], refused: &[(&str, u16)], without_answer: Vec<String>) -> String {
    let mut groups = Vec::new();
    for server in servers {
        let log = server.log();
        for number in 0..log.connections.len() {
            let of_it = log.requests.iter().enumerate().filter(|(_, it)| it.connection == number);
            let shown = of_it.map(|(at, it)| {
                let is_last = log.requests.iter().rposition(|other| other.host == it.host);
                let status = refused.iter().find(|(host, _)| *host == it.host);
                match status.filter(|_| is_last == Some(at)) {
                    Some((_, status)) => format!("{}={status}", it.host),
                    None => it.host.clone(),
                }
            });
            let shown: Vec<String> = shown.collect();
            if !shown.is_empty() {
                groups.push(shown.join(" "));
            }
        }
    }
    groups.extend(without_answer);
    groups.join(" | ")
}
