//! Small things for messages and arguments.

use std::io;

use coalesce_core::Host;
use coalesce_site::AnnouncedOrigins;

use crate::name_hint::with_name_hint;

/// How many names a message shows; a certificate may have thousands.
const SHOWN_MAX: usize = 8;

/// The first few of `names`, and how many more there are.
pub(crate) fn some_of<N: AsRef<str>>(names: &[N]) -> String {
    let shown: Vec<&str> = names.iter().take(SHOWN_MAX).map(AsRef::as_ref).collect();
    let shown = shown.join(", ");
    match names.len().saturating_sub(SHOWN_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The first `count` characters of `text`.
pub(crate) fn first_characters(text: &str, count: usize) -> &str {
    let end = text.char_indices().nth(count).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or(text)
}

/// Names the hosts that an origin set leaves out.
pub(crate) fn left_out(origins: &AnnouncedOrigins) -> String {
    match origins.wildcards.as_slice() {
        [] => "hosts, because it is too large".to_owned(),
        wildcards => format!("hosts that only {} matches", some_of(wildcards)),
    }
}

/// The text of an error of the operating system, without the number that Rust appends.
pub(crate) fn without_code(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" (os error ") {
        Some((message, _)) => message.to_owned(),
        None => text,
    }
}

/// Checks that an argument is a host, and returns it as it was written.
pub(crate) fn host_argument(text: &str) -> Result<String, String> {
    match Host::parse(text.as_bytes()) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(with_name_hint(&error.to_string(), text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_characters_end_between_characters() {
        for (text, expected) in [("", ""), ("abc", "abc"), ("abcd", "abc"), ("äöüß", "äöü")]
        {
            assert_eq!(first_characters(text, 3), expected);
        }
    }

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<String> = (0..10).map(|number| number.to_string()).collect();
        assert_eq!(some_of(&names[..2]), "0, 1");
        assert_eq!(some_of(&names), "0, 1, 2, 3, 4, 5, 6, 7 and 2 more");
    }
}
