//! The names of a certificate, compiled into an identifier set.

use std::fmt;
use std::path::Path;

use coalesce_tls::IgnoredName;
use serde::Serialize;

use crate::compile::output_file::OutputFile;
use crate::config::files;
use crate::table_image::{Kind, checksum_text};
use crate::terminal::exit::{Exit, Failure};
use crate::terminal::output::Output;

/// The number of ignored names with a warning. A certificate can have thousands of names.
const WARNINGS_MAX: usize = 20;

/// Writes the names of the first certificate in the file `certificate` to `output`.
pub(super) fn run(certificate: &Path, output: &Path, json: bool) -> Result<Exit, Failure> {
    let output_file = OutputFile::find(output, Kind::Identifiers)?;
    let names = files::certificate_names(certificate)?;
    warn(certificate, names.ignored());
    if names.is_empty() {
        // Every host would be refused on a connection with such a set.
        return Err(files::without_names(certificate));
    }
    let identifiers = names.identifiers();
    output_file.replace(identifiers.as_bytes())?;
    let summary = Summary {
        identifiers: output.display().to_string(),
        names: identifiers.len(),
        ignored: names.ignored().iter().map(IgnoredName::text).collect(),
        bytes: identifiers.as_bytes().len(),
        checksum: checksum_text(identifiers.checksum()),
    };
    let mut output = Output::stdout();
    if json {
        output.json(&summary)?;
    } else {
        output.line(&summary)?;
    }
    output.flush()?;
    Ok(Exit::Fine)
}

/// Warns of names that never match, as a typing error in a request for a certificate makes them.
fn warn(certificate: &Path, ignored: &[IgnoredName]) {
    let certificate = certificate.display();
    for name in ignored.iter().take(WARNINGS_MAX) {
        tracing::warn!("{certificate}: subjectAltName: ignored {name}");
    }
    if let Some(more) = ignored.len().checked_sub(WARNINGS_MAX).filter(|more| *more > 0) {
        tracing::warn!("{certificate}: subjectAltName: ignored {more} more names");
    }
}

/// The summary of a compiled set.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    identifiers: String,
    names: usize,
    ignored: Vec<&'a str>,
    bytes: usize,
    checksum: String,
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "set       {}", self.identifiers)?;
        writeln!(f, "names     {}", self.names)?;
        if !self.ignored.is_empty() {
            writeln!(f, "ignored   {}", self.ignored.len())?;
        }
        writeln!(f, "bytes     {}", self.bytes)?;
        write!(f, "checksum  {}", self.checksum)
    }
}
