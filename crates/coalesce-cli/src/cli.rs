//! The command line.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{ArgAction, ArgGroup, Args, Parser, Subcommand, ValueEnum};
use coalesce_core::{DnsName, Host, Layout};

use crate::help;
use crate::lookup;
use crate::match_command::San;

#[derive(Debug, Parser)]
#[command(
    name = "coalesce",
    version,
    about = help::ABOUT,
    long_about = help::LONG_ABOUT,
    after_help = help::AFTER,
    after_long_help = help::AFTER_LONG,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) logging: Logging,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The heading of the options that every command has.
const LOGGING: &str = "Logging";

#[derive(Args, Clone, Debug)]
pub(crate) struct Logging {
    /// How log lines look, on standard error
    #[arg(
        long, global = true, value_enum, default_value_t = LogFormat::Text, value_name = "FORMAT",
        help_heading = LOGGING
    )]
    pub(crate) log_format: LogFormat,
    /// Log more, -vv still more; without -v and -q, `RUST_LOG` rules
    #[arg(
        short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet",
        help_heading = LOGGING
    )]
    pub(crate) verbose: u8,
    /// Log less, -qq still less
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = LOGGING)]
    pub(crate) quiet: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object per line
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show every verdict on made-up hosts, with real TLS and HTTP/2; needs nothing
    #[command(long_about = help::DEMO)]
    Demo(DemoArguments),
    /// Serve the virtual hosts of a configuration file over HTTP/2
    #[command(long_about = help::SERVE, after_long_help = help::CONFIGURATION)]
    Serve(ServeArguments),
    /// Say what one request would get on one connection, and why; opens no socket
    #[command(long_about = help::EXPLAIN, after_long_help = help::EXPLAIN_AFTER)]
    Explain(ExplainArguments),
    /// Say which virtual hosts may share a connection, and why others may not; opens no socket
    #[command(long_about = help::GROUPS, after_long_help = help::GROUPS_AFTER)]
    Groups(GroupsArguments),
    /// Say which hosts a certificate covers
    #[command(name = "match", long_about = help::MATCH, after_long_help = help::MATCH_AFTER)]
    Match(MatchArguments),
    /// Make a compiled table of a list of names, millions of them if need be
    #[command(long_about = help::COMPILE, after_long_help = help::COMPILE_AFTER)]
    Compile(CompileArguments),
    /// Say what a compiled table holds, and whether it is sound
    #[command(long_about = help::INSPECT, after_long_help = help::INSPECT_AFTER)]
    Inspect(InspectArguments),
    /// Say which entry of a compiled table stands for a name
    #[command(long_about = help::LOOKUP, after_long_help = help::LOOKUP_AFTER)]
    Lookup(LookupArguments),
}

#[derive(Args, Debug)]
pub(crate) struct DemoArguments {
    /// Stay up afterwards, and print curl commands to paste
    #[arg(long)]
    pub(crate) keep: bool,
    /// Print one JSON object per row instead of the table
    #[arg(long, conflicts_with = "keep")]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ServeArguments {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Listen here instead of on the address of the configuration's one listener
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Threads that serve connections [default: one for each core]
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<NonZeroUsize>,
    /// Serve metrics for Prometheus over HTTP at /metrics, here [default: 127.0.0.1:9421], instead
    /// of on the configuration's admin address; without either nothing is counted
    #[arg(
        long, value_name = "ADDR", num_args = 0..=1, require_equals = true,
        default_missing_value = "127.0.0.1:9421"
    )]
    pub(crate) admin: Option<SocketAddr>,
    /// Write one JSON object per request to FILE, or with - to standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) access_log: Option<PathBuf>,
    /// Announce no origin set (RFC 8336), whatever the configuration says
    #[arg(long)]
    pub(crate) no_origins: bool,
    /// Reload on SIGHUP only, not when a file has changed
    #[arg(long)]
    pub(crate) no_watch: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ExplainArguments {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// The listener that the connection came to; needed when there are several
    #[arg(long, value_name = "NAME")]
    pub(crate) listener: Option<String>,
    /// The server name of the ClientHello; without it, the ClientHello carries none
    #[arg(long, value_name = "NAME")]
    pub(crate) server_name: Option<String>,
    /// The request's :authority; without it, the request has none
    #[arg(long, value_name = "HOST[:PORT]", allow_hyphen_values = true)]
    pub(crate) authority: Option<String>,
    /// A Host field of the request; may be given more than once
    #[arg(long, value_name = "HOST[:PORT]", allow_hyphen_values = true)]
    pub(crate) host: Vec<String>,
    /// The request's :scheme [default: https]
    #[arg(long)]
    pub(crate) scheme: Option<String>,
    /// The request's method [default: GET]
    #[arg(long)]
    pub(crate) method: Option<String>,
    /// The :protocol of an extended CONNECT (RFC 8441)
    #[arg(long)]
    pub(crate) protocol: Option<String>,
    /// What the client sends when it is asked: its certificate chain, or 'none'; without this, the
    /// question is about a connection whose handshake was completed
    #[arg(long, value_name = "FILE")]
    pub(crate) client_certificate: Option<PathBuf>,
    /// Answer as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Read one JSON object per line from standard input, write one per line
    #[arg(
        long,
        conflicts_with_all = [
            "server_name", "authority", "host", "scheme", "method", "protocol",
            "client_certificate", "json"
        ]
    )]
    pub(crate) batch: bool,
}

