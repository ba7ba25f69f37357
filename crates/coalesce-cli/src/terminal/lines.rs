//! Reads lines of bounded length.

use std::io::{self, BufRead};

/// The longest line that is read, in bytes: far more than any header list that servers accept. The
/// rest of a longer line is skipped without buffering.
pub(crate) const LINE_LEN_MAX: usize = 1 << 20;

/// The number of bytes per read.
pub(crate) const READ_BYTES: usize = 64 * 1024;

/// The result of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A line.
    Line,
    /// One that is longer than [`LINE_LEN_MAX`], skipped.
    TooLong,
    /// The end of the input.
    End,
}

/// Reads one line into `line`, without its end. The last line needs no line feed.
pub(crate) fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Found> {
    line.clear();
    let mut too_long = false;
    let mut anything = false;
    loop {
        let available = match input.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let feed = available.iter().position(|byte| *byte == b'\n');
        let part = &available[..feed.unwrap_or(available.len())];
        let ended = available.is_empty() || feed.is_some();
        anything |= !available.is_empty();
        if line.len() + part.len() > LINE_LEN_MAX {
            too_long = true;
        } else if !too_long {
            line.extend_from_slice(part);
        }
        let consumed = feed.map_or(available.len(), |feed| feed + 1);
        input.consume(consumed);
        if ended {
            return Ok(match (anything, too_long) {
                (false, _) => Found::End,
                (true, true) => Found::TooLong,
                (true, false) => Found::Line,
            });
        }
    }
}
