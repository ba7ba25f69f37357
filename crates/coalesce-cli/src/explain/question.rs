//! The question to a site, from arguments and from lines of a batch.

use std::path::{Path, PathBuf};

use clap::Args;
use coalesce_site::{ClientIdentity, Question};
use serde::{Deserialize, Deserializer};

use crate::config::files;
use crate::url::Url;

/// The arguments of `coalesce explain`.
#[derive(Args, Debug)]
#[command(override_usage = "coalesce explain --config <FILE> [OPTIONS]\n       \
                            coalesce explain [OPTIONS] <FILE> <URL>")]
pub(crate) struct ExplainArguments {
    /// The configuration file, unless --config names it, and the URL of the request. The URL sets
    /// scheme and authority, and the server name unless --server-name does
    #[arg(value_name = "FILE|URL", num_args = 1..=2)]
    pub(crate) file_and_url: Vec<String>,
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
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
    /// The certificate chain that the client sends if the handshake asks for one, or 'none';
    /// without this flag, the handshake is completed
    #[arg(long, value_name = "FILE")]
    pub(crate) client_certificate: Option<PathBuf>,
    /// Answer as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Read one JSON object per line from FILE, write one per line; from standard input for '-' and
    /// without FILE
    #[arg(
        long,
        value_name = "FILE",
        num_args = 0..=1,
        default_missing_value = "-",
        conflicts_with_all = [
            "server_name", "authority", "host", "scheme", "method", "protocol",
            "client_certificate", "json"
        ]
    )]
    pub(crate) batch: Option<PathBuf>,
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

/// The member for which `null` and absence have different meanings.
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

/// The configuration file and the URL of the arguments.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FileAndUrl {
    pub(crate) config: PathBuf,
    pub(crate) url: Option<Url>,
}

impl FileAndUrl {
    /// Reads the arguments without a flag, and `--config`.
    pub(crate) fn from_arguments(arguments: &ExplainArguments) -> Result<Self, String> {
        let (config, url) = match (&arguments.config, arguments.file_and_url.as_slice()) {
            (Some(config), []) => (config.clone(), None),
            (Some(config), [url]) => (config.clone(), Some(url)),
            (None, [config]) => (config.into(), None),
            (None, [config, url]) => (config.into(), Some(url)),
            (Some(_), _) => return Err("the configuration file is named twice".to_owned()),
            (None, _) => return Err("no configuration file; --config FILE names it".to_owned()),
        };
        let url = url.map(|url| url.parse::<Url>()).transpose()?;
        if url.is_some() && arguments.batch.is_some() {
            return Err("a URL cannot be used with --batch".to_owned());
        }
        let set_twice = [&arguments.authority, &arguments.scheme];
        if url.is_some() && set_twice.into_iter().any(Option::is_some) {
            return Err(
                "the URL has the scheme and the authority: leave out --scheme and --authority"
                    .to_owned(),
            );
        }
        Ok(Self { config, url })
    }
}

/// Makes the question of the arguments.
pub(crate) fn from_arguments(
    arguments: ExplainArguments,
    url: Option<Url>,
) -> Result<Question, String> {
    let client = match &arguments.client_certificate {
        None => ClientIdentity::Accepted,
        Some(word) if word.as_os_str() == "none" => ClientIdentity::WithoutCertificate,
        Some(path) => read_client(path)?,
    };
    let ExplainArguments { server_name, authority, host, scheme, method, protocol, .. } = arguments;
    let (server_name, authority, scheme) = match url {
        None => (server_name, authority, scheme),
        Some(url) => (server_name.or(url.server_name), Some(url.authority), Some(url.scheme)),
    };
    question(Parts { server_name, authority, hosts: host, scheme, method, protocol, client })
}

/// Makes the question of a line.
pub(crate) fn from_line(line: QuestionLine) -> Result<Question, String> {
    let client = match &line.client_certificate {
        // Without the member, the question is about a completed handshake.
        CertificateMember::Absent => ClientIdentity::Accepted,
        CertificateMember::Null => ClientIdentity::WithoutCertificate,
        CertificateMember::File(path) => read_client(path)?,
    };
    let hosts = match line.host {
        None => Vec::new(),
        Some(OneOrSeveral::One(host)) => vec![host],
        Some(OneOrSeveral::Several(hosts)) => hosts,
    };
    let QuestionLine { server_name, authority, scheme, method, protocol, .. } = line;
    question(Parts { server_name, authority, hosts, scheme, method, protocol, client })
}

/// The common parts of arguments and lines.
struct Parts {
    server_name: Option<String>,
    authority: Option<String>,
    hosts: Vec<String>,
    scheme: Option<String>,
    method: Option<String>,
    protocol: Option<String>,
    client: ClientIdentity,
}

fn question(parts: Parts) -> Result<Question, String> {
    let Parts { server_name, authority, hosts, scheme, method, protocol, client } = parts;
    check_method(method.as_deref(), protocol.as_deref())?;
    let set = |question: Question, value: Option<String>, set: fn(Question, String) -> Question| {
        value.into_iter().fold(question, set)
    };
    let question = Question::new().with_client(client);
    let question = set(question, server_name, Question::with_server_name);
    let question = set(question, authority, Question::with_authority);
    let question = set(question, scheme, Question::with_scheme);
    let question = set(question, method, Question::with_method);
    let question = set(question, protocol, Question::with_protocol);
    Ok(hosts.into_iter().fold(question, Question::with_host))
}

/// Checks for the methods that HTTP/2 resets before the decision (RFC 9110 §9.1, RFC 8441 §4).
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
    use coalesce_core::{HostField, MethodKind};

    use super::*;

    fn line(text: &str) -> Result<Question, String> {
        from_line(serde_json::from_str(text).map_err(|error| error.to_string())?)
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
        assert!(question.server_name().is_none() && question.authority().is_none());
        assert!(question.hosts().is_empty());
        assert_eq!(question.method(), "GET");
    }

    #[test]
    fn null_certificate_was_not_sent() {
        assert_eq!(*line("{}").unwrap().client(), ClientIdentity::Accepted);
        let without = line(r#"{"client_certificate":null}"#).unwrap();
        assert_eq!(*without.client(), ClientIdentity::WithoutCertificate);
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
