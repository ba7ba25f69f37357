//! One builder for hosts, certificates and policies, which makes all that a server needs to answer
//! misdirected requests with 421.
//!
//! It speaks neither TLS nor HTTP itself, and does not decide: it makes the handshake table and the
//! authority table from one list of hosts, hands out the ids, and swaps both at once.
//!
//! ```text
//!  Host: names, Identity, value ──┐              ┌─► handshake table ─► Listener ──► connections
//!  GroupSettings ─────────────────┤              │                                        │
//!  ListenerSettings ──────────────┼─► one plan ──┼─► authority table ─► decision ◄────────┘
//!  names of a compiled table ─────┘              └─► values ──────────► ServedHost ─► application
//! ```
//!
//! # Example
//!
//! Two hosts with certificates of their own, each with a router. A request for `admin.test` on a
//! connection that was made for `shop.test` gets a 421:
//!
#![cfg_attr(feature = "axum", doc = "```no_run")]
#![cfg_attr(not(feature = "axum"), doc = "```ignore")]
//! use axum::{Router, routing::get};
//! use coalesce_site::{Identity, Site};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let hello = |text| Router::new().route("/", get(async move || text));
//!     let shop = Identity::from_pem_files("shop.pem", "shop.key");
//!     let admin = Identity::from_pem_files("admin.pem", "admin.key");
//!     let site = Site::builder()
//!         .host("shop.test", shop, hello("this is shop"))
//!         .host("admin.test", admin, hello("this is admin"))
//!         .build()?;
//!     let listener = site.listen("127.0.0.1:8443").await?;
//!     axum::serve(listener, site.into_make_service()).await?;
//!     Ok(())
//! }
//! ```
//!
//! One router for all hosts goes behind `Site::layer`, and its handlers take the [`ServedHost`]:
//!
#![cfg_attr(feature = "axum", doc = "```no_run")]
#![cfg_attr(not(feature = "axum"), doc = "```ignore")]
//! # use axum::{Router, routing::get};
//! # use coalesce_site::{ConnectionInfo, ServedHost, Site};
//! # struct Shop { title: String }
//! # async fn run(site: Site<Shop>) -> Result<(), Box<dyn std::error::Error>> {
//! let title = async |host: ServedHost<Shop>| host.title.clone();
//! let router = Router::new().route("/", get(title)).layer(site.layer());
//! let service = router.into_make_service_with_connect_info::<ConnectionInfo>();
//! axum::serve(site.listen("127.0.0.1:8443").await?, service).await?;
//! # Ok(()) }
//! ```
//!
//! | server | the site is |
//! | --- | --- |
//! | `axum::serve`, a router for each host | `Site::into_make_service` |
//! | axum, tower, tonic: one application for all hosts | `Site::layer` |
//! | hyper, hyper-util | `Site::serve_connection` |
//! | `h2` | `Site::h2_handshake`, which sees fields that hyper hides |
//! | any other | [`Site::snapshot`] |
//!
//! # Listeners
//!
//! A site has one listener, which serves all hosts, unless you add others. A group says which of
//! them its hosts are on:
//!
//! ```no_run
//! # use coalesce_site::{GroupSettings, Host, Identity, ListenerSettings, Site, SiteErrors};
//! # fn build(shop: Identity, staff: Identity) -> Result<Site<&'static str>, SiteErrors> {
//! let outer = ListenerSettings::new(([0, 0, 0, 0], 8443).into()).ports([443]);
//! let inner = ListenerSettings::new(([10, 0, 0, 1], 8443).into());
//! Site::builder()
//!     .listener("outer", outer)
//!     .listener("inner", inner)
//!     .group("staff", GroupSettings::new().listeners(["inner"]))
//!     .host("shop.test", shop, "on both")
//!     .add_host(Host::new("staff.test", staff, "on one").group("staff"))
//!     .build()
//! # }
//! ```
//!
//! `Site::listen_named` accepts the connections of one of them.
//!
//! # Crate features
//!
//! * `ring` (default): the cryptography of `ring`, if you name no other provider.
//! * `tower`: `Site::listen`, `Site::layer`, `Site::for_host`.
//! * `axum`: a site of routers, the extractor [`ServedHost`].
//! * `hyper`: `Site::serve_connection`.
//! * `h2`: `Site::h2_handshake`.
//! * `origin`: `SiteSnapshot::origin_set`, the origins that a connection announces (RFC 8336).
//! * `tonic`: `Site::listen` and `Site::layer` for tonic's server.
//!
//! # External types
//!
//! The public API has types and traits of other crates. A breaking change of one of them is a
//! breaking change of this crate.
//!
//! | crates | public |
//! | --- | --- |
//! | `bytes`, `coalesce-core`, `coalesce-tls`, `rustls`, `rustls-pki-types` | always |
//! | `coalesce-http`, `coalesce-tower`, `http`, `http-body`, `tokio` | with `tower` |
//! | `tower-layer`, `tower-service` | with `tower` |
//! | `axum`, `axum-core` | with `axum` |
//! | `coalesce-h2` | with `origin` |
//! | `h2` | with `h2` |
//! | `hyper` | with `hyper` |
//!
//! # Limits
//!
//! Connections in the clear and those of trusted gateways are refused: use `coalesce-tower` for
//! them. An idle connection announces origins that a reload has added with its next request.
//! Files are regular ones and at most 1 MiB long.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)
)]

