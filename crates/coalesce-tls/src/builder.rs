//! Builds handshake tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use coalesce_core::limits::GROUPS_MAX;
use coalesce_core::{
    AuthorityTable, BuildError, GroupId, Host, NamePattern, NameTrie, NameTrieBuilder,
    PresentedIdentifier, VirtualHostId,
};
use rustls::Error as TlsError;
use rustls::crypto::CryptoProvider;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::builder_error::HandshakeTableError;
use crate::certificate_id::CertificateId;
use crate::choice::PreparedChoice;
use crate::facts::ConfigFacts;
use crate::group::GroupState;
use crate::limits::PROTOCOL_NAME_LEN_MAX;
use crate::policy::TlsPolicy;
use crate::presented::PresentedNames;
use crate::server_certificate::ServerCertificate;
use crate::sessions::{SessionStores, TicketerFactory};
use crate::table::{FindVirtualHost, HandshakeTable, ServerNameTable, ServerNames};

/// The answer to a ClientHello without a server name, or with one that no pattern matches.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use coalesce_tls::ServerNamePolicy;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // The builder has one group, and one certificate for `*.example.test`.
/// # let (mut builder, group, certificate) = one_certificate()?;
/// // A client that connects to an address sends no server name.
/// builder.absent_server_name(ServerNamePolicy::Default { group, certificate });
/// let table = builder.build()?;
/// assert_eq!(table.choose_by_name(None)?.facts.group(), group);
/// assert!(table.choose_by_name(Some("a.example.test")).is_err());
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerNamePolicy {
    /// Refuses it with the fatal alert `unrecognized_name`.
    #[default]
    Refuse,
    /// Presents this certificate, under this group's TLS policy.
    ///
    /// # Security
    /// You name the group, because a default by position could give a client without a server name
    /// a weaker rule for client certificates (CVE-2026-32305). The connection belongs to this
    /// group: step 6 of [`decide`](coalesce_core::decide()) refuses requests on it for virtual
    /// hosts of other groups.
    Default {
        /// The group.
        group: GroupId,
        /// The certificate.
        certificate: CertificateId,
    },
}

/// Collects groups, certificates and names for a [`HandshakeTable`].
///
/// Add groups and certificates before the names that use them.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use std::sync::Arc;
///
/// use coalesce_core::{GroupId, NamePattern};
/// use coalesce_tls::{
///     HandshakeTableBuilder, TlsPolicy, certificates_from_pem, private_key_from_pem,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (chain_pem, key_pem) = pem()?;
/// let provider = Arc::new(rustls::crypto::ring::default_provider());
/// let mut builder = HandshakeTableBuilder::new(provider);
/// let group = GroupId::new(1);
/// builder.group(group, TlsPolicy::default())?;
/// let chain = certificates_from_pem(chain_pem.as_bytes())?;
/// let key = private_key_from_pem(key_pem.as_bytes())?;
/// let certificate = builder.certificate(chain, key)?;
/// builder.server_name(NamePattern::parse(b"*.example.test")?, group, certificate)?;
/// let table = builder.build()?;
/// assert!(table.choose_by_name(Some("a.example.test")).is_ok());
/// # Ok(()) }
/// ```
pub struct HandshakeTableBuilder {
    provider: Arc<CryptoProvider>,
    ticketer: Option<TicketerFactory>,
    sessions: Option<SessionStores>,
    groups: BTreeMap<GroupId, Arc<TlsPolicy>>,
    certificates: Vec<ServerCertificate>,
    /// The alternatives of each certificate: other certificates for the same names.
    alternatives: BTreeMap<CertificateId, Vec<CertificateId>>,
    names: NameTrieBuilder,
    /// The patterns of `names`, to refuse one that is added twice.
    taken: BTreeSet<String>,
    /// The group and certificate of each pattern. The numbers in `names` are indices.
    choices: Vec<Pair>,
    shared: Option<FindVirtualHost>,
    virtual_hosts: BTreeMap<VirtualHostId, Pair>,
    absent: ServerNamePolicy,
    unknown: ServerNamePolicy,
}

