//! The report of a command: its requests, its connections, and the decisions between them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Serialize;

/// The whole report. `coalesce get --help` documents its members, which are those of `--json`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Report {
    /// In the order of the command line.
    pub(super) requests: Vec<RequestReport>,
    /// In the order of their making.
    pub(super) connections: Vec<ConnectionReport>,
    pub(super) summary: Summary,
}

/// One request with its result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct RequestReport {
    pub(super) url: String,
    pub(super) method: String,
    /// `None` without an answer.
    pub(super) status: Option<u16>,
    /// The bytes of the content that arrived.
    pub(super) bytes: u64,
    /// The time until the end of the content, or until the failure.
    pub(super) milliseconds: u64,
    pub(super) protocol: Option<&'static str>,
    /// The connection that carried the answer.
    pub(super) connection: Option<u64>,
    pub(super) peer: Option<SocketAddr>,
    /// The code of the reason why the connection may carry the request.
    pub(super) grounds: Option<&'static str>,
    /// The number of 421 answers after which the request was sent again.
    pub(super) retries: usize,
    /// The file with the content.
    pub(super) file: Option<String>,
    pub(super) error: Option<String>,
    pub(super) trail: Vec<Step>,
    /// The number of steps that the trail leaves out, because it is limited.
    pub(super) trail_left_out: u64,
}

/// One step on the way of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Step {
    pub(super) event: Event,
    /// `None` is a connection that was being made.
    pub(super) connection: Option<u64>,
    /// A stable name of the result.
    pub(super) code: &'static str,
    pub(super) description: String,
    /// The RFC sections of the rule.
    pub(super) rule: Option<&'static str>,
}

/// The kind of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Event {
    /// A connection may carry the request, once its certificate or its address is known to fit.
    Eligible,
    /// A connection may not carry the request.
    Refused,
    Sent,
    /// The connection answered 421, so the request is sent again.
    Misdirected,
    /// The server did not process the request, so it is sent again.
    Unprocessed,
    /// The connection ended before the answer, so the request is sent again.
    Lost,
}

/// One connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct ConnectionReport {
    pub(super) connection: u64,
    /// `None` if no answer of the connection was kept.
    pub(super) peer: Option<SocketAddr>,
    pub(super) protocol: Option<&'static str>,
    /// The places in `requests`, from 0, of those that were sent on it.
    pub(super) requests: Vec<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Summary {
    pub(super) requests: usize,
    /// Requests with an answer, of any status.
    pub(super) answered: usize,
    pub(super) failed: usize,
    pub(super) connections: usize,
    /// Requests on a connection that was made for another origin.
    pub(super) shared: usize,
    /// Requests that were sent again after a 421.
    pub(super) retried: usize,
}

impl RequestReport {
    /// Returns whether another origin's connection carried the answer.
    pub(super) fn is_shared(&self) -> bool {
        self.grounds.is_some_and(|code| code != "same_origin")
    }

    /// Returns whether there is an answer, and all of its content arrived.
    pub(super) fn is_answered(&self) -> bool {
        self.status.is_some() && self.error.is_none()
    }

    /// Returns the connections to which the request was sent, in order.
    pub(super) fn sent_on(&self) -> impl Iterator<Item = u64> {
        let sent = self.trail.iter().filter(|step| step.event == Event::Sent);
        sent.filter_map(|step| step.connection)
    }
}

impl Report {
    /// Makes the report of requests whose connections have the numbers of the pool, and numbers
    /// the connections from 1 on.
    pub(super) fn new(mut requests: Vec<RequestReport>) -> Self {
        number(&mut requests);
        let connections = connections(&requests);
        let count = |is: fn(&RequestReport) -> bool| requests.iter().filter(|it| is(it)).count();
        let answered = count(RequestReport::is_answered);
        let summary = Summary {
            requests: requests.len(),
            answered,
            failed: requests.len().saturating_sub(answered),
            connections: connections.len(),
            shared: count(RequestReport::is_shared),
            retried: count(|request| request.retries > 0),
        };
        Self { requests, connections, summary }
    }
}

/// Replaces the numbers of the pool, which counts other things too, by 1 and so on.
fn number(requests: &mut [RequestReport]) {
    let steps = requests.iter().flat_map(|request| &request.trail);
    let own = requests.iter().filter_map(|request| request.connection);
    let known: BTreeMap<u64, u64> =
        steps.filter_map(|step| step.connection).chain(own).map(|number| (number, 0)).collect();
    let numbers: BTreeMap<u64, u64> = known.into_keys().zip(1..).collect();
    for request in requests {
        let steps = request.trail.iter_mut().map(|step| &mut step.connection);
        for connection in steps.chain([&mut request.connection]) {
            *connection = connection.and_then(|number| numbers.get(&number).copied());
        }
    }
}

