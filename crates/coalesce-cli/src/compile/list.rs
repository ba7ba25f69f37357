//! Lists of names: one entry a line, `PATTERN [VIRTUAL-HOST [GROUP]]`.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;

use coalesce_core::{NameError, NamePattern, PatternError};

use crate::name_hint::with_name_hint;
use crate::terminal::exit::Failure;
use crate::terminal::lines::{Found, LINE_LEN_MAX, READ_BYTES, read_line};
use crate::terminal::text::without_code;

/// One entry as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ListLine<'a> {
    pub(super) pattern: Field<'a>,
    pub(super) virtual_host: Option<Field<'a>>,
    pub(super) group: Option<Field<'a>>,
}

/// A field of a line, without white space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub(super) text: &'a [u8],
    /// The position of the first byte, counted from 1.
    pub(super) column: usize,
}

/// A fault of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LineFault {
    pub(super) column: usize,
    pub(super) message: String,
}

impl Field<'_> {
    pub(super) fn fault(&self, message: impl fmt::Display) -> LineFault {
        LineFault { column: self.column, message: message.to_string() }
    }
}

/// Writes the field as in the list, quoted, with unprintable characters escaped.
impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self.text))
    }
}

impl<'a> ListLine<'a> {
    /// Splits a line into fields; `None` if it has only white space and a comment.
    pub(super) fn parse(line: &'a [u8]) -> Result<Option<Self>, LineFault> {
        let mut fields = fields(line);
        let Some(pattern) = fields.next() else { return Ok(None) };
        let (virtual_host, group) = (fields.next(), fields.next());
        match fields.next() {
            None => Ok(Some(Self { pattern, virtual_host, group })),
            Some(further) => {
                Err(further.fault(format_args!("{further} is one field too many; {FORM} expected")))
            }
        }
    }

    /// Parses the pattern; the error has the place of the fault.
    pub(super) fn name_pattern(&self) -> Result<NamePattern<'a>, LineFault> {
        let Field { text, column } = self.pattern;
        NamePattern::parse(text).map_err(|error| {
            let message = format!("{}: {error}; {PATTERN} expected", self.pattern);
            LineFault {
                column: column + place(text, error),
                message: with_name_hint(&message, &String::from_utf8_lossy(text)),
            }
        })
    }
}

/// The form of a line.
const FORM: &str = "PATTERN [VIRTUAL-HOST [GROUP]]";

/// The forms of a pattern.
const PATTERN: &str = "a name, *.name, **.name, an IP address or *";

/// Returns the fields of a line, up to a comment: a field that begins with `#`.
fn fields(line: &[u8]) -> impl Iterator<Item = Field<'_>> {
    let mut column = 1;
    let pieces = line.split(u8::is_ascii_whitespace).map(move |text| {
        let field = Field { text, column };
        column += text.len() + 1;
        field
    });
    pieces.filter(|field| !field.text.is_empty()).take_while(|field| field.text[0] != b'#')
}

/// Returns the position of the fault in `text`, if the error has one.
fn place(text: &[u8], error: PatternError) -> usize {
    let PatternError::Name(error) = error else { return 0 };
    let wildcard = [&b"**."[..], b"*."].into_iter().find(|prefix| text.starts_with(prefix));
    let at = match error {
        NameError::EmptyLabel { at }
        | NameError::LabelTooLong { at, .. }
        | NameError::ForbiddenByte { at, .. }
        | NameError::HyphenAtEdge { at }
        | NameError::LastLabelNumeric { at } => at,
        _ => 0,
    };
    wildcard.map_or(0, <[u8]>::len) + at
}

/// A list that can be read more than once. Input that is not a file, such as standard input, is
/// copied to a file on the way. Only lists with faults are read again, to report both lines of a
/// duplicate, so a valid list costs no memory for its text.
#[derive(Debug)]
pub(super) struct List {
    /// The name of the list in messages.
    pub(super) name: String,
    file: File,
    /// The length in bytes, if known.
    len: Option<u64>,
    copy: Option<File>,
}

/// The position of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    /// The line, counted from 1.
    pub(super) line: u64,
    /// The number of bytes before it.
    pub(super) bytes: u64,
}

