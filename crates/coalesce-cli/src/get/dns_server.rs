//! The value of `--dns`.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// The port of DNS servers (RFC 1035 §4.2).
const DNS_PORT: u16 = 53;

/// The address of a DNS server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DnsServer(pub(super) SocketAddr);

impl FromStr for DnsServer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self(address));
        }
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        let ip: IpAddr = bare
            .parse()
            .map_err(|_| format!("invalid address {text:?}: expected IP or IP:PORT"))?;
        Ok(Self(SocketAddr::new(ip, DNS_PORT)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_has_the_port_of_dns_unless_it_has_another() {
        for (text, expected) in [
            ("9.9.9.9", "9.9.9.9:53"),
            ("9.9.9.9:5353", "9.9.9.9:5353"),
            ("2001:db8::1", "[2001:db8::1]:53"),
            ("[2001:db8::1]", "[2001:db8::1]:53"),
            ("[2001:db8::1]:5353", "[2001:db8::1]:5353"),
        ] {
            assert_eq!(text.parse(), Ok(DnsServer(expected.parse().unwrap())));
        }
        let error = "dns.test".parse::<DnsServer>().unwrap_err();
        assert_eq!(error, "invalid address \"dns.test\": expected IP or IP:PORT");
    }
}
