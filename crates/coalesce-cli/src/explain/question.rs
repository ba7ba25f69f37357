//! What is asked.

use std::path::{Path, PathBuf};

use clap::Args;
use coalesce_core::{HostField, MethodKind, RequestTarget};
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Deserializer};

use crate::config::files;

/// The arguments of `coalesce explain`.
#[derive(Args, Debug)]
pub(crate) struct ExplainArguments {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// The listener that the connection came to; needed when there are several
    #[arg(long, value_name = "NAME")]
    pub(crate) listener: Option<String>,
    /// The server name of the ClientHello; without it, the ClientHello carries none
    #[arg(long, value_name = "NAME")]
    pub(crate) server_name: Option<String>,
    /// The request's :authority; without it, the request has none
    #[arg(long, value_name = "HOST[:PORT]", allow_hyphen_values = true)]
    pub(crate) authority: Option<String>,
    /// A Host field of the request; may be given more than once
    #[arg(long, value_name = "HOST[:PORT]", allow_hyphen_values = true)]
    pub(crate) host: Vec<String>,
    /// The request's :scheme [default: https]
    #[arg(long)]
    pub(crate) scheme: Option<String>,
    /// The request's method [default: GET]
    #[arg(long)]
    pub(crate) method: Option<String>,
    /// The :protocol of an extended CONNECT (RFC 8441)
    #[arg(long)]
    pub(crate) protocol: Option<String>,
    /// What the client sends when it is asked: its certificate chain, or 'none'; without this, the
    /// question is about a connection whose handshake was completed
    #[arg(long, value_name = "FILE")]
    pub(crate) client_certificate: Option<PathBuf>,
    /// Answer as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Read one JSON object per line from standard input, write one per line
    #[arg(
        long,
        conflicts_with_all = [
            "server_name", "authority", "host", "scheme", "method", "protocol",
            "client_certificate", "json"
        ]
    )]
    pub(crate) batch: bool,
}

/// One request on one connection.
#[derive(Debug, Default)]
pub(crate) struct Question {
    pub(crate) server_name: Option<String>,
    pub(crate) authority: Option<String>,
    pub(crate) hosts: Vec<String>,
    pub(crate) scheme: Option<String>,
    pub(crate) method: Option<String>,
    pub(crate) protocol: Option<String>,
    pub(crate) client: ClientIdentity,
}

/// What the client has to show when it is asked for a certificate.
#[derive(Debug, Default)]
pub(crate) enum ClientIdentity {
    /// Nothing.
    #[default]
    WithoutCertificate,
    /// This chain, its own certificate first.
    Certificate(Vec<CertificateDer<'static>>),
    /// Whatever the group wants: the question is about a connection that exists.
    Accepted,
}

/// A line of a batch.
#[derive(Debug, Deserialize)]
pub(crate) struct QuestionLine {
    server_name: Option<String>,
    authority: Option<String>,
    host: Option<OneOrSeveral>,
    scheme: Option<String>,
    method: Option<String>,
    protocol: Option<String>,
    #[serde(default)]
    client_certificate: CertificateMember,
}

/// The one member whose `null` is told from its absence.
#[derive(Debug, Default)]
enum CertificateMember {
    #[default]
    Absent,
    Null,
    File(PathBuf),
}

impl<'de> Deserialize<'de> for CertificateMember {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(value)?.map_or(Self::Null, Self::File))
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "host is neither a string nor an array of strings")]
enum OneOrSeveral {
    One(String),
    Several(Vec<String>),
}

impl Question {
    pub(crate) fn from_arguments(arguments: ExplainArguments) -> Result<Self, String> {
        check_method(arguments.method.as_deref(), arguments.protocol.as_deref())?;
        let client = match &arguments.client_certificate {
            None => ClientIdentity::Accepted,
            Some(word) if word.as_os_str() == "none" => ClientIdentity::WithoutCertificate,
            Some(path) => read_client(path)?,
        };
        Ok(Self {
            server_name: arguments.server_name,
            authority: arguments.authority,
            hosts: arguments.host,
            scheme: arguments.scheme,
            method: arguments.method,
            protocol: arguments.protocol,
            client,
        })
    }

    pub(crate) fn from_line(line: QuestionLine) -> Result<Self, String> {
        check_method(line.method.as_deref(), line.protocol.as_deref())?;
        let client = match &line.client_certificate {
            // A request there is only on a connection that was accepted.
            CertificateMember::Absent => ClientIdentity::Accepted,
            CertificateMember::Null => ClientIdentity::WithoutCertificate,
            CertificateMember::File(path) => read_client(path)?,
        };
        Ok(Self {
            server_name: line.server_name,
            authority: line.authority,
            hosts: match line.host {
                None => Vec::new(),
                Some(OneOrSeveral::One(host)) => vec![host],
                Some(OneOrSeveral::Several(hosts)) => hosts,
            },
            scheme: line.scheme,
            method: line.method,
            protocol: line.protocol,
            client,
        })
    }

