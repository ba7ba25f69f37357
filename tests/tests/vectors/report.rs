//! The answers of each implementation, compared with the vectors and their exceptions.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Deserialize;

use crate::rows::read;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exceptions {
    exception: Vec<Exception>,
}

/// Rows for which an implementation gives another answer, for one reason.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    file: String,
    implementation: String,
    rows: Vec<String>,
    reason: String,
}

/// One file of vectors, run on every implementation of its rules.
pub(crate) struct Report {
    file: &'static str,
    exceptions: Vec<Exception>,
    implementations: BTreeSet<&'static str>,
    lines: String,
    faults: String,
}

impl Report {
    pub(crate) fn of(file: &'static str) -> Self {
        let Exceptions { mut exception } = read("exceptions");
        exception.retain(|exception| exception.file == file);
        Self {
            file,
            exceptions: exception,
            implementations: BTreeSet::new(),
            lines: String::new(),
            faults: String::new(),
        }
    }

    /// Records the answers of one implementation, each as `(row, expected, found)`.
    pub(crate) fn run<'a>(
        &mut self,
        implementation: &'static str,
        answers: impl IntoIterator<Item = (&'a str, String, String)>,
    ) {
        assert!(self.implementations.insert(implementation), "{implementation} has run already");
        let own = self.exceptions.iter().filter(|it| it.implementation == implementation);
        let mut excepted: BTreeSet<&str> = BTreeSet::new();
        for exception in own {
            assert!(!exception.reason.is_empty(), "an exception of {implementation} has no reason");
            for row in &exception.rows {
                assert!(excepted.insert(row), "{implementation}: {row} is excepted twice");
            }
        }
        let (mut rows, mut divergences) = (0_u32, 0_u32);
        for (id, expected, found) in answers {
            rows += 1;
            let known = excepted.remove(id);
            let differs = expected != found;
            divergences += u32::from(differs);
            let fault = match (differs, known) {
                (true, false) => format!("expected {expected}, found {found}"),
                (false, true) => format!("is excepted, and {found} as expected"),
                _ => continue,
            };
            let _ = writeln!(self.faults, "{}, {implementation}, {id}: {fault}", self.file);
        }
        for id in excepted {
            let _ = writeln!(self.faults, "{}: no row {id} to be excepted", self.file);
        }
        let file = self.file;
        let _ = writeln!(
            self.lines,
            "{file:<12} {implementation:<14} {rows:>4} rows {divergences:>4} divergences"
        );
    }

    /// Prints the table.
    ///
    /// # Panics
    /// For a difference that is not excepted, and for an exception without a difference.
    #[track_caller]
    #[allow(clippy::print_stdout, reason = "`--nocapture` shows the table")]
    pub(crate) fn finish(self) {
        print!("{}", self.lines);
        for exception in &self.exceptions {
            let name = exception.implementation.as_str();
            assert!(
                self.implementations.contains(name),
                "{}: unknown implementation {name}",
                self.file
            );
        }
        assert!(self.faults.is_empty(), "\n{}", self.faults);
    }
}
