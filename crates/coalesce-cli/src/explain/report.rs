//! The answer as JSON and as text.

use std::io::Write;

use coalesce_core::{
    Authoritative, Authority, Malformed, MalformedAnswer, Misdirected, RequestTarget, Scheme,
    ServedAs, Step, Verdict, decide,
};
use coalesce_tls::{ClientAuth, HandshakeFacts};
use serde::Serialize;

use crate::config::{HostAnswer, Listener, Site};
use crate::explain::explanation::{Explanation, HandshakeRefusal};
use crate::explain::question::Question;
use crate::terminal::exit::Failure;
use crate::terminal::output::Output;
use crate::terminal::text::some_of;

/// The answer as an object; `coalesce explain --help` documents its members.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ExplainReport<'a> {
    verdict: &'static str,
    pub(crate) reason: &'static str,
    status: Option<u16>,
    virtual_host: Option<&'a str>,
    group: Option<&'a str>,
    rule: &'static str,
    step: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reset: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed: Option<&'static str>,
}

/// The status of a request that is answered 421.
const MISDIRECTED: u16 = 421;

/// The rule of a served request: the origin is this connection's.
const SERVED: &str = "RFC 9110 §7.4, RFC 9113 §9.1.1";

/// The rule of an unlisted request, which gets a 404.
const UNLISTED: &str = "RFC 9110 §15.5.5";

/// The rule of a CONNECT that is handed to the application.
const TUNNEL: &str = "RFC 9110 §9.3.6";

impl<'a> ExplainReport<'a> {
    /// Reports a request that was decided, and not yet more.
    const fn decided(
        verdict: &'static str,
        reason: &'static str,
        status: u16,
        rule: &'static str,
        step: Step,
    ) -> Self {
        Self {
            verdict,
            reason,
            status: Some(status),
            virtual_host: None,
            group: None,
            rule,
            step: Some(step.number()),
            reset: None,
            observed: None,
        }
    }

    /// Reports that there is no connection.
    const fn refused(refusal: &HandshakeRefusal) -> Self {
        Self {
            verdict: "refused",
            reason: refusal.code,
            status: None,
            virtual_host: None,
            group: None,
            rule: refusal.rule,
            step: None,
            reset: None,
            observed: None,
        }
    }

    fn served(site: &'a Site, proof: &Authoritative) -> Self {
        let mut report = match proof.served_as() {
            ServedAs::VirtualHost(id) => {
                let host = site.virtual_host(id);
                let status = match host.map(|host| &host.answer) {
                    Some(HostAnswer::Text(text)) => text.status.as_u16(),
                    _ => 200,
                };
                let mut report = Self::decided("serve", "served", status, SERVED, Step::Serve);
                report.virtual_host = host.map(|host| host.name.as_str());
                report
            }
            ServedAs::Unlisted => Self::decided("serve", "unlisted", 404, UNLISTED, Step::Serve),
            // No policy of the configuration hands tunnels over.
            ServedAs::Tunnel => Self::decided("serve", "tunnel", 200, TUNNEL, Step::Serve),
        };
        report.observed = proof.observed().map(Misdirected::code);
        report
    }

    fn misdirected(reason: Misdirected) -> Self {
        Self::decided("misdirected", reason.code(), MISDIRECTED, reason.rule(), reason.step())
    }

    fn malformed(reason: Malformed) -> Self {
        let answer = reason.answer();
        let (status, rule, step) = (answer.status(), reason.rule(), reason.step());
        let mut report = Self::decided("malformed", reason.code(), status, rule, step);
        report.reset = (answer == MalformedAnswer::Reset).then_some("PROTOCOL_ERROR");
        report
    }
}

/// Makes the report of `explanation`.
pub(crate) fn json<'a>(site: &'a Site, explanation: &Explanation) -> ExplainReport<'a> {
    let (facts, verdict) = match explanation {
        Explanation::Refused(refusal) => return ExplainReport::refused(refusal),
        Explanation::Decided { facts, verdict } => (facts, verdict),
    };
    let mut report = match verdict {
        Verdict::Serve(proof) => ExplainReport::served(site, proof),
        Verdict::Misdirected(reason) => ExplainReport::misdirected(*reason),
        Verdict::Malformed(reason) => ExplainReport::malformed(*reason),
    };
    report.group = site.group(facts.group()).map(|group| group.name.as_str());
    report
}

/// The answer for people.
pub(crate) fn text(
    site: &Site,
    listener: &Listener,
    question: &Question,
    explanation: &Explanation,
    output: &mut Output<impl Write>,
) -> Result<(), Failure> {
    let report = json(site, explanation);
    let server_name = match &question.server_name {
        Some(name) => format!("server name {name}"),
        None => "no server name".to_owned(),
    };
    let (facts, verdict) = match explanation {
        Explanation::Refused(refusal) => {
            output.line(format_args!("connection   {server_name}, listener {}", listener.name))?;
            output.line(format_args!("verdict      refused: there is no connection"))?;
            output.line(format_args!("reason       tls: {}: {}", refusal.code, refusal.text))?;
            return output.line(format_args!("rule         {}", refusal.rule));
        }
        Explanation::Decided { facts, verdict } => (facts, verdict),
    };
    let group = report.group.unwrap_or_default();
    let presented = some_of(facts.presented().names());
    output.line(format_args!("connection   {server_name}, listener {}", listener.name))?;
    output.line(format_args!("             group {group}, certificate for {presented}"))?;
    output.line(format_args!("request      {}", request(question)))?;
    let status = report.status.unwrap_or_default();
    match report.reset {
        Some(code) => output.line(format_args!(
            "verdict      {}: the stream is reset with {code} (HTTP/1.1: {status})",
            report.verdict
        ))?,
        None => output.line(format_args!("verdict      {} ({status})", report.verdict))?,
    }
    if let Some(host) = report.virtual_host {
        output.line(format_args!("virtual host {host}"))?;
    }
    let reason = match verdict {
        Verdict::Serve(proof) => match proof.virtual_host() {
            Some(_) => match proof.observed() {
                None => "every step holds".to_owned(),
                Some(reason) => format!("the group is only observed; else a 421: {reason}"),
            },
            None => "no virtual host has this name; the group answers 404".to_owned(),
        },
        Verdict::Misdirected(reason) => reason.to_string(),
        Verdict::Malformed(reason) => reason.to_string(),
    };
    output.line(format_args!("reason       {}: {reason}", report.reason))?;
    let step = step(verdict);
    output.line(format_args!("step         {} {}", step.number(), step_name(step)))?;
    output.line(format_args!("rule         {}", report.rule))?;
    for hint in hints(site, listener, question, facts, verdict) {
        output.line(format_args!("hint         {hint}"))?;
    }
    Ok(())
}