impl List {
    /// Opens the file `path`; `-` is standard input.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let standard_input = path.as_os_str() == "-";
        let name =
            if standard_input { "standard input".to_owned() } else { path.display().to_string() };
        let opened = if standard_input { stdin() } else { File::open(path) };
        let opened = opened.and_then(|file| {
            let metadata = file.metadata()?;
            if metadata.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            let len = metadata.is_file().then_some(metadata.len());
            // A copy, because another reader of the same file would move its position.
            let copy =
                if len.is_some() && !standard_input { None } else { Some(tempfile::tempfile()?) };
            Ok((file, len, copy))
        });
        match opened {
            Ok((file, len, copy)) => Ok(Self { name, file, len, copy }),
            Err(error) => {
                let error = without_code(&error);
                Err(Failure::usage(format_args!("cannot read {name}: {error}")))
            }
        }
    }

    pub(super) const fn len(&self) -> Option<u64> {
        self.len
    }

    /// Calls `each` for every line, for the first time.
    pub(super) fn read(
        &mut self,
        each: impl FnMut(Position, Result<&[u8], LineFault>),
    ) -> Result<(), Failure> {
        let read = match &mut self.copy {
            None => for_each_line(&self.file, each),
            Some(copy) => {
                let mut copy = BufWriter::with_capacity(READ_BYTES, copy);
                let tee = Tee { from: &self.file, to: &mut copy };
                for_each_line(tee, each).and_then(|()| copy.flush())
            }
        };
        self.readable(read)
    }

    /// Calls `each` for every line once more.
    pub(super) fn read_again(
        &mut self,
        each: impl FnMut(Position, Result<&[u8], LineFault>),
    ) -> Result<(), Failure> {
        let file = self.copy.as_mut().unwrap_or(&mut self.file);
        let read = file.rewind().and_then(|()| for_each_line(file, each));
        self.readable(read)
    }

    fn readable(&self, read: io::Result<()>) -> Result<(), Failure> {
        read.map_err(|error| {
            let error = without_code(&error);
            Failure::runtime(format_args!("cannot read {}: {error}", self.name))
        })
    }
}

/// Opens standard input without the buffer of [`io::Stdin`].
fn stdin() -> io::Result<File> {
    use std::os::fd::AsFd;
    io::stdin().as_fd().try_clone_to_owned().map(File::from)
}

/// A reader that copies the bytes that it reads.
struct Tee<R, W> {
    from: R,
    to: W,
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.from.read(buffer)?;
        self.to.write_all(buffer.get(..len).unwrap_or_default())?;
        Ok(len)
    }
}

fn for_each_line(
    input: impl Read,
    mut each: impl FnMut(Position, Result<&[u8], LineFault>),
) -> io::Result<()> {
    let mut input = BufReader::with_capacity(READ_BYTES, input);
    let mut line = Vec::new();
    let mut place = Position { line: 0, bytes: 0 };
    loop {
        let found = read_line(&mut input, &mut line)?;
        place.line += 1;
        match found {
            Found::End => return Ok(()),
            Found::Line => each(place, Ok(&line)),
            Found::TooLong => {
                let message = format!("line is too long; at most {LINE_LEN_MAX} bytes allowed");
                each(place, Err(LineFault { column: 1, message }));
            }
        }
        place.bytes += line.len() as u64 + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_line_is_pattern_virtual_host_and_group() {
        let texts = |line: &'static str| {
            let line = ListLine::parse(line.as_bytes()).unwrap()?;
            let text =
                |field: Option<Field<'static>>| field.map(|field| (field.text, field.column));
            Some((line.pattern.text, text(line.virtual_host), text(line.group)))
        };
        assert_eq!(texts("a.test"), Some((&b"a.test"[..], None, None)));
        assert_eq!(
            texts("\t*.a.test  7\t12 # why\r"),
            Some((&b"*.a.test"[..], Some((&b"7"[..], 12)), Some((&b"12"[..], 14))))
        );
        assert_eq!(texts("a.test #7"), Some((&b"a.test"[..], None, None)));
        assert_eq!(texts("a.test a#b"), Some((&b"a.test"[..], Some((&b"a#b"[..], 8)), None)));
        for nothing in ["", " \t", "# a.test", "  #", "\r"] {
            assert_eq!(texts(nothing), None, "{nothing:?}");
        }
        let fault = ListLine::parse(b"a.test 1 2 3").unwrap_err();
        assert_eq!(fault.column, 12);
        let expected = "\"3\" is one field too many; PATTERN [VIRTUAL-HOST [GROUP]] expected";
        assert_eq!(fault.message, expected);
    }

    #[test]
    fn list_fault_names_its_line() {
        for (line, column) in [
            ("a..b", 3),
            ("  a..b", 5),
            ("*.a..b", 5),
            ("**.-a", 4),
            ("a_b.c!d", 6),
            ("a.*.b", 1),
            ("1.2.3", 5),
            ("*.", 3),
        ] {
            let fault =
                ListLine::parse(line.as_bytes()).unwrap().unwrap().name_pattern().unwrap_err();
            assert_eq!(fault.column, column, "{line}: {}", fault.message);
            assert!(
                fault.message.ends_with("; a name, *.name, **.name, an IP address or * expected")
            );
        }
    }

    #[test]
    fn lines_are_counted_and_the_longest_are_skipped() {
        let mut input = b"a\n\n".to_vec();
        input.resize(input.len() + 2 * LINE_LEN_MAX, b'x');
        input.extend_from_slice(b"\nlast");
        let mut seen = Vec::new();
        for_each_line(&input[..], |place, line| {
            seen.push((place.line, line.map(<[u8]>::to_vec).map_err(|fault| fault.message)));
        })
        .unwrap();
        assert_eq!(seen.len(), 4);
        assert_eq!(seen[1], (2, Ok(Vec::new())));
        assert_eq!(
            seen[2].1.as_ref().unwrap_err(),
            "line is too long; at most 1048576 bytes allowed"
        );
        assert_eq!(seen[3], (4, Ok(b"last".to_vec())));
    }
}