type Pair = (GroupId, CertificateId);

impl HandshakeTableBuilder {
    /// Starts an empty table. Its handshakes use `provider`.
    pub fn new(provider: Arc<CryptoProvider>) -> Self {
        Self {
            provider,
            ticketer: None,
            sessions: None,
            groups: BTreeMap::new(),
            certificates: Vec::new(),
            alternatives: BTreeMap::new(),
            names: NameTrie::builder(),
            taken: BTreeSet::new(),
            choices: Vec::new(),
            shared: None,
            virtual_hosts: BTreeMap::new(),
            absent: ServerNamePolicy::Refuse,
            unknown: ServerNamePolicy::Refuse,
        }
    }

    /// Sets the factory of session ticket producers; the table calls it once for each group.
    /// Without one, each group keeps
    /// [`SESSIONS_PER_GROUP`](crate::limits::SESSIONS_PER_GROUP) sessions in memory.
    pub fn ticketer(&mut self, factory: TicketerFactory) -> &mut Self {
        self.ticketer = Some(factory);
        self
    }

    /// Resumes sessions of earlier tables, under the conditions of [`SessionStores`]. Without
    /// stores, or if every earlier table is gone, the table starts without sessions.
    pub fn sessions(&mut self, sessions: &SessionStores) -> &mut Self {
        self.sessions = Some(sessions.clone());
        self
    }

    /// Adds a coalescing group and its TLS policy.
    ///
    /// Returns [`HandshakeTableError::DuplicateGroup`], [`HandshakeTableError::Versions`],
    /// [`HandshakeTableError::CipherSuite`], [`HandshakeTableError::ProtocolName`], or
    /// [`HandshakeTableError::Table`] for too many groups.
    pub fn group(
        &mut self,
        id: GroupId,
        policy: impl Into<Arc<TlsPolicy>>,
    ) -> Result<&mut Self, HandshakeTableError> {
        let policy = policy.into();
        if self.groups.contains_key(&id) {
            return Err(HandshakeTableError::DuplicateGroup { group: id });
        }
        let (minimum, maximum) = (policy.minimum_version, policy.maximum_version);
        if minimum > maximum {
            return Err(HandshakeTableError::Versions { minimum, maximum });
        }
        if let Err(suite) = policy.cipher_suites.restrict(&self.provider) {
            return Err(HandshakeTableError::CipherSuite { suite });
        }
        let allowed = 1..=PROTOCOL_NAME_LEN_MAX;
        if let Some(name) = policy.alpn.iter().find(|name| !allowed.contains(&name.len())) {
            return Err(HandshakeTableError::ProtocolName { len: name.len() });
        }
        if self.groups.len() >= GROUPS_MAX {
            return Err(HandshakeTableError::Table(BuildError::TooLarge));
        }
        self.groups.insert(id, policy);
        Ok(self)
    }

