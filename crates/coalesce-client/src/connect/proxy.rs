//! The proxy of a client, and the hosts that do without it.

use std::fmt;
use std::net::IpAddr;

use coalesce_core::{Authority, DnsNameBuf, Host, HostBuf, Origin, Scheme};
use coalesce_pool::Proxy;

/// A proxy for all hosts, with exceptions.
///
/// The client asks the proxy for a tunnel to each origin (`CONNECT`, RFC 9110 §9.3.6), also for
/// `http` origins. It does not resolve their hosts, and shares no such connection with other hosts:
/// the reason is `proxy`. SOCKS is not supported.
///
/// # Examples
/// ```
/// use coalesce_client::ProxyConfig;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let proxy = ProxyConfig::new("http://user:secret@proxy.test:3128")?
///     .except("localhost, example.test, 192.0.2.0/24");
/// assert_eq!(proxy.to_string(), "http://proxy.test:3128");
/// assert!(ProxyConfig::new("socks5://proxy.test").is_err());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ProxyConfig {
    name: Proxy,
    scheme: Scheme,
    host: HostBuf,
    port: u16,
    /// The value of `Proxy-Authorization`.
    authorization: Option<String>,
    exceptions: Vec<Exception>,
}

/// Hosts that do without the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Exception {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    All,
    /// A name, and every name below it.
    Below(DnsNameBuf),
    Network {
        address: IpAddr,
        prefix: u32,
    },
}

/// The error of a proxy's URL.
///
/// # Examples
/// ```
/// use coalesce_client::ProxyConfig;
///
/// let error = ProxyConfig::new("socks5://proxy.test:1080").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "proxy socks5://proxy.test:1080: expected http://HOST:PORT or https://HOST:PORT",
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyConfigError {
    /// The URL without user and password.
    url: String,
}

impl fmt::Display for ProxyConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "proxy {}: expected http://HOST:PORT or https://HOST:PORT", self.url)
    }
}

impl std::error::Error for ProxyConfigError {}

impl ProxyConfig {
    /// Makes a proxy from a URL: `http://HOST:PORT`, or `https://HOST:PORT` for a proxy with TLS. A
    /// user and a password may stand before the host, percent-encoded. The port is 80 or 443 if it
    /// is missing, and the scheme is `http`.
    ///
    /// # Errors
    /// Returns [`ProxyConfigError`] for another scheme, and for a host that is none.
    pub fn new(url: &str) -> Result<Self, ProxyConfigError> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (user, authority) = match rest.rsplit_once('@') {
            Some((user, authority)) => (Some(user), authority),
            None => (None, rest),
        };
        let error = || ProxyConfigError { url: format!("{scheme}://{authority}") };
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(error()),
        };
        let parsed = Authority::parse(authority.as_bytes()).map_err(|_| error())?;
        let origin = Origin::from_authority(scheme, &parsed);
        if matches!(origin.host(), Host::Name(_) | Host::Ip(_)) {
            Ok(Self {
                name: Proxy::new(&origin.to_string()),
                scheme,
                host: origin.host().to_buf(),
                port: origin.port(),
                authorization: user.map(|user| basic(&percent_decoded(user))),
                exceptions: Vec::new(),
            })
        } else {
            Err(error())
        }
    }

    /// Sends this user and password to the proxy (RFC 7617).
    #[must_use]
    pub fn basic_authorization(mut self, user: &str, password: &str) -> Self {
        self.authorization = Some(basic(format!("{user}:{password}").as_bytes()));
        self
    }

    /// Adds hosts that do without the proxy, in the form of `NO_PROXY`: a list with commas.
    ///
    /// | entry | hosts |
    /// | --- | --- |
    /// | `example.test`, `.example.test` | the name, and every name below it |
    /// | `192.0.2.1`, `192.0.2.0/24`, `2001:db8::/32` | hosts that are such an address |
    /// | `example.test:8443` | the same with this port alone |
    /// | `*` | all |
    ///
    /// An entry of another form matches no host.
    #[must_use]
    pub fn except(mut self, list: &str) -> Self {
        self.exceptions.extend(list.split(',').filter_map(|it| Exception::parse(it.trim())));
        self
    }

    /// Reads the variables `HTTPS_PROXY` or `ALL_PROXY`, and `NO_PROXY`, also in lower case.
    ///
    /// # Errors
    /// Returns [`ProxyConfigError`] if there is a variable that is not the URL of a proxy.
    pub fn from_env() -> Result<Option<Self>, ProxyConfigError> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    fn from_variables(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, ProxyConfigError> {
        let find = |names: [&str; 2]| {
            names.iter().find_map(|it| variable(it)).filter(|value| !value.is_empty())
        };
        let url = find(["https_proxy", "HTTPS_PROXY"]).or_else(|| find(["all_proxy", "ALL_PROXY"]));
        let Some(url) = url else { return Ok(None) };
        let exceptions = find(["no_proxy", "NO_PROXY"]).unwrap_or_default();
        Ok(Some(Self::new(&url)?.except(&exceptions)))
    }

    /// Returns the proxy for an origin, as the pool compares it. `None` if there is an exception.
    pub(crate) fn for_origin(&self, origin: &Origin<'_>) -> Option<Proxy> {
        let excepted = self.exceptions.iter().any(|it| it.matches(origin));
        (!excepted).then(|| self.name.clone())
    }

    pub(super) const fn name(&self) -> &Proxy {
        &self.name
    }

    pub(super) const fn scheme(&self) -> Scheme {
        self.scheme
    }

    pub(super) const fn host(&self) -> Host<'_> {
        self.host.as_host()
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }
}

