//! The rules once more, written as simply as possible: strings and linear scans, no tries.
//!
//! The model is written from the text of the design and of the RFCs, never from the code that it
//! checks. Property tests and fuzz targets compare the two. Where they differ, one of them misreads
//! the text.

use std::net::{IpAddr, Ipv6Addr};

/// A host as the rules see it. Names are in lower case and without a trailing dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Name(String),
    Ip(IpAddr),
    /// Well-formed, but no table or certificate can hold it.
    Other(String),
}

/// Splits and classifies an `:authority` or `Host` value. An error is the short name of the fault.
pub(crate) fn authority(field: &[u8]) -> Result<(Host, Option<u16>), &'static str> {
    // RFC 9113 §8.2.1.
    let blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let ends_blank = blank(field.first()) || blank(field.last());
    if ends_blank || field.iter().any(|byte| b"\0\r\n".contains(byte)) {
        return Err("field_value");
    }
    // RFC 9113 §8.3.1, RFC 9110 §4.2.4.
    if field.contains(&b'@') {
        return Err("userinfo");
    }
    // RFC 3986 allows only ASCII. Another byte is wrong in a host and in a port; the colon before
    // it decides which of the two is at fault.
    let text: String = field.iter().copied().map(char::from).collect();
    let (host, port) = if text.starts_with('[') {
        let close = text.find(']').ok_or("host")?;
        let (literal, port) = text.split_at(close + 1);
        (ip_literal(literal)?, port)
    } else {
        let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
        if host.is_empty() {
            return Err("empty_host");
        }
        (reg_name(host)?, port)
    };
    Ok((host, port_number(port)?))
}

/// Parses RFC 3986 §3.2.2, from bracket to bracket.
fn ip_literal(literal: &str) -> Result<Host, &'static str> {
    let inner = &literal[1..literal.len() - 1];
    if let Ok(address) = inner.parse::<Ipv6Addr>() {
        return Ok(Host::Ip(IpAddr::V6(address)));
    }
    let future = inner.strip_prefix(['v', 'V']).and_then(|rest| rest.split_once('.'));
    let is_future = future.is_some_and(|(version, address)| {
        !version.is_empty()
            && version.chars().all(|c| c.is_ascii_hexdigit())
            && !address.is_empty()
            && address.chars().all(|c| c == ':' || is_plain(c))
    });
    if is_future { Ok(Host::Other(literal.to_ascii_lowercase())) } else { Err("host") }
}

/// Parses RFC 3986 §3.2.2: an IPv4 address first, then a registered name.
fn reg_name(host: &str) -> Result<Host, &'static str> {
    let mut rest = host;
    while let Some(first) = rest.chars().next() {
        let hex = |at: usize| rest.as_bytes().get(at).is_some_and(u8::is_ascii_hexdigit);
        let length = match first {
            '%' if hex(1) && hex(2) => 3,
            first if is_plain(first) => 1,
            _ => return Err("host"),
        };
        rest = &rest[length..];
    }
    if let Some(octets) = ipv4(host) {
        return Ok(Host::Ip(IpAddr::from(octets)));
    }
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    Ok(if is_dns_name(&name) { Host::Name(name) } else { Host::Other(name) })
}

/// Parses four decimal numbers up to 255 without leading zeros.
fn ipv4(host: &str) -> Option<[u8; 4]> {
    let octets: Vec<u8> = host
        .split('.')
        .map(|part| part.parse::<u8>().ok().filter(|octet| octet.to_string() == part))
        .collect::<Option<_>>()?;
    octets.try_into().ok()
}

/// Returns whether the character is unreserved or a sub-delim.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=".contains(c)
}

fn port_number(port: &str) -> Result<Option<u16>, &'static str> {
    let Some(digits) = port.strip_prefix(':') else {
        return if port.is_empty() { Ok(None) } else { Err("port") };
    };
    let digits_only = digits.chars().all(|c| c.is_ascii_digit());
    let significant = digits.trim_start_matches('0');
    match (digits_only, digits, significant) {
        (false, ..) => Err("port"),
        (true, "", _) => Ok(None),
        (true, _, "") => Ok(Some(0)),
        (true, _, significant) => significant.parse().map(Some).map_err(|_| "port"),
    }
}

