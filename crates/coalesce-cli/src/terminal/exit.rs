//! The exit codes, and failures that end the process.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use crate::terminal::text::without_code;

/// The exit codes, as `--help` documents them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Success: the answer is yes.
    Fine,
    /// The answer is no: not served, not matched, or a failed row.
    No,
    /// The command line is invalid or names a missing file.
    Usage,
    /// The configuration does not load.
    Configuration,
    /// A failure at run time: an address in use, a broken disk.
    Runtime,
}

impl Exit {
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::No => 1,
            Self::Usage => 2,
            Self::Configuration => 3,
            Self::Runtime => 4,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

/// A failure that ends the command before its answer is complete.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The reader of standard output has gone (`coalesce ... | head`). This is not an error, and no
    /// message could reach the reader.
    ReaderGone,
    /// The exit code, and the message for standard error.
    Message(Exit, String),
}

impl Failure {
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::Message(Exit::Usage, message.to_string())
    }

    pub(crate) fn configuration(message: impl fmt::Display) -> Self {
        Self::Message(Exit::Configuration, message.to_string())
    }

    pub(crate) fn runtime(message: impl fmt::Display) -> Self {
        Self::Message(Exit::Runtime, message.to_string())
    }

    /// A failure to write a file.
    pub(crate) fn cannot_write(path: &Path, error: &io::Error) -> Self {
        let reason = without_code(error);
        Self::runtime(format_args!("cannot write {}: {reason}", path.display()))
    }

    /// A failure to write the output.
    pub(crate) fn output(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::ReaderGone;
        }
        Self::runtime(format_args!("cannot write to standard output: {error}"))
    }

    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::ReaderGone => Exit::Fine,
            Self::Message(exit, _) => *exit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_reader_is_not_a_fault() {
        let gone = Failure::output(&io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(gone.exit(), Exit::Fine);
        let full = Failure::output(&io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(full.exit(), Exit::Runtime);
    }
}
