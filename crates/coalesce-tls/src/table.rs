//! The handshake table: server name → certificate and TLS policy.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use coalesce_core::{
    AuthorityTable, DnsName, GroupId, Host, ListenerId, ListenerTable, NamePattern, VirtualHostId,
};
use rustls::ServerConfig;
use rustls::server::ClientHello;
use rustls_pki_types::ServerName;

use crate::builder::CertificateId;
use crate::builder_error::HandshakeTableError;
use crate::facts::HandshakeFacts;
use crate::policy::TlsPolicy;
use crate::presented::PresentedNames;

/// Which certificate a ClientHello gets, and under which group's TLS policy.
///
/// | server name | gets |
/// | --- | --- |
/// | one that a pattern stands for | that pattern's group and certificate; the most specific wins |
/// | none | what [`absent_server_name`](crate::HandshakeTableBuilder::absent_server_name) says |
/// | an IP literal | the same: RFC 6066 §3 allows none, and rustls takes it for no name at all |
/// | any other DNS name | what [`unknown_server_name`](crate::HandshakeTableBuilder::unknown_server_name) says |
/// | a text that rustls lets through and that is no [`DnsName`] | the same |
///
/// Names are looked up in an [`AuthorityTable`], by the matcher that later decides the requests:
/// two matchers with two ideas of a wildcard are how requests reach hosts that they should not
/// (CVE-2022-23632 and its kin).
///
/// # Security
/// Every outcome is one whole [`ServerConfig`] per group and certificate, made when the table was
/// built. It is chosen before rustls considers resumption, and each group has session memory and
/// tickets of its own, so that no session passes by another group's client verifier. rustls resumes
/// under the same server name only (RFC 6066 §3); within one table a server name always means the
/// same certificate; therefore the certificate in the [`HandshakeFacts`] of a resumed connection is
/// the one that its first handshake presented. A new table starts with new session memory and new
/// tickets, unless it is built with the [`Sessions`](crate::Sessions) of an earlier one.
pub struct HandshakeTable {
    names: AuthorityTable<Vec<u8>>,
    /// By the number that `names` holds as virtual host.
    choices: Vec<Prepared>,
    shared: Option<Shared>,
    absent: Option<Prepared>,
    unknown: Option<Prepared>,
    /// Instead of all that.
    listeners: Option<Listeners>,
}

/// Listeners that share a port: the one that is responsible for a server name chooses.
struct Listeners {
    of_port: ListenerTable<Vec<u8>>,
    tables: BTreeMap<ListenerId, HandshakeTable>,
}

/// Server names that somebody else keeps: whose is this one?
///
/// An authority table is such a keeper, over any storage. With it, the table that decides the
/// requests chooses the handshakes as well, and its names are held once.
pub trait ServerNames: Send + Sync {
    /// The virtual host of `name`, by its most specific entry.
    fn virtual_host(&self, name: DnsName<'_>) -> Option<VirtualHostId>;
}

impl<S: AsRef<[u8]> + Send + Sync> ServerNames for AuthorityTable<S> {
    fn virtual_host(&self, name: DnsName<'_>) -> Option<VirtualHostId> {
        self.lookup(&Host::Name(name)).map(|found| found.virtual_host)
    }
}

/// Names that are shared with the table that decides, and what their virtual hosts are served with.
pub(crate) struct Shared {
    pub(crate) names: Arc<dyn ServerNames>,
    pub(crate) choices: BTreeMap<VirtualHostId, Prepared>,
}

/// One outcome, ready for every handshake that comes to it.
#[derive(Clone)]
pub(crate) struct Prepared {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) group: GroupId,
    pub(crate) policy: Arc<TlsPolicy>,
    pub(crate) certificate: CertificateId,
    pub(crate) presented: Arc<PresentedNames>,
    pub(crate) listener: Option<ListenerId>,
}

impl Prepared {
    fn choice(&self, server_name: Option<DnsName<'_>>) -> Choice {
        Choice { config: self.config.clone(), facts: HandshakeFacts::new(server_name, self) }
    }
}

/// What one handshake is made with, and the facts that follow from it.
#[non_exhaustive]
pub struct Choice {
    /// The configuration for [`rustls::server::Accepted::into_connection`].
    pub config: Arc<ServerConfig>,
    /// The facts, true for a handshake made with `config` and no other.
    pub facts: HandshakeFacts,
}

impl HandshakeTable {
    pub(crate) fn new(
        names: AuthorityTable<Vec<u8>>,
        choices: Vec<Prepared>,
        shared: Option<Shared>,
        absent: Option<Prepared>,
        unknown: Option<Prepared>,
    ) -> Self {
        Self { names, choices, shared, absent, unknown, listeners: None }
    }

    /// One table of those of several listeners that share a port, each with its hostname: the most
    /// specific hostname that stands for the server name chooses the listener, and its table the
    /// rest. Without a server name it is the listener without a hostname
    /// ([`NamePattern::CatchAll`]).
    ///
    /// # Errors
    /// [`HandshakeTableError::Table`] for two listeners with one hostname.
    pub fn of_listeners<'a>(
        listeners: impl IntoIterator<Item = (NamePattern<'a>, ListenerId, Self)>,
    ) -> Result<Self, HandshakeTableError> {
        let (mut hostnames, mut tables) = (Vec::new(), BTreeMap::new());
        for (hostname, listener, table) in listeners {
            hostnames.push((hostname, listener));
            tables.insert(listener, table.on(listener));
        }
        let of_port = ListenerTable::build(hostnames).map_err(HandshakeTableError::Table)?;
        let none = AuthorityTable::builder().build().map_err(HandshakeTableError::Table)?;
        let mut table = Self::new(none, Vec::new(), None, None, None);
        table.listeners = Some(Listeners { of_port, tables });
        Ok(table)
    }

