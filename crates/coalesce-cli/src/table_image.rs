//! Authority tables and identifier sets of the commands, and the files that `coalesce compile`
//! writes.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use bytes::Bytes;
use coalesce_core::{
    AuthorityTable, Entry, FormatError, Host, IdentifierSet, Layout, NamePattern, StoredPattern,
};
use coalesce_site::open_regular_file;

use crate::mapped::MappedFile;
use crate::private_memory::{Pages, PrivateMemory};
use crate::terminal::exit::Failure;
use crate::terminal::text::without_code;

/// An authority table, built by this process or read from a file.
pub(crate) type Table = AuthorityTable<Bytes>;

/// An identifier set that was read from a file.
pub(crate) type CompiledIdentifiers = IdentifierSet<Bytes>;

/// The content of a compiled file.
pub(crate) enum Compiled {
    Table(Table),
    Identifiers(CompiledIdentifiers),
}

/// The kinds of compiled files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Table,
    Identifiers,
}

impl Kind {
    /// Returns the bytes at the start of each file of this kind and version.
    fn start(self) -> Option<[u8; START_LEN]> {
        let empty = match self {
            Self::Table => AuthorityTable::builder().build().ok()?.as_bytes().to_vec(),
            Self::Identifiers => IdentifierSet::build([]).ok()?.as_bytes().to_vec(),
        };
        empty.first_chunk().copied()
    }

    /// Returns the kind of the file that starts with these bytes. Returns `None` for other files,
    /// and for another version.
    pub(crate) fn of_start(bytes: &[u8]) -> Option<Self> {
        let start = bytes.first_chunk();
        [Self::Table, Self::Identifiers].into_iter().find(|kind| kind.start().as_ref() == start)
    }
}

/// The memory that holds a compiled table in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Storage {
    /// Private memory, which cannot change after the check.
    #[default]
    Private,
    /// The mapped file, which must not change while in use.
    Mapped,
}

impl Storage {
    /// Returns the storage for the flag or setting that asks for a mapped file.
    pub(crate) const fn mapped_if(mapped: bool) -> Self {
        if mapped { Self::Mapped } else { Self::Private }
    }
}

/// The longest compiled table, in bytes: its format has offsets of 32 bits. A longer file is not
/// read.
const TABLE_LEN_MAX: u64 = 1 << 32;

/// The number of bytes at the start of a compiled file that are the same for each version.
const MAGIC_LEN: usize = 4;

/// The number of bytes at the start of a compiled file up to its kind: magic, version and kind.
const START_LEN: usize = 6;

/// Reads or maps the file `path`. Only checks that the file starts as a compiled one does, so
/// that no other file is read to its end.
pub(crate) fn load(path: &Path, storage: Storage) -> Result<Bytes, OpenError> {
    let display = path.display();
    let unreadable = |error: io::Error| {
        OpenError::Unreadable(format!("cannot read {display}: {}", without_code(&error)))
    };
    let file = open_regular_file(path).map_err(unreadable)?;
    if storage == Storage::Mapped {
        return MappedFile::new(&file).map(Bytes::from_owner).map_err(unreadable);
    }
    let len = file.metadata().map_err(unreadable)?.len();
    let fits = usize::try_from(len).ok().filter(|_| len <= TABLE_LEN_MAX);
    let Some(len) = fits else {
        return Err(OpenError::NoTable(format!(
            "{display}: {len} bytes, expected at most {TABLE_LEN_MAX}"
        )));
    };
    let start = start_of(&file).map_err(unreadable)?;
    if !is_start_of_compiled(&start) {
        // `AuthorityTable` reports the fault from these bytes.
        return Ok(start.into());
    }
    let memory = PrivateMemory::read(&file, len, Pages::Huge).map_err(unreadable)?;
    Ok(Bytes::from_owner(memory))
}

/// Reads the first bytes of a file, and rewinds it.
pub(crate) fn start_of(mut file: &File) -> io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(START_LEN);
    file.take(START_LEN as u64).read_to_end(&mut start)?;
    file.rewind()?;
    Ok(start)
}

