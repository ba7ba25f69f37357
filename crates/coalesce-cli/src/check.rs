//! `coalesce check`: reports whether a configuration loads, with all errors and warnings.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::config::{Configuration, Finding, Site};
use crate::terminal::exit::{Exit, Failure};
use crate::terminal::output::Output;

/// The arguments of `coalesce check`.
#[derive(Args, Debug)]
pub(crate) struct CheckArguments {
    /// The configuration file
    #[arg(value_name = "FILE", required_unless_present = "config")]
    pub(crate) file: Option<PathBuf>,
    /// The configuration file, named as for 'coalesce serve'
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    pub(crate) config: Option<PathBuf>,
    /// Exit with 1 if there is a warning
    #[arg(long)]
    pub(crate) deny_warnings: bool,
    /// Answer as one JSON object, with errors and warnings in it
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(arguments: &CheckArguments) -> Result<Exit, Failure> {
    let Some(path) = arguments.config.as_ref().or(arguments.file.as_ref()) else {
        return Err(Failure::usage("no configuration file; expected FILE"));
    };
    let mut output = Output::stdout();
    let file = path.display().to_string();
    let exit = match Configuration::load(path) {
        Ok(configuration) => {
            let (site, warnings) = (&configuration.site, &configuration.warnings);
            let content = Content::of(site);
            if arguments.json {
                let warnings = warnings.iter().collect();
                let content = Some(content);
                output.json(&Report {
                    file,
                    valid: true,
                    errors: Vec::new(),
                    warnings,
                    content,
                })?;
            } else {
                output.line(format_args!("{file} is valid: {content}"))?;
                for warning in warnings {
                    output.line(format_args!("warning: {warning}"))?;
                }
            }
            let denied = arguments.deny_warnings && !warnings.is_empty();
            if denied { Exit::No } else { Exit::Fine }
        }
        Err(errors) if arguments.json => {
            let (errors, warnings) = (errors.findings().collect(), Vec::new());
            output.json(&Report { file, valid: false, errors, warnings, content: None })?;
            Exit::Configuration
        }
        Err(errors) => return Err(Failure::configuration(errors)),
    };
    output.flush()?;
    Ok(exit)
}

/// The answer as JSON.
#[derive(Debug, Serialize)]
struct Report<'a> {
    file: String,
    valid: bool,
    errors: Vec<&'a Finding>,
    warnings: Vec<&'a Finding>,
    #[serde(flatten)]
    content: Option<Content>,
}

/// The content of a valid configuration.
#[derive(Debug, Serialize)]
struct Content {
    listeners: Vec<String>,
    virtual_hosts: usize,
    groups: usize,
    /// Names, with those of a compiled table.
    names: usize,
    certificates: Vec<Certificate>,
}

/// A certificate file.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Certificate {
    /// Seconds after 1970-01-01.
    #[serde(skip)]
    end: i64,
    not_after: String,
    file: String,
}

impl Content {
    fn of(site: &Site) -> Self {
        // Several virtual hosts may name one file.
        let certificates: BTreeSet<Certificate> = site
            .certificates()
            .map(|certificate| {
                let not_after = certificate.validity_period().not_after();
                let file = certificate.label().to_owned();
                let (end, not_after) = (not_after.unix_seconds(), not_after.to_string());
                Certificate { end, not_after, file }
            })
            .collect();
        let addresses = site.listeners().iter().map(|listener| listener.address().to_string());
        Self {
            listeners: addresses.collect(),
            virtual_hosts: site.hosts().len(),
            groups: site.groups().len(),
            names: site.authorities().len(),
            certificates: certificates.into_iter().collect(),
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { listeners, virtual_hosts, groups, names, certificates } = self;
        for (count, one, several) in [
            (listeners.len(), "listener", "listeners"),
            (*virtual_hosts, "virtual host", "virtual hosts"),
            (*groups, "group", "groups"),
            (*names, "name", "names"),
        ] {
            write!(f, "{count} {}, ", if count == 1 { one } else { several })?;
        }
        match certificates.as_slice() {
            [] => f.write_str("no certificate"),
            [only] => write!(f, "1 certificate, which ends {}", only.not_after),
            [first, ..] => {
                let (count, Certificate { file, not_after, .. }) = (certificates.len(), first);
                write!(f, "{count} certificates, of which {file} ends first, {not_after}")
            }
        }
    }
}
