//! The `coalesce-lab` command.
#![forbid(unsafe_code)]

use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::net::ToSocketAddrs as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, Parser, Subcommand};
use coalesce_lab::{KnownDifferences, LabError, Record, Report, Scenarios, Target, World, compare};

/// Runs scenarios of misdirected HTTP/2 requests against any server.
#[derive(Debug, Parser)]
#[command(version, args_override_self = true, after_help = AFTER_HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Exit status of `run`:
  0  no verdict is worse than acceptable, but those of --known, which must be
  1  one is
  2  there was no connection to the server
  3  the lab could not be set up";

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes the certificates of the hosts that a server under test serves
    World {
        /// Where they go, with `world.toml`, which describes the hosts
        folder: PathBuf,
        /// Another description of hosts; by default that of this program
        #[arg(long, value_name = "FILE")]
        description: Option<PathBuf>,
    },
    /// Runs the scenarios against a server
    Run(Run),
    /// Lists the scenarios: what is sent, what is accepted, and by which RFC
    List {
        #[command(flatten)]
        choice: Choice,
    },
    /// Prints a table of several servers from the files that `run --json` wrote
    Compare {
        /// One file for each server
        #[arg(required = true)]
        reports: Vec<PathBuf>,
    },
}

/// Which scenarios.
#[derive(Args, Debug)]
struct Choice {
    /// A file of scenarios, or a folder of them; by default those of this program
    #[arg(long, value_name = "PATH")]
    scenarios: Option<PathBuf>,
    /// The ids or kinds of the wanted scenarios, separated by commas; `*` matches any text
    #[arg(long, value_name = "PATTERNS", default_value = "*")]
    only: String,
}

#[derive(Args, Debug)]
struct Run {
    /// The server's address, as HOST:PORT
    #[arg(long)]
    address: String,
    /// The folder that `world` made
    #[arg(long, value_name = "FOLDER")]
    world: PathBuf,
    #[command(flatten)]
    choice: Choice,
    /// What the server is called in the report; by default its address
    #[arg(long)]
    name: Option<String>,
    /// Writes the report to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Scenarios in which the server may differ, and must; one id a line, then the reason
    #[arg(long, value_name = "FILE")]
    known: Option<PathBuf>,
    /// The port that clients believe they connect to; by default the address's
    #[arg(long, value_name = "PORT")]
    public_port: Option<u16>,
    /// The answers do not say which virtual host made them
    #[arg(long)]
    unmarked: bool,
    /// Prints what was sent and what is accepted as well
    #[arg(long, short)]
    verbose: bool,
}

/// Why the command could not do what it was asked.
#[derive(Debug)]
enum Failure {
    Lab(LabError),
    /// A file could not be read or written.
    File(PathBuf, io::Error),
    /// The address is none.
    Address(String),
    /// Standard output was closed.
    Output(io::Error),
}

impl From<LabError> for Failure {
    fn from(error: LabError) -> Self {
        Self::Lab(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lab(error) => error.fmt(f),
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Address(text) => write!(f, "address \"{text}\": expected HOST:PORT"),
            Self::Output(error) => write!(f, "standard output: {error}"),
        }
    }
}

/// The lab could not be set up.
const NOT_SET_UP: u8 = 3;

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::World { folder, description } => make_world(&folder, description.as_deref()),
        Command::Run(arguments) => run(&arguments),
        Command::List { choice } => list(&choice),
        Command::Compare { reports } => print_comparison(&reports),
    };
    done.unwrap_or_else(|failure| {
        // Without a reader of standard error there is nothing left to do.
        let _ = writeln!(io::stderr(), "{failure}");
        NOT_SET_UP
    })
    .into()
}

fn make_world(folder: &Path, description: Option<&Path>) -> Result<u8, Failure> {
    let world = description.map_or_else(World::built_in, World::read_description)?;
    world.write(folder)?;
    Ok(0)
}

