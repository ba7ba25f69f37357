//! Colours of the output for people.

use std::io;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

/// Colours text, or leaves it as it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Palette {
    coloured: bool,
}

const HEADING: Style = Style::new().bold();
const SERVED: Style = AnsiColor::Green.on_default();
const MISDIRECTED: Style = AnsiColor::Yellow.on_default();
const REFUSED: Style = AnsiColor::Magenta.on_default();
const FAILED: Style = AnsiColor::Red.on_default().bold();

impl Palette {
    /// Leaves all text as it is.
    #[cfg(test)]
    pub(crate) const PLAIN: Self = Self { coloured: false };

    /// Colours all text.
    #[cfg(test)]
    pub(crate) const COLOURED: Self = Self { coloured: true };

    /// Colours text if standard output is a terminal that shows colours. `NO_COLOR`,
    /// `CLICOLOR_FORCE` and `TERM` count as they do for clap's messages.
    pub(crate) fn for_stdout() -> Self {
        Self { coloured: AutoStream::choice(&io::stdout()) != ColorChoice::Never }
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.coloured { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    pub(crate) fn heading(self, text: &str) -> String {
        self.paint(HEADING, text)
    }

    /// Colours the result of a request that was served.
    pub(crate) fn served(self, text: &str) -> String {
        self.paint(SERVED, text)
    }

    /// Colours the result of a request that got a 421.
    pub(crate) fn misdirected(self, text: &str) -> String {
        self.paint(MISDIRECTED, text)
    }

    /// Colours every other refusal: a 400 or 405, a reset, a failed handshake.
    pub(crate) fn refused(self, text: &str) -> String {
        self.paint(REFUSED, text)
    }

    /// Colours an unexpected result.
    pub(crate) fn failed(self, text: &str) -> String {
        self.paint(FAILED, text)
    }
}