fn connections(requests: &[RequestReport]) -> Vec<ConnectionReport> {
    let mut found: BTreeMap<u64, ConnectionReport> = BTreeMap::new();
    for (place, request) in requests.iter().enumerate() {
        let steps = request.trail.iter().filter_map(|step| step.connection);
        for number in steps.chain(request.connection) {
            found.entry(number).or_insert_with(|| ConnectionReport {
                connection: number,
                peer: None,
                protocol: None,
                requests: Vec::new(),
            });
        }
        for number in request.sent_on().chain(request.connection) {
            let Some(connection) = found.get_mut(&number) else { continue };
            if connection.requests.last() != Some(&place) {
                connection.requests.push(place);
            }
        }
        if let Some(connection) = request.connection.and_then(|number| found.get_mut(&number)) {
            connection.peer = connection.peer.or(request.peer);
            connection.protocol = connection.protocol.or(request.protocol);
        }
    }
    found.into_values().collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A step with the texts of the pool.
    pub(in crate::get) fn step(event: Event, connection: Option<u64>, code: &'static str) -> Step {
        let (description, rule) = match code {
            "same_origin" => ("the connection was made for the origin", None),
            "covered" => ("the certificate covers the host, which has the connected address", None),
            "certificate" => (
                "the certificate is not valid for the host",
                Some("RFC 9110 §4.3.4, RFC 9113 §9.1.1"),
            ),
            "connecting" => ("the connection is not made yet", Some("RFC 9113 §9.1.1")),
            "refused" => (
                "the server has answered 421 for the origin",
                Some("RFC 9110 §15.5.20, RFC 8336 §2.3"),
            ),
            "misdirected" => ("the server answered 421", Some("RFC 9110 §15.5.20")),
            other => panic!("{other}"),
        };
        Step { event, connection, code, description: description.to_owned(), rule }
    }

    fn answered(url: &str, status: u16, connection: u64, trail: Vec<Step>) -> RequestReport {
        let sent = trail.iter().rev().find(|step| step.event == Event::Sent).unwrap();
        let is_misdirected = |step: &&Step| step.event == Event::Misdirected;
        RequestReport {
            url: url.to_owned(),
            method: "GET".to_owned(),
            status: Some(status),
            bytes: 4,
            milliseconds: 12,
            protocol: Some("HTTP/2"),
            connection: Some(connection),
            peer: Some("127.0.0.1:8443".parse().unwrap()),
            grounds: Some(sent.code),
            retries: trail.iter().filter(is_misdirected).count(),
            trail,
            ..RequestReport::default()
        }
    }

    /// Five requests: one for which a connection was made, one that shares it, one for which it has
    /// no certificate, one that gets a 421, and one without an answer.
    pub(in crate::get) fn sample() -> Vec<RequestReport> {
        use Event::{Misdirected, Refused, Sent};
        let www = vec![step(Sent, Some(3), "same_origin")];
        let img = vec![step(Refused, None, "connecting"), step(Sent, Some(3), "covered")];
        let api = vec![
            step(Refused, None, "connecting"),
            step(Refused, Some(3), "certificate"),
            step(Sent, Some(5), "same_origin"),
        ];
        let admin = vec![
            step(Sent, Some(3), "covered"),
            step(Misdirected, Some(3), "misdirected"),
            step(Refused, Some(3), "refused"),
            step(Sent, Some(9), "same_origin"),
        ];
        let dead = RequestReport {
            url: "https://dead.example.test/".to_owned(),
            method: "GET".to_owned(),
            error: Some(
                "dead.example.test: cannot connect: Connection refused; check that a server runs \
                 there"
                    .to_owned(),
            ),
            trail: vec![step(Refused, Some(3), "certificate")],
            ..RequestReport::default()
        };
        vec![
            answered("https://www.example.test/", 200, 3, www),
            answered("https://img.example.test/a/picture.png", 404, 3, img),
            answered("https://api.example.test/", 200, 5, api),
            answered("https://admin.example.test/", 200, 9, admin),
            dead,
        ]
    }

    #[test]
    fn connections_are_numbered_from_1_in_the_order_of_their_making() {
        let report = Report::new(sample());
        let numbers: Vec<_> = report.requests.iter().map(|request| request.connection).collect();
        assert_eq!(numbers, [Some(1), Some(1), Some(2), Some(3), None]);
        let requests: Vec<_> =
            report.connections.iter().map(|it| (it.connection, it.requests.clone())).collect();
        assert_eq!(requests, [(1, vec![0, 1, 3]), (2, vec![2]), (3, vec![3])]);
    }

    #[test]
    fn summary_counts_answers_shared_connections_and_retries() {
        let expected =
            Summary { requests: 5, answered: 4, failed: 1, connections: 3, shared: 1, retried: 1 };
        assert_eq!(Report::new(sample()).summary, expected);
        assert_eq!(Report::new(Vec::new()).summary, Summary::default());
    }

    #[test]
    fn json_has_every_documented_member() {
        let report = serde_json::to_value(Report::new(sample())).unwrap();
        let admin = &report["requests"][3];
        assert_eq!(admin["grounds"], "same_origin");
        let steps = [
            serde_json::json!({
                "event": "sent", "connection": 1, "code": "covered", "rule": null,
                "description": "the certificate covers the host, which has the connected address",
            }),
            serde_json::json!({
                "event": "misdirected", "connection": 1, "code": "misdirected",
                "rule": "RFC 9110 §15.5.20", "description": "the server answered 421",
            }),
        ];
        assert_eq!(admin["trail"].as_array().unwrap()[..2], steps);
        let members = |value: &serde_json::Value| {
            value.as_object().unwrap().keys().cloned().collect::<Vec<_>>()
        };
        for (value, expected) in [
            (&report, "connections requests summary"),
            (
                admin,
                "bytes connection error file grounds method milliseconds peer protocol retries \
                 status trail trail_left_out url",
            ),
            (&report["connections"][0], "connection peer protocol requests"),
            (&report["summary"], "answered connections failed requests retried shared"),
        ] {
            let mut found = members(value);
            found.sort_unstable();
            assert_eq!(found.join(" "), expected);
        }
    }
}
