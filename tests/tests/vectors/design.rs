//! A second model of the decision: the list of eight steps. Each step is a function that returns an
//! outcome or none, and the first outcome is the answer.
//!
//! It follows the list in the documentation, in its order and words, and was written without a look
//! at the code of the decision or of the other model. It takes authorities from the naive oracle.

use crate::model::{
    Coalesce, Connect, Entry, Facts, Host, Method, Outcome, Policy, Request, Transport, World,
    authority, covers,
};

/// The input of the steps.
struct Case<'a> {
    world: &'a World,
    facts: &'a Facts,
    request: &'a Request,
    host: Host,
    port: Option<u16>,
    /// The most specific entry that matches the host.
    entry: Option<&'a Entry>,
    /// The policies of the connection's group.
    policy: Policy,
}

type Step = fn(&Case<'_>) -> Option<Outcome>;

const STEPS: [Step; 9] = [
    // Without a number, because only proxies use it: it never answers 421.
    tunnel,
    scheme,
    known_here,
    port,
    certificate,
    group,
    host_field,
    websocket,
    serve,
];

pub(crate) fn decide(world: &World, facts: &Facts, request: &Request) -> Outcome {
    let (host, port) = match one_authority(request) {
        Ok(found) => found,
        Err(reason) => return Outcome::Malformed(reason),
    };
    let entry = most_specific(world, &host);
    let policy = policy_of(world, facts.group);
    let case = Case { world, facts, request, host, port, entry, policy };
    STEPS.iter().find_map(|step| step(&case)).expect("the last step always answers")
}

/// Returns the policy of a group. A removed group has the default policy.
fn policy_of(world: &World, group: u32) -> Policy {
    for (id, policy) in &world.groups {
        if *id == group {
            return *policy;
        }
    }
    Policy {
        coalesce: Coalesce::CertificateAndGroup,
        unknown_to_application: false,
        connect: Connect::Refuse,
    }
}

/// Finds an exact entry, then the longest wildcard, then a catch-all. Tries every possible name of
/// an entry for this host, from the most to the least specific.
fn most_specific<'a>(world: &'a World, host: &Host) -> Option<&'a Entry> {
    let mut called = Vec::new();
    match host {
        Host::Other(_) => return None,
        Host::Ip(address) => called.push(address.to_string()),
        Host::Name(name) => {
            called.push(name.clone());
            let labels: Vec<&str> = name.split('.').collect();
            for cut in 1..labels.len() {
                let suffix = labels[cut..].join(".");
                if cut == 1 {
                    called.push(format!("*.{suffix}"));
                }
                called.push(format!("**.{suffix}"));
            }
        }
    }
    called.push("*".to_owned());
    called.iter().find_map(|name| world.entries.iter().find(|entry| entry.pattern == *name))
}

/// Step 1: `:authority`, else `Host`.
fn one_authority(request: &Request) -> Result<(Host, Option<u16>), &'static str> {
    if request.hosts.len() >= 2 {
        return Err("several_hosts");
    }
    if let Some(field) = &request.authority {
        return authority(field).map_err(|fault| match fault {
            "field_value" => "authority_field_value",
            "userinfo" => "authority_userinfo",
            "empty_host" => "authority_empty_host",
            "port" => "authority_port",
            _ => "authority_host",
        });
    }
    // The target of a tunnel is `:authority` alone (RFC 9113 §8.5).
    let field = request.hosts.first().filter(|_| request.method != Method::Connect);
    authority(field.ok_or("no_authority")?).map_err(|_| "host_invalid")
}

/// Refuses plain CONNECT unless the user allows it; its target has a port and no scheme.
fn tunnel(case: &Case<'_>) -> Option<Outcome> {
    if case.request.method != Method::Connect {
        return None;
    }
    if case.policy.connect != Connect::Any {
        return Some(Outcome::Malformed("connect_refused"));
    }
    let Some(port) = case.port else { return Some(Outcome::Malformed("connect_port")) };
    Some(another_host(case, port, port).unwrap_or(Outcome::Tunnel))
}

