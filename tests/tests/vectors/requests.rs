//! Whole requests on one connection, well-formed and malformed.

use std::collections::BTreeMap;

use coalesce_core::{
    AuthorityTable, ClientCertificates, GroupId, GroupPolicy, IdentifierSet, NamePattern,
    PresentedIdentifier, RequestTarget, ServerConnection, VirtualHostId, decide,
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

/// The host that the connection is for.
const HOST: &str = "a.example.test";

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

    /// The frames of the request, of which the list in question is coded in this way.
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

/// How a list is coded (RFC 7541 §6).
#[derive(Clone, Copy, Debug)]
enum Coding {
    /// Literals that enter no table.
    Plain,
    /// Literals that enter the dynamic table.
    Inserted,
    /// Indices, if the list is the one that entered the table last.
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

/// Answers a request once it has all of it.
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

/// A server whose certificate covers `a.example.test`, and which has `b.example.test` too.
async fn serve(io: DuplexStream) {
    let group = GroupId::new(1);
    let mut table = AuthorityTable::builder();
    table.group(group, GroupPolicy::default()).unwrap();
    for (id, name) in (0..).zip([HOST, "b.example.test"]) {
        let pattern = NamePattern::parse(name.as_bytes()).unwrap();
        table.entry(pattern, VirtualHostId::new(id), group).unwrap();
    }
    let table = table.build().unwrap();
    let presented = [PresentedIdentifier::parse_dns(HOST.as_bytes()).unwrap()];
    let presented = IdentifierSet::build(presented).unwrap();
    let connection = ServerConnection::tls(&presented, group, ClientCertificates::NotAsked, 443);
    let decide = |target: &RequestTarget<'_>| decide(&table, &connection, target);
    let mut connection = Builder::new().handshake(io, decide).await.unwrap();
    while let Some(Ok(accepted)) = connection.accept().await {
        tokio::spawn(answer(accepted));
    }
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

    /// What became of a stream, once that is known.
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
                    b"400" => "malformed",
                    b"405" => "refused",
                    other => panic!("status {}", other.escape_ascii()),
                },
                RST_STREAM if payload == PROTOCOL_ERROR.to_be_bytes() => "malformed",
                _ => continue,
            };
            self.outcomes.entry(u32::from_be_bytes([s0, s1, s2, s3])).or_insert(outcome.into());
        }
        self.outcomes[&stream].clone()
    }
}

/// What becomes of a request in each coding, beside one on the same connection that is not over.
async fn outcomes(row: &Row) -> String {
    let (near, io) = duplex(1 << 16);
    let server = tokio::spawn(serve(near));
    let mut client = Client { io, decoder: loona_hpack::Decoder::new(), outcomes: BTreeMap::new() };
    client.send(&[PREFACE, &settings(&[])].concat()).await;
    // One stream is open from the first request to the last.
    client.send(&frame(HEADERS, END_HEADERS, 1, &get_fields(HOST, "/"))).await;
    let mut found = Vec::new();
    for (stream, coding) in (3..).step_by(2).zip(Coding::ALL) {
        client.send(&row.frames(stream, coding)).await;
        found.push(client.outcome(stream).await);
    }
    client.send(&frame(DATA, END_STREAM, 1, b"content")).await;
    found.push(format!("{} beside it", client.outcome(1).await));
    found.dedup();
    drop(client);
    server.await.unwrap();
    found.join(", ")
}

#[test]
fn every_request_has_its_outcome_and_the_connection_lives() {
    let File { row: rows } = read("requests");
    assert_distinct("requests", rows.iter().map(|row| row.id.as_str()));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut report = Report::of("requests");
    let answers = rows.iter().map(|row| {
        let expected = format!("{}, served beside it", row.outcome);
        (&*row.id, expected, runtime.block_on(outcomes(row)))
    });
    report.run("coalesce-h2", answers);
    report.finish();
}
