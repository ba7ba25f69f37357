//! The certificates of a site: when each is valid.

use std::time::{Duration, SystemTime};

use coalesce_site::Identity;
use coalesce_tls::Validity;
use rcgen::{CertificateParams, KeyPair};

use crate::support::{Text, builder};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// An identity for `a.test` that is valid from one moment to the other.
fn identity(from: SystemTime, to: SystemTime) -> Identity {
    let mut params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
    params.not_before = from.into();
    params.not_after = to.into();
    let key = KeyPair::generate().unwrap();
    Identity::from_pem(params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

#[test]
fn certificate_that_is_not_valid_or_ends_soon_is_a_warning_with_its_dates() {
    let now = SystemTime::now();
    let cases = [
        (now - DAY, now + 90 * DAY, Validity::Valid, None),
        (now - 80 * DAY, now + 10 * DAY, Validity::EndsSoon, Some("expires soon, at 2")),
        (now - 80 * DAY, now - DAY, Validity::Expired, Some("has expired, at 2")),
        (now + DAY, now + 90 * DAY, Validity::NotYet, Some("is not valid before 2")),
    ];
    for (from, to, validity, warned) in cases {
        let site = builder().host("a.test", identity(from, to), Text("a")).build().unwrap();
        let snapshot = site.snapshot();
        let certificates: Vec<_> = snapshot.certificates().collect();
        let [certificate] = certificates[..] else { panic!("one certificate expected") };
        assert_eq!(certificate.label(), "the certificate");
        assert_eq!(certificate.presented().names(), ["DNS:a.test"]);
        assert_eq!(certificate.validity_period().at(now), validity);
        let end = to.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let not_after = certificate.validity_period().not_after().unix_seconds();
        assert_eq!(u64::try_from(not_after), Ok(end));
        let warnings: Vec<String> = site.warnings().iter().map(ToString::to_string).collect();
        match warned {
            None => assert!(warnings.is_empty(), "{warnings:?}"),
            Some(text) => {
                let start = format!("host \"a.test\": certificate: the certificate {text}");
                assert!(warnings[0].starts_with(&start) && warnings.len() == 1, "{warnings:?}");
            }
        }
    }
}

#[test]
fn site_has_each_certificate_once_with_its_alternatives() {
    let (now, later) = (SystemTime::now() - DAY, SystemTime::now() + 90 * DAY);
    let both = identity(now, later).and(identity(now, later));
    let site = builder().host("a.test", both, Text("a")).build().unwrap();
    assert_eq!(site.snapshot().certificates().count(), 2);
}
