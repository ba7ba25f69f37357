//! Endpoints: where a host may be reached (RFC 9460, or plain addresses).

use core::net::{IpAddr, SocketAddr};

/// The protocols of an endpoint, by their ALPN ids (RFC 7301).
///
/// # Examples
/// ```
/// use coalesce_pool::Alpn;
///
/// assert!(Alpn::UNSAID.allows_http2());
/// assert!(Alpn::from_ids([&b"h2"[..], b"h3"]).allows_http2());
/// assert!(!Alpn::from_ids([&b"h3"[..]]).allows_http2());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Alpn(u8);

impl Alpn {
    const HTTP1: u8 = 1;
    const HTTP2: u8 = 2;
    const OTHER: u8 = 4;

    /// No ids: a plain address, or an HTTPS record without `alpn`.
    pub const UNSAID: Self = Self(0);

    /// Reads the ids of an HTTPS record (RFC 9460 §7.1). No ids at all are the same as
    /// [`UNSAID`](Self::UNSAID).
    pub fn from_ids<'a>(ids: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self(ids.into_iter().fold(0, |known, id| {
            known
                | match id {
                    b"http/1.1" => Self::HTTP1,
                    b"h2" => Self::HTTP2,
                    _ => Self::OTHER,
                }
        }))
    }

    /// Returns whether HTTP/2 may be tried.
    pub const fn allows_http2(self) -> bool {
        self.0 == 0 || self.0 & Self::HTTP2 != 0
    }

    /// Returns whether a TCP connection has a use: HTTP/1.1 or HTTP/2 may be tried.
    pub const fn allows_tcp(self) -> bool {
        self.0 == 0 || self.0 & (Self::HTTP1 | Self::HTTP2) != 0
    }
}

/// An address and port where a host may be reached, with its protocols.
///
/// # Examples
/// ```
/// use coalesce_pool::{Alpn, Endpoint};
///
/// let mut endpoint = Endpoint::new("192.0.2.10:443".parse()?);
/// assert_eq!(endpoint.alpn, Alpn::UNSAID);
/// endpoint.alpn = Alpn::from_ids([&b"h2"[..]]);
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Endpoint {
    /// The address and port.
    pub address: SocketAddr,
    /// The protocols.
    pub alpn: Alpn,
}

impl Endpoint {
    /// Makes an endpoint whose protocols are not known.
    pub const fn new(address: SocketAddr) -> Self {
        Self { address, alpn: Alpn::UNSAID }
    }
}

/// How a connected peer relates to the endpoints of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The peer is none of the endpoints.
    OtherAddress,
    /// The peer is one of them, but none of those allows HTTP/2.
    OtherProtocol,
    /// The peer is one of them.
    Same,
}

/// Compares a connected peer with the endpoints of a host.
///
/// Does an answer `0.0.0.0` match a peer `0.0.0.0`? No: a blocker writes it for any name, so it
/// names no server.
pub(crate) fn reach(peer: SocketAddr, endpoints: &[Endpoint]) -> Reach {
    let Some(peer) = comparable(peer) else { return Reach::OtherAddress };
    let same = endpoints.iter().filter(|endpoint| comparable(endpoint.address) == Some(peer));
    same.fold(Reach::OtherAddress, |found, endpoint| {
        if found == Reach::Same || endpoint.alpn.allows_http2() {
            Reach::Same
        } else {
            Reach::OtherProtocol
        }
    })
}

/// Returns the parts of an address that identify a server: an IPv4 address mapped into IPv6 is the
/// IPv4 address, and scope and flow do not count. The unspecified addresses identify none.
pub(crate) fn comparable(address: SocketAddr) -> Option<(IpAddr, u16)> {
    let ip = address.ip().to_canonical();
    (!ip.is_unspecified()).then_some((ip, address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(address: &str, ids: &[&[u8]]) -> Endpoint {
        let mut endpoint = Endpoint::new(address.parse().unwrap());
        endpoint.alpn = Alpn::from_ids(ids.iter().copied());
        endpoint
    }

    #[test]
    fn peer_is_compared_by_address_port_and_protocol() {
        let plain = endpoint("192.0.2.1:443", &[]);
        let http3 = endpoint("192.0.2.1:443", &[b"h3"]);
        let cases: &[(&str, &[Endpoint], Reach)] = &[
            ("192.0.2.1:443", &[], Reach::OtherAddress),
            ("192.0.2.1:443", &[plain], Reach::Same),
            ("192.0.2.1:444", &[plain], Reach::OtherAddress),
            ("192.0.2.2:443", &[plain], Reach::OtherAddress),
            ("[::ffff:192.0.2.1]:443", &[plain], Reach::Same),
            ("192.0.2.1:443", &[http3], Reach::OtherProtocol),
            ("192.0.2.1:443", &[http3, plain], Reach::Same),
            ("192.0.2.1:443", &[plain, http3], Reach::Same),
            ("0.0.0.0:443", &[endpoint("0.0.0.0:443", &[])], Reach::OtherAddress),
            ("[::]:443", &[endpoint("[::]:443", &[])], Reach::OtherAddress),
        ];
        for (peer, endpoints, expected) in cases {
            assert_eq!(reach(peer.parse().unwrap(), endpoints), *expected, "{peer}");
        }
    }

    #[test]
    fn tcp_has_a_use_unless_only_other_protocols_are_said() {
        assert!(Alpn::UNSAID.allows_tcp());
        assert!(Alpn::from_ids([&b"http/1.1"[..]]).allows_tcp());
        assert!(!Alpn::from_ids([&b"h3"[..], b"unknown"]).allows_tcp());
    }
}
