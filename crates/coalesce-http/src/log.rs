//! Logs refusals. The reason is for the operator; no answer contains it.
//!
//! The process logs [`REFUSALS_LOGGED_PER_SECOND`] events of each kind in a second. The first line
//! after that has the field `unlogged`, which counts the events that were not logged.
//!
//! | message | fields |
//! | --- | --- |
//! | `misdirected` | `reason`, `step`, `rule`, `authority`, `status`, sometimes `hint` |
//! | `malformed`, by the decision | `reason`, `step`, `rule`, `authority`, `detail` |
//! | `malformed`, before the decision | `reason`, `rule`, `stream` on HTTP/2 |

use std::fmt;
use std::sync::LazyLock;
use std::time::Instant;

use coalesce_core::{HostField, Malformed, Misdirected, RequestTarget, Verdict};

use crate::limits::{LOGGED_BYTES_MAX, REFUSALS_LOGGED_PER_SECOND};
use crate::target::TargetError;

pub use crate::rate_limit::{LogDecision, RateLimit};

/// Logs a verdict that refuses the request. Does nothing for one that serves it. `hint` is asked
/// for a sentence about a misdirected request that is logged, as
/// [`Decide::hint`](crate::Decide::hint) returns it.
///
/// # Examples
/// ```
/// use coalesce_core::{Misdirected, RequestTarget, Verdict};
/// use coalesce_http::log;
///
/// let target = RequestTarget::https(b"elsewhere.test");
/// let verdict = Verdict::Misdirected(Misdirected::UnknownAuthority);
/// log::verdict(&target, &verdict, |_| None);
/// ```
#[inline]
pub fn verdict(
    target: &RequestTarget<'_>,
    verdict: &Verdict,
    hint: impl FnOnce(Misdirected) -> Option<String>,
) {
    match verdict {
        Verdict::Serve(_) => {}
        Verdict::Misdirected(reason) => misdirected(target, *reason, hint),
        Verdict::Malformed(reason) => malformed(target, *reason),
    }
}

/// Logs a misdirected request, unless the rate limit suppresses it. `hint` is as for [`verdict`].
///
/// # Examples
/// ```
/// use coalesce_core::{
///     GroupId, Misdirected, RefusalHint, RequestTarget, ServerConnection,
/// };
/// use coalesce_http::log;
///
/// let connection = ServerConnection::cleartext(GroupId::new(1), 8080);
/// log::misdirected(&RequestTarget::https(b"a.test:81"), Misdirected::Port, |reason| {
///     RefusalHint::new(&connection, reason).map(|hint| hint.to_string())
/// });
/// ```
#[cold]
pub fn misdirected(
    target: &RequestTarget<'_>,
    reason: Misdirected,
    hint: impl FnOnce(Misdirected) -> Option<String>,
) {
    static LIMIT: LazyLock<RateLimit> = LazyLock::new(limit_of_a_kind);
    let LogDecision::Log { unlogged_before } = decide(&LIMIT) else { return };
    tracing::info!(
        reason = reason.code(),
        step = reason.step().number(),
        rule = reason.rule(),
        authority = %LoggedAuthority::of_target(target),
        status = 421,
        hint = hint(reason),
        unlogged = counted(unlogged_before),
        "misdirected"
    );
}

/// Logs a malformed request, unless the rate limit suppresses it.
///
/// # Examples
/// ```
/// use coalesce_core::{Malformed, RequestTarget};
/// use coalesce_http::log;
///
/// log::malformed(&RequestTarget::https(b"a.test"), Malformed::SeveralHosts);
/// ```
#[cold]
pub fn malformed(target: &RequestTarget<'_>, reason: Malformed) {
    static LIMIT: LazyLock<RateLimit> = LazyLock::new(limit_of_a_kind);
    let LogDecision::Log { unlogged_before } = decide(&LIMIT) else { return };
    tracing::info!(
        reason = reason.code(),
        step = reason.step().number(),
        rule = reason.rule(),
        authority = %LoggedAuthority::of_target(target),
        detail = %reason,
        unlogged = counted(unlogged_before),
        "malformed"
    );
}

/// Logs a request whose target could not be decided, unless the rate limit suppresses it. `stream`
/// is its stream, if its HTTP version has streams.
///
/// # Examples
/// ```
/// use coalesce_http::{log, target::TargetError};
///
/// // HTTP/2 has streams, HTTP/1.1 has none.
/// log::target_error(TargetError::Path, Some(5));
/// log::target_error(TargetError::NoHost, None);
/// ```
#[cold]
pub fn target_error(error: TargetError, stream: Option<u32>) {
    static LIMIT: LazyLock<RateLimit> = LazyLock::new(limit_of_a_kind);
    let LogDecision::Log { unlogged_before } = decide(&LIMIT) else { return };
    tracing::info!(
        reason = error.code(),
        rule = error.rule(),
        stream,
        unlogged = counted(unlogged_before),
        "malformed"
    );
}

