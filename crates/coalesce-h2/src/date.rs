//! The `date` field, which RFC 9110 §6.6.1 wants of every server that has a clock.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderValue;

/// Formatted once in a second, however many answers there are.
static NOW: Mutex<Option<(u64, HeaderValue)>> = Mutex::new(None);

/// The current time as a `date` field, for answers of the application; this crate's own have it.
///
/// Formatted once in a second; the value is shared.
pub fn date() -> HeaderValue {
    with_date(HeaderValue::clone)
}

/// Appends the current time to `out`.
pub(crate) fn write_date(out: &mut Vec<u8>) {
    with_date(|date| out.extend_from_slice(date.as_bytes()));
}

fn with_date<R>(use_it: impl FnOnce(&HeaderValue) -> R) -> R {
    let time = SystemTime::now();
    // A clock before 1970 is no clock; whatever it says, it says the same all along.
    let second = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    // The value is whole at any moment, so a panic elsewhere has not spoilt it.
    let mut cached = NOW.lock().unwrap_or_else(PoisonError::into_inner);
    match &*cached {
        Some((of, value)) if *of == second => use_it(value),
        _ => {
            let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second));
            // No date has another length than this one (RFC 9110 §5.6.7).
            let value = HeaderValue::from_str(&text)
                .unwrap_or_else(|_| HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"));
            let (_, value) = cached.insert((second, value));
            use_it(value)
        }
    }
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
