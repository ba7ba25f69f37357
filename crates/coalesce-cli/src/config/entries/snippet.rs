//! A line of the configuration file with a mark below the place of a fault.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// The bytes shown before and after a place: more than the width of a terminal, to which the
/// renderer cuts them. A list of names may be one line of megabytes.
const SHOWN_BYTES: usize = 1_000;

/// Returns line `number` with a mark below `at`, a range of its bytes.
pub(super) fn snippet(line: &str, number: usize, at: Range<usize>) -> String {
    let start = at.start.min(line.len());
    let end = at.end.clamp(start, line.len());
    let boundary = |at: &usize| line.is_char_boundary(*at);
    let first = start.saturating_sub(SHOWN_BYTES);
    let from = (first..=start).find(boundary).unwrap_or(start);
    let last = line.len().min(end.min(start + SHOWN_BYTES) + SHOWN_BYTES);
    let to = (last..=line.len()).find(boundary).unwrap_or(line.len());
    let shown = line.get(from..to).unwrap_or_default();
    let mark = AnnotationKind::Primary.span(start - from..end.min(to) - from);
    let snippet = Snippet::source(shown).line_start(number).annotation(mark);
    Renderer::plain().render(&[Group::with_level(Level::ERROR).element(snippet)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mark_is_below_the_place() {
        let shown = snippet("names = [\"ü.test\"]", 7, 9..18);
        let lines: Vec<&str> = shown.lines().map(str::trim_end).collect();
        assert_eq!(lines, ["  |", "7 | names = [\"ü.test\"]", "  |          ^^^^^^^^"], "{shown}");
    }

    #[test]
    fn long_line_is_cut_around_the_place() {
        let line =
            format!("names = [{}\"here\", {}]", "\"ä\", ".repeat(9_999), "\"ö\", ".repeat(9_999));
        let at = line.find("\"here\"").unwrap();
        let shown = snippet(&line, 1, at..at + 6);
        assert!(shown.contains("\"here\"") && shown.contains("^^^^^^"), "{shown}");
        assert!(shown.lines().all(|line| line.chars().count() < 200), "{shown}");
    }

    #[test]
    fn place_outside_the_line_is_marked_at_its_end() {
        for at in [3..3, 3..9, 8..9] {
            let shown = snippet("a =", 2, at);
            assert!(shown.contains("2 | a =") && shown.contains('^'), "{shown}");
        }
    }
}