#[derive(Args, Debug)]
pub(crate) struct GroupsArguments {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Answer as one JSON object, or one for each pair of hosts
    #[arg(long)]
    pub(crate) json: bool,
    /// Hosts to compare, each with each, instead of the whole report
    #[arg(value_name = "HOST", value_parser = host, num_args = 2..)]
    pub(crate) hosts: Vec<String>,
}

#[derive(Args, Debug)]
#[command(group(
    ArgGroup::new("identifiers").required(true).multiple(true).args(["san", "certificate", "batch"])
))]
pub(crate) struct MatchArguments {
    /// An identifier of the certificate, as OpenSSL writes it: DNS:name or IP:address
    #[arg(long, value_name = "SAN")]
    pub(crate) san: Vec<San>,
    /// A certificate file, PEM or DER; of a chain the first counts
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,
    /// Answer as one JSON object per host
    #[arg(long)]
    pub(crate) json: bool,
    /// Read one JSON object per line from standard input, write one per line
    #[arg(long, conflicts_with_all = ["san", "certificate", "json", "hosts"])]
    pub(crate) batch: bool,
    /// Names and addresses to look for; IPv6 with or without brackets
    #[arg(value_name = "HOST", required_unless_present = "batch", value_parser = host)]
    pub(crate) hosts: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct CompileArguments {
    /// The list, one entry on each line; '-' for standard input
    #[arg(value_name = "LIST")]
    pub(crate) list: PathBuf,
    /// Where the table goes; an older one is replaced once the new one is whole
    #[arg(short, long, value_name = "TABLE")]
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

#[derive(Args, Debug)]
pub(crate) struct InspectArguments {
    /// The compiled table
    #[arg(value_name = "TABLE")]
    pub(crate) table: PathBuf,
    /// List its entries instead, in order, as 'coalesce compile' reads them
    #[arg(long)]
    pub(crate) names: bool,
    /// List those for this name and below it only
    #[arg(long, value_name = "SUFFIX", requires = "names", value_parser = name)]
    pub(crate) below: Option<String>,
    /// Answer as one JSON object, or one for each entry
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct LookupArguments {
    /// The compiled table
    #[arg(value_name = "TABLE")]
    pub(crate) table: PathBuf,
    /// Authorities to look for: names and addresses; a port is allowed, and means nothing here
    #[arg(value_name = "NAME", required_unless_present = "batch", value_parser = authority)]
    pub(crate) names: Vec<String>,
    /// Read one authority per line from FILE, '-' for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "names")]
    pub(crate) batch: Option<PathBuf>,
    /// Answer as one JSON object per authority
    #[arg(long)]
    pub(crate) json: bool,
}

fn name(text: &str) -> Result<String, String> {
    match DnsName::parse(text.as_bytes()) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn authority(text: &str) -> Result<String, String> {
    lookup::host(text.as_bytes()).map(|_| text.to_owned())
}

fn host(text: &str) -> Result<String, String> {
    match Host::parse(text.as_bytes()) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }
}
