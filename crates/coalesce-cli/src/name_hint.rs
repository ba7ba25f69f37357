//! What to write in place of a text that is no name.

use coalesce_core::NamePattern;

/// Returns what to write in place of `text`, which is no name, if this is plain: the A-labels of a
/// name with other characters than ASCII, and the name in a URL or before a port.
pub(crate) fn name_hint(text: &str) -> Option<String> {
    let bare = without_scheme_and_port(text);
    let wildcard = ["**.", "*."].into_iter().find(|prefix| bare.starts_with(prefix));
    let (wildcard, name) = bare.split_at(wildcard.map_or(0, str::len));
    let name = if name.is_ascii() {
        name.to_owned()
    } else {
        // RFC 5890 §2.3.2.1; a text that has no A-labels is no name of the DNS.
        idna::domain_to_ascii(name).ok()?
    };
    let better = format!("{wildcard}{name}");
    if better == text || NamePattern::parse(better.as_bytes()).is_err() {
        return None;
    }
    Some(if bare == text {
        format!("write its A-labels (IDNA): {better:?}")
    } else {
        format!("expected a name without scheme and port: {better:?}")
    })
}

/// Returns `message`, and what to write in place of `text` if this is plain.
pub(crate) fn with_name_hint(message: &str, text: &str) -> String {
    match name_hint(text) {
        Some(hint) => format!("{message}; {hint}"),
        None => message.to_owned(),
    }
}

/// Returns the part of a URL, or of a name with a port, that may be a name.
fn without_scheme_and_port(text: &str) -> &str {
    let behind_scheme = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = behind_scheme.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hint_is_the_name_that_was_meant() {
        let without = "expected a name without scheme and port: ";
        let labels = "write its A-labels (IDNA): ";
        let cases = [
            ("münchen.example.test", labels, "xn--mnchen-3ya.example.test"),
            ("*.bücher.test", labels, "*.xn--bcher-kva.test"),
            ("**.BÜCHER.test", labels, "**.xn--bcher-kva.test"),
            ("日本.test", labels, "xn--wgv71a.test"),
            ("https://a.test", without, "a.test"),
            ("https://a.test:8443/x?y#z", without, "a.test"),
            ("https://münchen.test/", without, "xn--mnchen-3ya.test"),
            ("a.test:8443", without, "a.test"),
            ("*.a.test:443", without, "*.a.test"),
            ("a.test/", without, "a.test"),
            ("[2001:db8::1]:443", without, "[2001:db8::1]"),
        ];
        for (text, start, name) in cases {
            assert_eq!(name_hint(text), Some(format!("{start}{name:?}")), "{text}");
        }
        for text in ["", "a..test", "*a.test", "https://", "ü..test", "a b.test", "a.test"] {
            assert_eq!(name_hint(text), None, "{text}");
        }
    }
}
