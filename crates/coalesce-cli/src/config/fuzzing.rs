//! The properties that must hold for any text as a configuration.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use coalesce_core::{NamePattern, VirtualHostId};

use crate::config::{Configuration, Overrides, Site};
use crate::demo::files::DemoFiles;

/// The folder and files of the demo, which the text may name.
static FILES: LazyLock<DemoFiles> =
    LazyLock::new(|| DemoFiles::make().expect("a temporary folder"));

/// Loads `text` twice, as a server does. Either each fault has a message with its file, or the
/// table has every name with the owner and the group that the text names.
///
/// # Panics
/// If this does not hold, or if the temporary folder cannot be written.
pub fn config(text: &[u8]) {
    let path = FILES.configuration();
    fs::write(&path, text).expect("the temporary folder is writable");
    let first = Configuration::load(&path);
    let earlier = first.as_ref().ok().map(|first| &first.handle);
    let second = Configuration::load_with(&path, Overrides::default(), earlier);
    match (&first, &second) {
        (Ok(first), Ok(second)) => {
            assert_is_what_it_says(&first.site);
            assert_is_what_it_says(&second.site);
            let tables = [first, second].map(|loaded| loaded.site.authorities());
            assert_eq!(tables[0].as_bytes(), tables[1].as_bytes());
        }
        (Err(first), Err(second)) => {
            assert_names_the_file(&first.to_string(), &path);
            assert_eq!(first.to_string(), second.to_string());
        }
        (first, second) => {
            panic!("loads once: {:?}, {:?}", first.as_ref().err(), second.as_ref().err())
        }
    }
}

fn assert_names_the_file(message: &str, path: &Path) {
    let start = path.display().to_string();
    assert!(message.starts_with(&start), "{message}");
    assert!(message.len() > start.len() + 2, "{message}");
}

fn assert_is_what_it_says(site: &Site) {
    assert!(!site.listeners().is_empty() && !site.hosts().is_empty());
    for (host, number) in site.hosts().iter().zip(0..) {
        assert!(site.group(host.group_id()).is_some(), "{}", host.name());
        assert_eq!(host.names().len(), host.lines.len(), "{}", host.name());
        for name in host.names() {
            let pattern = NamePattern::parse(name.as_bytes()).expect("it was read");
            let entry = site.authorities().get(&pattern).expect("the table has every name");
            assert_eq!(entry.virtual_host, VirtualHostId::new(number), "{name}");
            assert_eq!(entry.group, host.group_id(), "{name}");
            assert!(site.authorities().group_policy(entry.group).is_some(), "{name}");
        }
    }
}

/// The fuzzer's seeds: each without one of its lines, and each cut off after a line.
#[cfg(test)]
#[test]
fn configuration_without_a_line_is_refused_or_has_its_names() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/config");
    let mut lines_seen = 0;
    for seed in fs::read_dir(seeds).unwrap() {
        let seed = fs::read_to_string(seed.unwrap().path()).unwrap();
        let lines: Vec<&str> = seed.split_inclusive('\n').collect();
        config(seed.as_bytes());
        for at in 0..lines.len() {
            let (before, behind) = (lines[..at].concat(), lines[at + 1..].concat());
            config(before.as_bytes());
            config(format!("{before}{behind}").as_bytes());
        }
        lines_seen += lines.len();
    }
    assert!(lines_seen > 80, "{lines_seen} lines");
}
