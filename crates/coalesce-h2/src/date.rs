//! The `date` field, which RFC 9110 §6.6.1 requires of a server with a clock.

use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderValue;

thread_local! {
    /// The formatted date of one second. Each thread has a cache, so threads neither wait for each
    /// other nor share a cache line that every answer writes.
    static FORMATTED: RefCell<Option<(u64, HeaderValue)>> = const { RefCell::new(None) };
}

/// Returns the current time as a `date` field, for answers of the application. The answers of this
/// crate have one.
///
/// The value is formatted once in each second and thread, and shared.
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
    // A clock before 1970 is not set, so its date does not matter.
    let second = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let cached = FORMATTED.try_with(|formatted| {
        let mut formatted = formatted.try_borrow_mut().ok()?;
        Some(match &mut *formatted {
            Some((of, value)) if *of == second => use_it(value),
            other => use_it(&other.insert((second, format(second))).1),
        })
    });
    // A thread that is ending has dropped its cache.
    cached.ok().flatten().unwrap_or_else(|| use_it(&format(second)))
}

#[cold]
fn format(second: u64) -> HeaderValue {
    let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second));
    // Every date has this length (RFC 9110 §5.6.7).
    HeaderValue::from_str(&text)
        .unwrap_or_else(|_| HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_is_in_the_preferred_format() {
        let now = date();
        let text = now.to_str().unwrap();
        assert!(httpdate::parse_http_date(text).is_ok() && text.ends_with(" GMT"), "{text}");
    }
}