/// Writes the URL without user and password.
impl fmt::Display for ProxyConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.as_str())
    }
}

impl fmt::Debug for ProxyConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyConfig")
            .field("name", &self.name)
            .field("authorization", &self.authorization.is_some())
            .field("exceptions", &self.exceptions)
            .finish_non_exhaustive()
    }
}

impl Exception {
    fn parse(entry: &str) -> Option<Self> {
        if entry == "*" {
            return Some(Self { hosts: Hosts::All, port: None });
        }
        if let Some((address, prefix)) = entry.split_once('/') {
            let (address, prefix) = (address.parse().ok()?, prefix.parse().ok()?);
            return Some(Self { hosts: Hosts::Network { address, prefix }, port: None });
        }
        if let Ok(address) = entry.parse::<IpAddr>() {
            return Some(Self { hosts: Hosts::Network { address, prefix: 128 }, port: None });
        }
        let entry = entry.strip_prefix('.').unwrap_or(entry);
        let authority = Authority::parse(entry.as_bytes()).ok()?;
        let hosts = match authority.host() {
            Host::Name(name) => Hosts::Below(name.to_buf()),
            Host::Ip(address) => Hosts::Network { address, prefix: 128 },
            _ => return None,
        };
        Some(Self { hosts, port: authority.port() })
    }

    fn matches(&self, origin: &Origin<'_>) -> bool {
        let host = match (&self.hosts, origin.host()) {
            (Hosts::All, _) => true,
            (Hosts::Below(suffix), Host::Name(name)) => {
                name == suffix.as_name() || name.is_below(suffix.as_name())
            }
            (Hosts::Network { address, prefix }, Host::Ip(host)) => {
                is_within(host.to_canonical(), address.to_canonical(), *prefix)
            }
            _ => false,
        };
        host && self.port.is_none_or(|port| port == origin.port())
    }
}

/// Returns whether the first bits of two addresses are the same.
fn is_within(host: IpAddr, network: IpAddr, prefix: u32) -> bool {
    match (host, network) {
        (IpAddr::V4(host), IpAddr::V4(network)) => {
            let differs = host.to_bits() ^ network.to_bits();
            differs.leading_zeros() >= prefix.min(u32::BITS)
        }
        (IpAddr::V6(host), IpAddr::V6(network)) => {
            let differs = host.to_bits() ^ network.to_bits();
            differs.leading_zeros() >= prefix.min(u128::BITS)
        }
        _ => false,
    }
}

/// Returns the value of `Proxy-Authorization` (RFC 7617 §2).
fn basic(credentials: &[u8]) -> String {
    format!("Basic {}", base64(credentials))
}

