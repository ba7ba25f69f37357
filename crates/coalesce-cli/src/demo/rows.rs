//! The requests of the demo, and the expected result of each.

use http::{Method, Request};
use rustls::AlertDescription;

/// One request on one connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// The server name in the ClientHello.
    pub(super) server_name: &'static str,
    pub(super) certificate: DemoCertificate,
    pub(super) method: &'static str,
    pub(super) scheme: &'static str,
    /// The `:authority` of the request.
    pub(super) authority: &'static str,
    /// The `Host` field, where the request has one.
    pub(super) host: Option<&'static str>,
    pub(super) expected: Expected,
    /// The reason that `coalesce explain` must give.
    pub(super) reason: &'static str,
    /// The rule that the row shows; at most 36 characters, so that a line has 100.
    pub(super) shows: &'static str,
}

/// The client's answer to a request for its certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum DemoCertificate {
    None,
    Demo,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// 200, by this virtual host.
    Served(&'static str),
    /// 421, with the content that every 421 has.
    Misdirected,
    /// Another status.
    Status(u16),
    /// `RST_STREAM(PROTOCOL_ERROR)`.
    Reset,
    /// The handshake ends with this alert.
    Refused(AlertDescription),
}

/// The result of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Got {
    /// A response, and its content.
    Response { status: u16, content: Vec<u8> },
    /// The stream was reset.
    Reset(h2::Reason),
    /// The TLS handshake was refused.
    Refused(AlertDescription),
    /// Any other event, such as a lost connection.
    Failed(String),
}

impl std::fmt::Display for Got {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Response { status: 200, content } => {
                write!(f, "200 {}", content.trim_ascii().escape_ascii())
            }
            Self::Response { status, .. } => status.fmt(f),
            Self::Reset(reason) => write!(f, "reset {reason:?}"),
            Self::Refused(alert) => write!(f, "no TLS: {alert:?}"),
            Self::Failed(why) => why.fmt(f),
        }
    }
}

const CONTENT_421: &[u8] = br#"{"error":"misdirected_request"}"#;

impl Expected {
    pub(super) fn holds(self, got: &Got) -> bool {
        match (self, got) {
            (Self::Served(name), Got::Response { status: 200, content }) => {
                content == format!("{name}\n").as_bytes()
            }
            (Self::Misdirected, Got::Response { status: 421, content }) => content == CONTENT_421,
            (Self::Status(expected), Got::Response { status, .. }) => expected == *status,
            (Self::Reset, Got::Reset(h2::Reason::PROTOCOL_ERROR)) => true,
            (Self::Refused(expected), Got::Refused(alert)) => expected == *alert,
            _ => false,
        }
    }
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Served(name) => write!(f, "200 {name}"),
            Self::Misdirected => f.write_str("421"),
            Self::Status(status) => status.fmt(f),
            Self::Reset => f.write_str("reset"),
            Self::Refused(_) => f.write_str("no TLS"),
        }
    }
}

impl Row {
    pub(super) fn request(&self) -> Result<Request<()>, http::Error> {
        let connect = self.method == Method::CONNECT.as_str();
        let uri = if connect {
            self.authority.to_owned()
        } else {
            format!("{}://{}/", self.scheme, self.authority)
        };
        let mut request = Request::builder().method(self.method).uri(uri);
        if let Some(host) = self.host {
            request = request.header(http::header::HOST, host);
        }
        request.body(())
    }
}

/// Makes a GET request without a client certificate.
const fn get(
    server_name: &'static str,
    authority: &'static str,
    expected: Expected,
    reason: &'static str,
    shows: &'static str,
) -> Row {
    Row {
        server_name,
        certificate: DemoCertificate::None,
        method: "GET",
        scheme: "https",
        authority,
        host: None,
        expected,
        reason,
        shows,
    }
}

const WWW: &str = "www.example.test";
const API: &str = "api.example.test";
const CDN: &str = "cdn.example.test";
const ADMIN: &str = "admin.example.test";

const CERTIFICATE_REQUIRED: Expected = Expected::Refused(AlertDescription::CertificateRequired);
const UNRECOGNIZED_NAME: Expected = Expected::Refused(AlertDescription::UnrecognisedName);

use Expected::{Misdirected, Reset, Served, Status};

/// The rows, in order; rows with the same server name and certificate share a connection.
pub(super) const ROWS: &[Row] = &[
    get(WWW, WWW, Served("www"), "served", "the host of the connection"),
    get(WWW, "img.example.test", Served("img"), "served", "another name in the certificate"),
    get(WWW, "shoes.shop.example.test", Served("shops"), "served", "a wildcard in the certificate"),
    get(WWW, "a.b.shop.example.test", Misdirected, "unknown_authority", "a wildcard is one label"),
    get(WWW, API, Misdirected, "certificate", "has another certificate"),
    get(
        WWW,
        "old.example.test",
        Misdirected,
        "unknown_authority",
        "in the certificate, not served here",
    ),
    get(WWW, ADMIN, Misdirected, "group", "requires a client certificate"),
    get(WWW, "WWW.Example.TEST.", Served("www"), "served", "case and a final dot do not matter"),
    get(WWW, "www.example.test:8443", Misdirected, "port", "another port is another origin"),
    Row {
        scheme: "http",
        ..get(WWW, WWW, Misdirected, "scheme", "http inside TLS is another origin")
    },
    Row {
        host: Some(CDN),
        ..get(WWW, WWW, Reset, "host_differs", ":authority is www.example.test")
    },
    get(
        WWW,
        "www.example.test:99999",
        Status(400),
        "authority_port",
        "bad syntax is not misdirected",
    ),
    Row {
        method: "CONNECT",
        ..get(
            WWW,
            "cdn.example.test:443",
            Status(405),
            "connect_refused",
            "an origin server is not a proxy",
        )
    },
    get(API, API, Served("api"), "served", "the host of the connection"),
    get(API, CDN, Misdirected, "certificate", "has another certificate"),
    get(
        API,
        "wrong.example.test",
        Misdirected,
        "unknown_authority",
        "unknown: the same answer as for cdn",
    ),
    get(CDN, CDN, Served("cdn"), "served", "the retry of a client after a 421"),
    get(ADMIN, ADMIN, CERTIFICATE_REQUIRED, "client_certificate_required", "no client certificate"),
    Row {
        certificate: DemoCertificate::Demo,
        ..get(ADMIN, ADMIN, Served("admin"), "served", "with a client certificate")
    },
    Row {
        certificate: DemoCertificate::Demo,
        ..get(ADMIN, WWW, Misdirected, "certificate", "not in the certificate of admin")
    },
    get(
        "unknown.example.test",
        WWW,
        UNRECOGNIZED_NAME,
        "unrecognized_name",
        "no host has this server name",
    ),
    get(WWW, WWW, Served("www"), "served", "the first connection still works"),
];
