//! Scenarios, and the files that have them.

use std::time::Duration;

use serde::Deserialize;

use crate::error::LabError;
use crate::outcome::Accepted;
use crate::renames::Renames;
use crate::text::{Places, Text};
use crate::wire::hpack::Field;

/// How long a scenario waits for each answer, unless it says otherwise.
const PATIENCE: Duration = Duration::from_secs(10);

/// A file of scenarios of one kind.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The kind of its scenarios.
    kind: String,
    /// What they have in common, for readers.
    #[serde(rename = "about")]
    _about: String,
    /// Each request is for the host of its connection, so no answer can be on the wrong one.
    #[serde(default)]
    own_hosts_only: bool,
    scenario: Vec<Scenario>,
}

/// Reads the scenarios of a file; `name` is in errors.
pub(crate) fn parse(name: &str, text: &str) -> Result<Vec<Scenario>, LabError> {
    let file: File = toml::from_str(text).map_err(|error| LabError::new(name, error))?;
    let mut scenarios = file.scenario;
    for scenario in &mut scenarios {
        scenario.kind.clone_from(&file.kind);
        scenario.own_hosts_only = file.own_hosts_only;
        scenario.check().map_err(|message| {
            LabError::new(name, format_args!("scenario \"{}\": {message}", scenario.id))
        })?;
    }
    Ok(scenarios)
}

/// One connection, what is sent on it, and which outcomes the RFCs accept.
///
/// # Example
///
/// ```
/// use coalesce_lab::Scenarios;
///
/// let text = r#"
/// kind = "misdirected"
/// about = "Requests that this connection must not serve."
///
/// [[scenario]]
/// id = "elsewhere"
/// summary = "The host has another certificate."
/// rfc = ["RFC 9110 §15.5.20"]
/// server_name = "api.example.test"
/// accepts = ["421"]
/// requests = [{ host = "cdn.example.test" }]
/// "#;
/// let scenarios = Scenarios::parse("mine.toml", text)?;
/// let scenario = scenarios.iter().next().unwrap();
/// assert_eq!((scenario.kind(), scenario.id()), ("misdirected", "elsewhere"));
/// # Ok::<(), coalesce_lab::LabError>(())
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    #[serde(skip)]
    kind: String,
    #[serde(skip)]
    pub(crate) own_hosts_only: bool,
    id: String,
    summary: String,
    rfc: Vec<String>,
    /// The server name of the ClientHello; none is sent without it. Any text can be sent.
    pub(crate) server_name: Option<String>,
    /// The highest version of TLS that the client offers.
    #[serde(default)]
    pub(crate) tls: TlsVersion,
    /// The protocols that the client offers.
    #[serde(default = "h2_alone")]
    pub(crate) alpn: Vec<String>,
    /// The client certificate that the client has.
    pub(crate) client_certificate: Option<String>,
    /// The client resumes a session of an earlier connection, which had this server name.
    pub(crate) resume_from: Option<String>,
    /// Header blocks use the string code, as those of browsers do.
    #[serde(default)]
    pub(crate) huffman: bool,
    /// The most requests without an answer; all of them by default.
    in_flight: Option<usize>,
    /// How long the client waits for each answer.
    patience_seconds: Option<u64>,
    /// The scenario is for a server on this port alone.
    pub(crate) only_port: Option<u16>,
    /// The host that is asked for last, to see whether the connection lives. By default the host of
    /// the server name; `false` asks for none.
    #[serde(default)]
    bystander: Bystander,
    /// When a lost connection is the server's fault.
    #[serde(default)]
    pub(crate) connection: Survival,
    /// The accepted outcomes of requests that have none; the first one is the best.
    #[serde(default)]
    accepts: Vec<Accepted>,
    pub(crate) requests: Vec<Request>,
}

fn h2_alone() -> Vec<String> {
    vec!["h2".into()]
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
pub(crate) enum TlsVersion {
    #[serde(rename = "1.2")]
    V1_2,
    #[default]
    #[serde(rename = "1.3")]
    V1_3,
}

/// Who is asked for last.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(untagged)]
enum Bystander {
    #[default]
    OwnHost,
    Host(String),
    Asked(bool),
}

/// When a lost connection is the server's fault.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Survival {
    /// If the requests had outcomes of their own, the connection must live.
    #[default]
    MustLiveOnceAnswered,
    /// The connection must live, whatever happened before.
    MustLive,
    /// The server may end the connection.
    MayEnd,
}

/// A request, as it is sent.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// The authority, as an ordinary client writes it: with the port, unless that is 443.
    host: Option<String>,
    /// The authority, exactly; several send several fields. Without it and `host` there is none.
    authority: Option<Authorities>,
    #[serde(default = "get")]
    method: Text,
    #[serde(default = "https")]
    scheme: Text,
    #[serde(default = "root")]
    path: Text,
    /// `:protocol` (RFC 8441 §4).
    protocol: Option<Text>,
    /// Pseudo-header fields that are left out.
    #[serde(default)]
    omit: Vec<Omitted>,
    /// Further fields, with any octets.
    #[serde(default)]
    fields: Vec<(Text, Text)>,
    /// All fields, in this order, in place of all others here.
    exactly: Option<Vec<(Text, Text)>>,
    pub(crate) content: Option<Content>,
    /// How often the request is sent.
    #[serde(default = "once")]
    times: usize,
    accepts: Option<Vec<Accepted>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Authorities {
    One(Text),
    Several(Vec<Text>),
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Omitted {
    Scheme,
    Path,
}

/// The content of a request.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Content {
    pub(crate) bytes: usize,
    #[serde(default)]
    pub(crate) sent: Sent,
}