/// The request in one line. What does not print is escaped.
fn request(question: &Question) -> String {
    let scheme = question.scheme.as_deref().unwrap_or("https");
    let target = match &question.authority {
        Some(authority) => format!("{scheme}://{}", authority.escape_debug()),
        None => format!("{scheme}, no :authority"),
    };
    let mut parts = vec![format!("{} {target}", question.method())];
    if let Some(protocol) = &question.protocol {
        parts.push(format!(":protocol {}", protocol.escape_debug()));
    }
    parts.extend(question.hosts.iter().map(|host| format!("Host: {}", host.escape_debug())));
    parts.join(", ")
}

fn step(verdict: &Verdict) -> Step {
    match verdict {
        Verdict::Serve(_) => Step::Serve,
        Verdict::Misdirected(reason) => reason.step(),
        Verdict::Malformed(reason) => reason.step(),
    }
}

/// The step's name, as `coalesce --help` lists them.
const fn step_name(step: Step) -> &'static str {
    match step {
        Step::Authority => "authority",
        Step::Scheme => "scheme",
        Step::Known => "known",
        Step::Port => "port",
        Step::Certificate => "certificate",
        Step::Group => "group",
        Step::HostField => "host_field",
        Step::Serve => "serve",
        _ => "",
    }
}

/// What may help the reader on from here.
fn hints(
    site: &Site,
    listener: &Listener,
    question: &Question,
    facts: &HandshakeFacts,
    verdict: &Verdict,
) -> Vec<String> {
    let Verdict::Misdirected(reason) = verdict else {
        return match verdict {
            Verdict::Malformed(Malformed::NoAuthority) => {
                vec!["say what the request asks for: --authority a.example.test".to_owned()]
            }
            _ => Vec::new(),
        };
    };
    let named = question.authority.as_deref().or(question.hosts.first().map(String::as_str));
    let Some(Ok(authority)) = named.map(|named| Authority::parse(named.as_bytes())) else {
        return Vec::new();
    };
    match reason {
        Misdirected::Port => port_hint(listener, &authority),
        Misdirected::Group => {
            let of_host = site.table.lookup(&authority.host()).and_then(|entry| {
                let host = site.virtual_host(entry.virtual_host)?;
                let group = site.group(entry.group)?;
                Some(format!("virtual host {} is in group {}", host.name, group.name))
            });
            of_host.into_iter().chain(own_connection(site, listener, &authority, facts)).collect()
        }
        Misdirected::Certificate | Misdirected::ServerName => {
            own_connection(site, listener, &authority, facts).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn port_hint(listener: &Listener, authority: &Authority<'_>) -> Vec<String> {
    if listener.ports.is_none() && listener.address.port() == 0 {
        let hint = "the listener's port is chosen when it starts; its 'ports' may list others";
        return vec![hint.to_owned()];
    }
    let ports = listener.ports_when_configured();
    let texts: Vec<String> = ports.as_slice().iter().map(ToString::to_string).collect();
    let known = format!("listener {} answers for port {}", listener.name, texts.join(", "));
    let (None, Some(port)) = (authority.port(), ports.as_slice().first()) else {
        return vec![known];
    };
    let default = Scheme::Https.default_port();
    let meant = format!("without a port the authority means {default}");
    vec![format!("{known}; {meant}: did you mean {}:{port}?", authority.host())]
}

/// What a client that tries again on a connection of its own gets.
fn own_connection(
    site: &Site,
    listener: &Listener,
    authority: &Authority<'_>,
    facts: &HandshakeFacts,
) -> Option<String> {
    let host = authority.host();
    let server_name = match host {
        coalesce_core::Host::Name(name) => Some(name.to_string()),
        _ => None,
    };
    let own = listener.handshakes.choose_by_name(server_name.as_deref()).ok()?.facts;
    if own.group() == facts.group() && own.certificate() == facts.certificate() {
        return None;
    }
    let ports = listener.ports_when_configured();
    let text = authority.to_string();
    let again = decide(
        site.table.as_ref(),
        &listener.connection(&own, ports),
        &RequestTarget::https(text.as_bytes()),
    );
    let Verdict::Serve(proof) = again else { return None };
    let served = site.virtual_host(proof.virtual_host()?)?;
    let group = site.group(own.group())?;
    let demand = match group.tls.client_auth {
        ClientAuth::Required(_) => ", which demands a client certificate",
        ClientAuth::Optional(_) => ", which asks for a client certificate",
        _ => "",
    };
    Some(format!(
        "on a connection of its own it is served, by virtual host {} in group {}{demand}",
        served.name, group.name
    ))
}
