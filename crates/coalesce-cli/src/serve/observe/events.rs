//! Every event that the server logs at `info` and above, in one list.
//!
//! The server logs through the functions here, and the test of `docs/observing.md` compares the
//! document with the same list. All events have one target, so that a filter in `RUST_LOG` does not
//! depend on the files of this crate.

use std::net::SocketAddr;

use coalesce_core::Malformed;
use tracing::field::{Empty, Value, display};

/// The target of every event here.
pub(in crate::serve) const TARGET: &str = "coalesce_cli::serve";

/// An event as the document lists it.
#[cfg(test)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::serve) struct LogEvent {
    pub(in crate::serve) level: &'static str,
    pub(in crate::serve) text: &'static str,
    pub(in crate::serve) fields: Vec<&'static str>,
}

/// Defines a function for each event, and a list of them all for the test of the document.
macro_rules! events {
    ($($level:ident $name:ident($($field:ident),*) $text:literal;)*) => {
        $(pub(in crate::serve) fn $name($($field: impl Value),*) {
            tracing::$level!(target: TARGET, $($field,)* $text);
        })*

        #[cfg(test)]
        pub(in crate::serve) fn all() -> Vec<LogEvent> {
            let mut all = vec![$(LogEvent {
                level: stringify!($level),
                text: $text,
                fields: vec![$(stringify!($field)),*],
            }),*];
            all.push(connection_event());
            all.push(HandshakeFailed::event());
            all.extend(RefusalKind::ALL.map(RefusalKind::event));
            all
        }
    };
}

events! {
    info files_changed() "files have changed: reloading";
    info hangup() "SIGHUP: reloading";
    info reopening() "SIGUSR1: opening the access log again";
    info reloaded(names, bytes, seconds) "reloaded";
    error reload_refused(reason, seconds)
        "reload refused; the configuration that was served before still is";
    warn reload_is_slow(seconds)
        "a reload takes long; the configuration that was served before still is";
    info descriptors(limit, limit_before, connections, content) "open files";
    warn cannot_raise_descriptors(reason) "cannot raise the limit of open files";
    warn no_descriptor(unlogged_before)
        "no open file to spare for a request; it is answered 503";
    warn cannot_watch_files(reason) "cannot watch files; SIGHUP reloads";
    warn cannot_watch_folder(folder, reason) "cannot watch a folder; SIGHUP reloads";
    warn cannot_accept(error) "cannot accept a connection";
    warn cannot_accept_admin(error) "cannot accept a connection to the admin listener";
    warn admin_host_refused(host, unlogged_before) "the admin listener refused a host";
    warn admin_is_reachable(address) "the admin listener can be reached from other machines";
    error cannot_reopen_access_log(path, reason) "cannot open the access log again";
    warn lost_lines(log, lines, reason) "lines of a log were lost";
    error panicked(at, detail) "a task panicked";
    error cannot_read_file(error, unlogged_before) "cannot read a file";
    error cannot_read_folder(folder, reason) "cannot read a folder";
    warn upstream_failed(upstream, error) "upstream failed";
    warn upstream_misdirected(upstream) "upstream answered 421";
    info ending() "ending: no new connections, open requests may finish";
    info ended() "ended";
    warn cut_off(connections) "connections cut off; they did not end in time";
    warn ended_at_once() "ended at once, by a second signal";
}

/// Makes the span for everything logged about a connection. Its server name is recorded when the
/// ClientHello has arrived.
pub(in crate::serve) fn connection(peer: SocketAddr, listener: &str) -> tracing::Span {
    tracing::info_span!(target: TARGET, "connection", %peer, listener, server_name = Empty)
}

#[cfg(test)]
fn connection_event() -> LogEvent {
    LogEvent { level: "info", text: "connection", fields: vec!["peer", "listener", "server_name"] }
}

/// A failed handshake as it is logged, in the span of its connection. A field that is `None` is
/// left out.
#[derive(Debug)]
pub(in crate::serve) struct HandshakeFailed<'a> {
    pub(in crate::serve) reason: &'static str,
    /// The server name of the ClientHello.
    pub(in crate::serve) server_name: Option<&'a str>,
    /// The ALPN protocols of the ClientHello.
    pub(in crate::serve) alpn: Option<&'a str>,
    pub(in crate::serve) detail: &'a str,
    /// The number of unlogged failures of this kind since the last logged one.
    pub(in crate::serve) unlogged_before: u64,
}

impl HandshakeFailed<'_> {
    pub(in crate::serve) fn log(&self) {
        let Self { reason, server_name, alpn, detail, unlogged_before } = *self;
        tracing::info!(
            target: TARGET, reason, server_name, alpn, detail, unlogged_before, "handshake failed"
        );
    }

    #[cfg(test)]
    fn event() -> LogEvent {
        let fields = vec!["reason", "server_name", "alpn", "detail", "unlogged_before"];
        LogEvent { level: "info", text: "handshake failed", fields }
    }
}