/// Returns whether the text is a name in a request or a configuration. It may have one trailing
/// dot.
pub(crate) fn is_name(text: &str) -> bool {
    is_dns_name(text.strip_suffix('.').unwrap_or(text))
}

/// Returns whether the text is a host: a name, an address, or an IPv6 address in brackets.
pub(crate) fn is_host(text: &str) -> bool {
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    bracketed.is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok())
        || text.parse::<IpAddr>().is_ok()
        || is_name(text)
}

/// Returns whether the text is a pattern of a table.
pub(crate) fn is_pattern(text: &str) -> bool {
    let suffix = text.strip_prefix("**.").or(text.strip_prefix("*."));
    text == "*" || suffix.map_or(is_host(text), is_name)
}

/// Returns whether the text is a valid dNSName (RFC 9525 §6.3, RFC 5280 §4.2.1.6): without a
/// trailing dot, and with a wildcard only as the whole first label of a valid name.
pub(crate) fn is_identifier(text: &str) -> bool {
    is_dns_name(text.strip_prefix("*.").unwrap_or(text)) && text.len() <= 253
}

/// Checks the preferred syntax of RFC 1034 §3.5 with `_`, for a name without a trailing dot.
fn is_dns_name(name: &str) -> bool {
    let label_fits = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    let last = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let decimal = last.chars().all(|c| c.is_ascii_digit());
    let hexadecimal =
        last.strip_prefix("0x").is_some_and(|rest| rest.chars().all(|c| c.is_ascii_hexdigit()));
    name.len() <= 253 && name.split('.').all(label_fits) && !decimal && !hexadecimal
}

/// Returns the name without its first label.
fn parent(name: &str) -> Option<&str> {
    name.split_once('.').map(|(_, parent)| parent)
}

/// Returns whether an entry with this `pattern` (lower case) matches `host`, as its rank: exact
/// before wildcards, the longer suffix before the shorter, one label before any depth, and the
/// catch-all last.
pub(crate) fn match_rank(pattern: &str, host: &Host) -> Option<(u8, usize, u8)> {
    let (found, rank) = match (pattern, host) {
        (_, Host::Other(_)) => return None,
        ("*", _) => (true, (0, 0, 0)),
        (_, Host::Ip(address)) => (pattern.parse() == Ok(*address), (2, 0, 0)),
        (_, Host::Name(name)) => {
            if let Some(suffix) = pattern.strip_prefix("**.") {
                (name.ends_with(&format!(".{suffix}")), (1, suffix.len(), 0))
            } else if let Some(suffix) = pattern.strip_prefix("*.") {
                (parent(name) == Some(suffix), (1, suffix.len(), 1))
            } else {
                (name == pattern, (2, 0, 0))
            }
        }
    };
    found.then_some(rank)
}

/// Returns whether a presented identifier covers `host` (RFC 9525 §6.3, §6.4). It has the form
/// `a.test`, `*.a.test` or `192.0.2.1`, in lower case.
pub(crate) fn covers(identifier: &str, host: &Host) -> bool {
    match host {
        Host::Other(_) => false,
        Host::Ip(address) => identifier.parse() == Ok(*address),
        Host::Name(name) => match identifier.strip_prefix("*.") {
            Some(suffix) => parent(name) == Some(suffix),
            None => name == identifier,
        },
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coalesce {
    CertificateAndGroup,
    StrictServerName,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connect {
    Refuse,
    Extended,
    Any,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) coalesce: Coalesce,
    pub(crate) unknown_to_application: bool,
    pub(crate) connect: Connect,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) pattern: String,
    pub(crate) virtual_host: u32,
    pub(crate) group: u32,
}

/// The server's configuration.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) entries: Vec<Entry>,
    pub(crate) groups: Vec<(u32, Policy)>,
}

impl World {
    /// Returns the most specific entry for `host`, by trying all of them.
    pub(crate) fn lookup(&self, host: &Host) -> Option<&Entry> {
        let ranked = |entry: &&Entry| match_rank(&entry.pattern, host);
        self.entries.iter().filter(|entry| ranked(entry).is_some()).max_by_key(ranked)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tls,
    Cleartext,
    GatewayHttp,
    GatewayHttps,
}

/// Whether an observed group asks for client certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Observe {
    AsksNothing,
    AsksForCertificates,
}

