//! The handshake table: server name → certificate and TLS policy.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use coalesce_core::{
    DnsName, Host, ListenerId, ListenerTable, NamePattern, NameTrie, VirtualHostId,
};
use rustls::server::ClientHello;
use rustls_pki_types::ServerName;

use crate::builder_error::HandshakeTableError;
use crate::choice::{HandshakeChoice, HandshakeRefused, PreparedChoice};
use crate::client_offer::ClientOffer;

/// A frozen map from server names to certificates and TLS policies.
///
/// | server name | result |
/// | --- | --- |
/// | a name that patterns match | group and certificate of the most specific pattern |
/// | none | the policy of [`absent_server_name`](crate::HandshakeTableBuilder::absent_server_name) |
/// | an IP literal | the same: RFC 6066 §3 allows none, and rustls treats it as an absent name |
/// | any other DNS name | the policy of [`unknown_server_name`](crate::HandshakeTableBuilder::unknown_server_name) |
/// | a text that rustls accepts but [`DnsName`] does not | the same |
///
/// Names are looked up in a [`NameTrie`], so the same matcher decides handshakes and requests. If
/// two matchers disagree on wildcards, requests reach hosts that they must not reach
/// (CVE-2022-23632 and similar).
///
/// # Security
/// Every outcome is one whole [`ServerConfig`](rustls::ServerConfig) per group and certificate,
/// made when the table was built.
///
/// It is chosen before rustls considers resumption, and each group has its own session memory and
/// tickets. No session therefore bypasses the client verifier of another group.
///
/// Sessions also carry the epoch of their certificate, and a session with another epoch is not
/// resumed. Otherwise a client could offer a session of the ECDSA certificate in a ClientHello that
/// chooses the RSA one. The certificate in the [`HandshakeFacts`](crate::HandshakeFacts) of a
/// resumed connection is therefore the one that its first handshake presented.
///
/// A new table starts with new session memory and new tickets, unless it is built with the
/// [`SessionStores`](crate::SessionStores) of an earlier one.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use coalesce_core::NamePattern;
/// use coalesce_tls::HandshakeTable;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // The builder has one group, and one certificate for `*.example.test`.
/// # let (mut builder, group, certificate) = one_certificate()?;
/// builder.server_name(NamePattern::parse(b"a.example.test")?, group, certificate)?;
/// let table: HandshakeTable = builder.build()?;
/// assert!(table.choose_by_name(Some("A.example.test")).is_ok());
/// assert!(table.choose_by_name(Some("b.example.test")).is_err());
/// # Ok(()) }
/// ```
pub struct HandshakeTable {
    listeners: Listeners,
}

/// The listeners of a table.
enum Listeners {
    One(ServerNameTable),
    /// Several listeners share a port. The one that is responsible for the server name chooses.
    SharedPort(SharedPort),
}

/// The choices of one listener.
pub(crate) struct ServerNameTable {
    pub(crate) names: ServerNames,
    /// The choice for an absent server name.
    pub(crate) absent: Option<PreparedChoice>,
    /// The choice for a server name without an entry in `names`.
    pub(crate) unknown: Option<PreparedChoice>,
}

/// Server names and their choices.
pub(crate) enum ServerNames {
    /// The table has its own names. The number of a pattern is an index into `choices`.
    Own { names: Box<NameTrie>, choices: Vec<PreparedChoice> },
    /// The names are in the table that decides the requests.
    Shared { find: FindVirtualHost, choices: BTreeMap<VirtualHostId, PreparedChoice> },
}

