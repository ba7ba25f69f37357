//! The names that a world has in place of those in the scenarios.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What a world calls the names of the scenarios. A name that is not here keeps its own.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Renames {
    /// Hosts and domains. The names below a domain move with it.
    names: BTreeMap<String, String>,
    virtual_hosts: BTreeMap<String, String>,
    client_certificates: BTreeMap<String, String>,
}

impl Renames {
    /// Returns `octets` with each name in it replaced, the longest one that begins at a place.
    ///
    /// Names are compared without regard to case. A name with a capital letter is replaced by one
    /// of capital letters, so a scenario about case keeps its meaning.
    pub(crate) fn octets(&self, octets: &[u8]) -> Vec<u8> {
        let mut renamed = Vec::new();
        let mut rest = octets;
        let mut before = None;
        while let Some((first, after)) = rest.split_first() {
            let found = if before.is_some_and(is_inside_label) { None } else { self.find(rest) };
            if let Some((old, new)) = found {
                let (written, after) = rest.split_at(old.len());
                let has_capitals = written.iter().any(u8::is_ascii_uppercase);
                let new = if has_capitals { new.to_ascii_uppercase() } else { new.to_owned() };
                renamed.extend_from_slice(new.as_bytes());
                before = written.last().copied();
                rest = after;
            } else {
                renamed.push(*first);
                before = Some(*first);
                rest = after;
            }
        }
        renamed
    }

    /// Returns `text` with each name in it replaced; see [`Self::octets`].
    pub(crate) fn text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.octets(text.as_bytes())).into_owned()
    }

    pub(crate) fn virtual_host<'a>(&'a self, name: &'a str) -> &'a str {
        self.virtual_hosts.get(name).map_or(name, String::as_str)
    }

    pub(crate) fn client_certificate<'a>(&'a self, name: &'a str) -> &'a str {
        self.client_certificates.get(name).map_or(name, String::as_str)
    }

    /// Returns the longest name at the start of `octets`, and its replacement.
    fn find(&self, octets: &[u8]) -> Option<(&str, &str)> {
        let is_here = |(old, _): &(&String, &String)| {
            let (start, end) = octets.split_at_checked(old.len()).unwrap_or_default();
            start.eq_ignore_ascii_case(old.as_bytes())
                && !end.first().copied().is_some_and(is_inside_label)
        };
        let here = self.names.iter().filter(is_here);
        here.max_by_key(|(old, _)| old.len()).map(|(old, new)| (old.as_str(), new.as_str()))
    }
}

/// True if a name goes on beside this octet.
fn is_inside_label(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renames() -> Renames {
        let text = "[names]\n\"example.test\" = \"first.invalid\"\n\
                    \"a.example.test\" = \"www.first.invalid\"\n\
                    \"wild.example.test\" = \"files.second.invalid\"\n\
                    [virtual_hosts]\na = \"www\"\n[client_certificates]\nclient1 = \"anna\"\n";
        toml::from_str(text).unwrap()
    }

    #[test]
    fn longest_name_is_replaced_and_names_below_a_domain_move_with_it() {
        for (old, new) in [
            ("a.example.test", "www.first.invalid"),
            ("a.example.test.:443", "www.first.invalid.:443"),
            ("A.Example.test", "WWW.FIRST.INVALID"),
            ("user@a.example.test", "user@www.first.invalid"),
            ("a..example.test", "a..first.invalid"),
            ("%61.example.test", "%61.first.invalid"),
            ("x.y.wild.example.test", "x.y.files.second.invalid"),
            ("a.example.test,wild.example.test", "www.first.invalid,files.second.invalid"),
        ] {
            assert_eq!(renames().text(old), new);
        }
    }

    #[test]
    fn part_of_a_label_is_no_name() {
        for text in ["my-example.test", "ba.example.testing", "an_example.test", "a.example", "a"] {
            assert_eq!(renames().text(text), text);
        }
    }

    #[test]
    fn octets_that_are_not_utf8_stay() {
        assert_eq!(renames().octets(b"\xff\xfe.example.test\0"), b"\xff\xfe.first.invalid\0");
    }

    #[test]
    fn name_without_a_replacement_keeps_its_own() {
        let renames = renames();
        assert_eq!((renames.virtual_host("a"), renames.virtual_host("b")), ("www", "b"));
        assert_eq!(renames.client_certificate("client1"), "anna");
        assert_eq!(Renames::default().text("a.example.test"), "a.example.test");
    }
}