/// Settings that few worlds have in addition to groups and entries.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extra {
    /// The observed groups.
    pub(crate) observed: Vec<(u32, Observe)>,
    /// The entries with their own coalescing policy, by pattern.
    pub(crate) own: Vec<(String, Coalesce)>,
    /// The listener of the connection, and the hostnames of all listeners on its port.
    pub(crate) listeners: Option<(u32, Vec<(String, u32)>)>,
}

impl Extra {
    pub(crate) fn observe(&self, group: u32) -> Option<Observe> {
        self.observed.iter().find(|(id, _)| *id == group).map(|(_, observe)| *observe)
    }

    /// Returns the coalescing policy of an entry, if it has its own.
    pub(crate) fn own_of(&self, entry: &Entry) -> Option<Coalesce> {
        let own = self.own.iter().find(|(pattern, _)| *pattern == entry.pattern);
        own.map(|(_, coalesce)| *coalesce)
    }

    /// Returns whether both groups are observed and neither asks for certificates.
    pub(crate) fn open(&self, groups: [u32; 2]) -> bool {
        groups.iter().all(|group| self.observe(*group) == Some(Observe::AsksNothing))
    }

    /// Returns which listener is responsible for `host`: the connection's, another one, or none.
    fn responsible(&self, host: &Host) -> Responsible {
        let Some((own, hostnames)) = &self.listeners else { return Responsible::Own };
        let ranked = |(pattern, _): &&(String, u32)| match_rank(pattern, host);
        let found = hostnames.iter().filter(|it| ranked(it).is_some()).max_by_key(ranked);
        match found {
            Some((_, listener)) if listener == own => Responsible::Own,
            Some(_) => Responsible::Another,
            None => Responsible::NoListener,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Responsible {
    Own,
    Another,
    NoListener,
}

/// The facts of the connection.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) extra: Extra,
    pub(crate) transport: Transport,
    pub(crate) certificate: Vec<String>,
    /// In lower case, without a trailing dot.
    pub(crate) server_name: Option<String>,
    pub(crate) group: u32,
    pub(crate) ports: Vec<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Ordinary,
    Connect,
    ExtendedConnect,
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) authority: Option<Vec<u8>>,
    pub(crate) hosts: Vec<Vec<u8>>,
    pub(crate) scheme: Option<Vec<u8>>,
    pub(crate) method: Method,
}

/// The result of a decision. Refusals carry the stable code of the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    VirtualHost(u32),
    Unlisted,
    Tunnel,
    /// Served or unlisted, although the rules say misdirected.
    Observed(Option<u32>, &'static str),
    Misdirected(&'static str),
    Malformed(&'static str),
}

use Outcome::{Malformed, Misdirected};

/// Decides step by step.
pub(crate) fn decide(world: &World, facts: &Facts, request: &Request) -> Outcome {
    // A group that is missing from the table has the default policies, which are the strict ones.
    let policy = world.groups.iter().find(|(id, _)| *id == facts.group).map_or(
        Policy {
            coalesce: Coalesce::CertificateAndGroup,
            unknown_to_application: false,
            connect: Connect::Refuse,
        },
        |(_, policy)| *policy,
    );
    let known_group = world.groups.iter().any(|(id, _)| *id == facts.group);
    let observed = known_group && facts.extra.observe(facts.group).is_some();
    // All reasons to answer 421, in the order of the steps. The first one is the answer.
    let mut reasons: Vec<&'static str> = Vec::new();

    // 1. One authority.
    if request.hosts.len() > 1 {
        return Malformed("several_hosts");
    }
    // RFC 9113 §8.5: CONNECT has its target in `:authority` only.
    let field = match (&request.authority, request.hosts.first()) {
        (Some(authority), _) => authority,
        (None, Some(host)) if request.method != Method::Connect => host,
        (None, _) => return Malformed("no_authority"),
    };
    let (host, port) = match authority(field) {
        Ok(parsed) => parsed,
        Err(_) if request.authority.is_none() => return Malformed("host_invalid"),
        Err("field_value") => return Malformed("authority_field_value"),
        Err("userinfo") => return Malformed("authority_userinfo"),
        Err("empty_host") => return Malformed("authority_empty_host"),
        Err("port") => return Malformed("authority_port"),
        Err(_) => return Malformed("authority_host"),
    };
    if request.method == Method::Connect {
        return tunnel(policy, &host, port, request);
    }

    // 2. Scheme.
    let (scheme, default_port) = match facts.transport {
        Transport::Tls | Transport::GatewayHttps => ("https", 443),
        Transport::Cleartext | Transport::GatewayHttp => ("http", 80),
    };
    let named = request.scheme.as_deref().unwrap_or(scheme.as_bytes());
    if named.to_ascii_lowercase() != scheme.as_bytes() {
        reasons.push("scheme");
    }
    let port = port.unwrap_or(default_port);

    // 3. Known here.
    let responsible = facts.extra.responsible(&host);
    let known = world.lookup(&host).filter(|_| responsible != Responsible::NoListener);
    let Some(entry) = known else {
        let handed_over = policy.unknown_to_application && responsible != Responsible::Another;
        if !handed_over {
            reasons.push("unknown_authority");
        }
        if let Some(first) = reasons.first().filter(|_| !observed || !handed_over) {
            return Misdirected(first);
        }
        let refused = host_field(request, &host, port, default_port).or(extended(policy, request));
        let unlisted = reasons.first().map_or(Outcome::Unlisted, |it| Outcome::Observed(None, it));
        return refused.unwrap_or(unlisted);
    };

    // 4. Port.
    if !facts.ports.contains(&port) {
        reasons.push("port");
    }

    // 5. Certificate.
    let presented = |host: &Host| facts.certificate.iter().any(|name| covers(name, host));
    if facts.transport == Transport::Tls && !presented(&host) {
        reasons.push("certificate");
    }

    // 6. Group, and the group's policy on the server name.
    if responsible == Responsible::Another {
        reasons.push("listener");
    }
    let foreign = entry.group != facts.group;
    if foreign {
        reasons.push("group");
    }
    let of_group = world.groups.iter().find(|(id, _)| *id == entry.group);
    let coalesce = facts.extra.own_of(entry).or(of_group.map(|(_, policy)| policy.coalesce));
    let coalesce = coalesce.unwrap_or(policy.coalesce);
    let own = facts.server_name.as_ref().is_some_and(|name| host == Host::Name(name.clone()));
    let allowed = match (coalesce, &facts.server_name) {
        (Coalesce::CertificateAndGroup, _) => true,
        // A cleartext connection has no server name to compare with.
        (_, None) if facts.transport == Transport::Cleartext => true,
        (Coalesce::StrictServerName, None) => matches!(host, Host::Ip(_)),
        (Coalesce::Never, None) => false,
        (_, Some(_)) => own,
    };
    if !allowed {
        reasons.push("server_name");
    }
    let passed_over = observed && (!foreign || facts.extra.open([facts.group, entry.group]));
    if let Some(first) = reasons.first().filter(|_| !passed_over) {
        return Misdirected(first);
    }
    let served = match reasons.first() {
        None => Outcome::VirtualHost(entry.virtual_host),
        Some(first) => Outcome::Observed(Some(entry.virtual_host), first),
    };

    // 7. Host field.
    host_field(request, &host, port, default_port)
        .or(extended(policy, request))
        // 8. Serve.
        .unwrap_or(served)
}

/// The policy must allow a tunnel. Its `Host` may omit the port (RFC 9112 §3.2.3).
fn tunnel(policy: Policy, host: &Host, port: Option<u16>, request: &Request) -> Outcome {
    let Some(port) = port.filter(|_| policy.connect == Connect::Any) else {
        let refused = policy.connect != Connect::Any;
        return Malformed(if refused { "connect_refused" } else { "connect_port" });
    };
    host_field(request, host, port, port).unwrap_or(Outcome::Tunnel)
}

/// Does step 7, if the request has both fields.
fn host_field(request: &Request, host: &Host, port: u16, default_port: u16) -> Option<Outcome> {
    let field = request.authority.as_ref().and(request.hosts.first())?;
    if field.is_empty() {
        return Some(Malformed("host_differs"));
    }
    let Ok((named, named_port)) = authority(field) else {
        return Some(Malformed("host_invalid"));
    };
    let same = named == *host && named_port.unwrap_or(default_port) == port;
    (!same).then_some(Malformed("host_differs"))
}

/// Checks extended CONNECT last, so that a misdirected one gets its 421.
fn extended(policy: Policy, request: &Request) -> Option<Outcome> {
    let extended = request.method == Method::ExtendedConnect;
    (extended && policy.connect == Connect::Refuse).then_some(Malformed("extended_connect_refused"))
}
