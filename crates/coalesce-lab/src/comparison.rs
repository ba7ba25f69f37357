//! Several servers side by side.

use std::fmt::Write as _;

use crate::record::Record;
use crate::report::Report;
use crate::verdict::Verdict;

/// Returns a Markdown table with a row for each scenario and a column for each server.
///
/// # Example
///
/// ```
/// use coalesce_lab::{Report, compare};
///
/// let table = compare(&[Report::new("mine", "127.0.0.1:1"), Report::new("other", "127.0.0.1:2")]);
/// assert!(table.starts_with("| scenario | first choice | mine | other |\n"));
/// ```
pub fn compare(reports: &[Report]) -> String {
    let mut table = String::from("| scenario | first choice |");
    for report in reports {
        push_cell(&mut table, &report.name);
    }
    table.push_str("\n| --- | --- |");
    table.push_str(&" --- |".repeat(reports.len()));
    let mut kind = "";
    for record in rows(reports) {
        if record.kind() != kind {
            kind = record.kind();
            push_row(&mut table, &format!("**{kind}**"), "", reports.iter().map(|_| String::new()));
        }
        let found = |report: &Report| {
            let same = report.records().iter().find(|one| one.id() == record.id());
            same.map_or_else(|| "-".to_owned(), cell)
        };
        push_row(&mut table, record.id(), &best(record), reports.iter().map(found));
    }
    for verdict in Verdict::ALL {
        let counts = reports.iter().map(|report| report.count(verdict).to_string());
        push_row(&mut table, &format!("**{verdict}**"), "", counts);
    }
    table.push('\n');
    table
}

/// Returns a record for each scenario, in the order of the first report that has it.
fn rows(reports: &[Report]) -> Vec<&Record> {
    let mut rows: Vec<&Record> = Vec::new();
    for record in reports.iter().flat_map(Report::records) {
        if !rows.iter().any(|row| row.id() == record.id()) {
            rows.push(record);
        }
    }
    rows
}

/// Returns the best outcome of each request, without repetitions.
fn best(record: &Record) -> String {
    let mut best: Vec<&str> = Vec::new();
    for accepts in record.requests().iter().filter_map(|request| request.accepts().first()) {
        if !best.contains(&accepts.as_str()) {
            best.push(accepts);
        }
    }
    best.join(", ")
}

/// Returns the outcome of a scenario, with its verdict unless that is the best one.
fn cell(record: &Record) -> String {
    match record.verdict() {
        None => "-".to_owned(),
        Some(Verdict::FirstChoice) => record.outcome().to_owned(),
        Some(Verdict::ServedWrongly) => format!("**served wrongly**: {}", record.outcome()),
        Some(verdict) => format!("{verdict}: {}", record.outcome()),
    }
}

fn push_row(table: &mut String, first: &str, second: &str, cells: impl Iterator<Item = String>) {
    table.push_str("\n|");
    push_cell(table, first);
    push_cell(table, second);
    cells.for_each(|cell| push_cell(table, &cell));
}

fn push_cell(table: &mut String, text: &str) {
    // A write to a string does not fail.
    let _ = write!(table, " {} |", text.replace('|', "\\|"));
}
