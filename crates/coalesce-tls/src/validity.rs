//! The period in which a certificate is valid.

use std::fmt;
use std::time::SystemTime;

use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::{ASN1Time, FromDer};

use crate::limits::{EXPIRY_WARNING, EXPIRY_WARNING_SHARE};

/// The period in which a certificate is valid (RFC 5280 §4.1.2.5), including both ends.
///
/// # Examples
///
#[cfg_attr(feature = "rustls", doc = "```")]
#[cfg_attr(not(feature = "rustls"), doc = "```ignore")]
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use std::time::SystemTime;
///
/// use coalesce_tls::{
///     ServerCertificate, Validity, certificates_from_pem, private_key_from_pem,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (chain_pem, key_pem) = pem()?;
/// let chain = certificates_from_pem(chain_pem.as_bytes())?;
/// let key = private_key_from_pem(key_pem.as_bytes())?;
/// let provider = rustls::crypto::ring::default_provider();
/// let certificate = ServerCertificate::from_der(&provider, chain, key)?;
/// let period = certificate.validity_period();
/// assert_eq!(period.at(SystemTime::now()), Validity::Valid);
/// println!("valid until {}", period.not_after());
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ValidityPeriod {
    not_before: CertificateTime,
    not_after: CertificateTime,
}

impl ValidityPeriod {
    /// Reads the certificate `der`. Returns `None` if it is not a certificate.
    pub fn read_der(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let validity = certificate.validity();
        let [not_before, not_after] = [validity.not_before, validity.not_after]
            .map(|time| CertificateTime { unix_seconds: time.timestamp() });
        Some(Self { not_before, not_after })
    }

    /// Returns the first moment at which the certificate is valid.
    pub const fn not_before(&self) -> CertificateTime {
        self.not_before
    }

    /// Returns the last moment at which the certificate is valid.
    pub const fn not_after(&self) -> CertificateTime {
        self.not_after
    }

    /// Returns whether the certificate is valid at this moment.
    pub fn at(&self, now: SystemTime) -> Validity {
        let now = unix_seconds(now);
        let (first, last) = (self.not_before.unix_seconds, self.not_after.unix_seconds);
        if now < first {
            return Validity::NotYet;
        }
        if now > last {
            return Validity::Expired;
        }
        let lifetime = last.saturating_sub(first);
        let warned = lifetime.checked_div(EXPIRY_WARNING_SHARE).unwrap_or(0);
        let warned = warned.min(i64::try_from(EXPIRY_WARNING.as_secs()).unwrap_or(i64::MAX));
        if last.saturating_sub(now) < warned { Validity::EndsSoon } else { Validity::Valid }
    }
}

/// A moment, to the second. `Display` writes it as RFC 3339 does: `2030-01-31T12:00:00Z`.
///
/// # Examples
/// ```
/// use coalesce_tls::ValidityPeriod;
///
/// /// Returns the value of a metric.
/// fn not_after_seconds(period: &ValidityPeriod) -> i64 {
///     period.not_after().unix_seconds()
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertificateTime {
    unix_seconds: i64,
}

impl CertificateTime {
    /// Returns the seconds since 1970-01-01T00:00:00Z, without leap seconds.
    pub const fn unix_seconds(&self) -> i64 {
        self.unix_seconds
    }
}

impl fmt::Display for CertificateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(time) = ASN1Time::from_timestamp(self.unix_seconds) else {
            return write!(f, "{} seconds after 1970", self.unix_seconds);
        };
        let time = time.to_datetime();
        let (year, month, day) = time.to_calendar_date();
        let (hour, minute, second) = time.to_hms();
        let month = u8::from(month);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// Whether a certificate is valid at some moment.
///
/// # Examples
/// ```
/// use coalesce_tls::Validity;
///
/// /// Returns true for a certificate that you must renew.
/// fn is_due(validity: Validity) -> bool {
///     matches!(validity, Validity::EndsSoon | Validity::Expired)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Validity {
    /// The certificate is not valid yet.
    NotYet,
    /// The certificate is valid.
    Valid,
    /// The certificate is valid for less than [`EXPIRY_WARNING`], or for less than a quarter of its
    /// lifetime if that is shorter.
    EndsSoon,
    /// The certificate is not valid any more.
    Expired,
}

fn unix_seconds(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => {
            i64::try_from(before.duration().as_secs()).map_or(i64::MIN, i64::saturating_neg)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const DAY: i64 = 24 * 60 * 60;
    const START: i64 = 1_700_000_000;

    fn period(days: i64) -> ValidityPeriod {
        let time = |unix_seconds| CertificateTime { unix_seconds };
        ValidityPeriod { not_before: time(START), not_after: time(START + days * DAY) }
    }

    fn moment(unix_seconds: i64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(unix_seconds.try_into().unwrap())
    }

    #[test]
    fn period_includes_both_its_ends() {
        let (period, end) = (period(90), START + 90 * DAY);
        let cases = [
            (START - 1, Validity::NotYet),
            (START, Validity::Valid),
            (end - 14 * DAY, Validity::Valid),
            (end - 14 * DAY + 1, Validity::EndsSoon),
            (end, Validity::EndsSoon),
            (end + 1, Validity::Expired),
        ];
        for (now, validity) in cases {
            assert_eq!(period.at(moment(now)), validity, "{}", now - START);
        }
    }

    #[test]
    fn short_lived_certificate_ends_soon_in_the_last_quarter_of_its_lifetime() {
        let period = period(4);
        assert_eq!(period.at(moment(START + 3 * DAY)), Validity::Valid);
        assert_eq!(period.at(moment(START + 3 * DAY + 1)), Validity::EndsSoon);
    }

    #[test]
    fn period_is_read_from_the_certificate() {
        let mut params = rcgen::CertificateParams::new(["a.example.test".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(1969, 12, 31);
        params.not_after = rcgen::date_time_ymd(2050, 2, 3);
        let key = rcgen::KeyPair::generate().unwrap();
        let made = params.self_signed(&key).unwrap();
        let period = ValidityPeriod::read_der(made.der()).unwrap();
        assert_eq!(period.not_before().to_string(), "1969-12-31T00:00:00Z");
        assert_eq!(period.not_after().to_string(), "2050-02-03T00:00:00Z");
        assert_eq!(period.not_before().unix_seconds(), -DAY);
        assert_eq!(period.at(SystemTime::UNIX_EPOCH), Validity::Valid);
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(24 * 60 * 60 + 1);
        assert_eq!(period.at(before), Validity::NotYet);
        assert_eq!(ValidityPeriod::read_der(b"junk"), None);
    }
}
