//! Differences of a server that its maintainers know.

use crate::record::Record;
use crate::report::Report;

/// Scenarios in which a server may differ, and must, each with the reason. A file has one a line:
/// the id, then words. `#` begins a comment.
///
/// # Example
///
/// ```
/// use coalesce_lab::{KnownDifferences, Report};
///
/// let known = KnownDifferences::parse("host-only    400 instead of 421\n# more to come\n");
/// let report = Report::new("mine", "127.0.0.1:8443");
/// assert!(known.complaints(&report).is_empty(), "the scenario was not run");
/// assert_eq!(known.reason("host-only"), Some("400 instead of 421"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct KnownDifferences(Vec<(String, String)>);

impl KnownDifferences {
    /// Reads the differences in a text.
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        let entries = lines.filter(|line| !line.is_empty()).map(|line| {
            let (id, reason) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            (id.to_owned(), reason.trim().to_owned())
        });
        Self(entries.collect())
    }

    /// Returns why a server differs in this scenario.
    pub fn reason(&self, id: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == id).map(|(_, reason)| reason.as_str())
    }

    /// Returns a line for each scenario that differs and is not known to, or that is known to
    /// differ and is fine.
    pub fn complaints(&self, report: &Report) -> Vec<String> {
        let complaint = |record: &Record| match self.reason(record.id()) {
            None if !record.is_fine() => {
                Some(format!("{}: not among the known differences", record.id()))
            }
            Some(reason) if record.is_fine() && record.verdict().is_some() => {
                Some(format!("{}: fine, but known to differ: {reason}", record.id()))
            }
            _ => None,
        };
        report.records().iter().filter_map(complaint).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn difference_is_complained_of_unless_it_is_known_and_there() {
        let record = |id: &str, verdict: &str| {
            format!(
                "{{\"id\": \"{id}\", \"kind\": \"k\", \"summary\": \"\", \"rfc\": [], \
                 \"verdict\": {verdict}, \"outcome\": \"\", \"requests\": []}}"
            )
        };
        let records = [
            record("known", "\"neither\""),
            record("new", "\"served-wrongly\""),
            record("mended", "\"acceptable\""),
            record("skipped", "null"),
            record("fine", "\"first-choice\""),
        ];
        let json = format!(
            "{{\"name\": \"n\", \"address\": \"a\", \"records\": [{}]}}",
            records.join(",")
        );
        let report = Report::from_json(&json).unwrap();
        let known = KnownDifferences::parse("known why\nmended because\nskipped so\nabsent\n");
        let expected =
            ["new: not among the known differences", "mended: fine, but known to differ: because"];
        assert_eq!(known.complaints(&report), expected);
        assert!(!report.is_fine());
    }
}
