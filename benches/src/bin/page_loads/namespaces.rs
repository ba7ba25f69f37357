//! Two network namespaces with a TUN device each. They are removed at the end.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tun_rs::{DeviceBuilder, SyncDevice};

/// The address of the DNS server. The origin servers have the addresses of the pages.
pub(crate) const SERVER: &str = "10.77.0.2";

/// The client's address and the network of all addresses.
const CLIENT: &str = "10.77.0.1";

/// The name of the device in each namespace.
const DEVICE: &str = "page0";

/// The most bytes of a packet: that of Ethernet.
pub(crate) const PACKET_BYTES_MAX: u16 = 1500;

/// The packets that wait in a device at most. A burst of the server must not lose packets there.
const QUEUE: &str = "10000";

/// The names of the two namespaces.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) client: String,
    pub(crate) server: String,
}

impl Names {
    /// Returns names that no other run uses.
    pub(crate) fn of_this_run() -> Self {
        let id = std::process::id();
        Self { client: format!("page-loads-{id}-c"), server: format!("page-loads-{id}-s") }
    }

    fn both(&self) -> [&str; 2] {
        [&self.client, &self.server]
    }

    /// Ends all processes in the namespaces and removes the namespaces. It is safe to repeat.
    pub(crate) fn remove(&self) {
        for name in self.both() {
            let pids = Command::new("ip").args(["netns", "pids", name]).output();
            let pids = pids.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
            for pid in pids.unwrap_or_default().split_ascii_whitespace() {
                if let Ok(pid) = pid.parse() {
                    // The process may have ended by itself.
                    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
                }
            }
            // A namespace that was not made cannot be removed.
            let _ = Command::new("ip").args(["netns", "del", name]).stderr(Stdio::null()).status();
            let _ = fs::remove_dir_all(files(name));
        }
    }
}

/// The folder whose files `ip netns exec` puts in the place of those in `/etc`.
fn files(name: &str) -> PathBuf {
    PathBuf::from("/etc/netns").join(name)
}

/// Two namespaces that exist as long as this value.
pub(crate) struct Namespaces {
    names: Names,
    /// The devices, which disappear with their last descriptor.
    pub(crate) client: Arc<SyncDevice>,
    pub(crate) server: Arc<SyncDevice>,
}

impl Namespaces {
    /// Makes both namespaces, their devices and the file that names the DNS server.
    pub(crate) fn make(names: &Names, servers: &[String]) -> Result<Self> {
        let made = Self::try_make(names, servers);
        if made.is_err() {
            names.remove();
        }
        made
    }

    fn try_make(names: &Names, servers: &[String]) -> Result<Self> {
        for name in names.both() {
            ip(&["netns", "add", name])?;
            ip(&["-n", name, "link", "set", "lo", "up"])?;
            fs::create_dir_all(files(name))?;
            fs::write(files(name).join("resolv.conf"), format!("nameserver {SERVER}\n"))?;
            // Otherwise the kernel would remember the round trips of earlier page loads.
            run(enter(name, "sysctl").args(["-qw", "net.ipv4.tcp_no_metrics_save=1"]))?;
        }
        let client = Arc::new(device(&names.client)?);
        let server = Arc::new(device(&names.server)?);
        for (name, address) in [(&names.client, CLIENT), (&names.server, SERVER)] {
            ip(&["-n", name, "addr", "add", &format!("{address}/16"), "dev", DEVICE])?;
            ip(&["-n", name, "link", "set", DEVICE, "txqueuelen", QUEUE, "up"])?;
        }
        for address in servers {
            ip(&["-n", &names.server, "addr", "add", &format!("{address}/32"), "dev", DEVICE])?;
        }
        Ok(Self { names: names.clone(), client, server })
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        self.names.remove();
    }
}

/// Returns a command that runs `program` in a namespace.
pub(crate) fn enter(name: &str, program: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", name, program]);
    command
}

/// Makes a device in a namespace. Only the thread that makes it enters the namespace.
fn device(name: &str) -> Result<SyncDevice> {
    let namespace = File::open(PathBuf::from("/run/netns").join(name))?;
    let make = move || -> Result<SyncDevice> {
        setns(namespace, CloneFlags::CLONE_NEWNET)?;
        Ok(DeviceBuilder::new().name(DEVICE).mtu(PACKET_BYTES_MAX).build_sync()?)
    };
    match std::thread::spawn(make).join() {
        Ok(device) => device.with_context(|| format!("could not make a TUN device in {name}")),
        Err(_) => bail!("the thread that makes a TUN device panicked"),
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    run(Command::new("ip").args(arguments))
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("could not run {command:?}"))?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?} failed: {}", error.trim());
    }
    Ok(())
}
