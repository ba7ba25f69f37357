//! Generators of valid values from the fuzzer's bytes.

use arbitrary::{Result, Unstructured};

use crate::model::{
    Coalesce, Connect, Entry, Extra, Facts, Method, Observe, Policy, Request, Transport, World,
};

/// Few labels, so that names, wildcards and queries often match.
const LABELS: &[&str] = &["a", "b", "ab", "a-b", "x_y", "xn--a", "0", "1", "test"];
const LAST_LABELS: &[&str] = &["test", "a", "ab"];
const ADDRESSES: &[&str] =
    &["192.0.2.1", "203.0.113.200", "::1", "2001:db8::1", "::ffff:192.0.2.1"];
const GROUPS: &[u32] = &[0, 1, 7, u32::MAX];
const PORTS: &[u16] = &[443, 80, 8443, 0];

/// Returns true once in `one_in` times, and never when no bytes are left.
pub(crate) fn seldom(u: &mut Unstructured<'_>, one_in: u8) -> Result<bool> {
    Ok(!u.ratio(one_in - 1, one_in)?)
}

/// Generates a valid name in lower case without a trailing dot. Sometimes its length is near a
/// limit of the storage of names.
pub(crate) fn name(u: &mut Unstructured<'_>) -> Result<String> {
    let mut name = String::new();
    if u.ratio(1, 6)? {
        let label = usize::from(*u.choose(&[1_u8, 2, 7, 20, 30, 31, 63])?);
        for _ in 0..u.int_in_range(1..=200 / (label + 1))? {
            name.push_str(&"l".repeat(label));
            name.push('.');
        }
    }
    for _ in 0..u.int_in_range(0..=4)? {
        name.push_str(u.choose(LABELS)?);
        name.push('.');
    }
    name.push_str(u.choose(LAST_LABELS)?);
    Ok(name)
}

fn address(u: &mut Unstructured<'_>) -> Result<String> {
    u.choose(ADDRESSES).map(ToString::to_string)
}

/// Generates an identifier of a certificate.
pub(crate) fn identifier(u: &mut Unstructured<'_>) -> Result<String> {
    Ok(match u.int_in_range(0..=7)? {
        0..=2 => name(u)?,
        3..=5 => format!("*.{}", name(u)?),
        _ => address(u)?,
    })
}

/// Generates the pattern of an entry.
pub(crate) fn pattern(u: &mut Unstructured<'_>) -> Result<String> {
    Ok(match u.int_in_range(0..=15)? {
        0 => "*".to_owned(),
        1..=4 => format!("**.{}", name(u)?),
        _ => identifier(u)?,
    })
}

/// Generates the value of an `:authority` or `Host`, sometimes any bytes.
pub(crate) fn field(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut host = match u.int_in_range(0..=9)? {
        0 => {
            let len = u.int_in_range(0..=16)?;
            return Ok(u.bytes(len)?.to_vec());
        }
        1 => format!("[{}]", address(u)?),
        2 => address(u)?,
        3 => format!("user@{}", name(u)?),
        _ => name(u)?,
    };
    if u.ratio(1, 4)? {
        host.make_ascii_uppercase();
    }
    if u.ratio(1, 6)? {
        host.push('.');
    }
    match u.int_in_range(0..=7)? {
        0 => host.push(':'),
        1 => host.push_str(":x"),
        2 | 3 => host = format!("{host}:{}", u.choose(PORTS)?),
        _ => {}
    }
    Ok(host.into_bytes())
}

fn policy(u: &mut Unstructured<'_>) -> Result<Policy> {
    let coalesce = [Coalesce::CertificateAndGroup, Coalesce::StrictServerName, Coalesce::Never];
    let connect = [Connect::Refuse, Connect::Extended, Connect::Any];
    Ok(Policy {
        coalesce: *u.choose(&coalesce)?,
        unknown_to_application: u.arbitrary()?,
        connect: *u.choose(&connect)?,
    })
}

/// Generates a table's content: groups, and entries in them.
pub(crate) fn world(u: &mut Unstructured<'_>) -> Result<World> {
    let count = u.int_in_range(1..=GROUPS.len())?;
    let groups: Vec<(u32, Policy)> =
        GROUPS[..count].iter().map(|id| Ok((*id, policy(u)?))).collect::<Result<_>>()?;
    let mut entries: Vec<Entry> = Vec::new();
    for virtual_host in 0..u.int_in_range(0..=12)? {
        let (pattern, group) = (pattern(u)?, u.choose(&groups)?.0);
        if entries.iter().all(|entry| entry.pattern != pattern) {
            entries.push(Entry { pattern, virtual_host, group });
        }
    }
    Ok(World { entries, groups })
}

