//! The C interface as its users meet it: installed, found by pkg-config, linked into programs in C
//! and C++.

mod compiled;
mod example;
mod install;
mod page;
mod wrapper;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Makes a call of `install.sh` that builds with the profile of these tests.
fn install(prefix: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(root().join("crates/coalesce-ffi/install.sh"));
    command.arg(prefix).env_remove("DESTDIR").env_remove("LIBDIR");
    for_tests(&mut command);
    command
}

/// Makes `install.sh` build with the profile of these tests, in a separate folder: a build of the
/// whole workspace selects other features, and replaces the library while it is copied.
fn for_tests(install: &mut Command) {
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("c-interface-build");
    install.env("PROFILE", profile).env("CARGO_TARGET_DIR", target);
}

/// Returns a prefix with the library. The first call installs it.
fn prefix() -> &'static Path {
    static PREFIX: OnceLock<PathBuf> = OnceLock::new();
    PREFIX.get_or_init(|| {
        let prefix = Path::new(env!("CARGO_TARGET_TMPDIR")).join("c-interface");
        run(&mut install(&prefix));
        prefix
    })
}

/// Runs a command that must succeed, and returns its standard output.
fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{stdout}{stderr}");
    stdout
}

/// Asks pkg-config about the library below `prefix`, in the folder `root` if it is staged there.
fn pkg_config(root: &Path, prefix: &Path, arguments: &[&str]) -> Vec<String> {
    let below = |folder: &Path| {
        let absolute = prefix.strip_prefix("/").unwrap();
        folder.join(absolute).join("lib/pkgconfig")
    };
    let mut command = Command::new("pkg-config");
    command.args(arguments).arg("coalesce").env("PKG_CONFIG_PATH", below(root));
    if root != Path::new("/") {
        command.env("PKG_CONFIG_SYSROOT_DIR", root);
    }
    run(&mut command).split_whitespace().map(str::to_owned).collect()
}
