//! Standard output, locked once, with every write error reported.

use std::fmt;
use std::io::{self, BufWriter, StdoutLock, Write};

use serde::Serialize;

use crate::terminal::exit::Failure;
use crate::terminal::palette::Palette;

/// The output of a command.
///
/// Lines are buffered until [`flush`](Self::flush). A command flushes before it waits and before it
/// ends.
#[derive(Debug)]
pub(crate) struct Output<W: Write = StdoutLock<'static>> {
    to: BufWriter<W>,
    palette: Palette,
}

impl Output {
    /// Locks standard output.
    pub(crate) fn stdout() -> Self {
        Self { to: BufWriter::new(io::stdout().lock()), palette: Palette::for_stdout() }
    }
}

impl<W: Write> Output<W> {
    /// Writes to `to`, without colours.
    #[cfg(test)]
    pub(crate) fn new(to: W) -> Self {
        Self::with_palette(to, Palette::PLAIN)
    }

    #[cfg(test)]
    pub(crate) fn with_palette(to: W, palette: Palette) -> Self {
        Self { to: BufWriter::new(to), palette }
    }

    /// Returns the colours of the output.
    pub(crate) const fn palette(&self) -> Palette {
        self.palette
    }

    /// Writes one line.
    pub(crate) fn line(&mut self, text: impl fmt::Display) -> Result<(), Failure> {
        writeln!(self.to, "{text}").map_err(|error| Failure::output(&error))
    }

    /// Writes one JSON object as one line.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.to, value)
            .map_err(|error| Failure::output(&error.into()))?;
        self.to.write_all(b"\n").map_err(|error| Failure::output(&error))
    }

    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.to.flush().map_err(|error| Failure::output(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::exit::Exit;

    /// A reader that closes at once.
    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn broken_pipe_ends_without_a_message() {
        let mut output = Output::new(Gone);
        output.json(&[1, 2]).unwrap();
        output.line("buffered").unwrap();
        let failure = output.flush().unwrap_err();
        assert!(matches!(failure, Failure::ReaderGone));
        assert_eq!(failure.exit(), Exit::Fine);
    }
}
