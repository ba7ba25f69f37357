//! `coalesce inspect`: reports the content of a compiled table or identifier set.

mod identifiers;

use std::collections::HashSet;
use std::fmt;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use coalesce_core::{DnsName, NamePattern, TableEntry};
use serde::Serialize;

use crate::table_image::{self, Compiled, Storage, Table};
use crate::terminal::exit::{Exit, Failure};
use crate::terminal::output::Output;

/// The arguments of `coalesce inspect`.
#[derive(Args, Debug)]
pub(crate) struct InspectArguments {
    /// The compiled table or identifier set
    #[arg(value_name = "TABLE")]
    pub(crate) table: PathBuf,
    /// List its entries instead, in order, as 'coalesce compile' reads them, or its identifiers, as
    /// 'coalesce match --san' reads them
    #[arg(long)]
    pub(crate) names: bool,
    /// List those for this name and below it only
    #[arg(long, value_name = "SUFFIX", requires = "names", value_parser = name)]
    pub(crate) below: Option<String>,
    /// Map the file instead of reading it into memory; it must not change meanwhile
    #[arg(long)]
    pub(crate) map: bool,
    /// Answer as one JSON object, or one for each entry
    #[arg(long)]
    pub(crate) json: bool,
}

fn name(text: &str) -> Result<String, String> {
    match DnsName::parse(text.as_bytes()) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

pub(crate) fn run(arguments: &InspectArguments) -> Result<Exit, Failure> {
    let compiled = table_image::open_any(&arguments.table, Storage::mapped_if(arguments.map))?;
    let below = arguments.below.as_deref().map(parsed).transpose()?;
    let path = arguments.table.display().to_string();
    let (json, mut output) = (arguments.json, Output::stdout());
    match (&compiled, arguments.names) {
        (Compiled::Table(table), true) => list(table, below, json, &mut output)?,
        (Compiled::Table(table), false) => {
            report(&TableReport::new(path, table), json, &mut output)?;
        }
        (Compiled::Identifiers(set), true) => identifiers::list(set, below, json, &mut output)?,
        (Compiled::Identifiers(set), false) => {
            report(&identifiers::SetReport::new(path, set), json, &mut output)?;
        }
    }
    output.flush()?;
    Ok(Exit::Fine)
}

/// One entry, as JSON.
#[derive(Debug, Serialize)]
struct ListedEntry {
    pattern: String,
    virtual_host: u32,
    group: u32,
}

fn parsed(suffix: &str) -> Result<DnsName<'_>, Failure> {
    DnsName::parse(suffix.as_bytes())
        .map_err(|error| Failure::usage(format_args!("{suffix}: {error}")))
}

fn report(
    report: &(impl Serialize + fmt::Display),
    json: bool,
    output: &mut Output<impl Write>,
) -> Result<(), Failure> {
    if json { output.json(report) } else { output.line(report) }
}

fn list(
    table: &Table,
    below: Option<DnsName<'_>>,
    json: bool,
    output: &mut Output<impl Write>,
) -> Result<(), Failure> {
    let mut list = |TableEntry { pattern, virtual_host, group, .. }: TableEntry<'_>| {
        if json {
            let (virtual_host, group) = (virtual_host.get(), group.get());
            output.json(&ListedEntry { pattern: pattern.to_string(), virtual_host, group })
        } else {
            output.line(format_args!("{pattern} {virtual_host} {group}"))
        }
    };
    match below {
        None => table.entries().try_for_each(list),
        Some(suffix) => table.entries_below(suffix).try_for_each(&mut list),
    }
}

/// The report about a table.
#[derive(Debug, Serialize)]
struct TableReport {
    table: String,
    kind: &'static str,
    layout: &'static str,
    names: usize,
    exact: usize,
    one_label: usize,
    any_depth: usize,
    addresses: usize,
    catch_all: usize,
    virtual_hosts: usize,
    groups: usize,
    depth: usize,
    longest: Option<String>,
    bytes: usize,
    bytes_per_name: f64,
    checksum: String,
}

impl TableReport {
    fn new(path: String, table: &Table) -> Self {
        let mut report = Self {
            table: path,
            kind: "authority table",
            layout: table_image::layout_name(table.layout()),
            names: table.len(),
            exact: 0,
            one_label: 0,
            any_depth: 0,
            addresses: 0,
            catch_all: 0,
            virtual_hosts: 0,
            groups: table.groups().count(),
            depth: 0,
            longest: None,
            bytes: table.as_bytes().len(),
            bytes_per_name: table_image::bytes_per_name(table),
            checksum: table_image::checksum_text(table.checksum()),
        };
        let mut virtual_hosts = HashSet::new();
        let mut longest = String::new();
        for entry in table.entries() {
            virtual_hosts.insert(entry.virtual_host.get());
            let (count, name) = match entry.pattern.as_pattern() {
                Some(NamePattern::Exact(name)) => (&mut report.exact, Some(name)),
                Some(NamePattern::OneLabel(parent)) => (&mut report.one_label, Some(parent)),
                Some(NamePattern::AnyDepth(parent)) => (&mut report.any_depth, Some(parent)),
                Some(NamePattern::Ip(_)) => (&mut report.addresses, None),
                Some(NamePattern::CatchAll) => (&mut report.catch_all, None),
                _ => continue,
            };
            *count += 1;
            if let Some(name) = name {
                report.depth = report.depth.max(labels(name));
                if name.as_bytes().len() > longest.len() {
                    longest = name.to_string();
                }
            }
        }
        report.virtual_hosts = virtual_hosts.len();
        report.longest = Some(longest).filter(|longest| !longest.is_empty());
        report
    }
}

fn labels(name: DnsName<'_>) -> usize {
    name.as_bytes().split(|byte| *byte == b'.').count()
}

impl fmt::Display for TableReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "table          {}", self.table)?;
        writeln!(f, "kind           {}, layout {}", self.kind, self.layout)?;
        writeln!(f, "names          {}", self.names)?;
        writeln!(f, "  name         {}", self.exact)?;
        writeln!(f, "  *.name       {}", self.one_label)?;
        writeln!(f, "  **.name      {}", self.any_depth)?;
        writeln!(f, "  address      {}", self.addresses)?;
        writeln!(f, "  *            {}", self.catch_all)?;
        writeln!(f, "virtual hosts  {}, in {} groups", self.virtual_hosts, self.groups)?;
        writeln!(f, "depth          {} labels", self.depth)?;
        if let Some(longest) = &self.longest {
            writeln!(f, "longest name   {longest}, {} bytes", longest.len())?;
        }
        writeln!(f, "bytes          {}, {:.1} a name", self.bytes, self.bytes_per_name)?;
        write!(f, "checksum       {}", self.checksum)
    }
}
