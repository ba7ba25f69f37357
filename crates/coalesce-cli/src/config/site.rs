//! A configuration after all of it was read and checked.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use coalesce_core::HostBuf;
use http::uri::Authority;
use http::{HeaderValue, StatusCode};
use rustls::crypto::CryptoProvider;

use crate::config::entries::Finding;
use crate::config::entries::model::ForwardedCertificate;

/// One version of the site.
pub(crate) type Site = coalesce_site::SiteSnapshot<VirtualHost>;

/// A configuration that loads.
#[derive(Debug)]
pub(crate) struct Configuration {
    pub(crate) site: Site,
    /// The handle that builds later versions.
    pub(crate) handle: coalesce_site::Site<VirtualHost>,
    pub(crate) admin: AdminSettings,
    /// Warnings about settings that may be mistakes.
    pub(crate) warnings: Vec<Finding>,
}

/// `[admin]`.
#[derive(Debug, Default)]
pub(crate) struct AdminSettings {
    /// The address of the admin listener.
    pub(crate) address: Option<SocketAddr>,
    /// The hosts that requests may name, besides the listener's addresses.
    pub(crate) hosts: Vec<HostBuf>,
}

/// The part of a virtual host that the site does not hold.
#[derive(Debug)]
pub(crate) struct VirtualHost {
    /// The lines of its names, counted from 1. A compiled table may have more names.
    pub(crate) lines: Vec<usize>,
    /// The path of its certificate file.
    pub(crate) certificate: PathBuf,
    pub(crate) answer: HostAnswer,
}

/// The answer of a virtual host.
#[derive(Clone, Debug)]
pub(crate) enum HostAnswer {
    Text(TextAnswer),
    Folder(PathBuf),
    Upstream(UpstreamTarget),
}

/// The same answer for every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TextAnswer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: HeaderValue,
    pub(crate) body: Bytes,
}

/// Another server, reached without TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UpstreamTarget {
    pub(crate) protocol: UpstreamProtocol,
    /// The address to connect to.
    pub(crate) authority: Authority,
    /// The parts of a client certificate that the server gets.
    pub(crate) client_certificate: ForwardedCertificate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UpstreamProtocol {
    Http1,
    /// HTTP/2 with prior knowledge (RFC 9113 §3.3).
    H2c,
}

impl Configuration {
    /// Logs the warnings about the configuration, and its content at a lower level.
    pub(crate) fn log(&self) {
        for warning in &self.warnings {
            tracing::warn!("{warning}");
        }
        let table = self.site.authorities();
        tracing::debug!(names = table.len(), bytes = table.as_bytes().len(), "table");
        for host in self.site.hosts() {
            let (name, group, names) = (host.name(), host.group(), host.names().join(", "));
            tracing::debug!(virtual_host = name, group, names, "loaded");
        }
    }
}

/// Returns the provider of cryptography, the same for all uses.
pub(crate) fn crypto_provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
