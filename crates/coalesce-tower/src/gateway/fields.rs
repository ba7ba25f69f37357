//! What a gateway says in header fields of each request.

use std::fmt;

use coalesce_core::{ClientCertificates, DnsName, Scheme, ServerConnection};
use http::{HeaderMap, HeaderName};

use super::{Forwarded, TrustedGateways};
use crate::connection::ConnectionInfo;

/// The fields in which a gateway says what its client's connection is, in every request.
///
/// A request of a listed gateway that lacks one of them, has it twice, or says in it what is not
/// understood, is answered 400: nothing is guessed. From anybody else the fields mean nothing.
#[derive(Clone, Debug)]
pub struct GatewayFields {
    scheme: HeaderName,
    server_name: Option<HeaderName>,
    certificate_verified: Option<HeaderName>,
}

impl GatewayFields {
    /// The field with the scheme, `http` or `https`; many call it `x-forwarded-proto`.
    pub const fn new(scheme: HeaderName) -> Self {
        Self { scheme, server_name: None, certificate_verified: None }
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

    fn read<'a>(&self, headers: &'a HeaderMap) -> Result<Forwarded<'a>, GatewayFieldError> {
        let scheme = match one(headers, &self.scheme)? {
            b"http" => Scheme::Http,
            b"https" => Scheme::Https,
            _ => return Err(GatewayFieldError { field: self.scheme.clone(), found: Found::Other }),
        };
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
        Ok(Forwarded { scheme, server_name, certificate_verified })
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

/// What is wrong with a trusted gateway's field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayFieldError {
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
    /// The connection of the gateway's client; `None` where `info` is nobody's that is trusted.
    pub(crate) fn connection<'a>(
        &self,
        info: &'a ConnectionInfo,
        headers: &'a HeaderMap,
    ) -> Option<Result<ServerConnection<'a>, GatewayFieldError>> {
        self.gateways.are_at(info.peer()).then(|| {
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
