//! The report about an identifier set.

use std::fmt;
use std::io::Write;

use coalesce_core::{DnsName, NamePattern};
use serde::Serialize;

use crate::table_image::{CompiledIdentifiers, checksum_text, identifier_text};
use crate::terminal::exit::Failure;
use crate::terminal::output::Output;

/// One identifier, as JSON.
#[derive(Debug, Serialize)]
struct ListedIdentifier {
    identifier: String,
}

/// Lists the identifiers of a set, or those with a name that is `below` or below it.
pub(super) fn list(
    set: &CompiledIdentifiers,
    below: Option<DnsName<'_>>,
    json: bool,
    output: &mut Output<impl Write>,
) -> Result<(), Failure> {
    for stored in set.identifiers() {
        let within = |suffix| stored.name().is_some_and(|name| is_below(name, suffix));
        if !below.is_none_or(within) {
            continue;
        }
        let identifier = identifier_text(&stored);
        if json {
            output.json(&ListedIdentifier { identifier })?;
        } else {
            output.line(identifier)?;
        }
    }
    Ok(())
}

/// Returns whether `name` is `suffix` or a name below it.
fn is_below(name: DnsName<'_>, suffix: DnsName<'_>) -> bool {
    let (name, suffix) = (name.to_string(), suffix.to_string());
    let above = name.strip_suffix(suffix.as_str());
    above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
}

/// The report about an identifier set.
#[derive(Debug, Serialize)]
pub(super) struct SetReport {
    identifiers: String,
    kind: &'static str,
    names: usize,
    exact: usize,
    one_label: usize,
    addresses: usize,
    bytes: usize,
    checksum: String,
}

impl SetReport {
    pub(super) fn new(path: String, set: &CompiledIdentifiers) -> Self {
        let mut report = Self {
            identifiers: path,
            kind: "identifier set",
            names: set.len(),
            exact: 0,
            one_label: 0,
            addresses: 0,
            bytes: set.as_bytes().len(),
            checksum: checksum_text(set.checksum()),
        };
        for stored in set.identifiers() {
            match stored.as_pattern() {
                Some(NamePattern::Exact(_)) => report.exact += 1,
                Some(NamePattern::OneLabel(_)) => report.one_label += 1,
                Some(NamePattern::Ip(_)) => report.addresses += 1,
                // A set has only the forms of RFC 9525 §6.3.
                _ => {}
            }
        }
        report
    }
}

impl fmt::Display for SetReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "set            {}", self.identifiers)?;
        writeln!(f, "kind           {}", self.kind)?;
        writeln!(f, "names          {}", self.names)?;
        writeln!(f, "  name         {}", self.exact)?;
        writeln!(f, "  *.name       {}", self.one_label)?;
        writeln!(f, "  address      {}", self.addresses)?;
        writeln!(f, "bytes          {}", self.bytes)?;
        write!(f, "checksum       {}", self.checksum)
    }
}
