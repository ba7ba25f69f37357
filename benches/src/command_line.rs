//! The ends of the programs, and the texts of their arguments.

use std::io::Write as _;
use std::process::ExitCode;

/// Writes the error of a program to standard error. Returns the exit code: 0, or 1 for an error.
pub fn end(result: Result<(), anyhow::Error>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error is closed, there is no other place to report the error.
            let _ = writeln!(std::io::stderr().lock(), "{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the error of an argument that is none of these names.
pub fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    format!("expected one of {}", Vec::from_iter(names).join(", "))
}