    /// The same table, whose connections come to `listener`.
    fn on(mut self, listener: ListenerId) -> Self {
        let shared = self.shared.iter_mut().flat_map(|shared| shared.choices.values_mut());
        let defaults = self.absent.iter_mut().chain(&mut self.unknown);
        for prepared in self.choices.iter_mut().chain(shared).chain(defaults) {
            prepared.listener = Some(listener);
        }
        self
    }

    /// Chooses for a ClientHello, as [`rustls::server::Acceptor`] reads it.
    ///
    /// # Errors
    /// [`Refused`], whose [`alert_record`](Refused::alert_record) is to be sent before the
    /// connection is closed.
    pub fn choose(&self, client_hello: &ClientHello<'_>) -> Result<Choice, Refused> {
        let chosen = self.choose_by_name(client_hello.server_name());
        if let Err(refused) = &chosen {
            tracing::debug!(code = refused.code(), "{refused}");
        }
        chosen
    }

    /// Chooses for a server name alone, as [`choose`](Self::choose) would for a ClientHello that
    /// carries it. For tools: what rustls refuses before it asks is an unknown name here.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn choose_by_name(&self, server_name: Option<&str>) -> Result<Choice, Refused> {
        // rustls has made this distinction when the name comes from a ClientHello; its own parser
        // makes it here, so that a tool gets the same answer.
        let text = server_name
            .filter(|text| !matches!(ServerName::try_from(*text), Ok(ServerName::IpAddress(_))));
        if let Some(listeners) = &self.listeners {
            return listeners.choose_by_name(text);
        }
        let Some(text) = text else {
            let default = self.absent.as_ref().ok_or(Refused::AbsentServerName)?;
            return Ok(default.choice(None));
        };
        let name = DnsName::parse(text.as_bytes()).ok();
        let found = name.and_then(|name| self.lookup(name)).or(self.unknown.as_ref());
        let prepared = found.ok_or_else(|| Refused::unknown(text))?;
        Ok(prepared.choice(name))
    }

    fn lookup(&self, name: DnsName<'_>) -> Option<&Prepared> {
        if let Some(Shared { names, choices }) = &self.shared {
            // A virtual host without a choice is another listener's, and unknown on this one.
            return choices.get(&names.virtual_host(name)?);
        }
        let found = self.names.lookup(&Host::Name(name))?;
        let prepared = usize::try_from(found.virtual_host.get())
            .ok()
            .and_then(|number| self.choices.get(number));
        debug_assert!(prepared.is_some(), "every entry has its choice");
        prepared
    }
}

impl Listeners {
    fn choose_by_name(&self, server_name: Option<&str>) -> Result<Choice, Refused> {
        let name = server_name.and_then(|text| DnsName::parse(text.as_bytes()).ok());
        let listener = match name {
            Some(name) => self.of_port.responsible(&Host::Name(name)),
            None => self.of_port.catch_all(),
        };
        match listener.and_then(|listener| self.tables.get(&listener)) {
            Some(table) => table.choose_by_name(server_name),
            None => Err(server_name.map_or(Refused::AbsentServerName, Refused::unknown)),
        }
    }
}

impl fmt::Debug for HandshakeTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandshakeTable")
            .field("names", &self.names.len())
            .field("choices", &self.choices.len())
            .field("listeners", &self.listeners.as_ref().map(|listeners| listeners.tables.len()))
            .field("absent", &self.absent.as_ref().map(|default| default.group))
            .field("unknown", &self.unknown.as_ref().map(|default| default.group))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Choice").field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// Why a ClientHello gets no certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// It names no server, and nothing was named for this case.
    AbsentServerName,
    /// It names one that no pattern stands for, and nothing was named for this case.
    UnknownServerName {
        /// The server name, escaped.
        server_name: String,
    },
}

/// `unrecognized_name` (RFC 6066 §9).
const UNRECOGNIZED_NAME: u8 = 112;

impl Refused {
    fn unknown(server_name: &str) -> Self {
        let server_name = server_name.as_bytes().escape_ascii().to_string();
        Self::UnknownServerName { server_name }
    }

    /// A stable name for logs, metrics and tools.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::AbsentServerName => "absent_server_name",
            Self::UnknownServerName { .. } => "unknown_server_name",
        }
    }

    /// The TLS record to send before the connection is closed: the fatal alert `unrecognized_name`
    /// (RFC 6066 §3).
    ///
    /// rustls has no call for it, since it knows of no names; but no key exists yet, so the alert
    /// is a record in plaintext that is the same in TLS 1.2 and 1.3 (RFC 8446 §5.1, §6).
    ///
    /// For an absent name, RFC 8446 §9.2 suggests `missing_extension`. That alert is new in TLS
    /// 1.3, and no version has been agreed on when the choice is made: every client gets the one
    /// that both versions know.
    pub const fn alert_record(&self) -> [u8; 7] {
        const ALERT: u8 = 21;
        const FATAL: u8 = 2;
        [ALERT, 3, 3, 0, 2, FATAL, UNRECOGNIZED_NAME]
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AbsentServerName => f.write_str("no server name; one expected"),
            Self::UnknownServerName { server_name } => {
                write!(f, "server name '{server_name}' is not known here")
            }
        }
    }
}

impl std::error::Error for Refused {}