fn list(choice: &Choice) -> Result<u8, Failure> {
    let mut output = io::stdout().lock();
    for scenario in choice.scenarios()?.iter() {
        let mut accepted: Vec<String> = Vec::new();
        for accepts in scenario.accepts().map(|accepts| accepts.join(" or ")) {
            if accepted.last() != Some(&accepts) {
                accepted.push(accepts);
            }
        }
        writeln!(output, "{} ({})", scenario.id(), scenario.kind())?;
        writeln!(output, "    {}", scenario.summary())?;
        writeln!(output, "    accepted: {}", accepted.join("; "))?;
        writeln!(output, "    {}", scenario.rfc().join(", "))?;
    }
    Ok(0)
}

fn print_comparison(files: &[PathBuf]) -> Result<u8, Failure> {
    let reports = files.iter().map(|file| Ok(Report::from_json(&read(file)?)?));
    let reports: Vec<_> = reports.collect::<Result<_, Failure>>()?;
    write!(io::stdout(), "{}", compare(&reports))?;
    Ok(0)
}

fn run(arguments: &Run) -> Result<u8, Failure> {
    let scenarios = arguments.choice.scenarios()?;
    let target = arguments.target(&scenarios)?;
    let name = arguments.name.as_ref().unwrap_or(&arguments.address);
    let mut report = Report::new(name, &target.address().to_string());
    let width = scenarios.iter().map(|scenario| scenario.id().len()).max().unwrap_or(0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut output = io::stdout().lock();
    for scenario in scenarios.iter() {
        let begun = Instant::now();
        let record = runtime.block_on(target.run(scenario));
        print_record(&mut output, &record, width, arguments.verbose)?;
        report.add(record, begun.elapsed().as_secs_f64());
    }
    if let Some(file) = &arguments.json {
        fs::write(file, report.to_json()?).map_err(|error| Failure::File(file.clone(), error))?;
    }
    let complaints = match &arguments.known {
        None => Vec::new(),
        Some(file) => KnownDifferences::parse(&read(file)?).complaints(&report),
    };
    for complaint in &complaints {
        writeln!(output, "{complaint}")?;
    }
    writeln!(output, "{}", report.summary())?;
    let is_fine = if arguments.known.is_some() { complaints.is_empty() } else { report.is_fine() };
    Ok(match (report.is_unreachable(), is_fine) {
        (true, _) => 2,
        (false, true) => 0,
        (false, false) => 1,
    })
}

fn print_record(
    output: &mut impl io::Write,
    record: &Record,
    width: usize,
    verbose: bool,
) -> io::Result<()> {
    let verdict = record.verdict().map_or_else(|| "skipped".into(), |one| one.to_string());
    writeln!(output, "{verdict:<15}  {:<width$}  {}", record.id(), record.outcome())?;
    if verbose {
        writeln!(output, "    {} ({})", record.summary(), record.rfc().join(", "))?;
        for request in record.requests() {
            let accepted = request.accepts().join(" or ");
            writeln!(
                output,
                "    {} x {}, accepted: {accepted}",
                request.times(),
                request.outcome()
            )?;
        }
        writeln!(output, "    bystander: {}", record.bystander().unwrap_or("none"))?;
    }
    output.flush()
}

fn read(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(|error| Failure::File(file.to_owned(), error))
}

impl Choice {
    fn scenarios(&self) -> Result<Scenarios, LabError> {
        let all = match &self.scenarios {
            None => Scenarios::built_in(),
            Some(path) => Scenarios::read(path),
        };
        Ok(all?.select(&self.only))
    }
}

impl Run {
    fn target(&self, scenarios: &Scenarios) -> Result<Target, Failure> {
        World::read(&self.world)?.check(scenarios)?;
        let addresses = self.address.to_socket_addrs();
        let address = addresses.ok().and_then(|mut addresses| addresses.next());
        let address = address.ok_or_else(|| Failure::Address(self.address.clone()))?;
        let mut target = Target::new(address, &self.world)?;
        if let Some(port) = self.public_port {
            target = target.with_public_port(port);
        }
        if self.unmarked {
            target = target.without_marks();
        }
        Ok(target)
    }
}
