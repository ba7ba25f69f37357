//! The settings of a coalescing group.

use std::path::PathBuf;

use coalesce_core::{CoalescePolicy, ConnectPolicy, Enforcement, GroupPolicy, UnknownAuthority};
use coalesce_tls::{
    CipherSuites, ClientAuth, ClientRules, TlsPolicy, TlsVersion, client_cas_from_pem,
    revocation_lists_from_pem_or_der,
};

use crate::error::{Notes, Place, Reason, Subject};
use crate::files;

/// The common settings of the hosts of a coalescing group: the rules for client certificates, the
/// versions of TLS, and which hosts share a connection.
///
/// Groups with equal settings are one group, unless one of them is [`isolated`](Self::isolated).
/// The content of files is compared, not their paths.
///
/// # Examples
/// ```
/// use coalesce_core::CoalescePolicy;
/// use coalesce_site::GroupSettings;
/// use coalesce_tls::TlsVersion;
///
/// let staff = GroupSettings::new()
///     .require_client_ca_files(["staff-ca.pem"])
///     .minimum_version(TlsVersion::Tls13)
///     .coalesce(CoalescePolicy::StrictServerName);
/// ```
#[derive(Clone, Debug, Default)]
pub struct GroupSettings {
    clients: Clients,
    revocation_lists: Vec<PathBuf>,
    minimum_version: Option<TlsVersion>,
    maximum_version: Option<TlsVersion>,
    cipher_suites: CipherSuites,
    coalesce: CoalescePolicy,
    unknown_authority: UnknownAuthority,
    connect: ConnectPolicy,
    observed: bool,
    isolated: bool,
    pub(crate) listeners: Option<Vec<String>>,
}

#[derive(Clone, Debug, Default)]
enum Clients {
    #[default]
    NotAsked,
    Rules(ClientAuth),
    Files {
        cas: Vec<PathBuf>,
        required: bool,
    },
}

impl GroupSettings {
    /// Starts with the settings of hosts without a group: no client certificates, TLS 1.2 and 1.3,
    /// and a connection shared by all that its certificate covers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the rules for client certificates.
    #[must_use]
    pub fn client_auth(mut self, client_auth: ClientAuth) -> Self {
        self.clients = Clients::Rules(client_auth);
        self
    }

    /// Requires a client certificate of one of the CAs in these PEM files, which the build reads.
    #[must_use]
    pub fn require_client_ca_files<P: Into<PathBuf>>(
        mut self,
        files: impl IntoIterator<Item = P>,
    ) -> Self {
        let cas = files.into_iter().map(Into::into).collect();
        self.clients = Clients::Files { cas, required: true };
        self
    }

    /// Requests such a certificate. A client without one is accepted, a client with another one is
    /// refused.
    #[must_use]
    pub fn request_client_ca_files<P: Into<PathBuf>>(
        mut self,
        files: impl IntoIterator<Item = P>,
    ) -> Self {
        let cas = files.into_iter().map(Into::into).collect();
        self.clients = Clients::Files { cas, required: false };
        self
    }

