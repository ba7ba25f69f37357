//! The reason of each refusal, for the operator; nothing of it is in the answer.

use coalesce_core::{HostField, Malformed, Misdirected, RequestTarget, Verdict};

/// What is refused, and why.
pub(crate) fn verdict(target: &RequestTarget<'_>, found: &Verdict) {
    match found {
        Verdict::Serve(_) => {}
        Verdict::Misdirected(reason) => misdirected(target, *reason),
        Verdict::Malformed(reason) => malformed(target, *reason),
    }
}

/// A request that is refused before it can be decided.
pub(crate) fn form(stream: u32, reason: &'static str, rule: &'static str) {
    tracing::info!(reason, rule, stream, "malformed");
}

fn misdirected(target: &RequestTarget<'_>, reason: Misdirected) {
    tracing::info!(
        reason = reason.code(),
        step = reason.step().number(),
        rule = reason.rule(),
        authority = %named(target),
        status = 421,
        "misdirected"
    );
}

fn malformed(target: &RequestTarget<'_>, reason: Malformed) {
    tracing::info!(
        reason = reason.code(),
        step = reason.step().number(),
        rule = reason.rule(),
        authority = %named(target),
        detail = %reason,
        "malformed"
    );
}

/// What the request named, printable and of bounded length.
fn named<'a>(target: &RequestTarget<'a>) -> std::slice::EscapeAscii<'a> {
    /// Longer than any name that could be served.
    const LOGGED_BYTES_MAX: usize = 300;
    let bytes = match (target.authority, target.host) {
        (Some(bytes), _) | (None, HostField::One(bytes)) => bytes,
        _ => b"",
    };
    bytes.get(..LOGGED_BYTES_MAX).unwrap_or(bytes).escape_ascii()
}
