//! Texts that fit into columns.

/// Cuts the middle out of a text that is longer than `width` characters.
pub(super) fn shortened(text: &str, width: usize) -> String {
    let count = text.chars().count();
    if count <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(1);
    let end = kept / 2;
    let start: String = text.chars().take(kept.saturating_sub(end)).collect();
    let rest: String = text.chars().skip(count.saturating_sub(end)).collect();
    format!("{start}…{rest}")
}

/// Keeps two words on one line. [`wrapped`] writes it as a space.
pub(super) const NO_BREAK_SPACE: char = '\u{a0}';

/// Breaks a text at spaces into lines of at most `width` characters. A longer word is cut.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let words = text.split([' ', '\n']).filter(|word| !word.is_empty());
    for word in words.map(|word| shortened(word, width).replace(NO_BREAK_SPACE, " ")) {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

/// Returns a number of bytes in at most eight columns, in the decimal units of curl's users.
pub(super) fn size(bytes: u64) -> String {
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let (mut unit, mut tenths) = ("kB", bytes / 100);
    for larger in ["MB", "GB", "TB", "PB", "EB"] {
        if tenths < 10_000 {
            break;
        }
        (unit, tenths) = (larger, tenths / 1000);
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_loses_its_middle() {
        let cases = [("abcdef", 6, "abcdef"), ("abcdefg", 6, "abc…fg"), ("äöüßäöüß", 5, "äö…üß")];
        for (text, width, expected) in cases {
            assert_eq!(shortened(text, width), expected);
        }
    }

    #[test]
    fn lines_break_at_spaces_and_long_words_are_cut() {
        assert_eq!(wrapped("a bc  def", 4), ["a bc", "def"]);
        assert_eq!(wrapped("a bcdefgh", 4), ["a", "bc…h"]);
        assert_eq!(wrapped("a b\u{a0}c d", 4), ["a", "b c", "d"]);
        assert!(wrapped(" ", 4).is_empty());
    }

    #[test]
    fn size_has_one_decimal_and_at_most_eight_columns() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (999_999, "999.9 kB"),
            (1_000_000, "1.0 MB"),
            (12_345_678, "12.3 MB"),
            (u64::MAX, "18.4 EB"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(size(bytes), expected);
            assert!(expected.len() <= 8);
        }
    }
}
