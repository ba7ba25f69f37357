//! The metrics, and the handles that count.
//!
//! Every handle is made before the first request that needs it, so counting is an addition without
//! a lookup or an allocation. No label value comes from a client, so no client can make a series:
//! groups and listeners come from the configuration, and all other values are listed here.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use coalesce_core::{Malformed, Misdirected};
use coalesce_http::log::{LogDecision, RateLimit};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use crate::config::Site;
use crate::serve::limits::{METERED_GROUPS_MAX, REFUSALS_LOGGED_PER_SECOND};

/// A kind of metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serve) enum MetricKind {
    Counter,
    Gauge,
    Histogram,
}

/// One metric.
#[derive(Debug)]
pub(in crate::serve) struct Metric {
    pub(in crate::serve) name: &'static str,
    pub(in crate::serve) kind: MetricKind,
    pub(in crate::serve) help: &'static str,
}

const fn metric(name: &'static str, kind: MetricKind, help: &'static str) -> Metric {
    Metric { name, kind, help }
}

const REQUESTS: &str = "coalesce_requests_total";
const COALESCED: &str = "coalesce_coalesced_requests_total";
const OBSERVED: &str = "coalesce_observed_requests_total";
const REFUSAL_LIMITS: &str = "coalesce_refusal_limits_reached_total";
const UNLOGGED: &str = "coalesce_refusals_unlogged_total";
const UPSTREAM_FAILURES: &str = "coalesce_upstream_failures_total";
pub(in crate::serve) const HANDSHAKES: &str = "coalesce_handshakes_total";
pub(in crate::serve) const CONNECTIONS: &str = "coalesce_connections";
const RELOADS: &str = "coalesce_reloads_total";
pub(in crate::serve) const RELOAD_SECONDS: &str = "coalesce_reload_seconds";
pub(in crate::serve) const REQUEST_SECONDS: &str = "coalesce_request_duration_seconds";
const RESPONSES: &str = "coalesce_responses_total";
pub(in crate::serve) const TLS_CONNECTIONS: &str = "coalesce_tls_connections_total";
const LAST_SUCCESSFUL: &str = "coalesce_config_last_reload_successful";
const LAST_SUCCESS: &str = "coalesce_config_last_reload_success_timestamp_seconds";
const REVISION: &str = "coalesce_config_revision";
const NAMES: &str = "coalesce_table_names";
const BYTES: &str = "coalesce_table_bytes";
const VIRTUAL_HOSTS: &str = "coalesce_virtual_hosts";
const GROUPS: &str = "coalesce_groups";
const SNAPSHOTS: &str = "coalesce_snapshots";
const LOST: &str = "coalesce_log_lines_lost_total";
const LIBRARY_UNLOGGED: &str = "coalesce_library_lines_unlogged_total";
const BUILD: &str = "coalesce_build_info";

/// Every metric.
pub(in crate::serve) const METRICS: [Metric; 24] = [
    metric(REQUESTS, MetricKind::Counter, "Requests decided, by group, verdict and reason"),
    metric(
        COALESCED,
        MetricKind::Counter,
        "Requests served whose authority is not the server name of their connection, by group",
    ),
    metric(
        OBSERVED,
        MetricKind::Counter,
        "Requests served only because their group is observed, by group and reason",
    ),
    metric(
        REFUSAL_LIMITS,
        MetricKind::Counter,
        "Connections ended for too many refused requests in a row, by group",
    ),
    metric(UNLOGGED, MetricKind::Counter, "Refusals that were counted and not logged, by group"),
    metric(
        UPSTREAM_FAILURES,
        MetricKind::Counter,
        "Requests that an upstream did not answer, or answered with 421, by failure",
    ),
    metric(HANDSHAKES, MetricKind::Counter, "TLS and HTTP/2 handshakes, by listener and outcome"),
    metric(CONNECTIONS, MetricKind::Gauge, "Connections open, handshakes included, by listener"),
    metric(RELOADS, MetricKind::Counter, "Reloads of the configuration, by outcome"),
    metric(RELOAD_SECONDS, MetricKind::Histogram, "How long reading, checking and building took"),
    metric(
        REQUEST_SECONDS,
        MetricKind::Histogram,
        "From a served request to the end of its answer, by group",
    ),
    metric(RESPONSES, MetricKind::Counter, "Answers, by group and class of the status"),
    metric(TLS_CONNECTIONS, MetricKind::Counter, "Connections, by listener and TLS version"),
    metric(
        LAST_SUCCESSFUL,
        MetricKind::Gauge,
        "1 if the newest configuration is served, 0 if it was refused",
    ),
    metric(
        LAST_SUCCESS,
        MetricKind::Gauge,
        "When the configuration that is served was loaded, in seconds since 1970",
    ),
    metric(
        REVISION,
        MetricKind::Gauge,
        "How many configurations were served since the start, the one of the start included",
    ),
    metric(NAMES, MetricKind::Gauge, "Entries of the authority table that is served"),
    metric(BYTES, MetricKind::Gauge, "Bytes of the authority table that is served"),
    metric(VIRTUAL_HOSTS, MetricKind::Gauge, "Virtual hosts that are served"),
    metric(GROUPS, MetricKind::Gauge, "Coalescing groups that are served"),
    metric(
        SNAPSHOTS,
        MetricKind::Gauge,
        "Configurations in memory; 1 but for moments after a reload",
    ),
    metric(LOST, MetricKind::Counter, "Lines lost because a log is read too slowly, by log"),
    metric(
        LIBRARY_UNLOGGED,
        MetricKind::Counter,
        "Lines of libraries that were not logged, because there were too many of a kind",
    ),
    metric(BUILD, MetricKind::Gauge, "1, labelled with the version"),
];

