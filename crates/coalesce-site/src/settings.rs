//! The settings of the whole site.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use coalesce_tls::TicketerFactory;
use coalesce_tls::limits::PROTOCOL_NAME_LEN_MAX;
#[cfg(feature = "tower")]
use coalesce_tower::MisdirectedContent;
use rustls::crypto::CryptoProvider;

use crate::error::{Notes, Place, Subject};
use crate::listener_settings::ListenerSettings;
use crate::origin_policy::OriginPolicy;

/// The builder's settings for the whole site.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) provider: Option<Arc<CryptoProvider>>,
    pub(crate) ticketer: Option<TicketerFactory>,
    pub(crate) protocols: Vec<Vec<u8>>,
    pub(crate) ports: Vec<u16>,
    pub(crate) default_host: Option<String>,
    pub(crate) listeners: Vec<(String, ListenerSettings)>,
    /// An unopened compiled table, with its name in messages.
    pub(crate) compiled: Option<(String, Bytes)>,
    pub(crate) origin_policy: OriginPolicy,
    /// True if the site logs its warnings.
    pub(crate) logs_warnings: bool,
    #[cfg(feature = "tower")]
    pub(crate) misdirected_content: MisdirectedContent,
    #[cfg(feature = "tower")]
    pub(crate) allow: Option<http::HeaderValue>,
    #[cfg(feature = "tower")]
    pub(crate) strips_forwarded_fields: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            provider: None,
            ticketer: None,
            protocols: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            ports: Vec::new(),
            default_host: None,
            listeners: Vec::new(),
            compiled: None,
            origin_policy: OriginPolicy::default(),
            logs_warnings: true,
            #[cfg(feature = "tower")]
            misdirected_content: MisdirectedContent::default(),
            #[cfg(feature = "tower")]
            allow: None,
            #[cfg(feature = "tower")]
            strips_forwarded_fields: false,
        }
    }
}

/// The cryptography of all handshakes.
#[derive(Clone)]
pub(crate) struct Cryptography {
    pub(crate) provider: Arc<CryptoProvider>,
    pub(crate) ticketer: Option<TicketerFactory>,
}

impl Settings {
    /// Returns the provider of the builder, else that of the process, else the crate's own.
    pub(crate) fn cryptography(&self) -> Option<Cryptography> {
        let ticketer = self.ticketer.clone();
        let named = self.provider.as_ref().or_else(|| CryptoProvider::get_default()).cloned();
        let named = named.map(|provider| Cryptography { provider, ticketer: ticketer.clone() });
        #[cfg(feature = "ring")]
        let named = named.or_else(|| {
            use rustls::crypto::ring;
            let ticketer = ticketer.or_else(|| Some(Arc::new(ring::Ticketer::new)));
            Some(Cryptography { provider: Arc::new(ring::default_provider()), ticketer })
        });
        named
    }

    pub(crate) fn check(&self, notes: &mut Notes) {
        let allowed = 1..=PROTOCOL_NAME_LEN_MAX;
        for name in self.protocols.iter().filter(|name| !allowed.contains(&name.len())) {
            let len = name.len();
            let reason = format!("name of {len} bytes; 1 to {PROTOCOL_NAME_LEN_MAX} expected");
            notes.error(&Subject::Site.field("protocols"), reason);
        }
        check_ports(&Subject::Site.field(PORTS), &self.ports, notes);
    }
}

pub(crate) const PORTS: &str = "ports";
pub(crate) const DEFAULT_HOST: &str = "default_host";

/// Checks that requests can name each port.
pub(crate) fn check_ports(place: &Place<'_>, ports: &[u16], notes: &mut Notes) {
    if ports.contains(&0) {
        notes.error(place, "port 0, which no request can name; 1 to 65535 allowed");
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("listeners", &self.listeners)
            .field("ports", &self.ports)
            .field("default_host", &self.default_host)
            .finish_non_exhaustive()
    }
}
