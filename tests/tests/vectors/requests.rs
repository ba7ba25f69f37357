//! Whole requests on one connection, well-formed and malformed.

use std::collections::BTreeMap;

use coalesce_core::{
    AuthorityTable, ClientCertificates, GroupId, GroupPolicy, IdentifierSet, NamePattern, Ports,
    PresentedIdentifier, RequestTarget, Scheme, ServerConnection, VirtualHostId, decide,
};
use coalesce_h2::{Accepted, Builder};
use coalesce_tests::raw::{
    DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PREFACE, PROTOCOL_ERROR, RST_STREAM, frame,
    get_fields, literal, settings,
};
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use crate::report::Report;
use crate::rows::{Bytes, assert_distinct, read};

type Field = (Bytes, Bytes);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    row: Vec<Row>,
    target: Vec<Targets>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    #[serde(rename = "rule")]
    _rule: String,
    fields: Option<Vec<Field>>,
    more: Option<Vec<Field>>,
    trailers: Option<Vec<Field>>,
    outcome: String,
    #[serde(rename = "why")]
    _why: Option<String>,
}

/// Targets that have one outcome.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Targets {
    id: String,
    #[serde(rename = "rule")]
    _rule: String,
    method: Option<String>,
    scheme: Option<String>,
    #[serde(default)]
    authorities: Vec<Bytes>,
    #[serde(default)]
    hosts: Vec<Bytes>,
    #[serde(default)]
    both: Vec<Vec<Bytes>>,
    outcome: String,
    #[serde(rename = "why")]
    _why: Option<String>,
}

impl Targets {
    /// The field list of a request for each target.
    fn lists(&self) -> Vec<Vec<Field>> {
        let field = |name: &str, value: &[u8]| (Bytes(name.into()), Bytes(value.into()));
        let authority = |value: &Bytes| field(":authority", &value.0);
        let host = |value: &Bytes| field("host", &value.0);
        let mut targets: Vec<(Vec<Field>, Vec<Field>)> = Vec::new();
        targets.extend(self.authorities.iter().map(|value| (vec![authority(value)], Vec::new())));
        targets.extend(self.hosts.iter().map(|value| (Vec::new(), vec![host(value)])));
        targets.extend(self.both.iter().map(|values| {
            let (first, rest) = values.split_at(values.len().min(1));
            (first.iter().map(authority).collect(), rest.iter().map(host).collect())
        }));
        let is_tunnel = self.method.as_deref() == Some("CONNECT");
        let method = self.method.as_deref().unwrap_or("GET").as_bytes();
        let scheme = self.scheme.as_deref().or((!is_tunnel).then_some("https"));
        let lists = targets.into_iter().map(|(authority, hosts)| {
            let mut list = vec![field(":method", method)];
            list.extend(scheme.map(|scheme| field(":scheme", scheme.as_bytes())));
            list.extend(authority);
            list.extend((!is_tunnel).then(|| field(":path", b"/")));
            list.extend(hosts);
            list
        });
        lists.collect()
    }
}

/// The host that the connection is for.
const HOST: &str = "a.example.test";
const GROUP: GroupId = GroupId::new(1);

impl Row {
    /// All fields of the request.
    fn fields(&self) -> Vec<Field> {
        let field = |name: &str, value: &str| (Bytes(name.into()), Bytes(value.into()));
        match (&self.fields, &self.more, &self.trailers) {
            (Some(fields), None, None) => fields.clone(),
            (None, more, trailers) => {
                let method = if trailers.is_some() { "POST" } else { "GET" };
                let mut fields = vec![
                    field(":method", method),
                    field(":scheme", "https"),
                    field(":authority", HOST),
                    field(":path", "/"),
                ];
                fields.extend(more.iter().flatten().cloned());
                fields
            }
            _ => panic!("{} has its fields twice", self.id),
        }
    }

