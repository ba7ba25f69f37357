//! The message of a request without an answer: host, cause, what to do.

use std::error::Error as StdError;
use std::io;
use std::iter;
use std::time::Duration;

use coalesce_client::ErrorKind;
use rustls::{AlertDescription, CertificateError};

use crate::get::target::Target;
use crate::terminal::text::without_code;

/// Describes an error of the client.
pub(super) fn describe(target: &Target, error: &coalesce_client::Error) -> String {
    message(target, error.kind(), error)
}

/// Describes the end of `--max-time`.
pub(super) fn too_late(target: &Target, time: Option<Duration>) -> String {
    let seconds = time.unwrap_or_default().as_secs_f64();
    format!("{}: no answer within {seconds} seconds; raise --max-time", target.host)
}

/// Describes a content over `--max-filesize`.
pub(super) fn too_long(target: &Target, limit: u64) -> String {
    let host = &target.host;
    format!("{host}: the content has more than {limit} bytes; raise --max-filesize")
}

fn message(target: &Target, kind: ErrorKind, error: &(dyn StdError + 'static)) -> String {
    let found = causes(error.source());
    let advice = found.iter().find_map(|cause| cause_advice(*cause)).or_else(|| kind_advice(kind));
    let host = &target.host;
    let mut text = format!("{host}: {error}");
    for cause in found {
        let cause = cause_text(cause);
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    match advice {
        Some(advice) => {
            let advice = advice.replace("HOST:PORT", &format!("{host}:{}", target.port));
            format!("{text}; {advice}")
        }
        None => text,
    }
}

/// Returns the errors below an error, and those that an error of IO carries.
fn causes<'a>(source: Option<&'a (dyn StdError + 'static)>) -> Vec<&'a (dyn StdError + 'static)> {
    iter::successors(source, |error| inner(*error)).collect()
}

fn inner<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(carried) => Some(carried),
        None => error.source(),
    }
}

fn cause_text(cause: &(dyn StdError + 'static)) -> String {
    match cause.downcast_ref::<io::Error>() {
        Some(error) => without_code(error),
        None => cause.to_string(),
    }
}

/// Returns what to do against an error of TLS or of the operating system.
fn cause_advice(cause: &(dyn StdError + 'static)) -> Option<&'static str> {
    if let Some(error) = cause.downcast_ref::<rustls::Error>() {
        return tls_advice(error);
    }
    match cause.downcast_ref::<io::Error>()?.kind() {
        io::ErrorKind::ConnectionRefused => Some("check that a server runs there"),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            Some("check the network, or choose another address with --resolve HOST:PORT:ADDR")
        }
        _ => None,
    }
}

fn tls_advice(error: &rustls::Error) -> Option<&'static str> {
    match error {
        rustls::Error::InvalidCertificate(error) => Some(match error {
            // A trusted CA of the same name has another key.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "trust its CA with --cacert FILE"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "renew the certificate of the server, or correct the clock"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "check the name, and the address that it has"
            }
            _ => return None,
        }),
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired | AlertDescription::AccessDenied,
        ) => Some("send a client certificate with --cert FILE --key FILE"),
        rustls::Error::AlertReceived(AlertDescription::UnrecognisedName) => {
            Some("the server does not know this name: check it, and its address")
        }
        _ => None,
    }
}

const fn kind_advice(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::Resolve => Some("check the name, or name its address: --resolve HOST:PORT:ADDR"),
        ErrorKind::Timeout => Some("check the address, or raise --connect-timeout"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An error of the client, with its cause.
    #[derive(Debug)]
    struct Failed<E>(&'static str, E);

    impl<E: std::fmt::Debug> std::fmt::Display for Failed<E> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl<E: StdError + 'static> StdError for Failed<E> {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.1)
        }
    }

    fn said(kind: ErrorKind, cause: impl StdError + 'static) -> String {
        let target = "https://a.test/".parse().unwrap();
        message(&target, kind, &Failed("no answer", cause))
    }

    #[test]
    fn message_has_host_cause_and_advice() {
        assert_eq!(
            said(ErrorKind::Connect, io::Error::from_raw_os_error(111)),
            "a.test: no answer: Connection refused; check that a server runs there"
        );
        let unknown = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let carried = io::Error::new(io::ErrorKind::InvalidData, unknown);
        assert_eq!(
            said(ErrorKind::Connect, carried),
            "a.test: no answer: invalid peer certificate: UnknownIssuer; trust its CA with \
             --cacert FILE"
        );
        let required = rustls::Error::AlertReceived(AlertDescription::CertificateRequired);
        let required = said(ErrorKind::Connection, required);
        assert!(required.ends_with("; send a client certificate with --cert FILE --key FILE"));
        assert_eq!(
            said(ErrorKind::Resolve, io::Error::other("no records")),
            "a.test: no answer: no records; check the name, or name its address: \
             --resolve a.test:443:ADDR"
        );
        let limit = said(ErrorKind::Limit, io::Error::other("no answer"));
        assert_eq!(limit, "a.test: no answer", "a cause is not said twice");
    }
}