/// Returns whether a compiled file of any version and kind starts with these bytes.
pub(crate) fn is_start_of_compiled(start: &[u8]) -> bool {
    let magic = start.first_chunk::<MAGIC_LEN>();
    let table = Kind::Table.start();
    magic.is_some() && table.is_some_and(|table| table.first_chunk() == magic)
}

/// Reads or maps the compiled table in the file `path`, and checks all of it.
pub(crate) fn open(path: &Path, storage: Storage) -> Result<Table, OpenError> {
    let bytes = load(path, storage)?;
    if Kind::of_start(&bytes) == Some(Kind::Identifiers) {
        let message = "found an identifier set, expected a table; use 'coalesce match \
                       --identifiers' to ask it";
        return Err(OpenError::NoTable(format!("{}: {message}", path.display())));
    }
    AuthorityTable::from_bytes(bytes).map_err(|error| OpenError::format(path, error))
}

/// Reads the identifier set in the file `path`, and checks all of it.
pub(crate) fn open_identifiers(path: &Path) -> Result<CompiledIdentifiers, OpenError> {
    match open_any(path, Storage::Private)? {
        Compiled::Identifiers(identifiers) => Ok(identifiers),
        Compiled::Table(_) => {
            let message = "found a table, expected an identifier set; use 'coalesce lookup' to ask \
                           it";
            Err(OpenError::NoTable(format!("{}: {message}", path.display())))
        }
    }
}

/// Reads or maps the compiled table or identifier set in the file `path`, and checks all of it.
pub(crate) fn open_any(path: &Path, storage: Storage) -> Result<Compiled, OpenError> {
    let bytes = load(path, storage)?;
    let read = match Kind::of_start(&bytes) {
        Some(Kind::Identifiers) => IdentifierSet::from_bytes(bytes).map(Compiled::Identifiers),
        _ => AuthorityTable::from_bytes(bytes).map(Compiled::Table),
    };
    read.map_err(|error| OpenError::format(path, error))
}

/// The reason why a file has no table; the messages name the file.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// The file cannot be read.
    Unreadable(String),
    /// The file can be read, and is not a valid table or identifier set.
    NoTable(String),
}

impl OpenError {
    fn format(path: &Path, error: FormatError) -> Self {
        Self::NoTable(format!("{}: {error}", path.display()))
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(message) | Self::NoTable(message) => f.write_str(message),
        }
    }
}

/// Returns the entry that matches `host`, with its pattern.
pub(crate) fn matched(table: &Table, host: &Host<'_>) -> Option<Matched> {
    let (pattern, entry) = table.lookup_pattern(host)?;
    Some(Matched { pattern: pattern.to_string(), entry })
}

/// The answer of a lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Matched {
    pub(crate) pattern: String,
    pub(crate) entry: Entry,
}

/// Returns the layout as the command line names it.
pub(crate) fn layout_name(layout: Layout) -> &'static str {
    match layout {
        Layout::Compact => "compact",
        _ => "fast",
    }
}

/// Returns a checksum as text, because some readers of JSON round 64-bit numbers.
pub(crate) fn checksum_text(checksum: u64) -> String {
    format!("{checksum:016x}")
}

/// Returns an identifier of a set with its kind, as `coalesce match --san` reads it.
pub(crate) fn identifier_text(identifier: &StoredPattern<'_>) -> String {
    match identifier.as_pattern() {
        Some(NamePattern::Ip(address)) => format!("IP:{address}"),
        _ => format!("DNS:{identifier}"),
    }
}

