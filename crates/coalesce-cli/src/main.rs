//! The `coalesce` command.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    coalesce_cli::main()
}
