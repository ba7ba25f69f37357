//! The tables of `docs/operations.md` and `docs/observing.md`, compared with the code in both
//! directions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use clap::CommandFactory;
use coalesce_core::{Malformed, Misdirected, Step};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde::de::DeserializeOwned;

use crate::cli::Arguments;
use crate::config::model;
use crate::serve::limits;
use crate::serve::observe::access_log::AccessLine;
use crate::serve::observe::certificates;
use crate::serve::observe::events;
use crate::serve::observe::handshakes::{ListenerMeters, Outcome};
use crate::serve::observe::meters::{
    self, CERTIFICATE_END, MALFORMED, METRICS, MISDIRECTED, Meters, MetricKind, RELOAD_REFUSED,
    RELOAD_SERVED, SERVE, SERVED, UNLISTED, UpstreamFailure, UpstreamMeters,
};
use crate::terminal::{log_queue, logging};

const DOCUMENT: &str = concat!(
    include_str!("../../../../../docs/operations.md"),
    include_str!("../../../../../docs/observing.md")
);

/// Returns the rows of the table whose header begins with these cells, without backticks.
fn rows(head: &[&str]) -> Vec<Vec<String>> {
    let cells = |line: &str| -> Vec<String> {
        let cells = line.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().replace('`', "")).collect()
    };
    let mut lines = DOCUMENT.lines();
    let found = lines.by_ref().find(|line| {
        line.starts_with('|') && cells(line).iter().map(String::as_str).eq(head.iter().copied())
    });
    assert!(found.is_some(), "no table {head:?}");
    lines.skip(1).take_while(|line| line.starts_with('|')).map(cells).collect()
}

/// Returns the first columns of that table.
fn columns(head: &[&str], count: usize) -> BTreeSet<Vec<String>> {
    let rows = rows(head);
    let set: BTreeSet<Vec<String>> = rows.iter().map(|row| row[..count].to_vec()).collect();
    assert_eq!(set.len(), rows.len(), "{head:?} says something twice");
    set
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

#[test]
fn flags() {
    let command = Arguments::command();
    let serve = command.find_subcommand("serve").unwrap();
    let flags = serve.get_arguments().chain(command.get_arguments());
    let flags = flags.filter_map(clap::Arg::get_long).filter(|flag| *flag != "help");
    let flags = flags.filter(|flag| *flag != "version").map(|flag| row([&format!("--{flag}")]));
    assert_eq!(columns(&["flag", "does"], 1), flags.collect());
}

/// Returns the fields of an entry, which the parser lists for an unknown field.
fn fields<T: DeserializeOwned>(entry: &str) -> Vec<Vec<String>> {
    let error = toml::from_str::<T>("no-such-field = 1").err().unwrap().to_string();
    let (_, listed) = error.split_once("expected").unwrap();
    let names = listed.split('`').skip(1).step_by(2);
    names.map(|name| row([&format!("{entry}.{name}")])).collect()
}

#[test]
fn configuration() {
    let mut expected =
        BTreeSet::from(["profile", "table", "map_table", "announce_origins"].map(|it| row([it])));
    expected.extend(fields::<model::AdminEntry>("admin"));
    expected.extend(fields::<model::ListenerEntry>("listener"));
    expected.extend(fields::<model::GroupEntry>("group"));
    expected.extend(fields::<model::VirtualHostEntry>("virtual_host"));
    expected.extend(fields::<model::AnswerEntry>("answer"));
    assert!(expected.len() > 20, "{expected:?}");
    assert_eq!(columns(&["field", "says"], 1), expected);
}

#[test]
fn metrics_and_their_labels() {
    let recorder = PrometheusBuilder::new().set_buckets(&[1.0]).unwrap().build_recorder();
    let site = metrics::with_local_recorder(&recorder, || {
        meters::describe();
        let meters = Meters::new();
        meters.reloaded(Duration::ZERO);
        (meters.group("g"), ListenerMeters::new("l"), UpstreamMeters::new())
    });
    drop(site);
    let mut rendered = recorder.handle().render();
    certificates::render(&vec![("a.pem".to_owned(), 1)], &mut rendered);
    let mut labels: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for line in rendered.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (name, inner) = series.split_once('{').unwrap_or((series, ""));
        let name = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end))
            .unwrap_or(name);
        let named = inner.split(',').filter_map(|label| label.split_once('='));
        labels.entry(name).or_default().extend(named.map(|(label, _)| label.to_owned()));
    }
    let code = METRICS.iter().chain([&CERTIFICATE_END]).map(|metric| {
        let kind = match metric.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        };
        let labels = labels.remove(metric.name).unwrap_or_else(|| panic!("no {}", metric.name));
        let labels = labels.into_iter().collect::<Vec<_>>().join(", ");
        row([metric.name, kind, &labels])
    });
    let code: BTreeSet<Vec<String>> = code.collect();
    assert!(labels.is_empty(), "not among the metrics: {labels:?}");
    let documented = columns(&["metric", "type", "labels", "is"], 3).into_iter().map(|mut row| {
        let mut labels: Vec<&str> = row[2].split(", ").collect();
        labels.sort_unstable();
        row[2] = labels.join(", ");
        row
    });
    assert_eq!(documented.collect::<BTreeSet<_>>(), code);
}

