//! Whole servers beside each other: what a request costs.
//!
//! | module | holds |
//! | --- | --- |
//! | `case`, `world`, `configurations`, `kinds` | what is asked, of whom, and how each is set up |
#![expect(clippy::cast_precision_loss, reason = "figures of measurements are rounded anyway")]
#![expect(dead_code, reason = "more measurements follow")]

mod callgrind;
mod case;
mod client;
mod configurations;
mod instructions;
mod kinds;
mod processes;
mod programs;
mod records;
mod run;
mod server;
mod world;

use std::io::Write as _;
use std::path::PathBuf;

use clap::Parser;

/// Count instructions and allocations of one request, in bare h2 and in `coalesce serve`.
#[derive(Debug, Parser)]
#[command(name = "servers")]
struct Arguments {
    /// A case: 200, 421 or 421-upload; may be repeated. All by default.
    #[arg(long)]
    case: Vec<String>,
    /// A built `coalesce`; by default it is built.
    #[arg(long, value_name = "PATH")]
    coalesce: Option<PathBuf>,
    /// Print the functions as well.
    #[arg(long)]
    functions: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let world = world::World::make()?;
    let programs = programs::Programs::new(arguments.coalesce.as_deref())?;
    let cores = run::Cores::look()?;
    let bench =
        run::Bench { world: &world, programs: &programs, cores, functions: arguments.functions };
    let mut records = records::Records::default();
    let wanted = |case: &case::Case| {
        arguments.case.is_empty() || arguments.case.iter().any(|name| *name == case.name())
    };
    for case in case::Case::ALL.into_iter().filter(wanted) {
        for kind in &kinds::KINDS[..2] {
            records.add(instructions::count(&bench, kind, case)?);
        }
    }
    let mut output = std::io::stdout().lock();
    for figure in records.figures("instructions") {
        let (case, server) = (&figure.case, &figure.server);
        writeln!(output, "{case:<12}{server:<12}{:<22}{:>10.2}", figure.quantity, figure.value)?;
    }
    Ok(())
}
