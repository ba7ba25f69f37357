//! `coalesce match`: reports the hosts that a certificate covers.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{ArgGroup, Args};
use coalesce_core::{Host, IdentifierSet, PresentedIdentifier};
use coalesce_tls::{CertificateError, PresentedNames};
use serde::{Deserialize, Serialize};

use crate::config::files;
use crate::table_image::{CompiledIdentifiers, identifier_text, open_identifiers};
use crate::terminal::batch;
use crate::terminal::exit::{Exit, Failure};
use crate::terminal::output::Output;
use crate::terminal::text::host_argument;

/// The arguments of `coalesce match`.
#[derive(Args, Debug)]
#[command(group(
    ArgGroup::new("source").required(true).multiple(true).args(["san", "certificate", "identifiers", "batch"])
))]
pub(crate) struct MatchArguments {
    /// An identifier of the certificate, as OpenSSL writes it: DNS:name or IP:address
    #[arg(long, value_name = "SAN")]
    pub(crate) san: Vec<San>,
    /// A certificate file, PEM or DER; of a chain the first counts
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,
    /// An identifier set that 'coalesce compile --certificate' made
    #[arg(long, value_name = "FILE")]
    pub(crate) identifiers: Option<PathBuf>,
    /// Answer as one JSON object per host
    #[arg(long)]
    pub(crate) json: bool,
    /// Read one JSON object per line from FILE, write one per line; from standard input for '-' and
    /// without FILE
    #[arg(
        long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-",
        conflicts_with_all = ["san", "certificate", "identifiers", "json", "hosts"]
    )]
    pub(crate) batch: Option<PathBuf>,
    /// Names and addresses to look for; IPv6 with or without brackets
    #[arg(value_name = "HOST", required_unless_present = "batch", value_parser = host_argument)]
    pub(crate) hosts: Vec<String>,
}

/// One identifier as OpenSSL writes it: `DNS:a.example.test`, `IP:192.0.2.1`.
#[derive(Clone, Debug)]
pub(crate) struct San {
    text: String,
    kind: SanKind,
    /// The position of the value, after the prefix.
    value_at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SanKind {
    Dns,
    Ip,
    /// A kind that certificates contain and HTTPS does not use.
    Other,
}

/// Prefixes, in lower case, as `openssl x509 -ext subjectAltName` and OpenSSL's configuration
/// write them.
const PREFIXES: [(&str, SanKind); 8] = [
    ("dns", SanKind::Dns),
    ("ip", SanKind::Ip),
    ("ip address", SanKind::Ip),
    ("uri", SanKind::Other),
    ("email", SanKind::Other),
    ("othername", SanKind::Other),
    ("dirname", SanKind::Other),
    ("registered id", SanKind::Other),
];

impl FromStr for San {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let prefix = text.split_once(':').map(|(prefix, _)| prefix.to_ascii_lowercase());
        let known = prefix.as_deref().and_then(|prefix| {
            PREFIXES.iter().find(|(known, _)| *known == prefix).map(|(_, kind)| *kind)
        });
        match (prefix, known) {
            (Some(prefix), Some(kind)) => {
                Ok(Self { text: text.to_owned(), kind, value_at: prefix.len() + 1 })
            }
            _ => Err(format!("{text:?} does not begin with DNS: or IP:")),
        }
    }
}

impl San {
    /// Makes an identifier from text without a known prefix; it never matches.
    fn of_no_kind(text: &str) -> Self {
        Self { text: text.to_owned(), kind: SanKind::Other, value_at: 0 }
    }

    /// Returns the identifier, or the reason why it never matches.
    fn identifier(&self) -> Result<PresentedIdentifier<'_>, String> {
        let value = &self.text[self.value_at..];
        match self.kind {
            SanKind::Dns => {
                PresentedIdentifier::parse_dns(value.as_bytes()).map_err(|error| error.to_string())
            }
            SanKind::Ip => {
                let address = value.parse().map_err(|_| "not an address".to_owned())?;
                Ok(PresentedIdentifier::Ip(address))
            }
            SanKind::Other => Err("neither a DNS-ID nor an IP-ID (RFC 9525)".to_owned()),
        }
    }
}

/// An identifier that never matches.
#[derive(Debug)]
struct Ignored {
    text: String,
    reason: String,
}

