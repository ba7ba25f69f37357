//! The script of a server: its certificate, its frames, and its answer to each request.

use std::fmt;
use std::sync::Arc;

use coalesce_tests::raw;

use crate::certificates::{self, Identity};
use crate::gate::Gate;
use crate::place::name;

/// The setting of the most concurrent streams (RFC 9113 §6.5.2).
pub(crate) const MAX_CONCURRENT_STREAMS: u16 = 0x3;
/// The code of a stream that the server did not process (RFC 9113 §7).
pub(crate) const REFUSED_STREAM: u32 = 0x7;
/// The type of ORIGIN (RFC 8336 §2.1).
const ORIGIN: u8 = 0xc;

/// A request as the server got it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The number of the connection, in the order of the handshakes of this server.
    pub(crate) connection: usize,
    /// The server name of that connection, without the suffix that all names share, as `host`.
    pub(crate) server_name: String,
    pub(crate) method: String,
    pub(crate) host: String,
    pub(crate) path: String,
    /// The octets of the content; 0 if the answer came before its end.
    pub(crate) content: usize,
    /// How many requests of the host came before, on any connection.
    pub(crate) before: usize,
    /// How many streams of the connection were open, this one included.
    pub(crate) open: usize,
}

/// The answer to a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// A status, with the name of the host as content.
    Status(u16),
    /// A status and one field.
    With(u16, &'static str, String),
    /// A reset of the stream with this code.
    Reset(u32),
    /// GOAWAY with this last stream. The connection goes on.
    GoAway(u32),
    /// The TCP connection ends.
    Close,
    /// The answer comes when the gate opens.
    After(Gate, Box<Answer>),
    Never,
}

/// Makes the answer to a request.
pub(crate) type Answers = Arc<dyn Fn(&Request) -> Answer + Send + Sync>;

/// What a server does.
pub(crate) struct Script {
    /// Each with its names. The first whose names cover the server name is presented.
    pub(crate) identities: Vec<(Vec<String>, Identity)>,
    /// The ALPN protocols.
    pub(crate) protocols: Vec<Vec<u8>>,
    /// Asks for a client certificate, and takes every client.
    pub(crate) asks_for_certificate: bool,
    /// Opens before the handshake of the connections that [`held`](Self::held) names, by their
    /// order. While it is closed, the server is a black hole for them.
    pub(crate) handshake: Gate,
    pub(crate) held: fn(usize) -> bool,
    /// Opens before SETTINGS. No request is read before.
    pub(crate) settings_gate: Gate,
    pub(crate) settings: Vec<(u16, u32)>,
    /// The frames after SETTINGS.
    pub(crate) opening: Vec<u8>,
    /// Answers come at the end of the fields, and content is not read.
    pub(crate) early: bool,
    pub(crate) answers: Answers,
}

impl Script {
    /// Makes a server that presents these names and serves every host.
    pub(crate) fn new(names: &[&str]) -> Self {
        let script = Self {
            identities: Vec::new(),
            protocols: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            asks_for_certificate: false,
            handshake: Gate::opened(),
            held: |_| true,
            settings_gate: Gate::opened(),
            settings: Vec::new(),
            opening: Vec::new(),
            early: false,
            answers: Arc::new(|_| Answer::Status(200)),
        };
        script.certificate(names)
    }

    /// Presents another certificate for server names that no earlier certificate covers.
    pub(crate) fn certificate(mut self, names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(|&short| name(short)).collect();
        let borrowed: Vec<&str> = names.iter().map(String::as_str).collect();
        let identity = certificates::server(&borrowed);
        self.identities.push((names, identity));
        self
    }

    pub(crate) fn answers(
        mut self,
        answers: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        self.answers = Arc::new(answers);
        self
    }

    /// Answers 421 for these hosts on connections of other hosts, and serves all else.
    pub(crate) fn serves_alone(self, hosts: &'static [&'static str]) -> Self {
        self.answers(|request| {
            let misdirected = request.host != request.server_name;
            Answer::Status(if misdirected && hosts.contains(&&*request.host) { 421 } else { 200 })
        })
    }

    /// Answers 421 for these hosts on every connection.
    pub(crate) fn never_serves(self, hosts: &'static [&'static str]) -> Self {
        self.answers(|it| Answer::Status(if hosts.contains(&&*it.host) { 421 } else { 200 }))
    }

    pub(crate) fn http1(mut self) -> Self {
        self.protocols = vec![b"http/1.1".to_vec()];
        self
    }

    pub(crate) fn asking_for_certificate(mut self) -> Self {
        self.asks_for_certificate = true;
        self
    }

    pub(crate) fn settings(mut self, id: u16, value: u32) -> Self {
        self.settings.push((id, value));
        self
    }

    /// Holds the handshakes of some connections.
    pub(crate) fn holds(mut self, gate: &Gate, held: fn(usize) -> bool) -> Self {
        (self.handshake, self.held) = (gate.clone(), held);
        self
    }

    pub(crate) fn settings_after(mut self, gate: &Gate) -> Self {
        self.settings_gate = gate.clone();
        self
    }

    pub(crate) fn early(mut self) -> Self {
        self.early = true;
        self
    }

    /// Announces these origins after SETTINGS.
    pub(crate) fn origins<S: AsRef<str>>(mut self, origins: &[S]) -> Self {
        self.opening.extend(origin_frame(origins));
        self
    }

    /// Sends these frames after SETTINGS.
    pub(crate) fn opening(mut self, frames: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.opening.extend(frames.into_iter().flatten());
        self
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").finish_non_exhaustive()
    }
}

/// Makes an ORIGIN frame (RFC 8336 §2.1).
pub(crate) fn origin_frame<S: AsRef<str>>(origins: &[S]) -> Vec<u8> {
    let entry = |origin: &S| {
        let origin = origin.as_ref().as_bytes();
        let length = u16::try_from(origin.len()).expect("a short origin").to_be_bytes();
        [&length[..], origin].concat()
    };
    raw::frame(ORIGIN, 0, 0, &origins.iter().flat_map(entry).collect::<Vec<u8>>())
}

/// Makes a GOAWAY frame without an error.
pub(crate) fn goaway(last_stream: u32) -> Vec<u8> {
    raw::frame(raw::GOAWAY, 0, 0, &[last_stream.to_be_bytes(), [0; 4]].concat())
}