/// The outcome of a request that is refused, or would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serve) enum RefusalKind {
    Misdirected,
    Malformed,
    /// It is served, because its group is only observed.
    Observed,
}

impl RefusalKind {
    const fn text(self) -> &'static str {
        match self {
            Self::Misdirected => "misdirected",
            Self::Malformed => "malformed",
            Self::Observed => "observed",
        }
    }
}

/// One refusal as it is logged. A field that is `None` is left out.
#[derive(Debug)]
pub(in crate::serve) struct Refusal<'a> {
    pub(in crate::serve) kind: RefusalKind,
    pub(in crate::serve) reason: &'static str,
    pub(in crate::serve) step: u8,
    pub(in crate::serve) rule: &'static str,
    pub(in crate::serve) group: &'a str,
    pub(in crate::serve) server_name: Option<&'a str>,
    pub(in crate::serve) authority: &'a str,
    /// The fault of a malformed request.
    pub(in crate::serve) detail: Option<Malformed>,
    /// A sentence that may help with a misdirected request.
    pub(in crate::serve) hint: Option<&'a str>,
    /// `None` if the stream is reset, or if the group is only observed.
    pub(in crate::serve) status: Option<u16>,
    /// The number of unlogged refusals of this kind since the last logged one.
    pub(in crate::serve) unlogged_before: u64,
}

impl Refusal<'_> {
    pub(in crate::serve) fn log(&self) {
        let Self { kind, reason, step, rule, group, .. } = *self;
        let Self { server_name, authority, detail, hint, status, unlogged_before, .. } = *self;
        let text = kind.text();
        let detail = detail.map(display);
        tracing::info!(
            target: TARGET, reason, step, rule, group, server_name, authority, detail, hint, status,
            unlogged_before, "{text}"
        );
    }
}

#[cfg(test)]
impl RefusalKind {
    pub(in crate::serve) const ALL: [Self; 3] =
        [Self::Misdirected, Self::Malformed, Self::Observed];

    /// Returns this event with the fields that it always or sometimes has.
    pub(in crate::serve) fn event(self) -> LogEvent {
        let mut fields = vec!["reason", "step", "rule", "group", "server_name", "authority"];
        fields.push(if self == Self::Malformed { "detail" } else { "hint" });
        if self != Self::Observed {
            fields.push("status");
        }
        fields.push("unlogged_before");
        LogEvent { level: "info", text: self.text(), fields }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Returns the line that `log` logs, as JSON.
    fn logged(log: impl FnOnce()) -> serde_json::Value {
        let written = Written::default();
        let writer = written.clone();
        let subscriber =
            tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, log);
        let bytes = written.0.lock().unwrap().clone();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn refusal_logs_exactly_the_fields_of_its_event() {
        for kind in RefusalKind::ALL {
            let malformed = kind == RefusalKind::Malformed;
            let refusal = Refusal {
                kind,
                reason: "reason",
                step: 1,
                rule: "rule",
                group: "group",
                server_name: Some("a.test"),
                authority: "b.test",
                detail: malformed.then_some(Malformed::NoAuthority),
                hint: (!malformed).then_some("hint"),
                status: (kind != RefusalKind::Observed).then_some(400),
                unlogged_before: 0,
            };
            let line = logged(|| refusal.log());
            assert_is(&line, kind.event());
        }
    }

    #[track_caller]
    fn assert_is(line: &serde_json::Value, event: LogEvent) {
        assert_eq!(line["target"], TARGET);
        let mut fields = line["fields"].as_object().unwrap().clone();
        assert_eq!(fields.remove("message").unwrap(), event.text);
        let mut expected = event.fields;
        expected.sort_unstable();
        let mut found: Vec<&String> = fields.keys().collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn failed_handshake_logs_exactly_the_fields_of_its_event() {
        let (server_name, alpn) = (Some("a.test"), Some("http/1.1"));
        let (reason, detail) = ("no_protocol", "detail");
        let failed = HandshakeFailed { reason, server_name, alpn, detail, unlogged_before: 0 };
        assert_is(&logged(|| failed.log()), HandshakeFailed::event());
    }

    #[test]
    fn connection_span_has_exactly_the_fields_of_its_event() {
        let line = logged(|| {
            let span = connection(([127, 0, 0, 1], 1).into(), "main");
            span.record("server_name", "a.test");
            span.in_scope(ending);
        });
        let mut span = line["span"].as_object().unwrap().clone();
        assert_eq!(span.remove("name").unwrap(), "connection");
        let mut expected = connection_event().fields;
        expected.sort_unstable();
        let mut found: Vec<&String> = span.keys().collect();
        found.sort_unstable();
        assert_eq!(found, expected);
    }
}
