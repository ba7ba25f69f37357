//! `coalesce compile`: compiles a list of names into a table that is loaded instead of built, or
//! the names of a certificate into an identifier set.

mod certificate;
mod faults;
mod list;
mod output_file;
mod owners;

use std::fmt;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use coalesce_core::{AuthorityTable, AuthorityTableBuilder, BuildError, Entry, GroupId, Layout};
use serde::Serialize;

use crate::compile::faults::ListFaults;
use crate::compile::list::{LineFault, List, ListLine, Position};
use crate::compile::output_file::OutputFile;
use crate::compile::owners::{Entered, ListEntry, Owner, Owners};
use crate::config::{Configuration, Overrides};
use crate::table_image::{self, Kind};
use crate::terminal::exit::{Exit, Failure};
use crate::terminal::logging::Logging;
use crate::terminal::output::Output;
use crate::terminal::progress::Progress;

/// The number of lines between two looks at the clock.
const LINES_BETWEEN_REPORTS: u64 = 1 << 12;

/// The arguments of `coalesce compile`.
#[derive(Args, Debug)]
pub(crate) struct CompileArguments {
    /// The list, one entry on each line; '-' for standard input
    #[arg(value_name = "LIST", required_unless_present = "certificate")]
    pub(crate) list: Option<PathBuf>,
    /// Make an identifier set of the names of this certificate instead, PEM or DER; of a chain the
    /// first counts
    #[arg(long, value_name = "FILE", conflicts_with_all = ["list", "config", "layout"])]
    pub(crate) certificate: Option<PathBuf>,
    /// Where the table or the set goes; an older one is replaced once the new one is whole
    #[arg(short, long, value_name = "OUTPUT")]
    pub(crate) output: PathBuf,
    /// The configuration that the table is for: virtual hosts are named as it names them, and its
    /// own names are compiled as well
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// What the table is made for
    #[arg(long, value_enum, default_value_t = TableLayout::Fast, value_name = "LAYOUT")]
    pub(crate) layout: TableLayout,
    /// Print the summary as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableLayout {
    /// The quickest lookups, in about 33 bytes a name
    Fast,
    /// The fewest bytes, about 15 a name
    Compact,
}

impl From<TableLayout> for Layout {
    fn from(layout: TableLayout) -> Self {
        match layout {
            TableLayout::Fast => Self::Fast,
            TableLayout::Compact => Self::Compact,
        }
    }
}

pub(crate) fn run(arguments: &CompileArguments, logging: &Logging) -> Result<Exit, Failure> {
    match (&arguments.certificate, &arguments.list) {
        (Some(certificate), _) => certificate::run(certificate, &arguments.output, arguments.json),
        (None, Some(list)) => compile_list(arguments, list, logging),
        // The command line requires one of them.
        (None, None) => Err(Failure::usage("no list and no --certificate; one of them expected")),
    }
}

fn compile_list(
    arguments: &CompileArguments,
    list: &Path,
    logging: &Logging,
) -> Result<Exit, Failure> {
    // The configuration may name the table that this command is about to make.
    let overrides = Overrides { no_table: true, ..Overrides::default() };
    let configuration = match &arguments.config {
        None => None,
        Some(path) => {
            Some(Configuration::load_with(path, overrides, None).map_err(Failure::configuration)?)
        }
    };
    let output_file = OutputFile::find(&arguments.output, Kind::Table)?;
    let list = List::open(list)?;
    if let Some(configuration) = &configuration {
        configuration.log();
    }
    let mut progress = Progress::new(logging);
    let site = configuration.as_ref().map(|configuration| &configuration.site);
    let owners = Owners::new(site.zip(arguments.config.as_deref()));
    let mut compiler = Compiler::new(&owners, arguments.layout, list)?;
    compiler.read(&mut progress)?;
    let table = compiler.build(&mut progress)?;
    progress.at("saving", 0, None);
    output_file.replace(table.as_bytes())?;
    let summary = Summary {
        table: arguments.output.display().to_string(),
        names: table.len(),
        bytes: table.as_bytes().len(),
        bytes_per_name: table_image::bytes_per_name(&table),
        layout: table_image::layout_name(table.layout()),
        checksum: table_image::checksum_text(table.checksum()),
        seconds: progress.elapsed().as_secs_f64(),
    };
    drop(progress);
    let mut output = Output::stdout();
    if arguments.json {
        output.json(&summary)?;
    } else {
        output.line(&summary)?;
    }
    output.flush()?;
    Ok(Exit::Fine)
}

/// The summary of a compiled table.
#[derive(Debug, Serialize)]
struct Summary {
    table: String,
    names: usize,
    bytes: usize,
    bytes_per_name: f64,
    layout: &'static str,
    checksum: String,
    seconds: f64,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "table     {}", self.table)?;
        writeln!(f, "names     {}", self.names)?;
        writeln!(f, "bytes     {}, {:.1} a name", self.bytes, self.bytes_per_name)?;
        writeln!(f, "layout    {}", self.layout)?;
        writeln!(f, "checksum  {}", self.checksum)?;
        write!(f, "time      {:.1} s", self.seconds)
    }
}

/// A table that is being built from a list.
struct Compiler<'a> {
    owners: &'a Owners<'a>,
    builder: AuthorityTableBuilder,
    list: List,
    faults: ListFaults,
    /// The number of entries of the configuration; they come before those of the list.
    configured: u32,
    open_ended: Option<OpenEnded>,
}

/// The entries that match more names than a certificate can cover.
struct OpenEnded {
    first_line: u64,
    count: u64,
}