    /// Refuses client certificates that a revocation list in these files has, PEM or one list in
    /// DER. Each CA needs a list that is in date.
    #[must_use]
    pub fn revocation_list_files<P: Into<PathBuf>>(
        mut self,
        files: impl IntoIterator<Item = P>,
    ) -> Self {
        self.revocation_lists = files.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the lowest version of TLS. Default: TLS 1.2.
    #[must_use]
    pub fn minimum_version(mut self, version: TlsVersion) -> Self {
        self.minimum_version = Some(version);
        self
    }

    /// Sets the highest version of TLS. Default: TLS 1.3.
    #[must_use]
    pub fn maximum_version(mut self, version: TlsVersion) -> Self {
        self.maximum_version = Some(version);
        self
    }

    /// Sets the cipher suites. Default: those of the provider.
    #[must_use]
    pub fn cipher_suites(mut self, cipher_suites: CipherSuites) -> Self {
        self.cipher_suites = cipher_suites;
        self
    }

    /// Sets which authorities may share a connection. Default:
    /// [`CoalescePolicy::CertificateAndGroup`].
    #[must_use]
    pub fn coalesce(mut self, coalesce: CoalescePolicy) -> Self {
        self.coalesce = coalesce;
        self
    }

    /// Sets the answer to an authority that no host has. Default: 421.
    #[must_use]
    pub fn unknown_authority(mut self, unknown_authority: UnknownAuthority) -> Self {
        self.unknown_authority = unknown_authority;
        self
    }

    /// Sets the accepted kinds of `CONNECT`. Default: none. If a server announces extended
    /// `CONNECT` (RFC 8441) for a WebSocket over HTTP/2, the site's listeners pass the announcement
    /// on to the groups that accept it.
    #[must_use]
    pub fn connect(mut self, connect: ConnectPolicy) -> Self {
        self.connect = connect;
        self
    }

    /// Serves and logs requests that would be answered 421, where that is safe; see
    /// [`Enforcement`].
    #[must_use]
    pub fn observed(mut self) -> Self {
        self.observed = true;
        self
    }

    /// Keeps the group apart from groups with equal settings.
    #[must_use]
    pub fn isolated(mut self) -> Self {
        self.isolated = true;
        self
    }

    /// Puts the hosts of the group on these listeners. Default: on all of them.
    #[must_use]
    pub fn listeners<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.listeners = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Returns the two policies of the group `name`. An unreadable file is an error, never a weaker
    /// rule (CVE-2026-27586).
    pub(crate) fn load(
        &self,
        name: &str,
        protocols: &[Vec<u8>],
        notes: &mut Notes,
    ) -> Option<(TlsPolicy, GroupPolicy)> {
        let subject = Subject::Group(name.to_owned());
        let client_auth = self.load_clients(&subject, notes)?;
        for warning in client_auth.rules().map(ClientRules::warnings).unwrap_or_default() {
            notes.warning(&subject.field(REVOCATION_LISTS), warning);
        }
        let mut tls = TlsPolicy::default();
        tls.client_auth = client_auth;
        tls.minimum_version = self.minimum_version.unwrap_or(tls.minimum_version);
        tls.maximum_version = self.maximum_version.unwrap_or(tls.maximum_version);
        tls.cipher_suites = self.cipher_suites.clone();
        tls.alpn = protocols.to_vec();
        tls.isolation = self.isolated.then(|| name.to_owned());
        // Without a list of listeners, the group stays the same when a listener is added.
        tls.listeners = self.listeners.iter().flatten().cloned().collect();
        let enforcement = if self.observed { Enforcement::Observe } else { Enforcement::default() };
        let policy = GroupPolicy::default()
            .with_coalesce(self.coalesce)
            .with_unknown_authority(self.unknown_authority)
            .with_connect(self.connect)
            .with_enforcement(enforcement)
            .with_handshake_rules(&tls);
        Some((tls, policy))
    }

    fn load_clients(&self, subject: &Subject, notes: &mut Notes) -> Option<ClientAuth> {
        let (cas, required) = match &self.clients {
            Clients::Files { cas, required } => (cas, *required),
            given => {
                if !self.revocation_lists.is_empty() {
                    let reason = "only allowed with files of client CAs";
                    notes.error(&subject.field(REVOCATION_LISTS), reason);
                    return None;
                }
                return Some(match given {
                    Clients::Rules(client_auth) => client_auth.clone(),
                    _ => ClientAuth::None,
                });
            }
        };
        let cas = each(cas, client_cas_from_pem, &subject.field(CLIENT_CAS), notes);
        let lists = &self.revocation_lists;
        let parse = revocation_lists_from_pem_or_der;
        let lists = each(lists, parse, &subject.field(REVOCATION_LISTS), notes);
        let (cas, lists) = cas.zip(lists)?;
        let rules = notes.take(&subject.field(CLIENT_CAS), ClientRules::new(cas, lists))?;
        Some(if required { ClientAuth::Required(rules) } else { ClientAuth::Optional(rules) })
    }
}

const CLIENT_CAS: &str = "client_ca_files";
const REVOCATION_LISTS: &str = "revocation_list_files";

/// Reads the contents of all files, or records the first fault of each, with its path as the item.
fn each<T, E: Into<Reason>>(
    paths: &[PathBuf],
    parse: impl Fn(&[u8]) -> Result<Vec<T>, E>,
    place: &Place<'_>,
    notes: &mut Notes,
) -> Option<Vec<T>> {
    let mut all = Some(Vec::new());
    for path in paths {
        let item = path.display().to_string();
        let at = place.subject.item(place.field, &item);
        let found = notes.take(&at, files::read(path, &parse));
        all = all.zip(found).map(|(mut all, found)| {
            all.extend(found);
            all
        });
    }
    all
}
