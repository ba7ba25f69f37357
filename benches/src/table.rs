//! Tables for a terminal and for Markdown.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};

/// A table whose rows have equally many cells.
#[derive(Debug)]
pub struct Table {
    head: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// Makes a table without rows.
    pub fn new<T: Into<String>>(head: impl IntoIterator<Item = T>) -> Self {
        Self { head: head.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Formats the table as text, with the first cell to the left and figures to the right.
    #[must_use]
    pub fn plain(&self) -> String {
        let width = |at: usize| {
            let cells = self.rows.iter().chain([&self.head]).filter_map(|row| row.get(at));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let mut text = String::new();
        for row in [&self.head].into_iter().chain(&self.rows) {
            for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let _ = match at {
                    0 => write!(text, "{cell:<width$}"),
                    _ => write!(text, "  {cell:>width$}"),
                };
            }
            text.push('\n');
        }
        text
    }

    /// Formats the table as Markdown. If `figures` is true, the columns align to the right.
    #[must_use]
    pub fn markdown(&self, figures: bool) -> String {
        let mut text = format!("| {} |\n|", self.head.join(" | "));
        for at in 0..self.head.len() {
            text += if at > 0 && figures { " ---: |" } else { " --- |" };
        }
        text.push('\n');
        for row in &self.rows {
            let _ = writeln!(text, "| {} |", row.join(" | "));
        }
        text.push('\n');
        text
    }
}

/// Formats a figure with three significant digits, or all digits before the point.
pub fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 99.95 => format!("{value:.0}"),
        size if size >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Replaces the text between `<!-- NAME -->` and `<!-- end of NAME -->`.
///
/// # Errors
/// Returns an error unless the document has both marks once.
pub fn between(document: &str, name: &str, body: &str) -> Result<String> {
    let (start, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) =
        document.split_once(&start).with_context(|| format!("the document has no {start:?}"))?;
    let (_, after) = rest.split_once(&end).with_context(|| format!("there is no {end:?}"))?;
    ensure!(!after.contains(&start), "the document has {start:?} twice");
    Ok(format!("{before}{start}\n{}\n\n{end}{after}", body.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_three_digits() {
        let cases = [(0.123, "0.12"), (9.999, "10.0"), (99.96, "100"), (1234.5, "1234")];
        for (value, text) in cases {
            assert_eq!(figure(value), text);
        }
    }

    #[test]
    fn table_columns_align() {
        let mut table = Table::new(["peer", "ns"]);
        table.rows.push(vec!["ours".into(), "12.5".into()]);
        assert_eq!(table.plain(), "peer    ns\nours  12.5\n");
        assert_eq!(table.markdown(true), "| peer | ns |\n| --- | ---: |\n| ours | 12.5 |\n\n");
    }
}