impl<'a> Compiler<'a> {
    fn new(owners: &'a Owners<'a>, layout: TableLayout, list: List) -> Result<Self, Failure> {
        let mut builder = AuthorityTable::builder();
        builder.layout(layout.into());
        let configured = owners.add_configured(&mut builder).map_err(Failure::configuration)?;
        let faults = ListFaults::default();
        Ok(Self { owners, builder, list, faults, configured, open_ended: None })
    }

    /// Reads the list, adds its entries, and collects the faults of its lines.
    fn read(&mut self, progress: &mut Progress) -> Result<(), Failure> {
        let Self { owners, builder, list, faults, open_ended, .. } = self;
        let (mut entries, mut full, mut last_group) = (0_u64, false, None);
        let (name, len) = (list.name.clone(), list.len());
        list.read(|place, line| {
            if place.line % LINES_BETWEEN_REPORTS == 0 {
                progress.at("reading", place.bytes, len);
            }
            let added = line.and_then(|line| {
                let Some(line) = ListLine::parse(line)? else { return Ok(()) };
                entries += 1;
                let entry = owners.entry(&line)?;
                if entry.open_ended {
                    let first = OpenEnded { first_line: place.line, count: 0 };
                    open_ended.get_or_insert(first).count += 1;
                }
                if full {
                    return Ok(());
                }
                let added = add(builder, &entry, &mut last_group);
                // If the table is full, one message is enough for all later lines.
                full = matches!(added, Err(BuildError::TooLarge));
                added.map_err(|error| line.pattern.fault(error))
            });
            if let Err(LineFault { column, message }) = added {
                faults.add(place.line, || format!("{name}:{}:{column}: {message}", place.line));
            }
        })?;
        if entries == 0 {
            // An empty input is more likely a failed producer than a site without names.
            self.faults.add(0, || format!("{name}: no names; at least one expected"));
        }
        Ok(())
    }

    fn build(mut self, progress: &mut Progress) -> Result<AuthorityTable<Vec<u8>>, Failure> {
        if self.faults.is_empty() {
            let built = self.builder.build_with(&mut |step| {
                progress.at(step.stage.as_str(), step.done as u64, Some(step.of as u64));
            });
            match built {
                Ok(table) => {
                    self.warn();
                    return Ok(table);
                }
                // The error names one pair; all pairs are reported below.
                Err(BuildError::Duplicate { .. }) => {}
                Err(error) => self.faults.add(0, || format!("{}: {error}", self.list.name)),
            }
        }
        self.note_duplicates()?;
        Err(Failure::configuration(self.faults.message()))
    }

    fn warn(&self) {
        if let Some(OpenEnded { first_line, count }) = &self.open_ended {
            tracing::warn!(
                "{}: {count} names, the first in line {first_line}, stand for more names than a \
                 certificate can cover; those that it does not cover are answered 421 on every \
                 connection",
                self.list.name
            );
        }
    }

    /// Reports both lines of every repeated entry. Reads the list again to find them.
    fn note_duplicates(&mut self) -> Result<(), Failure> {
        let duplicates = self.builder.duplicates();
        let (shown, more) = duplicates.split_at(duplicates.len().min(self.faults.room()));
        if shown.is_empty() {
            self.faults.add_unshown(more.len());
            return Ok(());
        }
        let mut wanted: Vec<u32> = shown
            .iter()
            .flat_map(|pair| [pair.earlier, pair.later])
            .filter_map(|number| number.checked_sub(self.configured))
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        let places = self.places(&wanted)?;
        for pair in shown {
            let place = |number: u32| {
                let index = wanted.binary_search(&number.checked_sub(self.configured)?).ok()?;
                places.get(index)
            };
            let Some(later) = place(pair.later) else {
                // The file was changed between the two readings.
                self.faults.add(0, || format!("{}: names occur twice", self.list.name));
                continue;
            };
            let name = &self.list.name;
            self.faults.add(later.line, || {
                let after = match place(pair.earlier) {
                    Some(earlier) => later.after(earlier, pair.conflicting),
                    None => self.owners.after_configured(pair, later),
                };
                format!("{name}:{}:{}: {after}", later.line, later.column)
            });
        }
        self.faults.add_unshown(more.len());
        Ok(())
    }

    /// Finds the lines of the entries with these numbers, counted from the first entry of the list.
    fn places(&mut self, wanted: &[u32]) -> Result<Vec<Entered>, Failure> {
        let mut places = Vec::with_capacity(wanted.len());
        let mut number = 0_u32;
        let owners = self.owners;
        self.list.read_again(|Position { line: line_number, .. }, line| {
            let Ok(Some(line)) = line.and_then(ListLine::parse) else { return };
            let Ok(entry) = owners.entry(&line) else { return };
            if wanted.get(places.len()) == Some(&number) {
                places.push(Entered {
                    line: line_number,
                    column: line.pattern.column,
                    pattern: line.pattern.to_string(),
                    owner: owners.text(entry.owner),
                });
            }
            number = number.saturating_add(1);
        })?;
        Ok(places)
    }
}

fn add(
    builder: &mut AuthorityTableBuilder,
    entry: &ListEntry<'_>,
    last_group: &mut Option<GroupId>,
) -> Result<(), BuildError> {
    let Owner { virtual_host, group } = entry.owner;
    if *last_group != Some(group) {
        builder.group(group, entry.policy)?;
        *last_group = Some(group);
    }
    let mut made = Entry::new(virtual_host, group);
    made.coalesce = entry.coalesce;
    builder.insert(entry.pattern, made).map(drop)
}