#[test]
fn reasons() {
    let documented = columns(&["verdict", "reason", "step", "means"], 3);
    let step = |step: Step| step.number().to_string();
    let mut code = BTreeSet::new();
    for reason in [SERVED, UNLISTED] {
        code.insert(row([SERVE, reason, &step(Step::Serve)]));
    }
    for reason in Misdirected::ALL {
        code.insert(row([MISDIRECTED, reason.code(), &step(reason.step())]));
    }
    // The codes of the other reasons do not name their steps.
    let (malformed, others): (BTreeSet<_>, BTreeSet<_>) =
        documented.into_iter().partition(|row| row[0] == MALFORMED);
    assert_eq!(others, code);
    let malformed: BTreeSet<&str> = malformed.iter().map(|row| row[1].as_str()).collect();
    assert_eq!(malformed, Malformed::CODES.iter().copied().collect());
}

#[test]
fn outcomes() {
    let code = Outcome::all().map(|outcome| row([outcome.code()]));
    assert_eq!(columns(&["handshake", "means", "what to do"], 1), code.collect());
    let code = UpstreamFailure::ALL.iter().map(|failure| row([failure.code()]));
    assert_eq!(columns(&["failure", "means"], 1), code.collect());
    let code = [RELOAD_SERVED, RELOAD_REFUSED].map(|outcome| row([outcome]));
    assert_eq!(columns(&["reload", "means"], 1), BTreeSet::from(code));
}

#[test]
fn access_log_has_a_line_for_each_request() {
    let line = serde_json::to_value(AccessLine::new(([127, 0, 0, 1], 1).into(), "main", "default"))
        .unwrap();
    let fields = line.as_object().unwrap().keys().map(|key| row([key]));
    assert_eq!(columns(&["field", "is"], 1), fields.collect());
}

