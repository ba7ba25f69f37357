//! The places of faults: every message names file, line, entry and field.

use std::fmt;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use coalesce_site::open_regular_file;
use serde::Serialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::entries::snippet::snippet;

/// The longest configuration file, in bytes: 100,000 virtual hosts of some 300 bytes each, twice
/// over. It keeps a wrong path, for example to a log, from filling the memory.
const CONFIGURATION_LEN_MAX: u64 = 64 << 20;

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A configuration file's text.
#[derive(Debug)]
pub(crate) struct Source {
    path: PathBuf,
    text: String,
    /// The ends of the lines, in order.
    line_ends: Vec<usize>,
}

/// A fault at a range of bytes of the text; `None` if it is about the file as a whole.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) at: Option<Range<usize>>,
    pub(crate) message: String,
}

/// Collects faults, so that one run shows all of them.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, at: Range<usize>, message: impl fmt::Display) {
        self.0.push(Fault { at: Some(at), message: message.to_string() });
    }

    pub(crate) fn add_about_file(&mut self, message: impl fmt::Display) {
        self.0.push(Fault { at: None, message: message.to_string() });
    }

    /// Returns the value; on an error, records the fault at `at` and returns none.
    pub(crate) fn take<T, E: fmt::Display>(
        &mut self,
        at: Range<usize>,
        result: Result<T, E>,
    ) -> Option<T> {
        result.map_err(|error| self.add(at, error)).ok()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The findings of reading besides the drafts.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) faults: Faults,
    pub(crate) warnings: Faults,
}

