//! The answer as JSON and as text.

use std::io::Write;

use coalesce_core::{
    Authoritative, Malformed, MalformedAnswer, Misdirected, ServedAs, Step, Verdict,
};
use coalesce_site::{
    AnnouncedOrigins, Explanation, Outcome, Question, Refusal, ServedHost, SiteGroup, SiteListener,
};
use serde::Serialize;

use crate::config::{HostAnswer, Site};
use crate::terminal::exit::Failure;
use crate::terminal::output::Output;
use crate::terminal::palette::Palette;
use crate::terminal::text::{left_out, some_of};

/// The answer as a JSON object; `coalesce explain --help` documents its members.
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) hints: Vec<String>,
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
    /// Makes the report of a decided request, without its details.
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
            hints: Vec::new(),
        }
    }

    /// Makes the report of a refused handshake.
    const fn refused(refusal: &Refusal) -> Self {
        Self {
            verdict: "refused",
            reason: refusal.code(),
            status: None,
            virtual_host: None,
            group: None,
            rule: refusal.rule(),
            step: None,
            reset: None,
            observed: None,
            hints: Vec::new(),
        }
    }

    fn served(site: &'a Site, proof: &Authoritative) -> Self {
        let mut report = match proof.served_as() {
            ServedAs::VirtualHost(id) => {
                let host = site.host(id);
                let status = match host.map(|host| &host.answer) {
                    Some(HostAnswer::Text(text)) => text.status.as_u16(),
                    _ => 200,
                };
                let mut report = Self::decided("serve", "served", status, SERVED, Step::Serve);
                report.virtual_host = host.map(ServedHost::name);
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
    let mut report = match explanation.outcome() {
        Outcome::Decided(Verdict::Serve(proof)) => ExplainReport::served(site, proof),
        Outcome::Decided(Verdict::Misdirected(reason)) => ExplainReport::misdirected(*reason),
        Outcome::Decided(Verdict::Malformed(reason)) => ExplainReport::malformed(*reason),
        Outcome::Refused(refusal) => return ExplainReport::refused(refusal),
    };
    let group = explanation.facts().and_then(|facts| site.group(facts.group()));
    report.group = group.map(SiteGroup::name);
    report
}

/// Returns the hints for the operator: those of the site, and those about the command line.
pub(crate) fn hints(site: &Site, question: &Question, explanation: &Explanation) -> Vec<String> {
    let mut hints = site.hints(question, explanation);
    if explanation.code() == Malformed::NoAuthority.code() {
        hints.push("name it by a URL, or by --authority a.example.test".to_owned());
    }
    hints
}

/// A question, the configuration it is about, and its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(super) listener: &'a SiteListener,
    pub(super) question: &'a Question,
    pub(super) explanation: &'a Explanation,
}

/// Writes the answer as text.
pub(crate) fn text(
    report: &ExplainReport<'_>,
    asked: &Asked<'_>,
    origins: Option<&AnnouncedOrigins>,
    output: &mut Output<impl Write>,
) -> Result<(), Failure> {
    let Asked { listener, question, explanation } = *asked;
    let server_name = match question.server_name() {
        Some(name) => format!("server name {name}"),
        None => "no server name".to_owned(),
    };
    let name = listener.name();
    output.line(format_args!("connection   {server_name}, listener {name}"))?;
    if let Outcome::Refused(refusal) = explanation.outcome() {
        let verdict = output.palette().refused("refused: there is no connection");
        output.line(format_args!("verdict      {verdict}"))?;
        output.line(format_args!("reason       tls: {}: {refusal}", refusal.code()))?;
        output.line(format_args!("rule         {}", refusal.rule()))?;
    } else {
        decided(report, question, explanation, output)?;
    }
    if let Some(origins) = origins {
        announced(origins, output)?;
    }
    for hint in &report.hints {
        output.line(format_args!("hint         {hint}"))?;
    }
    Ok(())
}

/// Writes the origins that the connection announces in ORIGIN frames.
fn announced(origins: &AnnouncedOrigins, output: &mut Output<impl Write>) -> Result<(), Failure> {
    let named = match (origins.is_announced, origins.origins.is_empty()) {
        (true, false) => some_of(&origins.origins),
        _ => "none".to_owned(),
    };
    output.line(format_args!("announces    {named}"))?;
    if origins.is_cut || !origins.wildcards.is_empty() {
        let left_out = left_out(origins);
        output.line(format_args!("             an origin set leaves out {left_out} (RFC 8336)"))?;
    }
    Ok(())
}

/// Writes the connection, the request on it, and the verdict.
fn decided(
    report: &ExplainReport<'_>,
    question: &Question,
    explanation: &Explanation,
    output: &mut Output<impl Write>,
) -> Result<(), Failure> {
    let group = report.group.unwrap_or_default();
    let presented = explanation.facts().map(|facts| some_of(facts.presented().names()));
    let presented = presented.unwrap_or_default();
    output.line(format_args!("             group {group}, certificate for {presented}"))?;
    output.line(format_args!("request      {}", request(question)))?;
    output.line(format_args!("verdict      {}", verdict(report, output.palette())))?;
    if let Some(host) = report.virtual_host {
        output.line(format_args!("virtual host {host}"))?;
    }
    let reason = match explanation.outcome() {
        Outcome::Decided(Verdict::Serve(proof)) => match proof.virtual_host() {
            Some(_) => match proof.observed() {
                None => "every step holds".to_owned(),
                Some(reason) => format!("the group is only observed; else a 421: {reason}"),
            },
            None => "no virtual host has this name; the group answers 404".to_owned(),
        },
        Outcome::Decided(Verdict::Misdirected(reason)) => reason.to_string(),
        Outcome::Decided(Verdict::Malformed(reason)) => reason.to_string(),
        Outcome::Refused(refusal) => refusal.to_string(),
    };
    output.line(format_args!("reason       {}: {reason}", report.reason))?;
    if let Some(step) = explanation.step() {
        output.line(format_args!("step         {} {}", step.number(), step_name(step)))?;
    }
    output.line(format_args!("rule         {}", report.rule))
}

/// Returns the verdict with the status or the reset, in its colour.
fn verdict(report: &ExplainReport<'_>, palette: Palette) -> String {
    let (verdict, status) = (report.verdict, report.status.unwrap_or_default());
    match (report.reset, status) {
        (Some(code), _) => palette
            .refused(&format!("{verdict}: the stream is reset with {code} (HTTP/1.1: {status})")),
        (None, MISDIRECTED) => palette.misdirected(&format!("{verdict} ({status})")),
        (None, _) if verdict == "serve" => palette.served(&format!("{verdict} ({status})")),
        (None, _) => palette.refused(&format!("{verdict} ({status})")),
    }
}

/// Returns the request in one line, with unprintable characters escaped.
fn request(question: &Question) -> String {
    let scheme = question.scheme().unwrap_or("https");
    let target = match question.authority() {
        Some(authority) => format!("{scheme}://{}", authority.escape_debug()),
        None => format!("{scheme}, no :authority"),
    };
    let mut parts = vec![format!("{} {target}", question.method())];
    if let Some(protocol) = question.protocol() {
        parts.push(format!(":protocol {}", protocol.escape_debug()));
    }
    parts.extend(question.hosts().iter().map(|host| format!("Host: {}", host.escape_debug())));
    parts.join(", ")
}

/// Returns the name of the step in `coalesce --help`.
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
