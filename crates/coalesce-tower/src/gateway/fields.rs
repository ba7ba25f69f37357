//! What a gateway says in header fields of each request.

use std::fmt;

use coalesce_core::{ClientCertificates, DnsName, Scheme, ServerConnection};
use http::{HeaderMap, HeaderName};

use super::{Forwarded, TrustedGateways};
use crate::connection::ConnectionInfo;

/// The fields in which a gateway says what its client's connection is, in every request.
///
/// A request of a listed gateway that lacks one of the fields, has it twice, or has a value that is
/// not understood, is answered 400: nothing is guessed. From anybody else the fields mean nothing.
///
/// A gateway that is listed here must put its fields into each request. Over one connection, the
/// PROXY protocol says only once who the client is, so it does not fit a gateway that sends
/// requests of several clients on one connection.
///
/// # Examples
/// ```
/// use coalesce_tower::GatewayFields;
/// use http::HeaderName;
///
/// let fields = GatewayFields::new(HeaderName::from_static("x-forwarded-proto"))
///     .server_name(HeaderName::from_static("x-server-name"))
///     .certificate_verified(HeaderName::from_static("x-client-verify"));
/// ```
#[derive(Clone, Debug)]
pub struct GatewayFields {
    scheme: HeaderName,
    server_name: Option<HeaderName>,
    certificate_verified: Option<HeaderName>,
    health_checks: bool,
}

impl GatewayFields {
    /// The field with the scheme by which the client reached the gateway, `http` or `https` in any
    /// case (RFC 3986 §3.1); many call it `x-forwarded-proto`. `ws` and `wss`, which Traefik writes
    /// for the handshake of a WebSocket, are the same two (RFC 6455 §3).
    ///
    /// This scheme outranks that of the request's target, which may be the scheme of the gateway's
    /// own connection. The application sees the client's.
    pub const fn new(scheme: HeaderName) -> Self {
        Self { scheme, server_name: None, certificate_verified: None, health_checks: false }
    }

    /// The field with the server name of the client's handshake. It is empty for a client that sent
    /// none.
    #[must_use]
    pub fn server_name(mut self, field: HeaderName) -> Self {
        self.server_name = Some(field);
        self
    }

    /// The field that says `SUCCESS` for a client whose certificate was verified, as the
    /// `$ssl_client_verify` of nginx does; anything else is no.
    #[must_use]
    pub fn certificate_verified(mut self, field: HeaderName) -> Self {
        self.certificate_verified = Some(field);
        self
    }

    /// Takes a request of a listed gateway that has none of the fields for one of the gateway
    /// itself, a health check. Such a request is decided on the gateway's own connection, like a
    /// request of anybody else.
    #[must_use]
    pub const fn health_checks(mut self) -> Self {
        self.health_checks = true;
        self
    }

    fn read<'a>(&self, headers: &'a HeaderMap) -> Result<Forwarded<'a>, GatewayFieldError> {
        let scheme = scheme(one(headers, &self.scheme)?)
            .ok_or_else(|| GatewayFieldError { field: self.scheme.clone(), found: Found::Other })?;
        let server_name = match &self.server_name {
            None => None,
            Some(field) => match one(headers, field)? {
                b"" => None,
                text => Some(DnsName::parse(text).map_err(|_| GatewayFieldError {
                    field: field.clone(),
                    found: Found::Other,
                })?),
            },
        };
        let certificate_verified = match &self.certificate_verified {
            None => false,
            Some(field) => one(headers, field)? == b"SUCCESS",
        };
        Ok(Forwarded { scheme, server_name, certificate_verified, is_gateway: false })
    }

    /// Returns the names of the fields.
    pub(crate) fn names(&self) -> impl Iterator<Item = &HeaderName> {
        let fields =
            [Some(&self.scheme), self.server_name.as_ref(), self.certificate_verified.as_ref()];
        fields.into_iter().flatten()
    }

    /// True if a request has none of the fields.
    fn are_absent(&self, headers: &HeaderMap) -> bool {
        !self.names().any(|field| headers.contains_key(field))
    }
}

fn scheme(text: &[u8]) -> Option<Scheme> {
    let is = |known: &str| text.eq_ignore_ascii_case(known.as_bytes());
    if is("https") || is("wss") {
        Some(Scheme::Https)
    } else if is("http") || is("ws") {
        Some(Scheme::Http)
    } else {
        None
    }
}

/// The value of a field that stands once.
fn one<'a>(headers: &'a HeaderMap, field: &HeaderName) -> Result<&'a [u8], GatewayFieldError> {
    let mut values = headers.get_all(field).iter();
    let found = match (values.next(), values.next()) {
        (Some(value), None) => return Ok(value.as_bytes()),
        (None, _) => Found::None,
        (Some(_), Some(_)) => Found::Several,
    };
    Err(GatewayFieldError { field: field.clone(), found })
}

/// A fault in a field of a trusted gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GatewayFieldError {
    field: HeaderName,
    found: Found,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    None,
    Several,
    Other,
    NoGroup,
}

impl fmt::Display for GatewayFieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = match self.found {
            Found::None => "no value",
            Found::Several => "several values",
            Found::Other => "a value that is not understood",
            Found::NoGroup => return f.write_str("the gateway's client belongs to no group"),
        };
        write!(f, "{found} in the trusted gateway's field '{}', expected one", self.field)
    }
}

impl std::error::Error for GatewayFieldError {}

/// Gateways that are trusted, and where they say what.
#[derive(Clone, Debug)]
pub(crate) struct Forwarding {
    pub(crate) gateways: TrustedGateways,
    pub(crate) fields: GatewayFields,
}

impl Forwarding {
    /// Returns the connection of the gateway's client, or `None` if `info` is no gateway's.
    pub(crate) fn connection<'a>(
        &self,
        info: &'a ConnectionInfo,
        headers: &'a HeaderMap,
    ) -> Option<Result<ServerConnection<'a>, GatewayFieldError>> {
        let is_own = self.fields.health_checks && self.fields.are_absent(headers);
        (!is_own && self.gateways.are_at(info.peer())).then(|| {
            let client = self.fields.read(headers)?;
            let group = self.gateways.group_of(&client).ok_or_else(|| GatewayFieldError {
                field: self.fields.scheme.clone(),
                found: Found::NoGroup,
            })?;
            // Whether the gateway asked its client for a certificate is not among its fields.
            let clients = ClientCertificates::Asked;
            let ports = info.ports().clone();
            let connection =
                ServerConnection::trusted_gateway(client.scheme, group, clients, ports);
            Ok(connection.with_server_name(client.server_name))
        })
    }
}
