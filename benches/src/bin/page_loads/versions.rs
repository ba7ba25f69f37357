//! The versions of the clients.

use std::process::Command;

use crate::drivers::{Kind, Own, PEERS};
use crate::node;
use crate::records::Version;

/// The lock file of this workspace, which has the versions of its dependencies.
const LOCK: &str = include_str!("../../../../Cargo.lock");

/// Returns the versions of all installed clients.
pub(crate) fn all() -> Vec<Version> {
    let version = |kind: Kind| match kind {
        Kind::Own(Own::HyperUtil { .. }) => locked("hyper-util"),
        Kind::Own(Own::Reqwest { .. }) => locked("reqwest"),
        Kind::Own(Own::Ours { .. }) => Some("this workspace".to_owned()),
        Kind::Curl { .. } => curl(),
        Kind::Node { script, .. } => node::version(script.strip_suffix(".mjs")?),
    };
    let versions = PEERS.iter().filter_map(|peer| {
        Some(Version { peer: peer.name.to_owned(), version: version(peer.kind)? })
    });
    versions.collect()
}

/// Returns the version of a dependency.
fn locked(package: &str) -> Option<String> {
    let (_, rest) = LOCK.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    Some(rest.split_once('"')?.0.to_owned())
}

/// Returns the version of the curl that is installed.
pub(crate) fn curl() -> Option<String> {
    let output = Command::new("curl").arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.split(' ').nth(1).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_dependencies_are_those_of_the_lock_file() {
        assert!(locked("hyper-util").unwrap().starts_with("0.1."));
        assert!(locked("reqwest").unwrap().starts_with("0."));
        assert_eq!(locked("no such package"), None);
    }
}
