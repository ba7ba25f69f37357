//! `coalesce groups`: which virtual hosts may share a connection, and why others may not.

mod difference;
mod pair;
mod report;
mod text;

use crate::cli::GroupsArguments;
use crate::config::Site;
use crate::exit::{Exit, Failure};
use crate::output::Output;

pub(crate) fn run(arguments: &GroupsArguments) -> Result<Exit, Failure> {
    let site = Site::load(&arguments.config).map_err(Failure::configuration)?;
    site.log();
    let mut output = Output::stdout();
    let exit = if arguments.hosts.is_empty() {
        let report = report::report(&site);
        if arguments.json {
            output.json(&report)?;
        } else {
            text::write(&report, &mut output)?;
        }
        Exit::Fine
    } else {
        let mut all = true;
        for pair in pair::pairs(&site, &arguments.hosts) {
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