/// The one metric that is not in the registry: its series go with their certificates.
pub(in crate::serve) const CERTIFICATE_END: Metric = metric(
    "coalesce_certificate_not_after_timestamp_seconds",
    MetricKind::Gauge,
    "When a certificate ends, in seconds since 1970, by its file; those that end first",
);

/// Describes the metrics to the recorder.
pub(in crate::serve) fn describe() {
    for Metric { name, kind, help } in &METRICS {
        match kind {
            MetricKind::Counter => metrics::describe_counter!(*name, *help),
            MetricKind::Gauge => metrics::describe_gauge!(*name, *help),
            MetricKind::Histogram => metrics::describe_histogram!(*name, *help),
        }
    }
    gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

/// The verdicts, as `coalesce explain` names them.
pub(in crate::serve) const SERVE: &str = "serve";
pub(in crate::serve) const MISDIRECTED: &str = "misdirected";
pub(in crate::serve) const MALFORMED: &str = "malformed";
/// The reasons of requests that are handed over.
pub(in crate::serve) const SERVED: &str = "served";
pub(in crate::serve) const UNLISTED: &str = "unlisted";

/// The outcomes of reloads.
pub(in crate::serve) const RELOAD_SERVED: &str = "served";
pub(in crate::serve) const RELOAD_REFUSED: &str = "refused";

/// The label of all groups beyond [`METERED_GROUPS_MAX`].
const OTHER_GROUPS: &str = "(other)";

/// The meters of the whole server.
#[derive(Debug)]
pub(in crate::serve) struct Meters {
    /// The groups with a label.
    groups: Mutex<BTreeSet<String>>,
    reloaded: Counter,
    refused: Counter,
    seconds: Histogram,
    last_successful: Gauge,
    last_success: Gauge,
    revision: Gauge,
    names: Gauge,
    bytes: Gauge,
    virtual_hosts: Gauge,
    group_count: Gauge,
    pub(in crate::serve) snapshots: Gauge,
    lost: Counter,
    access_lost: Counter,
    library_unlogged: Counter,
}

/// The names of the logs: the one on standard error and the access log.
pub(in crate::serve) const MAIN_LOG: &str = "main";
pub(in crate::serve) const ACCESS_LOG: &str = "access";

impl Meters {
    pub(in crate::serve) fn new() -> Self {
        let reloads = |outcome| counter!(RELOADS, "outcome" => outcome);
        Self {
            groups: Mutex::default(),
            reloaded: reloads(RELOAD_SERVED),
            refused: reloads(RELOAD_REFUSED),
            seconds: histogram!(RELOAD_SECONDS),
            last_successful: gauge!(LAST_SUCCESSFUL),
            last_success: gauge!(LAST_SUCCESS),
            revision: gauge!(REVISION),
            names: gauge!(NAMES),
            bytes: gauge!(BYTES),
            virtual_hosts: gauge!(VIRTUAL_HOSTS),
            group_count: gauge!(GROUPS),
            snapshots: gauge!(SNAPSHOTS),
            lost: counter!(LOST, "log" => MAIN_LOG),
            access_lost: counter!(LOST, "log" => ACCESS_LOG),
            library_unlogged: counter!(LIBRARY_UNLOGGED),
        }
    }

    /// Returns the handles of the group with this name.
    pub(in crate::serve) fn group(&self, name: &str) -> GroupMeters {
        let mut known = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let told_apart = known.contains(name) || known.len() < METERED_GROUPS_MAX;
        let label = if told_apart {
            known.insert(name.to_owned());
            name
        } else {
            OTHER_GROUPS
        };
        GroupMeters::new(name, label)
    }

    /// Records that `site` is served from now on.
    #[allow(clippy::cast_precision_loss, reason = "sizes are far smaller than 2^52")]
    pub(in crate::serve) fn serving(&self, site: &Site) {
        let table = site.authorities();
        self.names.set(table.len() as f64);
        self.bytes.set(table.as_bytes().len() as f64);
        self.virtual_hosts.set(site.hosts().len() as f64);
        self.group_count.set(site.groups().len() as f64);
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.last_success.set(since.as_secs_f64());
        self.last_successful.set(1.0);
        self.revision.increment(1.0);
        self.snapshots.increment(1.0);
    }

    pub(in crate::serve) fn reloaded(&self, took: Duration) {
        self.reloaded.increment(1);
        self.seconds.record(took);
    }

    pub(in crate::serve) fn reload_refused(&self, took: Duration) {
        self.refused.increment(1);
        self.seconds.record(took);
        self.last_successful.set(0.0);
    }

    /// Sets the total number of lines that the logs have lost and libraries have not logged.
    pub(in crate::serve) fn lost_lines(&self, main: u64, access: u64, libraries: u64) {
        self.lost.absolute(main);
        self.access_lost.absolute(access);
        self.library_unlogged.absolute(libraries);
    }
}

/// The number of reasons for a refusal, misdirected ones first.
pub(in crate::serve) const REFUSALS: usize = Misdirected::ALL.len() + Malformed::CODES.len();

/// The meters for the connections of one group.
#[derive(Debug)]
pub(in crate::serve) struct GroupMeters {
    /// The group's own name.
    pub(in crate::serve) name: String,
    served: Counter,
    unlisted: Counter,
    coalesced: Counter,
    refused: [Refusals; REFUSALS],
    observed: [Refusals; Misdirected::ALL.len()],
    pub(in crate::serve) refusal_limits: Counter,
    unlogged: Counter,
    /// By the class of the status, from 1xx on.
    responses: [Counter; STATUSES.len()],
    seconds: Histogram,
}

/// The classes of statuses (RFC 9110 §15), and the answers that have none.
const STATUSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", NO_STATUS];

/// The stream was reset, or the client left first.
const NO_STATUS: &str = "none";

/// The meters of one reason for refusals, real or only observed.
#[derive(Debug)]
struct Refusals {
    counter: Counter,
    logged: RateLimit,
}

impl GroupMeters {
    fn new(name: &str, label: &str) -> Self {
        let requests = |verdict: &'static str, reason: &'static str| {
            counter!(
                REQUESTS, "group" => label.to_owned(), "verdict" => verdict, "reason" => reason
            )
        };
        let of_group = |metric: &'static str| counter!(metric, "group" => label.to_owned());
        Self {
            name: name.to_owned(),
            served: requests(SERVE, SERVED),
            unlisted: requests(SERVE, UNLISTED),
            coalesced: of_group(COALESCED),
            refused: std::array::from_fn(|number| {
                let misdirected = Misdirected::ALL.get(number).map(|reason| reason.code());
                let malformed = number.checked_sub(Misdirected::ALL.len());
                let malformed = malformed.and_then(|number| Malformed::CODES.get(number).copied());
                let counter = match misdirected {
                    Some(reason) => requests(MISDIRECTED, reason),
                    None => requests(MALFORMED, malformed.unwrap_or_default()),
                };
                Refusals { counter, logged: RateLimit::per_second(REFUSALS_LOGGED_PER_SECOND) }
            }),
            observed: std::array::from_fn(|number| {
                let reason = Misdirected::ALL.get(number).map_or("", |reason| reason.code());
                let counter = counter!(OBSERVED, "group" => label.to_owned(), "reason" => reason);
                Refusals { counter, logged: RateLimit::per_second(REFUSALS_LOGGED_PER_SECOND) }
            }),
            refusal_limits: of_group(REFUSAL_LIMITS),
            unlogged: of_group(UNLOGGED),
            responses: STATUSES
                .map(|status| counter!(RESPONSES, "group" => label.to_owned(), "status" => status)),
            seconds: histogram!(REQUEST_SECONDS, "group" => label.to_owned()),
        }
    }

    #[inline]
    pub(in crate::serve) fn served(&self, coalesced: bool) {
        self.served.increment(1);
        if coalesced {
            self.coalesced.increment(1);
        }
    }

    /// Counts an answer, `None` where there was none.
    pub(in crate::serve) fn answered(&self, status: Option<u16>) {
        let class = status.and_then(|status| usize::from(status / 100).checked_sub(1));
        let class = class.unwrap_or(STATUSES.len() - 1).min(STATUSES.len() - 1);
        if let Some(counter) = self.responses.get(class) {
            counter.increment(1);
        }
    }

    /// Counts the answer of a served request.
    pub(in crate::serve) fn served_within(&self, took: Duration, status: Option<u16>) {
        self.seconds.record(took);
        self.answered(status);
    }

    pub(in crate::serve) fn unlisted(&self) {
        self.unlisted.increment(1);
    }

    pub(in crate::serve) fn misdirected(&self, reason: Misdirected) -> LogDecision {
        self.count(position(reason).and_then(|number| self.refused.get(number)))
    }

    pub(in crate::serve) fn observed(&self, reason: Misdirected) -> LogDecision {
        self.count(position(reason).and_then(|number| self.observed.get(number)))
    }

    pub(in crate::serve) fn malformed(&self, reason: Malformed) -> LogDecision {
        let number = Malformed::CODES.iter().position(|code| *code == reason.code());
        let number = number.map(|number| Misdirected::ALL.len() + number);
        self.count(number.and_then(|number| self.refused.get(number)))
    }

    fn count(&self, refusals: Option<&Refusals>) -> LogDecision {
        // The list has every reason, as its own tests check.
        let Some(refusals) = refusals else { return LogDecision::Log { unlogged_before: 0 } };
        refusals.counter.increment(1);
        let decision = refusals.logged.decide(Instant::now());
        if decision == LogDecision::Skip {
            self.unlogged.increment(1);
        }
        decision
    }
}

/// Returns the position of a reason in the list of all.
fn position(reason: Misdirected) -> Option<usize> {
    Misdirected::ALL.iter().position(|listed| *listed == reason)
}

/// The reason why an upstream gave no answer, or the case that it answered 421.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serve) enum UpstreamFailure {
    TimedOut,
    Broken,
    Full,
    Misdirected,
}