/// The identifiers of the certificate.
#[derive(Debug)]
struct Identifiers {
    set: IdentifierSet<Vec<u8>>,
    /// The text of each identifier in `set`, by its number.
    texts: BTreeMap<usize, String>,
    ignored: Vec<Ignored>,
    certificate: Option<PresentedNames>,
    compiled: Option<CompiledIdentifiers>,
}

impl Identifiers {
    fn new(
        sans: Vec<San>,
        certificate: Option<PresentedNames>,
        compiled: Option<CompiledIdentifiers>,
    ) -> Result<Self, String> {
        let mut used = Vec::with_capacity(sans.len());
        let mut ignored = Vec::new();
        for san in sans {
            match san.identifier().map(drop) {
                Ok(()) => used.push(san),
                Err(reason) => ignored.push(Ignored { text: san.text, reason }),
            }
        }
        let set = IdentifierSet::build(used.iter().filter_map(|san| san.identifier().ok()))
            .map_err(|error| error.to_string())?;
        // If a name is repeated, the first one counts.
        let mut texts = BTreeMap::new();
        for san in used {
            if let Some(number) = san.identifier().ok().and_then(|name| set.number(&name)) {
                texts.entry(number).or_insert(san.text);
            }
        }
        if let Some(names) = &certificate {
            ignored.extend(names.ignored().iter().map(|name| Ignored {
                text: name.text().to_owned(),
                reason: name.reason().to_string(),
            }));
        }
        Ok(Self { set, texts, ignored, certificate, compiled })
    }

    fn covering(&self, host: &Host<'_>) -> Option<String> {
        let given = self.set.find(host).and_then(|number| self.texts.get(&number)).cloned();
        let certificate =
            || self.certificate.as_ref().and_then(|names| names.covering(host)).map(str::to_owned);
        let compiled = || {
            let set = self.compiled.as_ref()?;
            set.identifiers().nth(set.find(host)?).map(|stored| identifier_text(&stored))
        };
        given.or_else(certificate).or_else(compiled)
    }
}

/// The answer for one host, as JSON.
#[derive(Debug, Serialize)]
struct MatchAnswer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a str>,
    matched: Option<String>,
    ignored: Vec<String>,
    error: Option<String>,
}

impl MatchAnswer<'_> {
    fn error(message: String) -> Self {
        Self { host: None, matched: None, ignored: Vec::new(), error: Some(message) }
    }
}

/// A batch question.
#[derive(Debug, Deserialize)]
struct MatchQuestion {
    san: Vec<String>,
    host: String,
}

pub(crate) fn run(arguments: MatchArguments) -> Result<Exit, Failure> {
    let mut output = Output::stdout();
    if let Some(path) = &arguments.batch {
        batch::run(path, &mut output, |question| Ok(answer(&question)))?;
        return Ok(Exit::Fine);
    }
    let certificate = arguments.certificate.as_deref().map(read_certificate).transpose()?;
    let (certificate, no_names) = match certificate {
        Some(Ok(names)) => (Some(names), None),
        Some(Err(no_names)) => (None, Some(no_names)),
        None => (None, None),
    };
    let compiled = arguments.identifiers.as_deref().map(open_identifiers).transpose()?;
    let identifiers =
        Identifiers::new(arguments.san, certificate, compiled).map_err(Failure::usage)?;
    let mut exit = Exit::Fine;
    for text in &arguments.hosts {
        let host = Host::parse(text.as_bytes())
            .map_err(|error| Failure::usage(format_args!("{text}: {error}")))?;
        let covering = identifiers.covering(&host);
        if covering.is_none() {
            exit = Exit::No;
        }
        if arguments.json {
            output.json(&MatchAnswer {
                host: Some(text),
                matched: covering,
                ignored: identifiers.ignored.iter().map(|name| name.text.clone()).collect(),
                error: None,
            })?;
        } else {
            let width = arguments.hosts.iter().map(String::len).max().unwrap_or_default();
            let covering = covering.as_deref().unwrap_or("not covered");
            output.line(format_args!("{text:width$}  {covering}"))?;
        }
    }
    if !arguments.json {
        report_ignored(&identifiers, &mut output)?;
        if let Some(reason) = no_names {
            output.line(format_args!("the certificate covers no host: {reason}"))?;
        }
    }
    output.flush()?;
    Ok(exit)
}

