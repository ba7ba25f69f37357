//! The measurements and their order.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail, ensure};
use coalesce_benches::progress::Progress;
use coalesce_benches::statistics::{interval, median};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::arguments::{Arguments, SETS};
use crate::case::Case;
use crate::client::{Answer, Client};
use crate::cpu::{self, Extent, Job};
use crate::kinds::{BASELINE, KINDS, Kind, OURS, by_name};
use crate::programs::Programs;
use crate::records::{Absent, Record};
use crate::run::{Bench, Cores};
use crate::server::Server;
use crate::world::World;
use crate::{calls, h2load, instructions, latency, memory, scaling};

/// The number of open files: the connections of [`memory`], and some more.
const FILES: u64 = 8192;

/// The work of one run of the program.
pub(crate) struct Plan {
    world: World,
    programs: Programs,
    cores: Cores,
    functions: bool,
    quick: bool,
    extent: Extent,
    connections: Vec<usize>,
    kinds: Vec<&'static Kind>,
    pub(crate) sets: Vec<&'static str>,
}

impl Plan {
    /// Builds the programs to measure, and makes their certificates.
    pub(crate) fn new(arguments: &Arguments) -> Result<Self> {
        h2load::check_installed()?;
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
        if soft < FILES {
            setrlimit(Resource::RLIMIT_NOFILE, FILES.min(hard), hard)?;
        }
        let (mut rounds, mut seconds) = (usize::from(arguments.rounds), arguments.seconds);
        if arguments.quick {
            (rounds, seconds) = (rounds.min(3), seconds.min(0.25));
        }
        let mut kinds = arguments.server.clone();
        if kinds.is_empty() {
            kinds = KINDS.iter().collect();
        } else if !kinds.iter().any(|kind| kind.name == BASELINE) {
            kinds.extend(by_name(BASELINE));
        }
        let sets = if arguments.set.is_empty() { SETS.to_vec() } else { arguments.set.clone() };
        Ok(Self {
            world: World::make()?,
            programs: Programs::new(arguments.coalesce.as_deref())?,
            cores: Cores::look()?,
            functions: arguments.functions,
            quick: arguments.quick,
            extent: Extent { rounds, seconds },
            connections: arguments.conns.iter().copied().map(usize::from).collect(),
            kinds,
            sets,
        })
    }

