//! The clients for Node.js.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// The packages and their versions.
const PACKAGES: [(&str, &str); 2] = [("undici", "7"), ("http2-wrapper", "2")];

/// The scripts, which are part of this program.
const SCRIPTS: [(&str, &str); 3] = [
    ("undici.mjs", include_str!("node/undici.mjs")),
    ("http2-wrapper.mjs", include_str!("node/http2-wrapper.mjs")),
    ("load.mjs", include_str!("node/load.mjs")),
];

/// Returns the folder of the packages.
fn folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"));
    target.join("page_loads/node")
}

/// Returns the path of a script.
pub(crate) fn script(name: &str) -> PathBuf {
    folder().join(name)
}

/// Installs the packages.
pub(crate) fn install() -> Result<()> {
    let folder = folder();
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("package.json"), r#"{ "private": true }"#)?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--silent", "--ignore-scripts"]);
    npm.args(PACKAGES.map(|(name, version)| format!("{name}@{version}")));
    let status = npm.current_dir(&folder).status().context("could not run npm")?;
    if !status.success() {
        bail!("npm ended with {status}");
    }
    write_scripts()
}

/// Writes the scripts next to the packages.
pub(crate) fn write_scripts() -> Result<()> {
    for (name, text) in SCRIPTS {
        fs::write(script(name), text)?;
    }
    Ok(())
}

/// Returns the version of a package, or `None` if it is not installed.
pub(crate) fn version(package: &str) -> Option<String> {
    let file = folder().join("node_modules").join(package).join("package.json");
    let text = fs::read_to_string(file).ok()?;
    let package: serde_json::Value = serde_json::from_str(&text).ok()?;
    Some(package.get("version")?.as_str()?.to_owned())
}
