//! The `date` field, which RFC 9110 §6.6.1 wants of every server that has a clock.

use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderValue;

thread_local! {
    /// The date of one second, formatted. Each thread has its own, so that threads neither wait for
    /// each other nor write to one another's cache line at every answer.
    static FORMATTED: RefCell<Option<(u64, HeaderValue)>> = const { RefCell::new(None) };
}

/// The current time as a `date` field, for answers of the application; this crate's own have it.
///
/// Formatted once in a second and thread; the value is shared.
///
/// # Examples
/// ```
/// let mut response = http::Response::new(());
/// response.headers_mut().insert(http::header::DATE, coalesce_h2::date());
/// ```
pub fn date() -> HeaderValue {
    with_date(HeaderValue::clone)
}

/// Appends the current time to `out`.
pub(crate) fn write_date(out: &mut Vec<u8>) {
    with_date(|date| out.extend_from_slice(date.as_bytes()));
}

fn with_date<R>(mut use_it: impl FnMut(&HeaderValue) -> R) -> R {
    let time = SystemTime::now();
    // A clock before 1970 is no clock; whatever it says, it says the same all along.
    let second = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let cached = FORMATTED.try_with(|formatted| {
        let mut formatted = formatted.try_borrow_mut().ok()?;
        Some(match &mut *formatted {
            Some((of, value)) if *of == second => use_it(value),
            other => use_it(&other.insert((second, format(second))).1),
        })
    });
    // A thread that ends has no cache any more.
    cached.ok().flatten().unwrap_or_else(|| use_it(&format(second)))
}

#[cold]
fn format(second: u64) -> HeaderValue {
    let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second));
    // No date has another length than this one (RFC 9110 §5.6.7).
    HeaderValue::from_str(&text)
        .unwrap_or_else(|_| HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_in_the_preferred_format() {
        let now = date();
        let text = now.to_str().unwrap();
        assert!(httpdate::parse_http_date(text).is_ok() && text.ends_with(" GMT"), "{text}");
    }
}