    /// The method's name; `GET` unless said otherwise.
    pub(crate) fn method(&self) -> &str {
        self.method.as_deref().unwrap_or("GET")
    }

    /// The request as [`decide`](coalesce_core::decide()) takes it.
    pub(crate) fn target(&self) -> RequestTarget<'_> {
        RequestTarget {
            authority: self.authority.as_deref().map(str::as_bytes),
            host: HostField::collect(self.hosts.iter().map(String::as_bytes)),
            scheme: self.scheme.as_deref().map(str::as_bytes),
            // Method names are case-sensitive (RFC 9110 §9.1).
            method: match (self.method(), &self.protocol) {
                ("CONNECT", None) => MethodKind::Connect,
                ("CONNECT", Some(_)) => MethodKind::ExtendedConnect,
                _ => MethodKind::Ordinary,
            },
        }
    }
}

/// What HTTP/2 resets before there is a target to decide (RFC 9110 §9.1, RFC 8441 §4).
fn check_method(method: Option<&str>, protocol: Option<&str>) -> Result<(), String> {
    let Some(name) = method else {
        return if protocol.is_some() { Err(PROTOCOL_ALONE.to_owned()) } else { Ok(()) };
    };
    match http::Method::from_bytes(name.as_bytes()) {
        Err(_) => Err(format!("method: {name:?} is no method; a token is expected")),
        Ok(method) if protocol.is_some() && method != http::Method::CONNECT => {
            Err(PROTOCOL_ALONE.to_owned())
        }
        Ok(_) => Ok(()),
    }
}

const PROTOCOL_ALONE: &str = "protocol: only the method CONNECT may have one";

fn read_client(path: &Path) -> Result<ClientIdentity, String> {
    match files::chain(path) {
        Ok(chain) => Ok(ClientIdentity::Certificate(chain)),
        Err(error) => Err(format!("client_certificate: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Result<Question, String> {
        Question::from_line(serde_json::from_str(text).map_err(|error| error.to_string())?)
    }

    #[test]
    fn what_http_2_resets_undecided_is_no_question() {
        let error = line(r#"{"method":"GE T"}"#).unwrap_err();
        assert_eq!(error, "method: \"GE T\" is no method; a token is expected");
        for protocol_alone in [r#"{"protocol":"x"}"#, r#"{"method":"GET","protocol":"x"}"#] {
            assert_eq!(line(protocol_alone).unwrap_err(), PROTOCOL_ALONE);
        }
        assert!(line(r#"{"method":"CONNECT","protocol":"websocket"}"#).is_ok());
        assert!(line(r#"{"method":"PURGE"}"#).is_ok());
    }

    #[test]
    fn null_is_the_same_as_absent() {
        let question =
            line(r#"{"server_name":null,"authority":null,"host":null,"method":null}"#).unwrap();
        assert!(question.server_name.is_none() && question.authority.is_none());
        assert!(question.hosts.is_empty());
        assert_eq!(question.method(), "GET");
    }

    #[test]
    fn a_certificate_that_is_null_was_not_sent() {
        assert!(matches!(line("{}").unwrap().client, ClientIdentity::Accepted));
        let without = line(r#"{"client_certificate":null}"#).unwrap();
        assert!(matches!(without.client, ClientIdentity::WithoutCertificate));
        let missing = line(r#"{"client_certificate":"no/such.pem"}"#).unwrap_err();
        let expected = "client_certificate: cannot read no/such.pem: No such file or directory";
        assert_eq!(missing, expected);
    }

    #[test]
    fn host_is_one_or_several() {
        assert_eq!(line(r#"{"host":"a"}"#).unwrap().target().host, HostField::One(b"a"));
        assert_eq!(line(r#"{"host":["a"]}"#).unwrap().target().host, HostField::One(b"a"));
        assert_eq!(line(r#"{"host":["a","a"]}"#).unwrap().target().host, HostField::Several);
        assert_eq!(line(r#"{"host":[]}"#).unwrap().target().host, HostField::Absent);
        assert!(line(r#"{"host":1}"#).unwrap_err().contains("neither a string nor an array"));
    }

    #[test]
    fn methods_are_told_apart() {
        let kind = |text| line(text).unwrap().target().method;
        assert_eq!(kind("{}"), MethodKind::Ordinary);
        assert_eq!(kind(r#"{"method":"connect"}"#), MethodKind::Ordinary);
        assert_eq!(kind(r#"{"method":"CONNECT"}"#), MethodKind::Connect);
        let extended = r#"{"method":"CONNECT","protocol":"websocket"}"#;
        assert_eq!(kind(extended), MethodKind::ExtendedConnect);
    }
}