/// When the content of a request is sent.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Sent {
    /// As the windows allow.
    #[default]
    AtOnce,
    /// A little at first, and the rest once the server answered: a client whose DATA frames crossed
    /// the answer and its `RST_STREAM` on the wire.
    AfterTheAnswer,
    /// A little at first, and the rest never.
    Never,
}

fn get() -> Text {
    Text::Plain("GET".into())
}

fn https() -> Text {
    Text::Plain("https".into())
}

fn root() -> Text {
    Text::Plain("/".into())
}

fn once() -> usize {
    1
}

impl Scenario {
    /// Returns the name that no other scenario has.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the kind that the scenario's file names.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Returns a sentence about the requests.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// Returns the sections of RFCs that say what is accepted.
    pub fn rfc(&self) -> &[String] {
        &self.rfc
    }

    /// Returns the accepted outcomes of each request in the words of the file, the best one first.
    pub fn accepts(&self) -> impl Iterator<Item = Vec<&str>> {
        self.requests
            .iter()
            .map(|request| self.accepted(request).iter().map(Accepted::text).collect())
    }

    /// Returns the accepted outcomes of one of its requests.
    pub(crate) fn accepted<'a>(&'a self, request: &'a Request) -> &'a [Accepted] {
        request.accepts.as_deref().unwrap_or(&self.accepts)
    }

    /// Returns each request as often as it is sent.
    pub(crate) fn planned(&self) -> Vec<&Request> {
        let each = self.requests.iter();
        each.flat_map(|request| std::iter::repeat_n(request, request.times)).collect()
    }

    pub(crate) fn patience(&self) -> Duration {
        self.patience_seconds.map_or(PATIENCE, Duration::from_secs)
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.unwrap_or(usize::MAX)
    }

    /// Returns the host that is asked for last, if any.
    pub(crate) fn bystander<'a>(&'a self, default_host: &'a str) -> Option<&'a str> {
        match &self.bystander {
            Bystander::Host(host) => Some(host),
            Bystander::Asked(false) => None,
            Bystander::OwnHost | Bystander::Asked(true) => {
                Some(self.server_name.as_deref().unwrap_or(default_host))
            }
        }
    }

    pub(crate) fn has_bystander(&self) -> bool {
        !matches!(self.bystander, Bystander::Asked(false))
    }

    /// Returns the scenario with the names that a world has in place of those in it.
    pub(crate) fn renamed(&self, renames: &Renames) -> Self {
        let text = |name: &Option<String>| name.as_ref().map(|name| renames.text(name));
        let client = self.client_certificate.as_ref();
        Self {
            server_name: text(&self.server_name),
            client_certificate: client.map(|name| renames.client_certificate(name).to_owned()),
            resume_from: text(&self.resume_from),
            bystander: match &self.bystander {
                Bystander::Host(host) => Bystander::Host(renames.text(host)),
                other => other.clone(),
            },
            accepts: all_renamed(&self.accepts, renames),
            requests: self.requests.iter().map(|request| request.renamed(renames)).collect(),
            ..self.clone()
        }
    }

    /// Returns the virtual hosts that its accepted outcomes name.
    pub(crate) fn virtual_hosts(&self) -> impl Iterator<Item = &str> {
        let accepted = self.requests.iter().flat_map(|request| self.accepted(request));
        accepted.filter_map(Accepted::host)
    }

    fn check(&self) -> Result<(), String> {
        if self.requests.is_empty() {
            return Err("no requests".into());
        }
        if self.rfc.is_empty() {
            return Err("field \"rfc\": found none, expected a section of an RFC".into());
        }
        for request in &self.requests {
            if self.accepted(request).is_empty() {
                return Err("field \"accepts\": found no outcome, expected one or more".into());
            }
            let targets =
                [request.host.is_some(), request.authority.is_some(), request.exactly.is_some()];
            if targets.iter().filter(|is_there| **is_there).count() > 1 {
                return Err(TWO_TARGETS.into());
            }
        }
        Ok(())
    }
}

fn all_renamed(accepted: &[Accepted], renames: &Renames) -> Vec<Accepted> {
    accepted.iter().map(|one| one.renamed(renames)).collect()
}

