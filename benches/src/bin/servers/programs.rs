//! The measured programs of this workspace. They are built here, unless their paths are given.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

/// The paths of Coalesce and the baseline.
pub(crate) struct Programs {
    bare_h2: PathBuf,
    coalesce: PathBuf,
    /// Whether `coalesce serve` has a flag for its number of workers. Otherwise it starts one per
    /// core.
    pub(crate) has_workers_flag: bool,
}

impl Programs {
    pub(crate) fn new(coalesce: Option<&Path>) -> Result<Self> {
        let bare_h2 = build("coalesce-benches", "bare_h2", &[])?;
        let coalesce = match coalesce {
            Some(path) => std::path::absolute(path)?,
            None => build("coalesce-cli", "coalesce", &["jemalloc"])?,
        };
        let help = Command::new(&coalesce)
            .args(["serve", "--help"])
            .output()
            .with_context(|| format!("could not run {}", coalesce.display()))?;
        ensure!(help.status.success(), "{} serve --help: {}", coalesce.display(), help.status);
        let has_workers_flag = String::from_utf8_lossy(&help.stdout).contains("--workers");
        Ok(Self { bare_h2, coalesce, has_workers_flag })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        if name == "bare_h2" { self.bare_h2.clone() } else { self.coalesce.clone() }
    }
}

/// Builds a program as operators do, and returns its path.
fn build(package: &str, program: &str, features: &[&str]) -> Result<PathBuf> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--package", package, "--bin", program])
        .args(["--features", &features.join(",")])
        .args(["--message-format", "json-render-diagnostics", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .stderr(Stdio::inherit())
        .output()
        .context("could not run cargo")?;
    ensure!(output.status.success(), "cargo could not build {program}");
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: serde_json::Value = serde_json::from_str(line)?;
        if message["target"]["name"] == program
            && let Some(path) = message["executable"].as_str()
        {
            return Ok(path.into());
        }
    }
    bail!("cargo does not say where {program} is")
}
