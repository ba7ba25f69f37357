//! Counts and logs the handshakes of a listener.

use std::time::Instant;

use coalesce_http::limits::LOGGED_BYTES_MAX;
use coalesce_http::log::{LogDecision, RateLimit};
use coalesce_tls::{AcceptError, HandshakeFailure};
use metrics::{Counter, Gauge, counter, gauge};
use rustls::ProtocolVersion;

use crate::serve::limits::REFUSALS_LOGGED_PER_SECOND;
use crate::serve::observe::events::HandshakeFailed;
use crate::serve::observe::meters::{CONNECTIONS, HANDSHAKES, TLS_CONNECTIONS};
use crate::terminal::text::first_characters;

/// The outcome of a connection's handshakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serve) enum Outcome {
    Completed,
    /// TLS is complete, and the HTTP/2 preface is wrong or missing.
    NoPreface,
    Failed(HandshakeFailure),
}

impl Outcome {
    /// Every outcome.
    pub(in crate::serve) fn all() -> impl Iterator<Item = Self> {
        let failures = HandshakeFailure::ALL.iter().copied().map(Self::Failed);
        [Self::Completed, Self::NoPreface].into_iter().chain(failures)
    }

    pub(in crate::serve) const fn code(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::NoPreface => "no_preface",
            Self::Failed(failure) => failure.code(),
        }
    }
}

/// A failed handshake, with the fields that the log shows.
#[derive(Debug)]
pub(in crate::serve) struct FailedHandshake {
    outcome: Outcome,
    /// From the ClientHello, escaped.
    server_name: Option<String>,
    /// The ALPN protocols of the ClientHello, escaped.
    alpn: Option<String>,
    detail: String,
    /// False for a connection that ended before it sent any bytes, as health checks do.
    is_logged: bool,
}

impl FailedHandshake {
    pub(in crate::serve) fn new(
        outcome: Outcome,
        server_name: Option<String>,
        detail: impl Into<String>,
    ) -> Self {
        let detail = detail.into();
        Self { outcome, server_name, alpn: None, detail, is_logged: true }
    }

    /// Sets the protocol that ALPN has chosen.
    pub(in crate::serve) fn with_alpn(self, alpn: &str) -> Self {
        Self { alpn: Some(alpn.to_owned()), ..self }
    }
}

impl From<&AcceptError> for FailedHandshake {
    fn from(error: &AcceptError) -> Self {
        let failure = error.failure();
        let text = error.to_string();
        // The event's message already has this prefix.
        let detail = text.strip_prefix("TLS handshake failed: ").unwrap_or(&text).to_owned();
        Self {
            outcome: Outcome::Failed(failure),
            server_name: error.server_name().map(str::to_owned),
            alpn: error.protocols().map(str::to_owned),
            detail,
            is_logged: failure != HandshakeFailure::Lost || error.has_client_hello(),
        }
    }
}

/// The counters of one listener.
#[derive(Debug)]
pub(in crate::serve) struct ListenerMeters {
    handshakes: Vec<HandshakeMeter>,
    connections: Gauge,
    tls12: Counter,
    tls13: Counter,
}

/// The handshakes with one outcome.
#[derive(Debug)]
struct HandshakeMeter {
    outcome: Outcome,
    counter: Counter,
    logged: RateLimit,
}

impl ListenerMeters {
    pub(in crate::serve) fn new(listener: &str) -> Self {
        let meter = |outcome: Outcome| HandshakeMeter {
            outcome,
            counter: counter!(
                HANDSHAKES, "listener" => listener.to_owned(), "outcome" => outcome.code()
            ),
            logged: RateLimit::per_second(REFUSALS_LOGGED_PER_SECOND),
        };
        let of_version = |version: &'static str| counter!(TLS_CONNECTIONS, "listener" => listener.to_owned(), "version" => version);
        Self {
            tls12: of_version("1.2"),
            tls13: of_version("1.3"),
            handshakes: Outcome::all().map(meter).collect(),
            connections: gauge!(CONNECTIONS, "listener" => listener.to_owned()),
        }
    }

    pub(in crate::serve) fn completed(&self, version: Option<ProtocolVersion>) {
        match version {
            Some(ProtocolVersion::TLSv1_2) => self.tls12.increment(1),
            Some(ProtocolVersion::TLSv1_3) => self.tls13.increment(1),
            // rustls speaks no others.
            _ => {}
        }
        if let Some(meter) = self.meter(Outcome::Completed) {
            meter.counter.increment(1);
        }
    }

    /// Counts a failed handshake. Logs it unless too many with its outcome were logged.
    pub(in crate::serve) fn failed(&self, failed: &FailedHandshake) {
        let Some(meter) = self.meter(failed.outcome) else { return };
        meter.counter.increment(1);
        if !failed.is_logged {
            return;
        }
        let LogDecision::Log { unlogged_before } = meter.logged.decide(Instant::now()) else {
            return;
        };
        HandshakeFailed {
            reason: failed.outcome.code(),
            server_name: failed.server_name.as_deref(),
            alpn: failed.alpn.as_deref(),
            // An error of rustls can quote a long algorithm from a client's certificate.
            detail: first_characters(&failed.detail, LOGGED_BYTES_MAX),
            unlogged_before,
        }
        .log();
    }

    fn meter(&self, outcome: Outcome) -> Option<&HandshakeMeter> {
        self.handshakes.iter().find(|meter| meter.outcome == outcome)
    }

    /// Counts a connection as long as this is held.
    pub(in crate::serve) fn connection(&self) -> impl Drop + use<> {
        self.connections.increment(1.0);
        OpenConnection(self.connections.clone())
    }
}

struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}