/// Reads the names of the first certificate in a file. A certificate without names is not an error:
/// it covers no host (RFC 9525 §2), and the inner error says so.
fn read_certificate(path: &Path) -> Result<Result<PresentedNames, CertificateError>, Failure> {
    let unusable = |error: &dyn std::fmt::Display| {
        Failure::usage(format_args!("--certificate {}: {error}", path.display()))
    };
    let der = files::first_certificate(path).map_err(|error| unusable(&error))?;
    match PresentedNames::read_der(&der) {
        Err(
            reason @ (CertificateError::NoSubjectAltName | CertificateError::EmptySubjectAltName),
        ) => Ok(Err(reason)),
        read => read.map(Ok).map_err(|error| unusable(&error)),
    }
}

fn report_ignored(
    identifiers: &Identifiers,
    output: &mut Output<impl Write>,
) -> Result<(), Failure> {
    for Ignored { text, reason } in &identifiers.ignored {
        output.line(format_args!("ignored {text}: {reason}"))?;
    }
    Ok(())
}

fn answer(question: &MatchQuestion) -> MatchAnswer<'static> {
    let sans =
        question.san.iter().map(|text| text.parse().unwrap_or_else(|_| San::of_no_kind(text)));
    let identifiers = match Identifiers::new(sans.collect(), None, None) {
        Ok(identifiers) => identifiers,
        Err(error) => return MatchAnswer::error(format!("san: {error}")),
    };
    let (matched, error) = match Host::parse(question.host.as_bytes()) {
        Ok(host) => (identifiers.covering(&host), None),
        Err(error) => (None, Some(format!("host: {error}"))),
    };
    let ignored = identifiers.ignored.into_iter().map(|name| name.text).collect();
    MatchAnswer { host: None, matched, ignored, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(sans: &[&str], host: &str) -> MatchAnswer<'static> {
        let san = sans.iter().map(ToString::to_string).collect();
        answer(&MatchQuestion { san, host: host.to_owned() })
    }

    #[test]
    fn most_specific_identifier_is_reported_as_given() {
        let cases: [(&[&str], &str, Option<&str>); 12] = [
            (&["DNS:*.example.test"], "a.example.test", Some("DNS:*.example.test")),
            (&["DNS:*.Example.TEST"], "A.example.test.", Some("DNS:*.Example.TEST")),
            (&["DNS:*.example.test"], "a.b.example.test", None),
            (&["DNS:*.example.test"], "example.test", None),
            (
                &["DNS:*.example.test", "DNS:a.example.test"],
                "a.example.test",
                Some("DNS:a.example.test"),
            ),
            (&["IP:192.0.2.1"], "192.0.2.1", Some("IP:192.0.2.1")),
            (&["IP Address:192.0.2.1"], "192.0.2.1", Some("IP Address:192.0.2.1")),
            (&["ip:2001:DB8:0::1"], "2001:db8::1", Some("ip:2001:DB8:0::1")),
            (&["IP:2001:db8::1"], "[2001:db8::1]", Some("IP:2001:db8::1")),
            (&["DNS:192.0.2.1"], "192.0.2.1", None),
            (&["IP:::ffff:192.0.2.1"], "192.0.2.1", None),
            (&[], "a.example.test", None),
        ];
        for (sans, host, matched) in cases {
            let answer = ask(sans, host);
            assert_eq!(answer.matched.as_deref(), matched, "{sans:?} {host}");
            assert_eq!(answer.error, None, "{sans:?} {host}");
        }
    }

    #[test]
    fn identifiers_that_never_match_are_reported() {
        let never = ["DNS:f*.test", "DNS:*", "DNS:a.test.", "IP:1.2.3", "URI:https://a.test"];
        let answer = ask(&never, "a.test");
        assert_eq!(answer.ignored, never);
        assert_eq!(answer.matched, None);
    }

    #[test]
    fn identifier_without_a_kind_is_ignored_and_invalid_host_is_an_error() {
        let answer = ask(&["a.test", "DNS:*.test"], "a.test");
        assert_eq!(answer.ignored, ["a.test"]);
        assert_eq!(answer.matched.unwrap(), "DNS:*.test");
        assert_eq!(answer.error, None);
        assert_eq!(ask(&["DNS:a.test"], "a..test").error.unwrap(), "host: empty label at byte 2");
    }
}
