//! The namespaces, the link and the servers of one run, and page loads in them.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{SigSet, Signal};
use tempfile::TempDir;

use crate::counts::Counts;
use crate::drivers::{self, Kind, Loaded, Peer};
use crate::link::Link;
use crate::namespaces::{Names, Namespaces, enter};
use crate::node;
use crate::server;
use crate::trace::{self, Trace};

/// A page load that takes longer than this number of seconds has failed.
const SECONDS_MAX: &str = "60";

/// The exit status after a signal.
const SIGNALLED: i32 = 130;

/// The time after the last packet of a page load, in addition to a round trip.
const PAUSE: Duration = Duration::from_millis(20);

/// The place of the page loads.
pub(crate) struct World {
    folder: TempDir,
    names: Names,
    link: Link,
    round_trip: Duration,
    pub(crate) traces: Vec<Trace>,
    // Fields are dropped in this order: the namespaces after everything in them.
    _namespaces: Namespaces,
}

/// The process of the servers.
pub(crate) struct Server {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// Makes the process remove the namespaces and the folder at SIGINT, SIGTERM and SIGHUP. All
/// threads that start later block these signals.
fn remove_at_signals(names: Names, folder: PathBuf) -> Result<()> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        signals.add(signal);
    }
    signals.thread_block()?;
    std::thread::spawn(move || {
        if signals.wait().is_ok() {
            names.remove();
            let _ = fs::remove_dir_all(folder);
            std::process::exit(SIGNALLED);
        }
    });
    Ok(())
}

impl World {
    /// Makes the namespaces and writes the pages. Call it before any other thread starts.
    pub(crate) fn make() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("coalesce-page-loads-").tempdir()?;
        let names = Names::of_this_run();
        remove_at_signals(names.clone(), folder.path().to_owned())?;
        let traces = trace::all();
        for trace in &traces {
            fs::write(file(folder.path(), trace), serde_json::to_string(trace)?)?;
        }
        let operators = traces.iter().flat_map(|trace| &trace.operators);
        let hosts = operators.flat_map(|operator| &operator.hosts);
        let addresses: BTreeSet<String> = hosts.map(|host| host.address.to_string()).collect();
        let addresses: Vec<String> = addresses.into_iter().collect();
        let namespaces = Namespaces::make(&names, &addresses)?;
        let link = Link::start(namespaces.client.clone(), namespaces.server.clone());
        let round_trip = Duration::ZERO;
        Ok(Self { folder, names, link, round_trip, traces, _namespaces: namespaces })
    }

    pub(crate) fn set(&mut self, round_trip: u32, loss: u32) {
        self.round_trip = Duration::from_millis(round_trip.into());
        self.link.set(self.round_trip, loss);
    }

    pub(crate) fn trace(&self, name: &str) -> Result<&Trace> {
        self.traces.iter().find(|trace| trace.name == name).context("no such page")
    }

    /// Starts the servers, under `wrapper` if there is one.
    pub(crate) fn serve(&self, wrapper: &[&str]) -> Result<Server> {
        let program = std::env::current_exe()?;
        let mut command = enter(&self.names.server, "env");
        command.args(wrapper).arg(program).arg("server").arg(self.folder.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("could not start the servers")?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("no output")?);
        let mut server = Server { child, input, output };
        match server.counts() {
            Ok(_) => Ok(server),
            Err(error) => bail!("{error:#}: {}", server.stop()?.trim()),
        }
    }

    /// Loads a page, and returns the report with the bytes on the link.
    pub(crate) fn load(&self, peer: &Peer, trace: &Trace) -> Result<(Loaded, u64)> {
        self.link.take_bytes();
        let loaded = match peer.kind {
            Kind::Curl { immediate } => {
                let (folder, command) = (self.folder.path(), self.client(&["curl"]));
                drivers::load_with_curl(command, immediate, trace, folder, &self.ca())?
            }
            Kind::Own(_) => {
                let mut command = self.client(&[]);
                command.arg(std::env::current_exe()?).args(["load", peer.name]);
                report(command.arg(file(self.folder.path(), trace)).arg(self.ca()))?
            }
            Kind::Node { script, setting } => {
                let mut command = self.client(&["node"]);
                command.arg(node::script(script)).arg(setting);
                report(command.arg(file(self.folder.path(), trace)).arg(self.ca()))?
            }
        };
        // The connections of the client close meanwhile.
        std::thread::sleep(self.round_trip + PAUSE);
        Ok((loaded, self.link.take_bytes()))
    }

    /// Loads a page, or nothing, under a wrapper, and returns what the wrapper reports.
    pub(crate) fn load_under(
        &self,
        wrapper: &[&str],
        peer: &Peer,
        trace: &Trace,
    ) -> Result<(Loaded, String)> {
        let path = file(self.folder.path(), trace);
        if !path.exists() {
            fs::write(&path, serde_json::to_string(trace)?)?;
        }
        let mut command = enter(&self.names.client, "env");
        command.args(wrapper).arg(std::env::current_exe()?).args(["load", peer.name]);
        let output = command.arg(path).arg(self.ca()).output()?;
        let messages = String::from_utf8_lossy(&output.stderr).into_owned();
        let loaded = serde_json::from_slice(&output.stdout).with_context(|| messages.clone())?;
        Ok((loaded, messages))
    }

    /// Returns a command in the client's namespace that ends after some time.
    fn client(&self, words: &[&str]) -> Command {
        let mut command = enter(&self.names.client, "timeout");
        command.arg(SECONDS_MAX).args(words);
        command
    }

    fn ca(&self) -> PathBuf {
        server::ca(self.folder.path())
    }
}

fn file(folder: &Path, trace: &Trace) -> PathBuf {
    folder.join(format!("{}.json", trace.name))
}

/// Runs a client that reports as JSON.
fn report(command: &mut Command) -> Result<Loaded> {
    let output = command.output().with_context(|| format!("could not run {command:?}"))?;
    let messages = String::from_utf8_lossy(&output.stderr);
    if !messages.is_empty() {
        let _ = write!(std::io::stderr().lock(), "{messages}");
    }
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{command:?} ended with {}: {messages}", output.status))
}

impl Server {
    /// Returns the counts since the last call.
    pub(crate) fn counts(&mut self) -> Result<Counts> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        serde_json::from_str(&line).context("the servers have ended")
    }

    /// Asks for the counts, which [`counts`](Self::counts) returns.
    pub(crate) fn take(&mut self) -> Result<Counts> {
        let input = self.input.as_mut().context("the servers are stopped")?;
        input.write_all(b"\n").context("the servers have ended")?;
        self.counts()
    }

    /// Stops the servers, and returns their messages.
    pub(crate) fn stop(mut self) -> Result<String> {
        drop(self.input.take());
        let output = self.child.wait_with_output()?;
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
