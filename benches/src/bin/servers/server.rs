//! Starts and stops servers.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::kinds::{Kind, Program, find};
use crate::processes;
use crate::programs::Programs;
use crate::world::{Place, World};

/// The time in which a server must listen, and end. Valgrind makes both slow.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// The settings to start a server.
pub(crate) struct Launch<'a> {
    pub(crate) world: &'a World,
    pub(crate) programs: &'a Programs,
    pub(crate) kind: &'static Kind,
    /// The processors, in the form of `taskset -c`.
    pub(crate) cores: &'a str,
    pub(crate) workers: usize,
    /// The command that runs the server, such as valgrind; empty for none.
    pub(crate) wrapper: &'a [String],
}

/// A running server. Dropping it kills it.
pub(crate) struct Server {
    pub(crate) kind: &'static Kind,
    pub(crate) address: SocketAddr,
    /// The server's own process, below the wrapper.
    pub(crate) leader: Pid,
    child: Child,
    log: PathBuf,
}

impl Launch<'_> {
    pub(crate) fn start(&self) -> Result<Server> {
        self.try_start().with_context(|| format!("could not start {}", self.kind.name))
    }

    fn try_start(&self) -> Result<Server> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{number}", self.kind.name);
        let place = Place {
            port: free_port()?,
            workers: self.workers,
            has_workers_flag: self.programs.has_workers_flag,
            scratch: self.world.scratch(&name)?,
        };
        let arguments = (self.kind.arguments)(self.world, &place)?;
        let program = match self.kind.program {
            Program::Own(name) => self.programs.path(name),
            Program::System { program, .. } => {
                find(program).with_context(|| self.kind.missing().unwrap_or_default())?
            }
        };
        let log = place.scratch.join("log");
        let mut command = Command::new("taskset");
        command.args(["-c", self.cores]).args(self.wrapper).arg(program).args(arguments);
        command
            .current_dir(&place.scratch)
            .env("HOME", &place.scratch)
            .env("GOMAXPROCS", self.workers.to_string())
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stderr(File::options().create(true).append(true).open(&log)?);
        let own = self.kind.is_own();
        command.stdout(if own {
            Stdio::piped()
        } else {
            File::options().append(true).open(&log)?.into()
        });
        let child = command.spawn().context("taskset (util-linux) does not run")?;
        let leader = pid(&child)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, place.port));
        let mut server = Server { kind: self.kind, address, leader, child, log };
        if own {
            server.address = server.announced()?;
        } else {
            server.wait_until_it_listens()?;
        }
        // `strace` stays the parent of its program.
        if let Some(below) = self.wrapper.first().filter(|tool| *tool == "strace") {
            let children = processes::children(leader);
            server.leader = *children.first().with_context(|| format!("{below} runs nothing"))?;
        }
        Ok(server)
    }
}

impl Server {
    /// Returns user and system time of all processes so far.
    pub(crate) fn cpu_time(&self) -> Duration {
        processes::cpu_time(self.leader)
    }

    /// Empties the log, before it fills the disk.
    pub(crate) fn empty_log(&self) -> Result<()> {
        Ok(File::options().write(true).open(&self.log)?.set_len(0)?)
    }

    /// Stops the server and waits for its end.
    pub(crate) fn stop(mut self) -> Result<()> {
        kill(self.leader, Signal::SIGTERM)?;
        let started = Instant::now();
        while self.child.try_wait()?.is_none() {
            if started.elapsed() > PATIENCE {
                bail!("{} does not end", self.kind.name);
            }
            sleep(PAUSE);
        }
        Ok(())
    }

    /// Returns the address that Coalesce or the baseline prints.
    fn announced(&mut self) -> Result<SocketAddr> {
        let output = self.child.stdout.take().context("the output is read")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        match line.trim().strip_prefix("listening on ") {
            Some(address) => Ok(address.parse()?),
            None => bail!("expected an address, found {line:?}; {}", self.said()),
        }
    }

    fn wait_until_it_listens(&mut self) -> Result<()> {
        let started = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status}; {}", self.said());
            }
            if started.elapsed() > PATIENCE {
                bail!("it does not listen; {}", self.said());
            }
            sleep(PAUSE);
        }
        Ok(())
    }

    fn said(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        format!("it said: {}", text.trim())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let processes = processes::tree(self.leader);
        if let Ok(None) = self.child.try_wait() {
            for pid in processes {
                // The process may have ended already.
                let _ = kill(pid, Signal::SIGKILL);
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn pid(child: &Child) -> Result<Pid> {
    Ok(Pid::from_raw(i32::try_from(child.id())?))
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