/// Returns the virtual host of the most specific entry for a name.
///
/// This is a closure, so that the storage type of the authority table is not a parameter of the
/// handshake table and of everything that contains one.
pub(crate) type FindVirtualHost = Arc<dyn Fn(DnsName<'_>) -> Option<VirtualHostId> + Send + Sync>;

/// Listeners that share a port, and the table of each.
struct SharedPort {
    hostnames: ListenerTable,
    tables: BTreeMap<ListenerId, HandshakeTable>,
}

impl HandshakeTable {
    pub(crate) const fn new(names: ServerNameTable) -> Self {
        Self { listeners: Listeners::One(names) }
    }

    /// Combines the tables of several listeners that share a port, each with its hostname.
    ///
    /// The most specific hostname that matches the server name chooses the listener, and that
    /// listener's table makes the choice. A ClientHello without a server name goes to the listener
    /// without a hostname ([`NamePattern::CatchAll`]).
    ///
    /// # Errors
    /// Returns [`HandshakeTableError::Table`] if two listeners have the same hostname.
    ///
    /// # Examples
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
    /// use coalesce_core::{ListenerId, NamePattern};
    /// use coalesce_tls::HandshakeTable;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // The builder has one group, and one certificate for `*.example.test`.
    /// # let (mut builder, group, certificate) = one_certificate()?;
    /// builder.server_name(NamePattern::parse(b"*.example.test")?, group, certificate)?;
    /// let (example, rest) = (ListenerId::new(0), ListenerId::new(1));
    /// let table = HandshakeTable::from_listeners([
    ///     (NamePattern::parse(b"**.example.test")?, example, builder.build()?),
    ///     (NamePattern::CatchAll, rest, builder.build()?),
    /// ])?;
    /// let choice = table.choose_by_name(Some("a.example.test"))?;
    /// assert_eq!(choice.facts.listener(), Some(example));
    /// # Ok(()) }
    /// ```
    pub fn from_listeners<'a>(
        listeners: impl IntoIterator<Item = (NamePattern<'a>, ListenerId, Self)>,
    ) -> Result<Self, HandshakeTableError> {
        let (mut hostnames, mut tables) = (Vec::new(), BTreeMap::new());
        for (hostname, listener, mut table) in listeners {
            hostnames.push((hostname, listener));
            table.set_listener(listener);
            tables.insert(listener, table);
        }
        let hostnames = ListenerTable::build(hostnames).map_err(HandshakeTableError::Table)?;
        Ok(Self { listeners: Listeners::SharedPort(SharedPort { hostnames, tables }) })
    }

    /// Sets the listener that accepts this table's connections.
    fn set_listener(&mut self, listener: ListenerId) {
        match &mut self.listeners {
            Listeners::One(table) => table.set_listener(listener),
            // These tables have their own listeners already.
            Listeners::SharedPort(_) => {}
        }
    }

    /// Chooses for a ClientHello that [`rustls::server::Acceptor`] has read.
    ///
    /// # Errors
    /// [`HandshakeRefused`]. Send its [`alert_record`](HandshakeRefused::alert_record) before you
    /// close the connection.
    pub fn choose(
        &self,
        client_hello: &ClientHello<'_>,
    ) -> Result<HandshakeChoice, HandshakeRefused> {
        let offer = ClientOffer::from_hello(client_hello);
        let chosen = self.choose_for(client_hello.server_name(), Some(offer));
        if let Err(refused) = &chosen {
            tracing::debug!(code = refused.code(), "{refused}");
        }
        chosen
    }

    /// Chooses for a server name alone, for tools. The result is the same as that of
    /// [`choose`](Self::choose) for a ClientHello with this name. A name that rustls itself would
    /// refuse counts as unknown.
    ///
    /// # Errors
    /// [`HandshakeRefused`].
    pub fn choose_by_name(
        &self,
        server_name: Option<&str>,
    ) -> Result<HandshakeChoice, HandshakeRefused> {
        self.choose_for(server_name, None)
    }

    fn choose_for(
        &self,
        server_name: Option<&str>,
        offer: Option<ClientOffer<'_>>,
    ) -> Result<HandshakeChoice, HandshakeRefused> {
        // rustls drops addresses from a ClientHello. Its parser drops them here as well, so that a
        // tool gets the same answer.
        let server_name = server_name
            .filter(|text| !matches!(ServerName::try_from(*text), Ok(ServerName::IpAddress(_))));
        match &self.listeners {
            Listeners::One(table) => table.choose(server_name, offer),
            Listeners::SharedPort(port) => port.choose(server_name, offer),
        }
    }
}

impl ServerNameTable {
    fn choose(
        &self,
        server_name: Option<&str>,
        offer: Option<ClientOffer<'_>>,
    ) -> Result<HandshakeChoice, HandshakeRefused> {
        let Some(text) = server_name else {
            let absent = self.absent.as_ref().ok_or(HandshakeRefused::AbsentServerName)?;
            return Ok(absent.for_client(offer).for_server_name(None));
        };
        let name = DnsName::parse(text.as_bytes()).ok();
        let found = name.and_then(|name| self.names.find(name)).or(self.unknown.as_ref());
        let choice = found.ok_or_else(|| HandshakeRefused::unknown(text))?;
        Ok(choice.for_client(offer).for_server_name(name))
    }

    fn set_listener(&mut self, listener: ListenerId) {
        self.names.set_listener(listener);
        for choice in self.absent.iter_mut().chain(&mut self.unknown) {
            choice.set_listener(listener);
        }
    }
}

impl ServerNames {
    fn find(&self, name: DnsName<'_>) -> Option<&PreparedChoice> {
        match self {
            Self::Own { names, choices } => {
                let number = names.find(&Host::Name(name))?;
                let choice = usize::try_from(number).ok().and_then(|number| choices.get(number));
                debug_assert!(choice.is_some(), "every entry has its choice");
                choice
            }
            // A virtual host without a choice belongs to another listener and is unknown here.
            Self::Shared { find, choices } => choices.get(&find(name)?),
        }
    }

    fn set_listener(&mut self, listener: ListenerId) {
        let set = |choice: &mut PreparedChoice| choice.set_listener(listener);
        match self {
            Self::Own { choices, .. } => choices.iter_mut().for_each(set),
            Self::Shared { choices, .. } => choices.values_mut().for_each(set),
        }
    }
}

impl SharedPort {
    fn choose(
        &self,
        server_name: Option<&str>,
        offer: Option<ClientOffer<'_>>,
    ) -> Result<HandshakeChoice, HandshakeRefused> {
        let name = server_name.and_then(|text| DnsName::parse(text.as_bytes()).ok());
        let listener = match name {
            Some(name) => self.hostnames.responsible(&Host::Name(name)),
            None => self.hostnames.catch_all(),
        };
        match listener.and_then(|listener| self.tables.get(&listener)) {
            Some(table) => table.choose_for(server_name, offer),
            None => {
                Err(server_name
                    .map_or(HandshakeRefused::AbsentServerName, HandshakeRefused::unknown))
            }
        }
    }
}

impl fmt::Debug for HandshakeTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("HandshakeTable");
        match &self.listeners {
            Listeners::One(table) => {
                let group = |choice: &PreparedChoice| choice.facts().group;
                match &table.names {
                    ServerNames::Own { choices, .. } => out.field("names", &choices.len()),
                    ServerNames::Shared { choices, .. } => {
                        out.field("virtual_hosts", &choices.len())
                    }
                };
                out.field("absent", &table.absent.as_ref().map(group))
                    .field("unknown", &table.unknown.as_ref().map(group))
            }
            Listeners::SharedPort(port) => out.field("listeners", &port.tables.len()),
        };
        out.finish_non_exhaustive()
    }
}