    /// Adds a certificate chain, the end-entity certificate first, and its private key.
    ///
    /// The builder does not check whether the chain leads to a root, has expired or is revoked,
    /// because the clients check that.
    ///
    /// # Errors
    /// [`HandshakeTableError::NoCertificate`], [`HandshakeTableError::ChainTooLong`],
    /// [`HandshakeTableError::Certificate`], [`HandshakeTableError::NoUsableName`],
    /// [`HandshakeTableError::Key`], [`HandshakeTableError::CertificateNotUsable`],
    /// [`HandshakeTableError::KeyMismatch`].
    pub fn certificate(
        &mut self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<CertificateId, HandshakeTableError> {
        let certificate = ServerCertificate::from_der(&self.provider, chain, key)?;
        self.server_certificate(certificate)
    }

    /// Adds a certificate that was checked before. It may be in other tables too.
    ///
    /// # Errors
    /// [`HandshakeTableError::Table`] for too many certificates.
    pub fn server_certificate(
        &mut self,
        certificate: ServerCertificate,
    ) -> Result<CertificateId, HandshakeTableError> {
        let id = u32::try_from(self.certificates.len())
            .map_err(|_| HandshakeTableError::Table(BuildError::TooLarge))?;
        self.certificates.push(certificate);
        Ok(CertificateId::new(id))
    }

    /// Adds another certificate for the names of `certificate`, with a key of another kind.
    /// Alternatives are tried in the order of adding. A ClientHello gets the first certificate
    /// whose signatures the client can verify, according to its signature schemes and cipher
    /// suites.
    ///
    /// The facts of a handshake are those of the certificate that it presents.
    ///
    /// Returns [`HandshakeTableError::UnknownCertificate`]. The names of an alternative are checked
    /// only against server names that are added later.
    pub fn alternative(
        &mut self,
        certificate: CertificateId,
        alternative: CertificateId,
    ) -> Result<&mut Self, HandshakeTableError> {
        self.certificate_of(certificate)?;
        self.certificate_of(alternative)?;
        self.alternatives.entry(certificate).or_default().push(alternative);
        Ok(self)
    }

    /// Adds server names. A ClientHello whose name matches `pattern` gets `certificate`, under the
    /// TLS policy of `group`.
    ///
    /// # Errors
    /// [`HandshakeTableError::UnknownGroup`], [`HandshakeTableError::UnknownCertificate`],
    /// [`HandshakeTableError::DuplicateName`], [`HandshakeTableError::AddressAsServerName`],
    /// [`HandshakeTableError::NotCovered`] if the certificate covers no name that matches the
    /// pattern, [`HandshakeTableError::Table`] for too many names. An error leaves the builder
    /// unchanged.
    pub fn server_name(
        &mut self,
        pattern: NamePattern<'_>,
        group: GroupId,
        certificate: CertificateId,
    ) -> Result<&mut Self, HandshakeTableError> {
        self.resolve((group, certificate))?;
        if let NamePattern::Ip(address) = pattern {
            return Err(HandshakeTableError::AddressAsServerName { address });
        }
        for shown in self.alternatives_of(certificate).chain([certificate]) {
            let shown = self.certificate_of(shown)?;
            if !fits(&pattern, &shown.presented) {
                let (name, presented) = (pattern.to_string(), shown.presented.names().to_vec());
                return Err(HandshakeTableError::NotCovered { name, presented });
            }
        }
        let number = u32::try_from(self.choices.len())
            .map_err(|_| HandshakeTableError::Table(BuildError::TooLarge))?;
        let name = pattern.to_string();
        if self.taken.contains(&name) {
            return Err(HandshakeTableError::DuplicateName { name });
        }
        self.names.insert(&pattern, number).map_err(HandshakeTableError::Table)?;
        self.taken.insert(name);
        self.choices.push((group, certificate));
        Ok(self)
    }

    /// Takes server names from the table that decides the requests, without a copy. A ClientHello
    /// gets the certificate of its name's [`virtual_host`](Self::virtual_host). Names added with
    /// [`server_name`](Self::server_name) are ignored.
    ///
    /// # Security
    /// Make sure that the certificate of each virtual host covers its names. If it does not,
    /// clients refuse the handshake. No request is served for such a name, because
    /// [`decide`](coalesce_core::decide()) checks the certificate again.
    ///
    /// # Examples
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
    /// use std::sync::Arc;
    ///
    /// use coalesce_core::{AuthorityTable, GroupPolicy, NamePattern, VirtualHostId};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // The builder has one group, and one certificate for `*.example.test`.
    /// # let (mut builder, group, certificate) = one_certificate()?;
    /// let shop = VirtualHostId::new(0);
    /// let mut table = AuthorityTable::builder();
    /// table.group(group, GroupPolicy::default())?;
    /// table.entry(NamePattern::parse(b"shop.example.test")?, shop, group)?;
    ///
    /// builder.shared_names(Arc::new(table.build()?)).virtual_host(shop, group, certificate)?;
    /// let handshakes = builder.build()?;
    /// assert!(handshakes.choose_by_name(Some("shop.example.test")).is_ok());
    /// # Ok(()) }
    /// ```
    pub fn shared_names<S>(&mut self, table: Arc<AuthorityTable<S>>) -> &mut Self
    where
        S: AsRef<[u8]> + Send + Sync + 'static,
    {
        self.shared = Some(Arc::new(move |name| {
            table.lookup(&Host::Name(name)).map(|found| found.virtual_host)
        }));
        self
    }

    /// Sets the group and the certificate of a virtual host whose names come from
    /// [`shared_names`](Self::shared_names). If a virtual host is not set, its names are unknown.
    ///
    /// # Errors
    /// [`HandshakeTableError::UnknownGroup`], [`HandshakeTableError::UnknownCertificate`].
    pub fn virtual_host(
        &mut self,
        id: VirtualHostId,
        group: GroupId,
        certificate: CertificateId,
    ) -> Result<&mut Self, HandshakeTableError> {
        self.resolve((group, certificate))?;
        self.virtual_hosts.insert(id, (group, certificate));
        Ok(self)
    }

    /// Sets the policy for a ClientHello without a server name; [`ServerNamePolicy::Refuse`] by
    /// default. Clients that connect to an address send no name (RFC 6066 §3).
    pub fn absent_server_name(&mut self, policy: ServerNamePolicy) -> &mut Self {
        self.absent = policy;
        self
    }

    /// Sets the policy for a server name that no pattern matches; [`ServerNamePolicy::Refuse`] by
    /// default.
    pub fn unknown_server_name(&mut self, policy: ServerNamePolicy) -> &mut Self {
        self.unknown = policy;
        self
    }

    /// Builds the table. It shares session memory and tickets with other tables only if you set
    /// [`sessions`](Self::sessions).
    ///
    /// # Errors
    /// [`HandshakeTableError::UnknownGroup`] or [`HandshakeTableError::UnknownCertificate`] for a
    /// default, [`HandshakeTableError::Tls`] if rustls or its provider refuses a group's policy.
    pub fn build(&self) -> Result<HandshakeTable, HandshakeTableError> {
        let sessions = self.sessions.clone().unwrap_or_default();
        let states = self
            .groups
            .iter()
            .map(|(id, policy)| {
                Ok((*id, self.state(&sessions, *id, policy).map_err(HandshakeTableError::Tls)?))
            })
            .collect::<Result<BTreeMap<_, _>, HandshakeTableError>>()?;
        // Pairs share one configuration, however many names use it.
        let mut prepared = BTreeMap::new();
        let mut prepare = |pair: Pair| {
            if let Some(prepared) = prepared.get(&pair) {
                return Ok(PreparedChoice::clone(prepared));
            }
            let others = self.alternatives_of(pair.1);
            let others = others.map(|other| self.prepare((pair.0, other), &states));
            let others = others.collect::<Result<Vec<_>, _>>()?;
            let made = self.prepare(pair, &states)?.with_alternatives(others);
            prepared.insert(pair, made.clone());
            Ok(made)
        };
        let names = match &self.shared {
            None => ServerNames::Own {
                names: Box::new(self.names.build().map_err(HandshakeTableError::Table)?),
                choices: self
                    .choices
                    .iter()
                    .map(|pair| prepare(*pair))
                    .collect::<Result<_, _>>()?,
            },
            Some(find) => {
                let hosts = self.virtual_hosts.iter();
                let choices =
                    hosts
                        .map(|(id, pair)| Ok((*id, prepare(*pair)?)))
                        .collect::<Result<_, HandshakeTableError>>()?;
                ServerNames::Shared { find: find.clone(), choices }
            }
        };
        let mut default = |policy| match policy {
            ServerNamePolicy::Refuse => Ok(None),
            ServerNamePolicy::Default { group, certificate } => {
                prepare((group, certificate)).map(Some)
            }
        };
        let (absent, unknown) = (default(self.absent)?, default(self.unknown)?);
        Ok(HandshakeTable::new(ServerNameTable { names, absent, unknown }))
    }

    fn state(
        &self,
        sessions: &SessionStores,
        id: GroupId,
        policy: &TlsPolicy,
    ) -> Result<GroupState, TlsError> {
        let sessions = sessions.for_group(id, policy, self.ticketer.as_ref())?;
        GroupState::new(policy, &self.provider, sessions)
    }

    fn prepare(
        &self,
        pair: Pair,
        states: &BTreeMap<GroupId, GroupState>,
    ) -> Result<PreparedChoice, HandshakeTableError> {
        let (policy, shown) = self.resolve(pair)?;
        let (group, certificate) = pair;
        let state = states.get(&group).ok_or(HandshakeTableError::UnknownGroup { group })?;
        let config = state.config(policy, &shown.key).map_err(HandshakeTableError::Tls)?;
        let (policy, presented) = (policy.clone(), shown.presented.clone());
        let facts = ConfigFacts { group, policy, certificate, presented, listener: None };
        Ok(PreparedChoice::new(Arc::new(config), facts, shown.key.clone()))
    }

    fn resolve(
        &self,
        (group, certificate): Pair,
    ) -> Result<(&Arc<TlsPolicy>, &ServerCertificate), HandshakeTableError> {
        let policy = self.groups.get(&group).ok_or(HandshakeTableError::UnknownGroup { group })?;
        Ok((policy, self.certificate_of(certificate)?))
    }

    fn certificate_of(
        &self,
        certificate: CertificateId,
    ) -> Result<&ServerCertificate, HandshakeTableError> {
        let number = usize::try_from(certificate.get()).ok();
        let found = number.and_then(|number| self.certificates.get(number));
        found.ok_or(HandshakeTableError::UnknownCertificate { certificate })
    }

    fn alternatives_of(&self, certificate: CertificateId) -> impl Iterator<Item = CertificateId> {
        self.alternatives.get(&certificate).into_iter().flatten().copied()
    }
}

impl fmt::Debug for HandshakeTableBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandshakeTableBuilder")
            .field("groups", &self.groups)
            .field("certificates", &self.certificates.len())
            .field("choices", &self.choices)
            .field("absent", &self.absent)
            .field("unknown", &self.unknown)
            .finish_non_exhaustive()
    }
}

