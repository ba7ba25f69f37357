//! Servers of the system's packages.
#![allow(clippy::missing_panics_doc, reason = "they panic where a server does not start")]

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use crate::{Server, World};

/// For starting a server on a machine that has much else to do.
pub const START_MAX: Duration = Duration::from_secs(60);

/// Finds the program of this name in the folders of the shell, in the folder for servers, and in
/// the one into which `tests/run.sh` installs. Without it, prints `NOT TESTED` with `what` on
/// standard error, or panics if the environment says CI.
pub fn find(name: &str, what: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH").unwrap_or_default();
    let server = Path::new("/usr/sbin").to_owned();
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/gateways/bin");
    let found = env::split_paths(&folders)
        .chain([server, installed])
        .map(|folder| folder.join(name))
        .find(|it| it.is_file());
    if found.is_none() {
        let needs = format!("needs {name}");
        assert!(env::var_os("CI").is_none_or(|ci| ci.is_empty()), "{needs}");
        // Write directly, because the test harness hides the output of a passing test.
        let line = format!("\nNOT TESTED {what}: {needs}\n\n");
        io::stderr().write_all(line.as_bytes()).expect("standard error is open");
    }
    found
}

/// Starts a program whose last argument is the file with this configuration. Waits until it
/// listens.
pub fn start(
    world: &World,
    address: SocketAddr,
    program: &Path,
    arguments: &[&str],
    configuration: &str,
) -> Server {
    fs::write(world.path("configuration"), configuration).expect("the folder is writable");
    // These servers do not say where they listen, so the shell does.
    let mut command = Command::new("sh");
    let script = "echo \"listening on $1\"; shift; exec \"$@\"";
    command.args(["-c", script, "sh", &address.to_string()]);
    command.arg(program).args(arguments).arg(world.path("configuration"));
    let server = world.start(command);
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        let log = || fs::read_to_string(world.path("log")).unwrap_or_default();
        let in_time = begun.elapsed() < START_MAX;
        assert!(in_time, "{} does not start: {}", program.display(), log());
        thread::sleep(Duration::from_millis(20));
    }
    server
}