fn facts(u: &mut Unstructured<'_>) -> Result<Facts> {
    let transports = [
        Transport::Tls,
        Transport::Tls,
        Transport::Tls,
        Transport::Cleartext,
        Transport::GatewayHttp,
        Transport::GatewayHttps,
    ];
    let transport = *u.choose(&transports)?;
    let certificate = (0..u.int_in_range(0..=6)?).map(|_| identifier(u)).collect::<Result<_>>()?;
    let server_name = if u.arbitrary()? { Some(name(u)?) } else { None };
    let group = *u.choose(GROUPS)?;
    let ports = PORTS[..u.int_in_range(0..=PORTS.len())?].to_vec();
    Ok(Facts { extra: Extra::default(), transport, certificate, server_name, group, ports })
}

fn request(u: &mut Unstructured<'_>) -> Result<Request> {
    let authority = if u.ratio(4, 5)? { Some(field(u)?) } else { None };
    let hosts = match (u.int_in_range(0..=7)?, &authority) {
        (0, _) => vec![field(u)?, field(u)?],
        (1 | 2, Some(authority)) => vec![authority.to_ascii_lowercase()],
        (1..=3, _) => vec![field(u)?],
        _ => vec![],
    };
    let schemes = [Some("https"), Some("https"), Some("http"), Some("HTTPS"), Some("ftp"), None];
    let scheme = u.choose(&schemes)?.map(|scheme| scheme.as_bytes().to_vec());
    let methods = [
        Method::Ordinary,
        Method::Ordinary,
        Method::Ordinary,
        Method::Connect,
        Method::ExtendedConnect,
    ];
    Ok(Request { authority, hosts, scheme, method: *u.choose(&methods)? })
}

/// Generates all inputs of one decision. Most requests aim at an entry of the table, so that the
/// last steps are reached as often as the first ones.
pub(crate) fn case(u: &mut Unstructured<'_>) -> Result<(World, Facts, Request)> {
    let (world, mut facts, mut request) = (world(u)?, facts(u)?, request(u)?);
    if !world.entries.is_empty() && u.ratio(3, 4)? {
        take_aim(u, &world, &mut facts, &mut request)?;
    }
    // Comes last, so that older inputs keep their meaning.
    if !u.is_empty() && u.ratio(1, 3)? {
        facts.extra = extra(u, &world)?;
    }
    Ok((world, facts, request))
}

/// Generates another request on the same connection. Most of them aim at an entry of the table.
pub(crate) fn another_request(
    u: &mut Unstructured<'_>,
    world: &World,
    facts: &Facts,
) -> Result<Request> {
    let mut request = request(u)?;
    if !world.entries.is_empty() && u.ratio(3, 4)? {
        // The connection does not change.
        take_aim(u, world, &mut facts.clone(), &mut request)?;
    }
    Ok(request)
}

/// Generates observed groups, entries with their own policy, and listeners.
fn extra(u: &mut Unstructured<'_>, world: &World) -> Result<Extra> {
    let mut extra = Extra::default();
    for group in GROUPS {
        let observe = [None, Some(Observe::AsksNothing), Some(Observe::AsksForCertificates)];
        extra.observed.extend(u.choose(&observe)?.map(|observe| (*group, observe)));
    }
    let coalesce = [Coalesce::CertificateAndGroup, Coalesce::StrictServerName, Coalesce::Never];
    for entry in &world.entries {
        if u.ratio(1, 4)? {
            extra.own.push((entry.pattern.clone(), *u.choose(&coalesce)?));
        }
    }
    if u.arbitrary()? {
        let mut hostnames: Vec<(String, u32)> = Vec::new();
        for _ in 0..u.int_in_range(0..=5)? {
            let (hostname, listener) = (pattern(u)?, u.int_in_range(0..=2)?);
            if hostnames.iter().all(|(known, _)| *known != hostname) {
                hostnames.push((hostname, listener));
            }
        }
        extra.listeners = Some((u.int_in_range(0..=2)?, hostnames));
    }
    Ok(extra)
}

fn take_aim(
    u: &mut Unstructured<'_>,
    world: &World,
    facts: &mut Facts,
    request: &mut Request,
) -> Result<()> {
    let entry = u.choose(&world.entries)?;
    let host = match entry.pattern.rsplit_once("*.") {
        Some((_, suffix)) => format!("{}.{suffix}", u.choose(LABELS)?),
        None if entry.pattern == "*" => "a.test".to_owned(),
        None => entry.pattern.clone(),
    };
    let is_address = ADDRESSES.contains(&host.as_str());
    let written = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    if u.ratio(7, 8)? {
        request.authority = Some(written.into_bytes());
        request.scheme = None;
    }
    if u.ratio(7, 8)? {
        facts.group = entry.group;
    }
    if u.ratio(7, 8)? {
        facts.ports.extend([443, 80]);
    }
    if u.ratio(7, 8)? && !request.hosts.is_empty() {
        request.hosts = request.authority.iter().cloned().collect();
    }
    if u.ratio(7, 8)? && !is_address {
        facts.server_name = Some(host.clone());
    }
    match u.int_in_range(0..=7)? {
        0 => {}
        1..=3 if !is_address && host.contains('.') => {
            let (_, parent) = host.split_once('.').unwrap_or_default();
            facts.certificate.push(format!("*.{parent}"));
        }
        _ => facts.certificate.push(host),
    }
    Ok(())
}
