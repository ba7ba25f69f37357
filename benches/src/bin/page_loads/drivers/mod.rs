//! The clients that are measured, in a process of their own for each page load.

mod curl;
mod hyper_util;
mod load;
mod ours;
mod reqwest;

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

pub(crate) use self::load::{Loaded, SERVED_BY};
use crate::trace::Trace;

/// A client with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// The settings, for the table.
    pub(crate) about: &'static str,
    pub(crate) kind: Kind,
    /// Measured in all rounds, because a target compares it.
    pub(crate) is_main: bool,
}

/// The program of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// This program, in the client's namespace.
    Own(Own),
    /// curl, which knows no waves.
    Curl { immediate: bool },
    /// A script for Node.js.
    Node { script: &'static str, setting: &'static str },
}

/// A client that is linked to this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Own {
    HyperUtil { best: bool },
    Reqwest { best: bool },
    Ours { origins: bool },
}

const fn own(name: &'static str, about: &'static str, own: Own) -> Peer {
    Peer { name, about, kind: Kind::Own(own), is_main: false }
}

impl Peer {
    const fn main(self) -> Self {
        Self { is_main: true, ..self }
    }
}

/// The peer that ratios are relative to.
pub(crate) const BASE: &str = "hyper-util best";

/// All peers, in the order of the tables.
pub(crate) const PEERS: [Peer; 12] = [
    own("hyper-util", "its default: ALPN", Own::HyperUtil { best: false }),
    own(BASE, "`http2_only`, TCP_NODELAY", Own::HyperUtil { best: true }).main(),
    own("reqwest", "its default: ALPN, TCP_NODELAY", Own::Reqwest { best: false }).main(),
    own("reqwest best", "`http2_prior_knowledge`", Own::Reqwest { best: true }),
    Peer {
        name: "curl",
        about: "`--http2 --parallel`",
        kind: Kind::Curl { immediate: false },
        is_main: false,
    },
    Peer {
        name: "curl immediate",
        about: "`--http2 --parallel --parallel-immediate`",
        kind: Kind::Curl { immediate: true },
        is_main: false,
    },
    node("undici", "its default in version 7: HTTP/1.1", "undici.mjs", "default"),
    node("undici best", "`allowH2`, one connection for a host, 100 streams", "undici.mjs", "best"),
    node("http2-wrapper", "its default: `auto`", "http2-wrapper.mjs", "default"),
    node("http2-wrapper best", "`request`: HTTP/2 only", "http2-wrapper.mjs", "best"),
    own("ours", "`Coalesce::Address`", Own::Ours { origins: false }).main(),
    own(
        "ours ORIGIN",
        "`Coalesce::Origins`, `DnsPolicy::WaivedByOriginSet`",
        Own::Ours { origins: true },
    )
    .main(),
];

const fn node(
    name: &'static str,
    about: &'static str,
    script: &'static str,
    setting: &'static str,
) -> Peer {
    Peer { name, about, kind: Kind::Node { script, setting }, is_main: false }
}

/// Returns the peer of this name.
pub(crate) fn peer(name: &str) -> Option<&'static Peer> {
    PEERS.iter().find(|peer| peer.name == name)
}

/// Loads a page with a client of this program, and returns its report.
pub(crate) fn load(peer: &Peer, trace: &Trace, ca: &Path) -> Result<Loaded> {
    let Kind::Own(own) = peer.kind else { bail!("{} is another program", peer.name) };
    // One thread, so that the clients differ in their work only.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match own {
            Own::HyperUtil { best } => hyper_util::load(best, trace, ca).await,
            Own::Reqwest { best } => reqwest::load(best, trace, ca).await,
            Own::Ours { origins } => ours::load(origins, trace, ca).await,
        }
    })
}

/// Loads a page with curl in a namespace. The time includes the start of the process.
pub(crate) fn load_with_curl(
    command: Command,
    immediate: bool,
    trace: &Trace,
    folder: &Path,
    ca: &Path,
) -> Result<Loaded> {
    curl::load(command, immediate, trace, folder, ca).context("curl")
}