/// Encodes bytes with padding (RFC 4648 §4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |place: usize| u32::from(chunk.get(place).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (place, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let letter = ALPHABET.get((bits >> shift & 63) as usize).copied();
            let padded = place > chunk.len();
            text.push(letter.filter(|_| !padded).map_or('=', char::from));
        }
    }
    text
}

/// Decodes `%41` and the like. Other percent signs stay.
fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| first == b'%').and_then(|it| str::from_utf8(it).ok());
        let decoded = hex
            .filter(|it| it.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|it| u8::from_str_radix(it, 16).ok());
        bytes.push(decoded.unwrap_or(first));
        rest = match decoded {
            Some(_) => after.get(2..).unwrap_or_default(),
            None => after,
        };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxied(proxy: &ProxyConfig, origin: &str) -> bool {
        proxy.for_origin(&Origin::parse(origin.as_bytes()).unwrap()).is_some()
    }

    #[test]
    fn url_has_scheme_host_port_and_credentials() {
        for (url, name, port, authorization) in [
            ("http://proxy.test:3128", "http://proxy.test:3128", 3128, None),
            ("proxy.test:3128", "http://proxy.test:3128", 3128, None),
            ("HTTPS://Proxy.test/", "https://proxy.test", 443, None),
            ("http://[2001:db8::1]:8080", "http://[2001:db8::1]:8080", 8080, None),
            // `Aladdin:open sesame` is the example of RFC 7617 §2.
            (
                "http://Aladdin:open%20sesame@proxy.test",
                "http://proxy.test",
                80,
                Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            ),
        ] {
            let proxy = ProxyConfig::new(url).unwrap();
            assert_eq!((proxy.to_string().as_str(), proxy.port()), (name, port), "{url}");
            assert_eq!(proxy.authorization(), authorization, "{url}");
        }
    }

    #[test]
    fn other_urls_are_errors_that_do_not_show_the_password() {
        for url in ["socks5://user:secret@proxy.test", "http://user:secret@a b", "http://", ""] {
            let error = ProxyConfig::new(url).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        let proxy = ProxyConfig::new("http://user:secret@proxy.test").unwrap();
        assert!(!format!("{proxy:?}").contains("secret"));
    }

    #[test]
    fn exceptions_match_names_below_networks_and_ports() {
        let list = "example.test, .b.test,c.test:8443,192.0.2.0/25,2001:db8::/32,203.0.113.7,a b";
        let proxy = ProxyConfig::new("http://proxy.test").unwrap().except(list);
        for (origin, expected) in [
            ("https://example.test", false),
            ("https://a.Example.test", false),
            ("https://notexample.test", true),
            ("https://b.test", false),
            ("https://c.test", true),
            ("https://c.test:8443", false),
            ("https://192.0.2.127", false),
            ("https://192.0.2.128", true),
            ("https://[2001:db8:ffff::1]", false),
            ("https://[2001:db9::1]", true),
            ("https://203.0.113.7", false),
            ("https://203.0.113.6", true),
        ] {
            assert_eq!(proxied(&proxy, origin), expected, "{origin}");
        }
        assert!(!proxied(&proxy.except("*"), "https://d.test"));
    }

    #[test]
    fn variables_name_proxy_and_exceptions() {
        let read = |variables: &[(&str, &str)]| {
            let find = |name: &str| variables.iter().find(|it| it.0 == name);
            ProxyConfig::from_variables(|name| find(name).map(|it| it.1.to_owned()))
        };
        assert!(read(&[]).unwrap().is_none());
        assert!(read(&[("HTTPS_PROXY", "")]).unwrap().is_none());
        let proxy = read(&[("ALL_PROXY", "http://all.test"), ("no_proxy", "b.test")]);
        let proxy = proxy.unwrap().unwrap();
        assert_eq!(proxy.to_string(), "http://all.test");
        assert!(proxied(&proxy, "https://a.test"));
        assert!(!proxied(&proxy, "https://b.test"));
        let both = [("ALL_PROXY", "http://all.test"), ("https_proxy", "http://one.test")];
        assert_eq!(read(&both).unwrap().unwrap().to_string(), "http://one.test");
        assert!(read(&[("HTTPS_PROXY", "socks5://proxy.test")]).is_err());
    }

    #[test]
    fn base64_has_the_padding_of_the_rfc() {
        // RFC 4648 §10.
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