    fn bench(&self) -> Bench<'_> {
        Bench {
            world: &self.world,
            programs: &self.programs,
            cores: self.cores.clone(),
            functions: self.functions,
        }
    }

    /// Returns Coalesce and the baseline. The sets that look inside a server measure only these.
    fn own(&self) -> impl Iterator<Item = &'static Kind> {
        let kinds = self.kinds.iter().copied();
        kinds.filter(|kind| [BASELINE, OURS].contains(&kind.name))
    }

    /// Measures one set of figures.
    pub(crate) fn measure(&self, set: &str, progress: &mut Progress) -> Result<Vec<Record>> {
        let bench = self.bench();
        same_answers(&bench)?;
        let mut records = Vec::new();
        match set {
            cpu::SET => records = self.cpu(&bench, progress)?,
            instructions::SET => {
                for (case, kind) in Case::ALL.into_iter().flat_map(|case| self.with_own(case)) {
                    let (case_name, name) = (case.name(), kind.name);
                    progress.say(format_args!("instructions: {name}, {case_name}"));
                    records.extend(instructions::count(&bench, kind, case)?);
                }
            }
            calls::SET => {
                for (case, kind) in Case::PLAIN.into_iter().flat_map(|case| self.with_own(case)) {
                    for connections in &self.connections {
                        let (case_name, name) = (case.name(), kind.name);
                        progress.say(format_args!("calls: {name}, {case_name}, {connections}"));
                        records.extend(calls::count(&bench, kind, case, *connections)?);
                    }
                }
            }
            latency::SET => {
                let kinds: Vec<_> = self.own().collect();
                for case in Case::PLAIN {
                    records.extend(latency::measure(&bench, &kinds, case, self.quick, progress)?);
                }
            }
            memory::SET => {
                for kind in self.own() {
                    let times = if self.quick { 1 } else { 3 };
                    records.extend(memory::measure(&bench, kind, times, progress)?);
                }
            }
            scaling::SET => {
                for (case, kind) in Case::PLAIN.into_iter().flat_map(|case| self.with_own(case)) {
                    records.extend(scaling::measure(&bench, kind, case, self.extent, progress)?);
                }
            }
            _ => bail!("there is no set {set}"),
        }
        Ok(records)
    }

    fn with_own(&self, case: Case) -> impl Iterator<Item = (Case, &'static Kind)> {
        self.own().map(move |kind| (case, kind))
    }

    /// Measures all servers in turns.
    fn cpu(&self, bench: &Bench<'_>, progress: &mut Progress) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        let mut servers = Vec::new();
        for kind in &self.kinds {
            match kind.missing() {
                Some(reason) => {
                    let (set, server) = (cpu::SET.to_owned(), kind.name.to_owned());
                    records.push(Record::Absent(Absent { set, server, reason }));
                }
                None => servers.push(checked(bench, kind)?),
            }
        }
        let jobs: Vec<Job<'_>> = servers
            .iter()
            .flat_map(|server| {
                server.kind.cases.iter().map(move |case| Job { server, case: *case })
            })
            .collect();
        for connections in &self.connections {
            records.extend(cpu::measure(bench, &jobs, *connections, self.extent, progress)?);
        }
        for server in servers {
            server.stop()?;
        }
        Ok(records)
    }

    /// Compares only two servers, for each number of connections: the second in terms of the first.
    pub(crate) fn pair(
        &self,
        first: (&'static Kind, Case),
        second: (&'static Kind, Case),
        progress: &mut Progress,
    ) -> Result<String> {
        let bench = self.bench();
        let started = [checked(&bench, first.0)?, checked(&bench, second.0)?];
        let jobs = [
            Job { server: &started[0], case: first.1 },
            Job { server: &started[1], case: second.1 },
        ];
        let mut text = String::new();
        for connections in &self.connections {
            let costs = cpu::rounds(&bench, &jobs, *connections, self.extent, progress)?;
            let ratios = cpu::ratios(&costs[1], &costs[0]);
            let ([low, high], middle) = (interval(&ratios), median(ratios));
            let [of, to] =
                [first, second].map(|(kind, case)| format!("{}:{}", kind.name, case.name()));
            let _ = writeln!(
                text,
                "CPU time of {to} to {of}, connections: {connections}: \
                 {middle:.3} [{low:.3}, {high:.3}]"
            );
        }
        for server in started {
            server.stop()?;
        }
        Ok(text)
    }
}

/// Starts a server and checks its answers.
fn checked(bench: &Bench<'_>, kind: &'static Kind) -> Result<Server> {
    if let Some(reason) = kind.missing() {
        bail!("{}: {reason}", kind.name);
    }
    let server = bench.launch(kind, &[]).start()?;
    let client = Client::new(bench.world)?;
    for case in kind.cases {
        client
            .check(server.address, *case)
            .with_context(|| format!("{} gave a wrong answer to a {}", kind.name, case.name()))?;
    }
    Ok(server)
}

/// Returns an error if the baseline and Coalesce answer differently, because then they cannot be
/// compared.
fn same_answers(bench: &Bench<'_>) -> Result<()> {
    let client = Client::new(bench.world)?;
    let answers = |name| -> Result<Vec<Answer>> {
        let kind = by_name(name).context("it is measured")?;
        let server = bench.launch(kind, &[]).start()?;
        let answers = Case::ALL.map(|case| client.check(server.address, case));
        server.stop()?;
        answers.into_iter().collect()
    };
    for (bare, ours) in answers(BASELINE)?.into_iter().zip(answers(OURS)?) {
        ensure!(bare == ours, "the baseline answers {bare:?}, and ours {ours:?}");
    }
    Ok(())
}
