//! A case as it is written, with the values of fields that are not.

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) schema: u32,
    pub(crate) case: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    #[serde(rename = "source")]
    _source: String,
    #[serde(rename = "rules")]
    _rules: Vec<String>,
    pub(crate) note: String,
    /// The most origins of a set.
    pub(crate) origins_max: Option<usize>,
    #[serde(default)]
    pub(crate) memory: Vec<Remembered>,
    #[serde(default)]
    pub(crate) connection: Vec<Connection>,
    pub(crate) request: Option<Request>,
    pub(crate) response: Option<Response>,
    #[serde(default)]
    pub(crate) frame: Vec<Frame>,
    pub(crate) expected: Expected,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    Choose,
    Response,
    OriginFrame,
    Close,
}

/// An entry of the memory of refusals.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Remembered {
    pub(crate) origin: String,
    /// The connection whose server refused.
    pub(crate) identity_of: String,
    pub(crate) ttl_left_s: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools, reason = "fields of the file")]
pub(crate) struct Connection {
    pub(crate) id: String,
    /// The address and port that the socket is connected to.
    pub(crate) peer: String,
    /// The host of the handshake, with a port unless it is the default.
    pub(crate) opened_for: String,
    #[serde(default)]
    pub(crate) certificate: Vec<String>,
    /// `h2`, `http/1.1`, or `h2c`.
    #[serde(default = "h2")]
    pub(crate) protocol: String,
    /// `open`, `connecting`, `draining`, or `closed`.
    #[serde(default = "open")]
    pub(crate) state: String,
    #[serde(default = "hundred")]
    pub(crate) streams_max: u32,
    #[serde(default)]
    pub(crate) streams_active: u32,
    #[serde(default = "one")]
    pub(crate) requests_served: u64,
    /// Whether SETTINGS have arrived.
    #[serde(default = "yes")]
    pub(crate) settings: bool,
    #[serde(default)]
    pub(crate) client_certificate: bool,
    #[serde(default)]
    pub(crate) proxy: String,
    #[serde(default)]
    pub(crate) partition: String,
    #[serde(default = "default")]
    pub(crate) tls: String,
    /// `opaque` if the verifier cannot run again.
    #[serde(default = "default")]
    pub(crate) verifier: String,
    #[serde(default)]
    pub(crate) handshake_error: bool,
    #[serde(default = "million")]
    pub(crate) expires_in_s: i64,
    /// Hosts that the verifier refuses although a name covers them.
    #[serde(default)]
    pub(crate) verifier_rejects: Vec<String>,
    /// Origins for which the connection has answered 421.
    #[serde(default)]
    pub(crate) refused: Vec<String>,
    #[serde(default)]
    pub(crate) extended_connect: bool,
    pub(crate) origin_set: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) evidence: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    pub(crate) url: String,
    #[serde(rename = "method")]
    _method: Option<String>,
    /// `none`, `replayable`, or `one-shot`.
    #[serde(default = "none")]
    pub(crate) body: String,
    /// Plain addresses. Absent if the host is not resolved.
    pub(crate) addresses: Option<Vec<String>>,
    /// HTTPS records.
    pub(crate) endpoints: Option<Vec<Record>>,
    #[serde(default)]
    pub(crate) partition: String,
    #[serde(default)]
    pub(crate) proxy: String,
    #[serde(default = "default")]
    pub(crate) tls: String,
    /// `none`, `match`, or `mismatch`.
    #[serde(default = "none")]
    pub(crate) pins: String,
    /// `required-missing` if the host requires transparency and there is no proof.
    #[serde(default = "none")]
    pub(crate) transparency: String,
    #[serde(default)]
    pub(crate) extended_connect: bool,
    #[serde(default)]
    pub(crate) allow_client_certificate_hosts: Vec<String>,
    /// 0 for no limit.
    #[serde(default)]
    pub(crate) connections_max: u32,
    /// `required`, `waived-by-origin-set`, or `waived-with-evidence`.
    #[serde(default = "required")]
    pub(crate) dns: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    pub(crate) addresses: Vec<String>,
    pub(crate) port: Option<u16>,
    #[serde(default)]
    pub(crate) alpn: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Response {
    pub(crate) status: u16,
    #[serde(default = "first")]
    pub(crate) attempt: u32,
    #[serde(default)]
    pub(crate) ended: bool,
    #[serde(default)]
    pub(crate) via_proxy: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Frame {
    pub(crate) origins: Option<Vec<String>>,
    /// In hexadecimal digits.
    pub(crate) payload: Option<String>,
    #[serde(default)]
    pub(crate) stream: u32,
    #[serde(default)]
    pub(crate) flags: u8,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    pub(crate) decision: Option<String>,
    pub(crate) connection: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) action: Option<String>,
    pub(crate) memory: Option<bool>,
    pub(crate) reset: Option<String>,
    pub(crate) origin_set: Option<Vec<String>>,
    pub(crate) initialised: Option<bool>,
    pub(crate) closing: Option<Vec<(String, String)>>,
}

fn h2() -> String {
    "h2".to_owned()
}

fn open() -> String {
    "open".to_owned()
}

fn default() -> String {
    "default".to_owned()
}

fn none() -> String {
    "none".to_owned()
}

fn required() -> String {
    "required".to_owned()
}

fn yes() -> bool {
    true
}

fn one() -> u64 {
    1
}

fn first() -> u32 {
    1
}

fn hundred() -> u32 {
    100
}

fn million() -> i64 {
    1_000_000
}