mod announced;
#[cfg(feature = "axum")]
mod axum;
mod builder;
mod carried;
mod compiled;
#[cfg(feature = "tower")]
mod decision;
// Not of the crate: examples include the file.
#[cfg(doctest)]
mod doc_example;
mod error;
mod explain;
mod explanation;
mod files;
mod group;
#[cfg(feature = "h2")]
mod h2;
mod hints;
mod host;
#[cfg(feature = "hyper")]
mod hyper;
mod identity;
#[cfg(feature = "tower")]
mod layer;
#[cfg(feature = "tower")]
mod listen;
mod listener_settings;
mod listeners;
mod malformed_hints;
mod names;
mod nearest;
mod origin_policy;
#[cfg(feature = "origin")]
mod origin_sets;
mod overlaps;
mod own_connections;
#[cfg(feature = "axum")]
mod peer;
mod plan;
mod question;
mod send_and_sync;
mod served;
mod served_host;
mod settings;
mod site;
mod site_listener;
mod site_snapshot;
mod snapshot;
mod tables;

#[cfg(feature = "axum")]
pub use crate::axum::RouterService;
#[cfg(feature = "h2")]
pub use crate::h2::{H2Connection, H2Request};
#[cfg(feature = "hyper")]
pub use crate::hyper::HyperConnection;
pub use announced::AnnouncedOrigins;
pub use builder::SiteBuilder;
#[cfg(feature = "tower")]
pub use coalesce_tower::{ConnectionInfo, ConnectionLimits, Listener, MisdirectedContent};
pub use compiled::TableMismatch;
pub use error::{SiteError, SiteErrors, SiteWarning, Subject};
pub use explanation::{Explanation, Outcome, Refusal};
pub use files::open_regular_file;
pub use group::GroupSettings;
pub use host::Host;
pub use identity::{Identity, SiteCertificate};
#[cfg(feature = "tower")]
pub use layer::{SiteLayer, SiteService};
pub use listener_settings::ListenerSettings;
pub use names::{Coverage, NotCovered};
pub use origin_policy::OriginPolicy;
pub use overlaps::{Overlap, OverlapReason};
pub use plan::SiteGroup;
pub use question::{ClientIdentity, Question};
pub use served::Served;
pub use served_host::ServedHost;
pub use site::Site;
pub use site_listener::SiteListener;
pub use site_snapshot::SiteSnapshot;
