//! Lists of scenarios: those of this crate, or files.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::error::LabError;
use crate::scenario::{self, Scenario};

/// The files of this crate, in the order in which they are run.
const BUILT_IN: [(&str, &str); 12] = [
    ("own-host.toml", include_str!("../scenarios/own-host.toml")),
    ("shared-connection.toml", include_str!("../scenarios/shared-connection.toml")),
    ("misdirected.toml", include_str!("../scenarios/misdirected.toml")),
    ("authority.toml", include_str!("../scenarios/authority.toml")),
    ("port.toml", include_str!("../scenarios/port.toml")),
    ("host-field.toml", include_str!("../scenarios/host-field.toml")),
    ("target.toml", include_str!("../scenarios/target.toml")),
    ("malformed-field.toml", include_str!("../scenarios/malformed-field.toml")),
    ("server-name.toml", include_str!("../scenarios/server-name.toml")),
    ("client-certificate.toml", include_str!("../scenarios/client-certificate.toml")),
    ("resumption.toml", include_str!("../scenarios/resumption.toml")),
    ("connection.toml", include_str!("../scenarios/connection.toml")),
];

/// A list of scenarios with different ids.
///
/// # Example
///
/// ```
/// use coalesce_lab::Scenarios;
///
/// let all = Scenarios::built_in()?;
/// let some = all.select("misdirected,port-*");
/// assert!(some.iter().all(|one| one.kind() == "misdirected" || one.id().starts_with("port-")));
/// assert!(some.iter().count() < all.iter().count());
/// # Ok::<(), coalesce_lab::LabError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Scenarios(Vec<Scenario>);

impl Scenarios {
    /// Returns the scenarios of this crate.
    pub fn built_in() -> Result<Self, LabError> {
        let mut all = Self::default();
        for (name, text) in BUILT_IN {
            all.add(name, text)?;
        }
        Ok(all)
    }

    /// Reads the scenarios in a text; `name` is in errors.
    pub fn parse(name: &str, text: &str) -> Result<Self, LabError> {
        let mut all = Self::default();
        all.add(name, text)?;
        Ok(all)
    }

    /// Reads a file, or all files of a folder whose names end in `.toml`, in the order of their
    /// names.
    pub fn read(path: &Path) -> Result<Self, LabError> {
        let failed = |error| LabError::new(path.display(), error);
        let mut files = vec![path.to_owned()];
        if path.is_dir() {
            let entries = fs::read_dir(path).map_err(failed)?;
            let paths: Result<Vec<_>, _> = entries.map(|entry| Ok(entry?.path())).collect();
            files = paths.map_err(failed)?;
            files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
            files.sort_unstable();
        }
        let mut all = Self::default();
        for file in files {
            let text = fs::read_to_string(&file);
            let text = text.map_err(|error| LabError::new(file.display(), error))?;
            all.add(&file.display().to_string(), &text)?;
        }
        Ok(all)
    }

    /// Returns the scenarios whose id or kind matches one of the comma-separated patterns. A `*`
    /// matches any text.
    #[must_use]
    pub fn select(&self, patterns: &str) -> Self {
        let is_wanted = |scenario: &&Scenario| {
            patterns
                .split(',')
                .map(str::trim)
                .any(|pattern| matches(pattern, scenario.id()) || matches(pattern, scenario.kind()))
        };
        Self(self.0.iter().filter(is_wanted).cloned().collect())
    }

    /// Returns each scenario, in the order in which they are run.
    pub fn iter(&self) -> impl Iterator<Item = &Scenario> {
        self.0.iter()
    }

    fn add(&mut self, name: &str, text: &str) -> Result<(), LabError> {
        let mut ids: BTreeSet<String> = self.iter().map(|one| one.id().to_owned()).collect();
        for scenario in scenario::parse(name, text)? {
            if !ids.insert(scenario.id().to_owned()) {
                let id = scenario.id();
                return Err(LabError::new(
                    name,
                    format_args!("two scenarios have the id \"{id}\""),
                ));
            }
            self.0.push(scenario);
        }
        Ok(())
    }
}

/// True if `text` is `pattern`, in which `*` matches any text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            let mut tails = rest.char_indices().map(|(at, _)| rest.split_at(at).1).chain([""]);
            tails.any(|tail| matches(after, tail))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_matches_with_stars_anywhere() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*c*", "ac", true),
            ("a*c", "acb", false),
            ("*b*", "abc", true),
            ("abc", "ab", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn id_is_used_once() {
        let one = "kind = \"k\"\nabout = \"a\"\n[[scenario]]\nid = \"i\"\nsummary = \"s\"\n\
                   rfc = [\"R\"]\naccepts = [\"421\"]\nrequests = [{}]\n";
        let twice = format!("{one}{}", one.split_once("\"a\"\n").unwrap().1);
        let error = Scenarios::parse("f.toml", &twice).unwrap_err();
        assert_eq!(error.to_string(), "f.toml: two scenarios have the id \"i\"");
    }

    #[test]
    fn folder_of_files_is_read_like_the_built_in_list() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let read = Scenarios::read(&folder).unwrap();
        let ids = |all: &Scenarios| {
            let ids = all.iter().map(|one| one.id().to_owned());
            ids.collect::<BTreeSet<_>>()
        };
        assert_eq!(ids(&read), ids(&Scenarios::built_in().unwrap()), "a file is not built in");
    }
}