    /// Returns the frames of the request, with the list under test in this coding.
    fn frames(&self, stream: u32, coding: Coding) -> Vec<u8> {
        let fields = self.fields();
        let Some(trailers) = &self.trailers else {
            return frame(HEADERS, END_HEADERS | END_STREAM, stream, &coding.block(&fields));
        };
        let request = frame(HEADERS, END_HEADERS, stream, &Coding::Plain.block(&fields));
        let content = frame(DATA, 0, stream, b"content");
        let flags = END_HEADERS | END_STREAM;
        let trailers = frame(HEADERS, flags, stream, &coding.block(trailers));
        [request, content, trailers].concat()
    }
}

/// The coding of a list (RFC 7541 §6).
#[derive(Clone, Copy, Debug)]
enum Coding {
    /// Literals that enter no table.
    Plain,
    /// Literals that enter the dynamic table.
    Inserted,
    /// Indices, if the list entered the table last.
    Indexed,
}

impl Coding {
    const ALL: [Self; 3] = [Self::Plain, Self::Inserted, Self::Indexed];

    fn block(self, fields: &[Field]) -> Vec<u8> {
        let newest_first = fields.iter().zip((0..u8::try_from(fields.len()).unwrap()).rev());
        let coded = |((Bytes(name), Bytes(value)), nth): (&Field, u8)| match self {
            Self::Plain => literal(name, value),
            Self::Inserted => [&[0x40], &literal(name, value)[1..]].concat(),
            Self::Indexed => vec![0x80 | (62 + nth)],
        };
        newest_first.flat_map(coded).collect()
    }
}

/// Answers a request after its end.
async fn answer(accepted: Accepted) {
    let (request, mut respond, _) = accepted.into_parts();
    let mut body = request.into_body();
    while let Some(data) = body.data().await {
        if data.is_err() {
            return;
        }
    }
    if body.trailers().await.is_ok() {
        let _ = respond.send_response(http::Response::new(()), true);
    }
}

/// A server with these hosts, on a connection that may serve what `connection` says.
async fn serve(io: DuplexStream, hosts: &[&str], connection: ServerConnection<'_>) {
    let mut table = AuthorityTable::builder();
    table.group(GROUP, GroupPolicy::default()).unwrap();
    for (id, name) in (0..).zip(hosts) {
        let pattern = NamePattern::parse(name.as_bytes()).unwrap();
        table.entry(pattern, VirtualHostId::new(id), GROUP).unwrap();
    }
    let table = table.build().unwrap();
    let decide = |target: &RequestTarget<'_>| decide(&table, &connection, target);
    let mut connection = Builder::new().handshake(io, decide).await.unwrap();
    while let Some(Ok(accepted)) = connection.accept().await {
        tokio::spawn(answer(accepted));
    }
}

/// A server whose certificate covers `a.example.test`, and which has `b.example.test` too.
async fn serve_one(io: DuplexStream) {
    let presented = [PresentedIdentifier::parse_dns(HOST.as_bytes()).unwrap()];
    let presented = IdentifierSet::build(presented).unwrap();
    let connection = ServerConnection::tls(&presented, GROUP, ClientCertificates::NotAsked, 443);
    serve(io, &[HOST, "b.example.test"], connection).await;
}

/// A server of every host on every port, behind a trusted gateway.
async fn serve_all(io: DuplexStream) {
    let ports: Ports<'static> = (1..=u16::MAX).collect();
    let clients = ClientCertificates::NotAsked;
    let connection = ServerConnection::trusted_gateway(Scheme::Https, GROUP, clients, ports);
    serve(io, &["*"], connection).await;
}

/// What a client gets.
struct Client {
    io: DuplexStream,
    decoder: loona_hpack::Decoder<'static>,
    outcomes: BTreeMap<u32, String>,
}

impl Client {
    async fn send(&mut self, bytes: &[u8]) {
        self.io.write_all(bytes).await.unwrap();
    }

