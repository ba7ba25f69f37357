//! The command line of the program.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use coalesce_benches::command_line::one_of;

use crate::drivers::{self, PEERS, Peer};
use crate::trace::{self, SHAPES, Shape};

/// Compare clients that load pages over a link with a round-trip time.
///
/// Makes two network namespaces with a TUN device each, and carries the packets between them. Needs
/// root and `ip`. Everything is removed at the end, also after Ctrl-C. Exits with 0 on success,
/// with 1 if an answer was wrong or something could not be run, read or written, and with 2 for a
/// wrong command line.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each flag is a bool")]
#[command(name = "page_loads", args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) part: Option<Part>,
    /// A page; may be repeated. All by default.
    #[arg(long, value_name = "NAME", value_parser = shape)]
    pub(crate) trace: Vec<&'static Shape>,
    /// A client; may be repeated. All that are installed by default.
    #[arg(long, value_name = "NAME", value_parser = peer)]
    pub(crate) peer: Vec<&'static Peer>,
    /// Round-trip times in milliseconds, separated by commas.
    #[arg(long, default_value = "0,20,100", value_delimiter = ',')]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=2000))]
    pub(crate) round_trip: Vec<u32>,
    /// The percentage of packets that the link loses.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=50))]
    pub(crate) loss: u32,
    /// Rounds of hyper-util in its best setting, reqwest and Coalesce. Figures are medians.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
    /// Rounds of the other clients.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub(crate) rounds_of_others: u32,
    /// Install the clients for Node.js with npm, in the folder `target`.
    #[arg(long)]
    pub(crate) install: bool,
    /// Load one page once with each client that is linked to this program, and check everything.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Count the instructions of a page load under valgrind's callgrind instead of measuring time.
    #[arg(long, conflicts_with = "quick")]
    pub(crate) instructions: bool,
    /// Write records as lines of JSON instead of tables.
    #[arg(long)]
    pub(crate) json: bool,
    /// Append each record to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) results: Option<PathBuf>,
    /// Leave out the measurements that the results file has already.
    #[arg(long, requires = "results")]
    pub(crate) resume: bool,
    /// Write the tables of all records between the marks of this document.
    #[arg(long, value_name = "FILE")]
    pub(crate) write: Option<PathBuf>,
    /// Measure nothing; write the records of the results file.
    #[arg(long, requires = "results")]
    pub(crate) render: bool,
}

/// The parts of the program that run in a namespace.
#[derive(Debug, Subcommand)]
pub(crate) enum Part {
    /// Serve all pages.
    #[command(hide = true)]
    Server {
        /// The folder for the certificate of the CA.
        folder: PathBuf,
    },
    /// Load one page.
    #[command(hide = true)]
    Load {
        /// The client.
        #[arg(value_parser = peer)]
        peer: &'static Peer,
        /// The page.
        trace: PathBuf,
        /// The certificate of the CA.
        ca: PathBuf,
    },
}

fn shape(name: &str) -> Result<&'static Shape, String> {
    trace::shape(name).ok_or_else(|| one_of(SHAPES.map(|shape| shape.name)))
}

fn peer(name: &str) -> Result<&'static Peer, String> {
    drivers::peer(name).ok_or_else(|| one_of(PEERS.map(|peer| peer.name)))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn command_line_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn documented_commands_are_valid() {
        let page = include_str!("../../../../docs/performance.md").replace("\\\n", " ");
        let mut count = 0;
        for line in page.lines().filter(|line| line.starts_with("cargo run ")) {
            let Some((_, words)) = line.split_once("--bin page_loads -- ") else { continue };
            let words = ["page_loads"].into_iter().chain(words.split_whitespace());
            assert!(Arguments::try_parse_from(words).is_ok(), "{line}");
            count += 1;
        }
        assert!(count >= 2, "{count} commands");
    }
}