/// Returns the bytes per name; 0 for a table without names.
#[allow(clippy::cast_precision_loss, reason = "tables are far smaller than 2^52 bytes")]
pub(crate) fn bytes_per_name<S: AsRef<[u8]>>(table: &AuthorityTable<S>) -> f64 {
    if table.is_empty() { 0.0 } else { table.as_bytes().len() as f64 / table.len() as f64 }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Unreadable(message) => Self::usage(message),
            OpenError::NoTable(message) => Self::configuration(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::time::{Duration, Instant};

    use coalesce_core::{GroupId, GroupPolicy, NamePattern, VirtualHostId};

    use super::*;

    #[test]
    fn file_that_does_not_start_as_a_table_is_not_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let message = |storage| open(&path, storage).unwrap_err().to_string();
        std::fs::write(&path, "garbage").unwrap();
        assert_eq!(load(&path, Storage::Private).unwrap(), "garbag");
        assert_eq!(message(Storage::Private), message(Storage::Mapped));
        // A sparse file has this length and takes no space on disk.
        File::create(&path).unwrap().set_len(TABLE_LEN_MAX + 1).unwrap();
        assert!(message(Storage::Private).ends_with("bytes, expected at most 4294967296"));
        File::create(&path).unwrap().set_len(TABLE_LEN_MAX).unwrap();
        assert!(message(Storage::Private).contains("it does not start with COAL"));
    }

    /// Returns one of the `names` names of a table, in scattered order.
    fn name(number: u64, names: u64) -> String {
        // Multiplication by a prime permutes the numbers below `names`.
        format!("{:08x}.example.test", number * 0x9e37_79b1 % names)
    }

    fn write(path: &Path, names: u64) {
        let mut builder = AuthorityTable::builder();
        let (group, host) = (GroupId::new(0), VirtualHostId::new(0));
        builder.group(group, GroupPolicy::default()).unwrap();
        for number in 0..names {
            let name = name(number, names);
            builder.entry(NamePattern::parse(name.as_bytes()).unwrap(), host, group).unwrap();
        }
        std::fs::write(path, builder.build().unwrap().as_bytes()).unwrap();
    }

    fn private(path: &Path, pages: Pages) -> Bytes {
        let file = open_regular_file(path).unwrap();
        let len = file.metadata().unwrap().len().try_into().unwrap();
        Bytes::from_owner(PrivateMemory::read(&file, len, pages).unwrap())
    }

    /// A way to get the bytes of a table from a file.
    type Way<'a> = (&'a str, &'a dyn Fn(&Path) -> Bytes);

    /// Prints the figures of `docs/performance.md`.
    #[test]
    #[ignore = "a measurement of some minutes, in a release build"]
    #[allow(clippy::print_stderr, reason = "the figures are for the reader of the test")]
    fn storage_is_measured() {
        let ways: [Way<'_>; 4] = [
            ("private memory, huge pages", &|path| private(path, Pages::Huge)),
            ("private memory, small pages", &|path| private(path, Pages::Default)),
            ("a vector", &|path| std::fs::read(path).unwrap().into()),
            ("the mapped file", &|path| load(path, Storage::Mapped).unwrap()),
        ];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table");
        for names in [1_000_000, 10_000_000] {
            write(&path, names);
            let asked: Vec<String> = (0..1 << 20).map(|number| name(number * 7, names)).collect();
            let mut figures = vec![(Vec::new(), Vec::new()); ways.len()];
            for _ in 0..7 {
                for ((_, way), (loads, lookups)) in ways.iter().zip(&mut figures) {
                    let begun = Instant::now();
                    let table = AuthorityTable::from_bytes(way(&path)).unwrap();
                    loads.push(begun.elapsed());
                    let begun = Instant::now();
                    for name in &asked {
                        let host = Host::parse(black_box(name.as_bytes())).unwrap();
                        assert!(table.lookup(&host).is_some());
                    }
                    lookups.push(begun.elapsed());
                }
            }
            let least = |times: &[Duration]| *times.iter().min().unwrap();
            for ((way, _), (loads, lookups)) in ways.iter().zip(&figures) {
                let (load, lookup) = (least(loads).as_millis(), least(lookups).as_nanos() >> 20);
                eprintln!("| {names} | {way} | {load} ms | {lookup} ns |");
            }
        }
    }
}