    /// Waits for the outcome of a stream.
    async fn outcome(&mut self, stream: u32) -> String {
        while !self.outcomes.contains_key(&stream) {
            let mut header = [0; 9];
            if self.io.read_exact(&mut header).await.is_err() {
                return "the connection ends".into();
            }
            let [l0, l1, l2, kind, _, s0, s1, s2, s3] = header;
            let mut payload = vec![0; u32::from_be_bytes([0, l0, l1, l2]) as usize];
            self.io.read_exact(&mut payload).await.unwrap();
            let outcome = match kind {
                GOAWAY => return "GOAWAY".into(),
                HEADERS => match &*self.decoder.decode(&payload).unwrap()[0].1 {
                    b"200" => "served",
                    b"421" => "misdirected",
                    b"400" => "bad_request",
                    b"405" => "refused",
                    other => panic!("status {}", other.escape_ascii()),
                },
                RST_STREAM if payload == PROTOCOL_ERROR.to_be_bytes() => "reset",
                _ => continue,
            };
            self.outcomes.entry(u32::from_be_bytes([s0, s1, s2, s3])).or_insert(outcome.into());
        }
        self.outcomes[&stream].clone()
    }
}

/// Returns the outcomes of requests, each while another stream of the connection is open.
async fn outcomes(
    server: impl Future<Output = ()> + Send + 'static,
    io: DuplexStream,
    requests: impl Iterator<Item = Vec<u8>>,
) -> Vec<String> {
    let server = tokio::spawn(server);
    let mut client = Client { io, decoder: loona_hpack::Decoder::new(), outcomes: BTreeMap::new() };
    client.send(&[PREFACE, &settings(&[])].concat()).await;
    // One stream stays open from the first request to the last.
    client.send(&frame(HEADERS, END_HEADERS, 1, &get_fields(HOST, "/"))).await;
    let mut found = Vec::new();
    for (stream, request) in (3..).step_by(2).zip(requests) {
        client.send(&request).await;
        found.push(client.outcome(stream).await);
    }
    client.send(&frame(DATA, END_STREAM, 1, b"content")).await;
    found.push(format!("{} beside it", client.outcome(1).await));
    drop(client);
    server.await.unwrap();
    found
}

/// Returns the outcome of a request in each coding.
async fn outcomes_of_row(row: &Row) -> String {
    let (near, io) = duplex(1 << 16);
    let requests = (3..).step_by(2).zip(Coding::ALL);
    let requests = requests.map(|(stream, coding)| row.frames(stream, coding));
    let mut found = outcomes(serve_one(near), io, requests).await;
    if row.outcome == "malformed" {
        for outcome in &mut found {
            if ["bad_request", "reset"].contains(&&**outcome) {
                "malformed".clone_into(outcome);
            }
        }
    }
    found.dedup();
    found.join(", ")
}

async fn outcome_of_target(list: &[Field]) -> String {
    let (near, io) = duplex(1 << 16);
    let flags = END_HEADERS | END_STREAM;
    let request = frame(HEADERS, flags, 3, &Coding::Plain.block(list));
    outcomes(serve_all(near), io, std::iter::once(request)).await.join(", ")
}

/// A field list in a line, for messages.
fn shown(list: &[Field]) -> String {
    let shown = list.iter().map(|(Bytes(name), Bytes(value))| {
        format!("{}: {}", name.escape_ascii(), value.escape_ascii())
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[test]
fn every_request_has_its_outcome_and_the_connection_lives() {
    let File { row: rows, target: targets } = read("requests");
    let ids = rows.iter().map(|row| &row.id).chain(targets.iter().map(|targets| &targets.id));
    assert_distinct("requests", ids.map(String::as_str));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut report = Report::of("requests");
    let of_rows = rows.iter().map(|row| {
        let found = runtime.block_on(outcomes_of_row(row));
        (row.id.clone(), format!("{}, served beside it", row.outcome), found)
    });
    let of_targets = targets.iter().flat_map(|targets| {
        targets.lists().into_iter().map(|list| {
            let found = runtime.block_on(outcome_of_target(&list));
            let id = format!("{}, {}", targets.id, shown(&list));
            (id, format!("{}, served beside it", targets.outcome), found)
        })
    });
    let all: Vec<_> = of_rows.chain(of_targets).collect();
    let all = all.iter().map(|(id, expected, found)| (&**id, expected.clone(), found.clone()));
    report.run("coalesce-h2", all);
    report.finish();
}
