//! The builder of a site.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use coalesce_core::AuthorityTableBuilder;
use coalesce_tls::TicketerFactory;
#[cfg(feature = "tower")]
use coalesce_tower::MisdirectedContent;
use rustls::crypto::CryptoProvider;

use crate::carried::Carried;
use crate::error::SiteErrors;
use crate::group::GroupSettings;
use crate::host::Host;
use crate::identity::Identity;
use crate::listener_settings::ListenerSettings;
use crate::origin_policy::OriginPolicy;
use crate::plan::{HostDraft, Plan};
use crate::settings::Settings;
use crate::site::Site;
use crate::site_snapshot::SiteSnapshot;
use crate::snapshot::Snapshot;

/// Collects hosts, groups and settings for a [`Site`].
///
/// Nothing can fail before [`build`](Self::build), which reports all that is wrong at once. The
/// order of hosts and groups does not matter.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use coalesce_site::{GroupSettings, Host, Site};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let identity = identity()?;
/// let site = Site::builder()
///     .host("shop.example.test", identity.clone(), "Shop")
///     .add_host(Host::new("admin.example.test", identity, "Administration").group("staff"))
///     .group("staff", GroupSettings::new().isolated())
///     .ports([443])
///     .build()?;
/// assert!(site.explain(Some("shop.example.test"), "shop.example.test").is_served());
/// # Ok(()) }
/// ```
pub struct SiteBuilder<T> {
    settings: Settings,
    groups: Vec<(String, GroupSettings)>,
    hosts: Vec<Host<T>>,
}

impl<T> Site<T> {
    /// Starts a site without hosts.
    pub fn builder() -> SiteBuilder<T> {
        SiteBuilder { settings: Settings::default(), groups: Vec::new(), hosts: Vec::new() }
    }

    /// Replaces everything with `next`: hosts, values, certificates, groups and settings. The next
    /// request of every connection is decided by it; nothing is dropped.
    ///
    /// Sockets stay what they are: those of a listener that is gone refuse every handshake.
    ///
    /// # Errors
    /// [`SiteErrors`], and the site is as it was before.
    pub fn reload(&self, next: SiteBuilder<T>) -> Result<(), SiteErrors> {
        self.change(|_, carried| next.snapshot(carried)).map(drop)
    }

    /// Builds the snapshot that [`reload`](Self::reload) would install, without installing it. A
    /// server with state for each snapshot makes that state first, and then
    /// [`install`](Self::install)s the snapshot.
    ///
    /// # Errors
    /// [`SiteErrors`].
    pub fn prepare(&self, next: SiteBuilder<T>) -> Result<SiteSnapshot<T>, SiteErrors> {
        self.prepare_with(|carried| next.snapshot(carried)).map(SiteSnapshot::new)
    }
}

impl<T> SiteBuilder<T> {
    /// Adds a host with one name, in the group `default`. For other hosts use
    /// [`add_host`](Self::add_host).
    #[must_use]
    pub fn host(self, name: impl Into<String>, identity: Identity, value: T) -> Self {
        self.add_host(Host::new(name, identity, value))
    }

    /// Adds a host.
    #[must_use]
    pub fn add_host(mut self, host: Host<T>) -> Self {
        self.hosts.push(host);
        self
    }

    /// Adds a coalescing group. A group that is called `default` has the hosts that name none.
    #[must_use]
    pub fn group(mut self, name: impl Into<String>, settings: GroupSettings) -> Self {
        self.groups.push((name.into(), settings));
        self
    }

    /// Adds a listener. Without one there is a listener `main`, which has any address that
    /// `Site::listen` is called with.
    #[must_use]
    pub fn listener(mut self, name: impl Into<String>, settings: ListenerSettings) -> Self {
        self.settings.listeners.push((name.into(), settings));
        self
    }

    /// Takes the names of all hosts from a compiled table: the bytes of an [`AuthorityTable`], as
    /// the command `coalesce compile` writes them, mapped or owned. `label` is what errors call it.
    ///
    /// The table must fit the hosts and groups of the builder, in their order: each name of a host
    /// is that host's in the table, and each entry is in the group of its host and covered by its
    /// certificate. Otherwise the site is not built.
    ///
    /// [`AuthorityTable`]: coalesce_core::AuthorityTable
    #[must_use]
    pub fn compiled_table(mut self, label: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        self.settings.compiled = Some((label.into(), bytes.into()));
        self
    }