/// An error or a warning about a configuration file.
///
/// `Display` writes one line: `site.toml:14: virtual_host "a": certificate: ...`.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    file: String,
    /// The line in the file, counted from 1. `None` if the finding is about the whole file.
    line: Option<usize>,
    /// The entry and the field, if there are any: `virtual_host "a"`, `answer.status`.
    place: Vec<String>,
    message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        for segment in &self.place {
            write!(f, ": {segment}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// The reasons why a configuration does not load, in the order of the file.
///
/// `Display` writes a line for each, and below it the line of the file with a mark below the place,
/// if there is one.
#[derive(Debug)]
pub(crate) struct ConfigErrors(Vec<ConfigError>);

#[derive(Debug)]
struct ConfigError {
    finding: Finding,
    snippet: Option<String>,
}

impl ConfigErrors {
    fn about_file(path: &Path, message: impl fmt::Display) -> Self {
        let (file, message) = (path.display().to_string(), message.to_string());
        let finding = Finding { file, line: None, place: Vec::new(), message };
        Self(vec![ConfigError { finding, snippet: None }])
    }

    /// Returns all reasons in one line, for a log.
    pub(crate) fn in_one_line(&self) -> String {
        let lines: Vec<String> = self.findings().map(Finding::to_string).collect();
        lines.join("; ")
    }

    /// Returns the reasons without the lines of the file.
    pub(crate) fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter().map(|error| &error.finding)
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, ConfigError { finding, snippet }) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            finding.fmt(f)?;
            if let Some(snippet) = snippet {
                write!(f, "\n{snippet}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

impl Source {
    pub(crate) fn new(path: &Path, text: String) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let line_ends = ends.map(|(at, _)| at).collect();
        Self { path: path.to_owned(), text, line_ends }
    }

    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigErrors> {
        let mut bytes = Vec::new();
        let read = open_regular_file(path)
            .and_then(|file| file.take(CONFIGURATION_LEN_MAX + 1).read_to_end(&mut bytes));
        if let Err(error) = read {
            let error = crate::terminal::text::without_code(&error);
            return Err(ConfigErrors::about_file(path, format_args!("cannot read: {error}")));
        }
        if bytes.len() as u64 > CONFIGURATION_LEN_MAX {
            return Err(ConfigErrors::about_file(
                path,
                format_args!(
                    "found more than {CONFIGURATION_LEN_MAX} bytes, which is the limit; put long \
                     lists of names in a compiled table"
                ),
            ));
        }
        // Editors of some systems write the mark of UTF-8 at the start.
        if bytes.starts_with(BYTE_ORDER_MARK) {
            bytes.drain(..BYTE_ORDER_MARK.len());
        }
        if matches!(bytes[..], [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
            let path_text = path.display();
            return Err(ConfigErrors::about_file(
                path,
                format_args!(
                    "found UTF-16 text, expected UTF-8; convert it with: \
                     iconv -f UTF-16 -t UTF-8 {path_text} > new.toml"
                ),
            ));
        }
        String::from_utf8(bytes).map(|text| Self::new(path, text)).map_err(|error| {
            let sound = error.utf8_error().valid_up_to();
            let before = error.as_bytes().iter().take(sound);
            let line = before.filter(|byte| **byte == b'\n').count() + 1;
            let message = format!("found a byte that is no UTF-8 in line {line}");
            ConfigErrors::about_file(path, message)
        })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the folder to which paths are relative.
    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    pub(crate) fn errors(&self, faults: Faults) -> ConfigErrors {
        let errors = self
            .in_order(faults)
            .map(|(finding, at)| ConfigError { finding, snippet: at.map(|at| self.snippet(&at)) });
        ConfigErrors(errors.collect())
    }

    /// Returns a finding for each fault.
    pub(crate) fn findings(&self, faults: Faults) -> Vec<Finding> {
        self.in_order(faults).map(|(finding, _)| finding).collect()
    }

    /// Returns the line of the file that `at` begins in, with a mark below the place.
    fn snippet(&self, at: &Range<usize>) -> String {
        let number = self.line_number(at.start);
        let before = number.checked_sub(2).and_then(|earlier| self.line_ends.get(earlier));
        let start = before.map_or(0, |end| end + 1);
        let end = self.line_ends.get(number - 1).copied().unwrap_or(self.text.len());
        let line = self.text.get(start..end).unwrap_or_default();
        let line = line.strip_suffix('\r').unwrap_or(line);
        snippet(line, number, at.start.saturating_sub(start)..at.end.saturating_sub(start))
    }

    /// Returns a finding for each fault, in the order of the file, with its range of bytes.
    fn in_order(&self, faults: Faults) -> impl Iterator<Item = (Finding, Option<Range<usize>>)> {
        let mut faults = faults.0;
        faults.sort_by_key(|fault| fault.at.as_ref().map_or(0, |at| at.start));
        // Parse again, only if there is a finding, for the place of every key.
        let (root, _) = DeTable::parse_recoverable(&self.text);
        faults.into_iter().map(move |Fault { at, message }| {
            let line = at.as_ref().map(|at| self.line_number(at.start));
            let place = at.as_ref().map(|at| segments(root.get_ref(), at)).unwrap_or_default();
            (Finding { file: self.path.display().to_string(), line, place, message }, at)
        })
    }

    /// Returns the line of a byte, counted from 1.
    pub(crate) fn line_number(&self, at: usize) -> usize {
        self.line_ends.partition_point(|end| *end < at) + 1
    }
}

/// Returns the entry and the field that contain `at`: `virtual_host "a"`, `answer.status`.
fn segments(root: &DeTable<'_>, at: &Range<usize>) -> Vec<String> {
    // An unknown list has no entries to name.
    if let Some((list, _)) = root.iter().find(|(key, _)| key.span() == *at) {
        return vec![list.get_ref().to_string()];
    }
    let Some((list, value)) = child(root, at) else { return Vec::new() };
    let (mut segments, mut table) = match value.get_ref() {
        DeValue::Table(table) => (vec![list], table),
        DeValue::Array(entries) => {
            // The span of an entry in a `[[list]]` covers its header alone, so the entry is the
            // last one that begins before the place.
            let begun =
                |(_, entry): &(usize, &Spanned<DeValue<'_>>)| entry.span().start <= at.start;
            let entry = entries.iter().enumerate().rfind(begun);
            let Some((number, entry)) = entry else { return vec![list] };
            let DeValue::Table(table) = entry.get_ref() else { return vec![list] };
            let name = table.get("name").and_then(|name| name.get_ref().as_str());
            let entry = match name {
                Some(name) => format!("{list} {name:?}"),
                None => format!("{list} {}", number + 1),
            };
            (vec![entry], table)
        }
        _ => return vec![list],
    };
    let mut field = String::new();
    while let Some((key, value)) = child(table, at) {
        if !field.is_empty() {
            field.push('.');
        }
        field.push_str(&key);
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    if !field.is_empty() {
        segments.push(field);
    }
    segments
}

/// Returns the member of `table` whose key or value contains the start of `at`. Otherwise returns
/// the member whose header, or whose last entry's header, is the last one before it.
fn child<'a, 'i>(
    table: &'a DeTable<'i>,
    at: &Range<usize>,
) -> Option<(String, &'a Spanned<DeValue<'i>>)> {
    let within = |span: Range<usize>| span.contains(&at.start) || span == *at;
    let direct = table.iter().find(|(key, value)| within(key.span()) || within(value.span()));
    let found = direct.or_else(|| {
        table
            .iter()
            .filter_map(|member| last_start_before(member.1, at).map(|start| (start, member)))
            .max_by_key(|(start, _)| *start)
            .map(|(_, member)| member)
    });
    found.map(|(key, value)| (key.get_ref().to_string(), value))
}

fn last_start_before(value: &Spanned<DeValue<'_>>, at: &Range<usize>) -> Option<usize> {
    let entries = match value.get_ref() {
        DeValue::Table(_) => return Some(value.span().start).filter(|start| *start <= at.start),
        DeValue::Array(entries) => entries,
        _ => return None,
    };
    let tables = entries.iter().filter(|entry| matches!(entry.get_ref(), DeValue::Table(_)));
    tables.map(|entry| entry.span().start).filter(|start| *start <= at.start).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
[admin]
address = "here"

[[listener]]
address = "127.0.0.1:0"

[[virtual_host]]
name = "a"
names = [
  "a.example.test",
  "b.example.test",
]
answer = { text = "x", status = 200 }

[[virtual_host]]
key = 1
"#;

    fn message(at: &str) -> String {
        let source = Source::new(Path::new("site.toml"), TEXT.to_owned());
        let start = TEXT.find(at).unwrap();
        let mut faults = Faults::default();
        faults.add(start..start + at.len(), "wrong");
        source.findings(faults).remove(0).to_string()
    }

    #[test]
    fn place_names_line_entry_and_field() {
        let cases = [
            ("\"here\"", "site.toml:3: admin: address: wrong"),
            ("[admin]", "site.toml:2: admin: wrong"),
            ("\"127.0.0.1:0\"", "site.toml:6: listener 1: address: wrong"),
            ("\"b.example.test\"", "site.toml:12: virtual_host \"a\": names: wrong"),
            ("200", "site.toml:14: virtual_host \"a\": answer.status: wrong"),
            ("status", "site.toml:14: virtual_host \"a\": answer.status: wrong"),
            ("key", "site.toml:17: virtual_host 2: key: wrong"),
            ("[[virtual_host]]", "site.toml:8: virtual_host \"a\": wrong"),
        ];
        for (at, line) in cases {
            assert_eq!(message(at), line);
        }
    }

    #[test]
    fn faults_come_in_the_order_of_the_file() {
        let source = Source::new(Path::new("site.toml"), TEXT.to_owned());
        let mut faults = Faults::default();
        faults.add(30..31, "second");
        faults.add(1..2, "first");
        faults.add_about_file("whole");
        let lines = source.findings(faults);
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        assert_eq!(lines[0], "site.toml: whole");
        assert!(lines[1].ends_with("first") && lines[2].ends_with("second"), "{lines:?}");
    }
}