impl UpstreamFailure {
    pub(in crate::serve) const ALL: [Self; 4] =
        [Self::TimedOut, Self::Broken, Self::Full, Self::Misdirected];

    pub(in crate::serve) const fn code(self) -> &'static str {
        match self {
            Self::TimedOut => "timed_out",
            Self::Broken => "broken",
            Self::Full => "full",
            Self::Misdirected => "misdirected",
        }
    }
}

/// The meters of one upstream.
#[derive(Debug)]
pub(in crate::serve) struct UpstreamMeters {
    failures: [Refusals; UpstreamFailure::ALL.len()],
}

impl UpstreamMeters {
    pub(in crate::serve) fn new() -> Self {
        let failures = UpstreamFailure::ALL.map(|failure| Refusals {
            counter: counter!(UPSTREAM_FAILURES, "failure" => failure.code()),
            logged: RateLimit::per_second(REFUSALS_LOGGED_PER_SECOND),
        });
        Self { failures }
    }

    /// Counts a failure. Returns true if it may be logged; a client can cause any number.
    pub(in crate::serve) fn failed(&self, failure: UpstreamFailure) -> bool {
        let number = UpstreamFailure::ALL.iter().position(|listed| *listed == failure);
        let Some(failures) = number.and_then(|number| self.failures.get(number)) else {
            return true;
        };
        failures.counter.increment(1);
        failures.logged.decide(Instant::now()) != LogDecision::Skip
    }
}
