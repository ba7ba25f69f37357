//! `coalesce lookup`: the entry of a compiled table that matches a name.

use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use coalesce_core::{Authority, Host};
use serde::Serialize;

use crate::name_hint::with_name_hint;
use crate::table_image::{self, Matched, Storage, Table};
use crate::terminal::batch::{self, LineError};
use crate::terminal::exit::{Exit, Failure};
use crate::terminal::lines::{Found, LINE_LEN_MAX, READ_BYTES, read_line};
use crate::terminal::output::Output;

/// The arguments of `coalesce lookup`.
#[derive(Args, Debug)]
pub(crate) struct LookupArguments {
    /// The compiled table
    #[arg(value_name = "TABLE")]
    pub(crate) table: PathBuf,
    /// Authorities to look for: names and addresses; a port is allowed, and makes no difference
    #[arg(value_name = "NAME", required_unless_present = "batch", value_parser = authority)]
    pub(crate) names: Vec<String>,
    /// Read one authority per line from FILE; from standard input for '-' and without FILE
    #[arg(
        long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-",
        conflicts_with = "names"
    )]
    pub(crate) batch: Option<PathBuf>,
    /// Map the file instead of reading it into memory; it must not change meanwhile
    #[arg(long)]
    pub(crate) map: bool,
    /// Answer as one JSON object per authority
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(arguments: &LookupArguments) -> Result<Exit, Failure> {
    let table = table_image::open(&arguments.table, Storage::mapped_if(arguments.map))?;
    let mut output = Output::stdout();
    if let Some(path) = &arguments.batch {
        answer_lines(&table, path, arguments.json, &mut output)?;
        return Ok(Exit::Fine);
    }
    let mut exit = Exit::Fine;
    let width = arguments.names.iter().map(String::len).max().unwrap_or_default();
    for name in &arguments.names {
        let host = host(name.as_bytes())
            .map_err(|error| Failure::usage(format_args!("{name}: {error}")))?;
        let matched = table_image::matched(&table, &host);
        if matched.is_none() {
            exit = Exit::No;
        }
        answer(name, matched, width, arguments.json, &mut output)?;
    }
    output.flush()?;
    Ok(exit)
}

/// Parses the host of an authority. A lone IPv6 address needs no brackets.
fn host(text: &[u8]) -> Result<Host<'_>, String> {
    if let Ok(host @ Host::Ip(_)) = Host::parse(text) {
        return Ok(host);
    }
    Authority::parse(text)
        .map(|authority| authority.host())
        .map_err(|error| with_name_hint(&error.to_string(), &String::from_utf8_lossy(text)))
}

fn authority(text: &str) -> Result<String, String> {
    host(text.as_bytes()).map(|_| text.to_owned())
}

/// The answer for one authority, as JSON.
#[derive(Debug, Serialize)]
struct LookupAnswer<'a> {
    name: &'a str,
    pattern: Option<&'a str>,
    virtual_host: Option<u32>,
    group: Option<u32>,
}

fn answer(
    name: &str,
    matched: Option<Matched>,
    width: usize,
    json: bool,
    output: &mut Output<impl Write>,
) -> Result<(), Failure> {
    if json {
        return output.json(&LookupAnswer {
            name,
            pattern: matched.as_ref().map(|matched| matched.pattern.as_str()),
            virtual_host: matched.as_ref().map(|matched| matched.entry.virtual_host.get()),
            group: matched.as_ref().map(|matched| matched.entry.group.get()),
        });
    }
    match matched {
        Some(Matched { pattern, entry }) => output.line(format_args!(
            "{name:width$}  {pattern}, virtual host {}, group {}",
            entry.virtual_host, entry.group
        )),
        None => output.line(format_args!("{name:width$}  no entry")),
    }
}

/// Answers each line of a file, in order, one line for each.
fn answer_lines(
    table: &Table,
    path: &Path,
    json: bool,
    output: &mut Output<impl Write>,
) -> Result<(), Failure> {
    let mut input = BufReader::with_capacity(READ_BYTES, batch::open(path)?);
    let mut line = Vec::new();
    let mut number = 0_u64;
    loop {
        let found =
            read_line(&mut input, &mut line).map_err(|error| batch::cannot_read(path, &error))?;
        number = number.saturating_add(1);
        let text = String::from_utf8_lossy(&line);
        let text = text.strip_suffix('\r').unwrap_or(&text);
        let host = match found {
            Found::End => return output.flush(),
            Found::TooLong => {
                Err(format!("line is too long; at most {LINE_LEN_MAX} bytes allowed"))
            }
            Found::Line => host(text.as_bytes()),
        };
        match host {
            Ok(host) => {
                answer(text, table_image::matched(table, &host), 0, json, output)?;
            }
            Err(error) if json => output.json(&LineError { error: &error, line: number })?,
            Err(error) => output.line(format_args!("line {number}: {error}"))?,
        }
        // Flush before waiting for input: a caller that waits for each answer gets it, and one that
        // sends all lines at once does not cost a system call per line.
        if !input.buffer().contains(&b'\n') {
            output.flush()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authority_is_looked_up_by_its_host() {
        let texts = ["A.test.:443", "2001:db8::1", "[2001:db8::1]:8443", "192.0.2.1:80", "a..b"];
        let hosts = ["a.test", "[2001:db8::1]", "[2001:db8::1]", "192.0.2.1", "a..b"];
        for (text, expected) in texts.into_iter().zip(hosts) {
            assert_eq!(host(text.as_bytes()).unwrap().to_string(), expected, "{text}");
        }
        for text in ["", "a b", "user@a.test", "a.test:x", ":443"] {
            assert!(host(text.as_bytes()).is_err(), "{text}");
        }
    }
}