#[test]
fn every_limit() {
    let seconds = |duration: Duration| format!("{} s", duration.as_secs_f64());
    let values: BTreeSet<Vec<String>> = BTreeSet::from([
        row(["CONNECTIONS_MAX", &limits::CONNECTIONS_MAX.to_string()]),
        row(["DESCRIPTORS_RESERVED", &limits::DESCRIPTORS_RESERVED.to_string()]),
        row(["DESCRIPTORS_FOR_CONTENT_MIN", &limits::DESCRIPTORS_FOR_CONTENT_MIN.to_string()]),
        row(["DESCRIPTOR_LINES_PER_SECOND", &limits::DESCRIPTOR_LINES_PER_SECOND.to_string()]),
        row(["PREFACE_TIMEOUT", &seconds(limits::PREFACE_TIMEOUT)]),
        row(["IDLE_TIMEOUT", &seconds(limits::IDLE_TIMEOUT)]),
        row(["DRAIN_TIMEOUT", &seconds(limits::DRAIN_TIMEOUT)]),
        row(["DISCARD_TIMEOUT", &seconds(limits::DISCARD_TIMEOUT)]),
        row(["DISCARD_PAUSE", &seconds(limits::DISCARD_PAUSE)]),
        row(["PACE_TIME", &seconds(limits::PACE_TIME)]),
        row(["PACE_BYTES_MIN", &limits::PACE_BYTES_MIN.to_string()]),
        row(["CONNECT_TIMEOUT", &seconds(limits::CONNECT_TIMEOUT)]),
        row(["ANSWER_TIMEOUT", &seconds(limits::ANSWER_TIMEOUT)]),
        row(["UPSTREAM_PING_INTERVAL", &seconds(limits::UPSTREAM_PING_INTERVAL)]),
        row(["UPSTREAM_PING_TIMEOUT", &seconds(limits::UPSTREAM_PING_TIMEOUT)]),
        row(["UPSTREAM_IDLE_MAX", &limits::UPSTREAM_IDLE_MAX.to_string()]),
        row(["UPSTREAM_IDLE_TIMEOUT", &seconds(limits::UPSTREAM_IDLE_TIMEOUT)]),
        row(["UPSTREAM_STREAMS_MAX", &limits::UPSTREAM_STREAMS_MAX.to_string()]),
        row(["UPSTREAM_REQUESTS_MAX", &limits::UPSTREAM_REQUESTS_MAX.to_string()]),
        row([
            "UPSTREAM_REQUESTS_OF_CLIENT_MAX",
            &limits::UPSTREAM_REQUESTS_OF_CLIENT_MAX.to_string(),
        ]),
        row(["PLACE_TIMEOUT", &seconds(limits::PLACE_TIMEOUT)]),
        row(["RETRY_PAUSE", &seconds(limits::RETRY_PAUSE)]),
        row(["UPSTREAM_BUFFER_BYTES_MAX", &limits::UPSTREAM_BUFFER_BYTES_MAX.to_string()]),
        row(["UPSTREAM_WINDOW_BYTES", &limits::UPSTREAM_WINDOW_BYTES.to_string()]),
        row([
            "UPSTREAM_HEADER_LIST_BYTES_MAX",
            &limits::UPSTREAM_HEADER_LIST_BYTES_MAX.to_string(),
        ]),
        row(["UPSTREAM_RESETS_REMEMBERED", &limits::UPSTREAM_RESETS_REMEMBERED.to_string()]),
        row(["CHUNK_BYTES_MAX", &limits::CHUNK_BYTES_MAX.to_string()]),
        row(["STREAM_WINDOW_BYTES", &limits::STREAM_WINDOW_BYTES.to_string()]),
        row(["ACCEPT_PAUSE", &seconds(limits::ACCEPT_PAUSE)]),
        row(["SETTLE_PAUSE", &seconds(limits::SETTLE_PAUSE)]),
        row(["SETTLE_MAX", &seconds(limits::SETTLE_MAX)]),
        row(["LINKS_MAX", &limits::LINKS_MAX.to_string()]),
        row(["SLOW_RELOAD", &seconds(limits::SLOW_RELOAD)]),
        row(["RETIRE_PAUSE", &seconds(limits::RETIRE_PAUSE)]),
        row(["REFUSALS_LOGGED_PER_SECOND", &limits::REFUSALS_LOGGED_PER_SECOND.to_string()]),
        row(["UNREADABLE_LOGGED_PER_SECOND", &limits::UNREADABLE_LOGGED_PER_SECOND.to_string()]),
        row(["METERED_GROUPS_MAX", &limits::METERED_GROUPS_MAX.to_string()]),
        row(["ACCEPTED_IN_A_ROW_MAX", &limits::ACCEPTED_IN_A_ROW_MAX.to_string()]),
        row(["ADMIN_CONNECTIONS_MAX", &limits::ADMIN_CONNECTIONS_MAX.to_string()]),
        row(["UPKEEP_PAUSE", &seconds(limits::UPKEEP_PAUSE)]),
        row(["METERED_CERTIFICATES_MAX", &limits::METERED_CERTIFICATES_MAX.to_string()]),
        row(["ADMIN_TIMEOUT", &seconds(limits::ADMIN_TIMEOUT)]),
        row(["ACCESS_BYTES_WAITING_MAX", &limits::ACCESS_BYTES_WAITING_MAX.to_string()]),
        row(["LOGGED_PATH_BYTES_MAX", &limits::LOGGED_PATH_BYTES_MAX.to_string()]),
        row(["LOG_BYTES_WAITING_MAX", &logging::LOG_BYTES_WAITING_MAX.to_string()]),
        row(["LOG_FLUSH_TIMEOUT", &seconds(log_queue::LOG_FLUSH_TIMEOUT)]),
    ]);
    assert_eq!(columns(&["limit", "value", "is"], 2), values);
    let source = include_str!("../limits.rs");
    let constants = source.lines().filter_map(|line| line.strip_prefix("pub(super) const "));
    let constants = constants.filter_map(|line| line.split_once(':')).map(|(name, _)| name);
    // These constants belong to the log of every command.
    let constants = constants.chain(["LOG_BYTES_WAITING_MAX", "LOG_FLUSH_TIMEOUT"]);
    assert_eq!(
        constants.collect::<BTreeSet<_>>(),
        values.iter().map(|row| row[0].as_str()).collect()
    );
}

#[test]
fn events_and_their_fields() {
    let code = events::all().into_iter();
    let code = code.map(|event| row([event.level, event.text, &event.fields.join(", ")]));
    assert_eq!(columns(&["level", "event", "fields"], 3), code.collect());
    assert!(DOCUMENT.contains(&format!("target `{}`", events::TARGET)));
}

/// An event that is logged elsewhere would be missing in the list.
#[test]
fn only_the_list_of_events_logs_at_info_and_above() {
    fn check(folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                check(&path);
                continue;
            }
            let source = fs::read_to_string(&path).unwrap();
            for level in ["error", "warn", "info"] {
                let logs = source.contains(&format!("{level}!("));
                assert!(!logs || path.ends_with("observe/events.rs"), "{level} in {path:?}");
            }
        }
    }
    check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/serve"));
}
