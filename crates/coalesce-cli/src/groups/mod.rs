//! `coalesce groups`: which virtual hosts may share a connection, and why others may not.

mod connections;
mod difference;
mod judge;
mod pair;
mod report;
mod text;

use std::path::PathBuf;

use clap::Args;

use crate::config::Configuration;
use crate::terminal::exit::{Exit, Failure};
use crate::terminal::output::Output;
use crate::terminal::text::host_argument;

/// The arguments of `coalesce groups`.
#[derive(Args, Debug)]
pub(crate) struct GroupsArguments {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Answer as one JSON object, or one for each pair of hosts
    #[arg(long)]
    pub(crate) json: bool,
    /// Hosts to compare, each with each, instead of the whole report
    #[arg(value_name = "HOST", value_parser = host_argument, num_args = 2..)]
    pub(crate) hosts: Vec<String>,
}

pub(crate) fn run(arguments: &GroupsArguments) -> Result<Exit, Failure> {
    let configuration = Configuration::load(&arguments.config).map_err(Failure::configuration)?;
    configuration.log();
    let site = &configuration.site;
    let mut output = Output::stdout();
    let exit = if arguments.hosts.is_empty() {
        let report = report::report(site);
        if arguments.json {
            output.json(&report)?;
        } else {
            text::write(&report, &mut output)?;
        }
        Exit::Fine
    } else {
        let mut all = true;
        for pair in pair::pairs(site, &arguments.hosts) {
            all &= pair.shares;
            if arguments.json {
                output.json(&pair)?;
            } else {
                output.line(&pair)?;
            }
        }
        if all { Exit::Fine } else { Exit::No }
    };
    output.flush()?;
    Ok(exit)
}