fn scheme_of(case: &Case<'_>) -> &'static str {
    match case.facts.transport {
        Transport::Tls | Transport::GatewayHttps => "https",
        Transport::Cleartext | Transport::GatewayHttp => "http",
    }
}

/// Step 2: the scheme. A request without one has the connection's.
fn scheme(case: &Case<'_>) -> Option<Outcome> {
    let named = case.request.scheme.as_ref()?;
    let same = named.eq_ignore_ascii_case(scheme_of(case).as_bytes());
    (!same).then_some(Outcome::Misdirected("scheme"))
}

/// Step 3: the host is known. By policy, the application may get an unknown host: then the later
/// steps about hosts do not run.
fn known_here(case: &Case<'_>) -> Option<Outcome> {
    if case.entry.is_some() {
        return None;
    }
    if !case.policy.unknown_to_application {
        return Some(Outcome::Misdirected("unknown_authority"));
    }
    Some(host_field(case).or_else(|| websocket(case)).unwrap_or(Outcome::Unlisted))
}

fn default_port(case: &Case<'_>) -> u16 {
    if scheme_of(case) == "https" { 443 } else { 80 }
}

/// Step 4: the named port, or the default.
fn port(case: &Case<'_>) -> Option<Outcome> {
    let named = case.port.unwrap_or(default_port(case));
    (!case.facts.ports.contains(&named)).then_some(Outcome::Misdirected("port"))
}

/// Step 5, on TLS only: the certificate. A trusted gateway has checked it itself (RFC 9110 §7.4).
fn certificate(case: &Case<'_>) -> Option<Outcome> {
    let presented = &case.facts.certificate;
    let needed = case.facts.transport == Transport::Tls;
    let covered = presented.iter().any(|name| covers(name, &case.host));
    (needed && !covered).then_some(Outcome::Misdirected("certificate"))
}

/// Step 6: the group, then the user's setting for it: exact server name, or never.
fn group(case: &Case<'_>) -> Option<Outcome> {
    let entry = case.entry?;
    if entry.group != case.facts.group {
        return Some(Outcome::Misdirected("group"));
    }
    let address = matches!(case.host, Host::Ip(_));
    let own = match &case.facts.server_name {
        Some(name) => case.host == Host::Name(name.clone()),
        // Cleartext has no server name, and clients send none for an address (RFC 6066 §3).
        None if case.facts.transport == Transport::Cleartext => true,
        None => address && case.policy.coalesce == Coalesce::StrictServerName,
    };
    let any = case.policy.coalesce == Coalesce::CertificateAndGroup;
    (!any && !own).then_some(Outcome::Misdirected("server_name"))
}

/// Step 7, after all of the above: `Host`.
fn host_field(case: &Case<'_>) -> Option<Outcome> {
    let default = default_port(case);
    another_host(case, case.port.unwrap_or(default), default)
}

fn another_host(case: &Case<'_>, port: u16, default: u16) -> Option<Outcome> {
    case.request.authority.as_ref()?;
    let field = case.request.hosts.first()?;
    let same = match authority(field) {
        Ok((host, named)) => host == case.host && named.unwrap_or(default) == port,
        // An empty `Host` is valid (RFC 9110 §7.2) and names no host.
        Err(_) if field.is_empty() => false,
        Err(_) => return Some(Outcome::Malformed("host_invalid")),
    };
    (!same).then_some(Outcome::Malformed("host_differs"))
}

/// Refuses extended CONNECT if the user forbids it; otherwise it is a request like others.
fn websocket(case: &Case<'_>) -> Option<Outcome> {
    let extended = case.request.method == Method::ExtendedConnect;
    let refused = extended && case.policy.connect == Connect::Refuse;
    refused.then_some(Outcome::Malformed("extended_connect_refused"))
}

/// Step 8: serve.
fn serve(case: &Case<'_>) -> Option<Outcome> {
    debug_assert!(!case.world.entries.is_empty(), "an entry has this name");
    case.entry.map(|entry| Outcome::VirtualHost(entry.virtual_host))
}
