//! A question to a site: one request on one connection.

use coalesce_core::{HostField, MethodKind, NamePattern, RequestTarget};
use rustls_pki_types::CertificateDer;

use crate::names::example_request;

/// One request on one connection, for [`Site::explain_question`](crate::Site::explain_question).
///
/// The default is a `GET` without an authority, after a ClientHello without a server name, on a
/// connection that meets the rules for client certificates.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use coalesce_site::Question;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let site = site()?;
/// let question = Question::new()
///     .with_server_name("shop.example.test")
///     .with_authority("shop.example.test:8443");
/// let explanation = site.explain_question(&question);
/// assert_eq!(explanation.code(), "port");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Question {
    pub(crate) listener: Option<String>,
    pub(crate) server_name: Option<String>,
    pub(crate) protocols: Vec<Vec<u8>>,
    pub(crate) client: ClientIdentity,
    authority: Option<String>,
    hosts: Vec<String>,
    scheme: Option<String>,
    method: Option<String>,
    protocol: Option<String>,
}

/// What the client sends if the handshake asks for a certificate.
///
/// # Examples
/// ```
/// use coalesce_site::{ClientIdentity, Question};
///
/// let question = Question::new()
///     .with_server_name("staff.test")
///     .with_authority("staff.test")
///     .with_client(ClientIdentity::WithoutCertificate);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientIdentity {
    /// A client that the group accepts: the question is about a connection whose handshake
    /// completed.
    #[default]
    Accepted,
    /// No certificate.
    WithoutCertificate,
    /// This chain, its own certificate first.
    Certificate(Vec<CertificateDer<'static>>),
}

macro_rules! texts {
    ($($(#[$doc:meta])* $set:ident $get:ident;)*) => {
        impl Question {$(
            $(#[$doc])*
            #[must_use]
            pub fn $set(mut self, $get: impl Into<String>) -> Self {
                self.$get = Some($get.into());
                self
            }
        )*}
    };
}

texts! {
    /// Sets the listener that the connection comes to. Default: the first one.
    on_listener listener;
    /// Sets the server name of the ClientHello (RFC 6066 §3).
    with_server_name server_name;
    /// Sets the `:authority` of the request.
    with_authority authority;
    /// Sets the `:scheme` of the request.
    with_scheme scheme;
    /// Sets the method of the request.
    with_method method;
    /// Sets the `:protocol` of an extended `CONNECT` (RFC 8441).
    with_protocol protocol;
}

impl Question {
    /// Starts a question.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the question of a client that connects for a host that `pattern` matches; `None` if
    /// there is no such host. A client that connects to an address sends no server name (RFC 6066
    /// §3).
    pub fn for_pattern(pattern: &NamePattern<'_>) -> Option<Self> {
        let (server_name, host) = example_request(pattern)?;
        Some(Self { server_name, authority: Some(host), ..Self::default() })
    }

    /// Adds a `Host` field to the request.
    #[must_use]
    pub fn with_host(mut self, host: impl Into<String>) -> Self {
        self.hosts.push(host.into());
        self
    }

    /// Sets the protocols that the ClientHello offers (RFC 7301). By default, the client offers one
    /// of the site's protocols.
    #[must_use]
    pub fn with_offered_protocols<P: Into<Vec<u8>>>(
        mut self,
        protocols: impl IntoIterator<Item = P>,
    ) -> Self {
        self.protocols = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the client's answer to a request for its certificate.
    #[must_use]
    pub fn with_client(mut self, client: ClientIdentity) -> Self {
        self.client = client;
        self
    }

    /// Returns the server name.
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// Returns the client's answer to a request for its certificate.
    pub fn client(&self) -> &ClientIdentity {
        &self.client
    }

    /// Returns the `:authority`.
    pub fn authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    /// Returns the `Host` fields.
    pub fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// Returns the `:scheme`.
    pub fn scheme(&self) -> Option<&str> {
        self.scheme.as_deref()
    }

    /// Returns the method.
    pub fn method(&self) -> &str {
        self.method.as_deref().unwrap_or("GET")
    }

    /// Returns the `:protocol`.
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// Returns the authority that the request names: the `:authority`, else the first `Host`.
    pub(crate) fn named(&self) -> Option<&str> {
        self.authority().or(self.hosts.first().map(String::as_str))
    }

    /// Returns the request as [`decide`](coalesce_core::decide()) takes it.
    pub fn target(&self) -> RequestTarget<'_> {
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