impl Request {
    fn renamed(&self, renames: &Renames) -> Self {
        let pairs = |fields: &[(Text, Text)]| -> Vec<(Text, Text)> {
            let pair = |(name, value): &(Text, Text)| (name.clone(), value.renamed(renames));
            fields.iter().map(pair).collect()
        };
        Self {
            host: self.host.as_ref().map(|host| renames.text(host)),
            authority: self.authority.as_ref().map(|authorities| match authorities {
                Authorities::One(one) => Authorities::One(one.renamed(renames)),
                Authorities::Several(several) => {
                    Authorities::Several(several.iter().map(|one| one.renamed(renames)).collect())
                }
            }),
            path: self.path.renamed(renames),
            fields: pairs(&self.fields),
            exactly: self.exactly.as_deref().map(pairs),
            accepts: self.accepts.as_deref().map(|accepted| all_renamed(accepted, renames)),
            ..self.clone()
        }
    }

    /// Returns an ordinary request for `host`.
    pub(crate) fn ordinary(host: &str, places: &Places) -> Vec<Field> {
        let field = |name: &str, value: &str| (name.into(), value.into());
        vec![
            field(":method", "GET"),
            field(":scheme", "https"),
            field(":authority", &places.natural(host)),
            field(":path", "/"),
            field("user-agent", USER_AGENT),
        ]
    }

    /// Returns its fields, in the order in which they are sent.
    pub(crate) fn fields(&self, places: &Places) -> Vec<Field> {
        let octets = |fields: &[(Text, Text)]| -> Vec<Field> {
            fields.iter().map(|(name, value)| (places.octets(name), places.octets(value))).collect()
        };
        if let Some(all) = &self.exactly {
            return octets(all);
        }
        let mut fields = Vec::new();
        let mut push = |name: &str, value: Vec<u8>| fields.push((name.into(), value));
        push(":method", places.octets(&self.method));
        if !self.omit.contains(&Omitted::Scheme) {
            push(":scheme", places.octets(&self.scheme));
        }
        for authority in self.authorities(places) {
            push(":authority", authority);
        }
        if !self.omit.contains(&Omitted::Path) {
            push(":path", places.octets(&self.path));
        }
        if let Some(protocol) = &self.protocol {
            push(":protocol", places.octets(protocol));
        }
        push("user-agent", USER_AGENT.into());
        if let Some(content) = self.content.filter(|content| content.sent != Sent::Never) {
            push("content-length", content.bytes.to_string().into());
        }
        fields.extend(octets(&self.fields));
        fields
    }

    fn authorities(&self, places: &Places) -> Vec<Vec<u8>> {
        if let Some(host) = &self.host {
            return vec![places.natural(host).into_bytes()];
        }
        match &self.authority {
            None => Vec::new(),
            Some(Authorities::One(one)) => vec![places.octets(one)],
            Some(Authorities::Several(several)) => {
                several.iter().map(|one| places.octets(one)).collect()
            }
        }
    }
}

const TWO_TARGETS: &str =
    "a request has two of \"host\", \"authority\" and \"exactly\", expected one";

/// What the lab calls itself.
const USER_AGENT: &str = "coalesce-lab";

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "kind = \"k\"\nabout = \"a\"\n[[scenario]]\nid = \"i\"\nsummary = \"s\"\n";

    fn error(rest: &str) -> String {
        parse("f.toml", &format!("{HEAD}{rest}")).unwrap_err().to_string()
    }

    #[test]
    fn scenario_that_says_too_little_is_an_error() {
        let rfc = "rfc = [\"RFC 9110 §7.4\"]\n";
        let rows = [
            ("rfc = []\naccepts = [\"421\"]\nrequests = [{}]", "field \"rfc\": found none"),
            ("accepts = [\"421\"]\nrequests = []", "no requests"),
            ("requests = [{}]", "field \"accepts\": found no outcome"),
            (
                "accepts = [\"421\"]\nrequests = [{ host = \"a\", authority = \"a\" }]",
                "expected one",
            ),
        ];
        for (rest, expected) in rows {
            let rest = if rest.contains("rfc") { rest.into() } else { format!("{rfc}{rest}") };
            let error = error(&rest);
            assert!(error.starts_with("f.toml: scenario \"i\": "), "{error}");
            assert!(error.contains(expected), "{error}");
        }
        let unknown = error(&format!("{rfc}requests = []\nexpects = []"));
        assert!(unknown.contains("unknown field `expects`"), "{unknown}");
    }

    #[test]
    fn fields_are_sent_as_the_scenario_writes_them() {
        let text = format!(
            "{HEAD}rfc = [\"R\"]\naccepts = [\"400\"]\nrequests = [{{ authority = [\"a\", \"b\"], \
             omit = [\"scheme\"], fields = [[\"Host\", {{ hex = \"00\" }}]], times = 2, \
             content = {{ bytes = 3 }} }}]"
        );
        let scenarios = parse("f.toml", &text).unwrap();
        let planned = scenarios[0].planned();
        assert_eq!(planned.len(), 2);
        let places = Places { address: "::1".into(), port: 1 };
        let names: Vec<_> = planned[0].fields(&places);
        let names: Vec<_> = names.iter().map(|(name, _)| String::from_utf8_lossy(name)).collect();
        let expected = [
            ":method",
            ":authority",
            ":authority",
            ":path",
            "user-agent",
            "content-length",
            "Host",
        ];
        assert_eq!(names, expected);
    }
}
