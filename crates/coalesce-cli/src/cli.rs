//! The command line: its commands, each with its own arguments.

use clap::{Parser, Subcommand};

use crate::check::CheckArguments;
use crate::compile::CompileArguments;
use crate::demo::DemoArguments;
use crate::explain::ExplainArguments;
use crate::get::GetArguments;
use crate::groups::GroupsArguments;
use crate::help;
use crate::init::InitArguments;
use crate::inspect::InspectArguments;
use crate::lookup::LookupArguments;
use crate::match_command::MatchArguments;
use crate::serve::ServeArguments;
use crate::shell_files::{CompletionsArguments, ManArguments};
use crate::terminal::logging::Logging;

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

    max_term_width = 100
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) logging: Logging,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show every verdict on sample hosts, with real TLS and HTTP/2
    #[command(long_about = help::DEMO)]
    Demo(DemoArguments),
    /// Write a first configuration file, with comments
    #[command(long_about = help::INIT, after_long_help = help::INIT_AFTER)]
    Init(InitArguments),
    /// Serve the virtual hosts of a configuration file over HTTP/2
    #[command(long_about = help::SERVE, after_long_help = help::CONFIGURATION)]
    Serve(ServeArguments),
    /// Check a configuration file, and show all errors and warnings, without a socket
    #[command(long_about = help::CHECK, after_long_help = help::CHECK_AFTER)]
    Check(CheckArguments),
    /// Show the verdict on one request on one connection, and the reason, without a socket
    #[command(long_about = help::EXPLAIN, after_long_help = help::EXPLAIN_AFTER)]
    Explain(ExplainArguments),
    /// Show which virtual hosts may share a connection, and why others may not, without a socket
    #[command(long_about = help::GROUPS, after_long_help = help::GROUPS_AFTER)]
    Groups(GroupsArguments),
    /// Show which hosts a certificate covers
    #[command(name = "match", long_about = help::MATCH, after_long_help = help::MATCH_AFTER)]
    Match(MatchArguments),
    /// Make a compiled table from a list of up to millions of names, or an identifier set from a
    /// certificate
    #[command(long_about = help::COMPILE, after_long_help = help::COMPILE_AFTER)]
    Compile(CompileArguments),
    /// Show the contents of a compiled table or identifier set, and check them
    #[command(long_about = help::INSPECT, after_long_help = help::INSPECT_AFTER)]
    Inspect(InspectArguments),
    /// Show which entry of a compiled table matches a name
    #[command(long_about = help::LOOKUP, after_long_help = help::LOOKUP_AFTER)]
    Lookup(LookupArguments),
    /// Fetch URLs, and show which requests shared which connection, and why others did not
    #[command(long_about = help::GET, after_long_help = help::GET_AFTER)]
    Get(GetArguments),
    /// Print the completion script of a shell
    #[command(after_long_help = help::COMPLETIONS_AFTER)]
    Completions(CompletionsArguments),
    /// Write the manual pages into a folder
    #[command(after_long_help = help::MAN_AFTER)]
    Man(ManArguments),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn command_line_definition_is_consistent() {
        Arguments::command().debug_assert();
    }
}
