//! The host that a request to the admin listener names.

use std::net::IpAddr;

use coalesce_core::{Authority, DnsName, Host, HostBuf};
use http::header::HOST;
use http::{HeaderValue, Request, Version};

/// The reason why a request names no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serve) enum HostError {
    /// HTTP/1.0 permits requests without a host.
    Absent,
    /// An HTTP/1.1 request without `Host`, with several, or with an invalid one (RFC 9112 §3.2).
    Malformed,
}

/// A host as a request names it.
#[derive(Clone, Copy, Debug)]
pub(in crate::serve) struct NamedHost<'a> {
    written: &'a [u8],
    host: Host<'a>,
}

/// Returns the host of the request's target, else of its `Host` (RFC 9112 §3.2.2).
pub(in crate::serve) fn named_host<B>(request: &Request<B>) -> Result<NamedHost<'_>, HostError> {
    let mut fields = request.headers().get_all(HOST).iter().map(HeaderValue::as_bytes);
    let (field, second) = (fields.next(), fields.next());
    let target = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let written = match (target, field, second) {
        (_, _, Some(_)) => return Err(HostError::Malformed),
        (Some(written), ..) | (None, Some(written), None) => written,
        (None, None, None) if request.version() < Version::HTTP_11 => {
            return Err(HostError::Absent);
        }
        (None, None, None) => return Err(HostError::Malformed),
    };
    let authority = Authority::parse(written).map_err(|_| HostError::Malformed)?;
    Ok(NamedHost { written, host: authority.host() })
}

impl<'a> NamedHost<'a> {
    pub(in crate::serve) const fn as_bytes(&self) -> &'a [u8] {
        self.written
    }

    /// Returns true if the host is `localhost`, one of the listener's addresses, or one of
    /// `others`.
    ///
    /// Any port is accepted: a forwarded port has another number at the client, and a page that
    /// rebinds a name cannot choose the name of an address.
    pub(in crate::serve) fn is_one_of(
        &self,
        own: impl IntoIterator<Item = IpAddr>,
        others: &[HostBuf],
    ) -> bool {
        let is_own = match self.host {
            Host::Name(name) => DnsName::parse(LOCALHOST).is_ok_and(|own| own == name),
            // A socket for both versions of IP shows IPv4 addresses in their mapped form.
            Host::Ip(address) => {
                own.into_iter().any(|own| own.to_canonical() == address.to_canonical())
            }
            _ => false,
        };
        is_own || others.iter().any(|other| other.as_host() == self.host)
    }
}

/// The name that every system resolves to itself (RFC 6761 §6.3).
const LOCALHOST: &[u8] = b"localhost";

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str, hosts: &[&str], version: Version) -> Request<()> {
        let mut request = Request::builder().uri(uri).version(version);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn admin_host_is_the_listeners_own_or_a_configured_one() {
        let own: [IpAddr; 2] = ["::ffff:192.0.2.1".parse().unwrap(), "::".parse().unwrap()];
        let others: [HostBuf; 2] =
            ["metrics.test".parse().unwrap(), "198.51.100.1".parse().unwrap()];
        let cases = [
            ("localhost", true),
            ("LocalHost.:9421", true),
            ("192.0.2.1:9421", true),
            ("[::ffff:192.0.2.1]", true),
            ("[::]:9421", true),
            ("metrics.test", true),
            ("METRICS.test.:80", true),
            ("198.51.100.1", true),
            ("192.0.2.2", false),
            ("rebound.test", false),
            ("localhost.rebound.test", false),
            ("xlocalhost", false),
            ("192.0.2.1.rebound.test", false),
            ("metrics.test.rebound.test", false),
            ("a%62", false),
        ];
        for (host, expected) in cases {
            let request = request("/metrics", &[host], Version::HTTP_11);
            assert_eq!(named_host(&request).unwrap().is_one_of(own, &others), expected, "{host}");
        }
    }

    #[test]
    fn host_of_the_target_outranks_the_field() {
        let request = request("http://rebound.test/metrics", &["localhost"], Version::HTTP_11);
        assert_eq!(named_host(&request).unwrap().as_bytes(), b"rebound.test");
    }

    #[test]
    fn request_without_one_host_is_malformed_or_old() {
        let cases: [(&[&str], Version, HostError); 5] = [
            (&[], Version::HTTP_10, HostError::Absent),
            (&[], Version::HTTP_11, HostError::Malformed),
            (&[""], Version::HTTP_11, HostError::Malformed),
            (&["localhost", "localhost"], Version::HTTP_11, HostError::Malformed),
            (&["me@localhost"], Version::HTTP_10, HostError::Malformed),
        ];
        for (hosts, version, expected) in cases {
            let request = request("/metrics", hosts, version);
            assert_eq!(named_host(&request).unwrap_err(), expected, "{hosts:?}");
        }
    }
}
