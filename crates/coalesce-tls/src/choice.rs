//! The two outcomes for a ClientHello: a configuration with its facts, or a refusal.

use std::fmt;
use std::sync::Arc;

use coalesce_core::{DnsName, ListenerId};
use rustls::ServerConfig;
use rustls::sign::CertifiedKey;

use crate::client_offer::ClientOffer;
use crate::facts::{ConfigFacts, HandshakeFacts};

/// The configuration for one handshake, and the facts of that handshake.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use std::sync::Arc;
///
/// use coalesce_core::NamePattern;
/// use coalesce_tls::HandshakeTable;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // The builder has one group, and one certificate for `*.example.test`.
/// # let (mut builder, group, certificate) = one_certificate()?;
/// builder.server_name(NamePattern::parse(b"a.example.test")?, group, certificate)?;
/// let table: HandshakeTable = builder.build()?;
/// let choice = table.choose_by_name(Some("a.example.test"))?;
/// // rustls makes the handshake with this configuration. Keep the facts with the connection.
/// let config: Arc<rustls::ServerConfig> = choice.config;
/// let connection = choice.facts.connection(443);
/// assert_eq!(connection.group(), group);
/// # Ok(()) }
/// ```
#[non_exhaustive]
pub struct HandshakeChoice {
    /// The configuration for [`rustls::server::Accepted::into_connection`].
    pub config: Arc<ServerConfig>,
    /// The facts. They hold only for a handshake that uses `config`.
    pub facts: HandshakeFacts,
}

impl fmt::Debug for HandshakeChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandshakeChoice").field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// A choice without the server name of the ClientHello.
#[derive(Clone)]
pub(crate) struct PreparedChoice {
    config: Arc<ServerConfig>,
    facts: ConfigFacts,
    key: Arc<CertifiedKey>,
    /// The choices for clients that cannot verify a signature of `key`, in order.
    alternatives: Vec<PreparedChoice>,
}

impl PreparedChoice {
    pub(crate) fn new(
        config: Arc<ServerConfig>,
        facts: ConfigFacts,
        key: Arc<CertifiedKey>,
    ) -> Self {
        Self { config, facts, key, alternatives: Vec::new() }
    }

    pub(crate) fn with_alternatives(mut self, alternatives: Vec<Self>) -> Self {
        self.alternatives = alternatives;
        self
    }

    /// Returns the first choice whose signatures the client can verify. A client that can verify
    /// none of them gets the first, and rustls refuses it.
    pub(crate) fn for_client(&self, offer: Option<ClientOffer<'_>>) -> &Self {
        let Some(offer) = offer.filter(|_| !self.alternatives.is_empty()) else { return self };
        let accepted = |choice: &&Self| offer.accepts(&choice.key, choice.config.crypto_provider());
        std::iter::once(self).chain(&self.alternatives).find(accepted).unwrap_or(self)
    }

    /// Sets the listener that accepts the handshakes of this choice.
    pub(crate) fn set_listener(&mut self, listener: ListenerId) {
        self.facts.listener = Some(listener);
        for alternative in &mut self.alternatives {
            alternative.set_listener(listener);
        }
    }

    pub(crate) fn facts(&self) -> &ConfigFacts {
        &self.facts
    }

    pub(crate) fn for_server_name(&self, server_name: Option<DnsName<'_>>) -> HandshakeChoice {
        HandshakeChoice {
            config: self.config.clone(),
            facts: HandshakeFacts::new(server_name, self.facts.clone()),
        }
    }
}

/// The reason why a ClientHello gets no certificate.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use coalesce_tls::HandshakeRefused;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // The builder has one group, and one certificate for `*.example.test`.
/// # let (mut builder, group, certificate) = one_certificate()?;
/// let refused = builder.build()?.choose_by_name(None).err().ok_or("no refusal")?;
/// assert_eq!(refused, HandshakeRefused::AbsentServerName);
/// assert_eq!(refused.code(), "absent_server_name");
/// // A fatal alert, `unrecognized_name`.
/// assert_eq!(refused.alert_record()[5..], [2, 112]);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeRefused {
    /// The ClientHello has no server name, and the table has no default for this case.
    AbsentServerName,
    /// No pattern matches the server name, and the table has no default for this case.
    #[non_exhaustive]
    UnknownServerName {
        /// The server name, escaped.
        server_name: String,
    },
}

/// `unrecognized_name` (RFC 6066 §9).
const UNRECOGNIZED_NAME: u8 = 112;

impl HandshakeRefused {
    pub(crate) fn unknown(server_name: &str) -> Self {
        let server_name = server_name.as_bytes().escape_ascii().to_string();
        Self::UnknownServerName { server_name }
    }

    /// Returns a stable name for logs, metrics and tools.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::AbsentServerName => "absent_server_name",
            Self::UnknownServerName { .. } => "unknown_server_name",
        }
    }

    /// Returns the TLS record to send before the connection is closed: the fatal alert
    /// `unrecognized_name` (RFC 6066 §3).
    ///
    /// rustls has no call for this alert. No key exists yet, so the record is plaintext and the
    /// same in TLS 1.2 and 1.3 (RFC 8446 §5.1, §6).
    ///
    /// For an absent name, RFC 8446 §9.2 suggests `missing_extension`. That alert is new in TLS
    /// 1.3, and at this point no version is negotiated. Every client therefore gets an alert that
    /// both versions define.
    pub const fn alert_record(&self) -> [u8; 7] {
        const ALERT: u8 = 21;
        const FATAL: u8 = 2;
        [ALERT, 3, 3, 0, 2, FATAL, UNRECOGNIZED_NAME]
    }
}

impl fmt::Display for HandshakeRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AbsentServerName => f.write_str("no server name; one expected"),
            Self::UnknownServerName { server_name } => {
                write!(f, "server name '{server_name}' is not known here")
            }
        }
    }
}

impl std::error::Error for HandshakeRefused {}