    /// Sets the host whose certificate is shown to clients that send no server name or an unknown
    /// one. Without it, their handshakes are refused with `unrecognized_name`. The connection is in
    /// the group of this host.
    ///
    /// Clients that connect to an address send no server name (RFC 6066 §3), so hosts with an
    /// address for a name need it. It is for all listeners that have no other.
    #[must_use]
    pub fn default_host(mut self, name: impl Into<String>) -> Self {
        self.settings.default_host = Some(name.into());
        self
    }

    /// Sets ports that requests may name beside the ones that the listeners are bound to: 443, if
    /// clients reach them through a port map.
    #[must_use]
    pub fn ports(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.settings.ports = ports.into_iter().collect();
        self
    }

    /// Sets the protocols that handshakes negotiate (RFC 7301), the preferred one first. Default:
    /// `h2` and `http/1.1`.
    #[must_use]
    pub fn protocols<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.settings.protocols = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the cryptography of the handshakes. Default: that of the process, if it has one, else
    /// `ring`.
    #[must_use]
    pub fn provider(mut self, provider: Arc<CryptoProvider>) -> Self {
        self.settings.provider = Some(provider);
        self
    }

    /// Sets the factory of session ticket producers. Default: that of `ring` together with its
    /// provider, and sessions in memory with another.
    #[must_use]
    pub fn ticketer(mut self, ticketer: TicketerFactory) -> Self {
        self.settings.ticketer = Some(ticketer);
        self
    }

    /// Sets when connections announce their origin sets (RFC 8336): those of `Site::h2_handshake`,
    /// or of a server that asks for them. `true` is [`OriginPolicy::Always`], `false` is
    /// [`OriginPolicy::Never`]. Default: [`OriginPolicy::WhenComplete`].
    #[must_use]
    pub fn announce_origins(mut self, announce: impl Into<OriginPolicy>) -> Self {
        self.settings.origin_policy = announce.into();
        self
    }

    /// Sets whether the site logs its [warnings](Site::warnings). Default: it does.
    #[must_use]
    pub fn log_warnings(mut self, log: bool) -> Self {
        self.settings.logs_warnings = log;
        self
    }

    /// Sets the content of a 421.
    #[cfg(feature = "tower")]
    #[must_use]
    pub fn misdirected_content(mut self, content: MisdirectedContent) -> Self {
        self.settings.misdirected_content = content;
        self
    }

    /// Sets the methods that a 405 to `CONNECT` says are allowed (RFC 9110 §10.2.1).
    #[cfg(feature = "tower")]
    #[must_use]
    pub fn allow(mut self, methods: http::HeaderValue) -> Self {
        self.settings.allow = Some(methods);
        self
    }

    /// Removes the fields of gateways, such as `Forwarded` and `X-Forwarded-Host`, from requests.
    /// The connections of a site come from clients, so these fields cannot be trusted. The layer
    /// does it: `CoalesceLayer::strip_forwarded_fields` in `coalesce-tower` lists the fields.
    #[cfg(feature = "tower")]
    #[must_use]
    pub fn strip_forwarded_fields(mut self) -> Self {
        self.settings.strips_forwarded_fields = true;
        self
    }

    /// Reads all certificates, keys and CAs, and builds the site.
    ///
    /// # Errors
    /// [`SiteErrors`], with every reason.
    pub fn build(self) -> Result<Site<T>, SiteErrors> {
        let carried = Carried::default();
        let first = self.snapshot(&carried)?;
        Ok(Site::new(first, carried))
    }

    /// Checks listeners, groups, hosts and their files without building the site. Does not check
    /// properties of a whole site: the compiled table, and whether every host is served on its own
    /// connections.
    ///
    /// # Errors
    /// [`SiteErrors`], with every reason.
    pub fn check(self) -> Result<(), SiteErrors> {
        self.read(&Carried::default()).map(drop)
    }

    fn snapshot(self, carried: &Carried) -> Result<Snapshot<T>, SiteErrors> {
        let (plan, names, values) = self.read(carried)?;
        Snapshot::build(plan, &names, values, carried)
    }

    fn read(self, carried: &Carried) -> Result<(Plan, AuthorityTableBuilder, Vec<T>), SiteErrors> {
        let mut values = Vec::with_capacity(self.hosts.len());
        let mut drafts = Vec::with_capacity(self.hosts.len());
        for Host { label, names, identity, group, coalesce, value } in self.hosts {
            drafts.push(HostDraft { label, names, identity, group, coalesce });
            values.push(value);
        }
        let (plan, names) = Plan::read(self.settings, &self.groups, drafts, carried)?;
        Ok((plan, names, values))
    }
}

impl<T> fmt::Debug for SiteBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SiteBuilder")
            .field("settings", &self.settings)
            .field("groups", &self.groups)
            .field("hosts", &self.hosts)
            .finish()
    }
}