/// Makes the limit of one kind of event.
fn limit_of_a_kind() -> RateLimit {
    RateLimit::per_second(REFUSALS_LOGGED_PER_SECOND)
}

/// Decides whether an event is logged now.
fn decide(limit: &RateLimit) -> LogDecision {
    // Without a subscriber the clock is not read.
    if tracing::enabled!(tracing::Level::INFO) {
        limit.decide(Instant::now())
    } else {
        LogDecision::Skip
    }
}

/// Returns the count of a line, or `None` if no event was suppressed before it.
fn counted(unlogged: u64) -> Option<u64> {
    (unlogged > 0).then_some(unlogged)
}

/// Returns the bytes of a request's authority: `:authority`, or else a single `Host`.
///
/// # Examples
/// ```
/// use coalesce_core::RequestTarget;
/// use coalesce_http::log::named_authority;
///
/// assert_eq!(named_authority(&RequestTarget::https(b"a.test")), Some(&b"a.test"[..]));
/// ```
#[inline]
#[must_use]
pub fn named_authority<'a>(target: &RequestTarget<'a>) -> Option<&'a [u8]> {
    match (target.authority, target.host) {
        (Some(bytes), _) | (None, HostField::One(bytes)) => Some(bytes),
        _ => None,
    }
}

/// The bytes of a client in a form that is safe to log: at most [`LOGGED_BYTES_MAX`], with every
/// byte other than printable ASCII escaped, so that no client can forge a line.
///
/// # Examples
/// ```
/// use coalesce_http::log::LoggedAuthority;
///
/// let logged = LoggedAuthority::new(b"a.test\r\nforged: line");
/// assert_eq!(logged.to_string(), r"a.test\r\nforged: line");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LoggedAuthority<'a>(&'a [u8]);

impl<'a> LoggedAuthority<'a> {
    /// Wraps these bytes.
    #[must_use]
    pub const fn new(authority: &'a [u8]) -> Self {
        Self(authority)
    }

    /// Wraps the bytes that [`named_authority`] returns, or none.
    #[must_use]
    pub fn of_target(target: &RequestTarget<'a>) -> Self {
        Self(named_authority(target).unwrap_or_default())
    }
}

impl fmt::Display for LoggedAuthority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.get(..LOGGED_BYTES_MAX).unwrap_or(self.0);
        fmt::Display::fmt(&shown.escape_ascii(), f)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use coalesce_core::MethodKind;

    use super::*;

    #[test]
    fn logged_authority_is_short_and_printable() {
        assert_eq!(LoggedAuthority::new(b"a\n\xff\"b").to_string(), "a\\n\\xff\\\"b");
        let long = b"a".repeat(40_000);
        assert_eq!(LoggedAuthority::new(&long).to_string().len(), LOGGED_BYTES_MAX);
    }

    #[test]
    fn logged_authority_is_the_one_that_is_decided() {
        let cases: [(Option<&[u8]>, HostField<'_>, &str); 4] = [
            (Some(b"a.test"), HostField::One(b"b.test"), "a.test"),
            (None, HostField::One(b"b.test"), "b.test"),
            (None, HostField::Several, ""),
            (None, HostField::Absent, ""),
        ];
        for (authority, host, expected) in cases {
            let method = MethodKind::Ordinary;
            let target = RequestTarget { authority, host, scheme: None, method };
            assert_eq!(LoggedAuthority::of_target(&target).to_string(), expected);
        }
    }

    /// Lines of a subscriber, without their time and level.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn flood_of_refusals_writes_few_lines_and_counts_the_rest() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .without_time()
            .finish();
        let target = RequestTarget::https(b"a.test");
        let from = Instant::now();
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..1_000 {
                misdirected(&target, Misdirected::Certificate, |_| None);
            }
            // A new second allows lines again.
            std::thread::sleep(Duration::from_millis(1_100));
            misdirected(&target, Misdirected::Port, |_| Some("for 443".to_owned()));
        });
        let seconds = from.elapsed().as_secs() + 2;
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let logged = text.lines().count() as u64;
        assert!(logged <= seconds * REFUSALS_LOGGED_PER_SECOND, "{logged} lines");
        let last = text.lines().last().unwrap();
        assert!(last.contains("reason=\"port\""), "{last}");
        assert!(last.contains("hint=\"for 443\""), "{last}");
        let unlogged = |line: &str| -> Option<u64> {
            line.split("unlogged=").nth(1)?.split(' ').next()?.parse().ok()
        };
        let unlogged: u64 = text.lines().filter_map(unlogged).sum();
        assert_eq!(logged + unlogged, 1_001, "{text}");
    }
}
