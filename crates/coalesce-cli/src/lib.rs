//! The `coalesce` command: `demo`, `init`, `serve`, `check`, `explain`, `groups` and `match`, for
//! compiled tables `compile`, `inspect` and `lookup`, and `get` as a client.
//!
//! This is a library only for the fuzz targets. Use the other crates in programs.
// Forbidden except in `mapped`, which explains its use.
#![deny(unsafe_code)]

mod check;
mod cli;
mod compile;
mod config;
mod demo;
mod explain;
mod get;
mod groups;
mod help;
mod init;
mod inspect;
mod lookup;
mod mapped;
mod match_command;
mod name_hint;
mod private_memory;
mod serve;
mod shell_files;
mod table_image;
mod terminal;
mod url;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::cli::{Arguments, Command};
use crate::terminal::exit::{Exit, Failure};
use crate::terminal::logging::{self, Verbosity};

/// Entry points for the fuzz targets.
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::config::fuzzing::config;
}

/// Runs the command.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version go to standard output with success. If standard output is closed, no
            // message could reach the reader.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Fine }.into();
        }
    };
    match run(arguments) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if let Failure::Message(_, message) = &failure {
                // Fails if standard error is closed.
                let _ = writeln!(io::stderr().lock(), "{message}");
            }
            failure.exit().into()
        }
    }
}

fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let verbosity = match &arguments.command {
        Command::Serve(_) => Verbosity::Serving,
        Command::Demo(_)
        | Command::Init(_)
        | Command::Check(_)
        | Command::Completions(_)
        | Command::Man(_)
        | Command::Explain(_)
        | Command::Groups(_)
        | Command::Match(_)
        | Command::Compile(_)
        | Command::Inspect(_)
        | Command::Lookup(_)
        | Command::Get(_) => Verbosity::Answering,
    };
    let log = logging::start(&arguments.logging, verbosity, serve::log_lost_lines)?;
    match arguments.command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Init(arguments) => init::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments, log.losses()),
        Command::Check(arguments) => check::run(&arguments),
        Command::Explain(arguments) => explain::run(arguments),
        Command::Groups(arguments) => groups::run(&arguments),
        Command::Match(arguments) => match_command::run(arguments),
        Command::Compile(compile) => compile::run(&compile, &arguments.logging),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Lookup(arguments) => lookup::run(&arguments),
        Command::Completions(arguments) => {
            shell_files::completions(&arguments, Arguments::command())
        }
        Command::Man(arguments) => shell_files::man(&arguments, Arguments::command()),
        Command::Get(get) => get::run(&get, &arguments.logging),
    }
}