/// Returns whether the certificate covers a name that matches the pattern.
///
/// | pattern | certificate | fits |
/// | --- | --- | --- |
/// | `a.example.test` | `a.example.test` or `*.example.test` | yes |
/// | `a.example.test` | `b.example.test` | no: every handshake for that name would fail |
/// | `*.example.test` | `a.example.test` | yes: clients accept it for some of the names |
/// | `*.example.test` | `a.b.example.test`, `example.test` | no |
/// | `*` | anything | yes |
fn fits(pattern: &NamePattern<'_>, presented: &PresentedNames) -> bool {
    if let NamePattern::Exact(name) = pattern {
        return presented.covering(&Host::Name(*name)).is_some();
    }
    presented.names().iter().any(|name| {
        let identifier = name
            .strip_prefix("DNS:")
            .and_then(|text| PresentedIdentifier::parse_dns(text.as_bytes()).ok());
        match (identifier, pattern) {
            (_, NamePattern::CatchAll) => true,
            (Some(PresentedIdentifier::Dns(name)), pattern) => pattern.matches(&Host::Name(name)),
            (Some(PresentedIdentifier::Wildcard(parent)), NamePattern::OneLabel(below)) => {
                parent == *below
            }
            (Some(PresentedIdentifier::Wildcard(parent)), NamePattern::AnyDepth(below)) => {
                parent == *below || parent.is_below(*below)
            }
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests;
