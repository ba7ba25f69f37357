//! Checks that the documents form a book and that their links are valid.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// The documents that people read, as paths below the root.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["", "docs", "crates/*", "integrations/*", "benches", "tests/vectors", ".github"]
    {
        let folders = match folder.strip_suffix("/*") {
            None => vec![root().join(folder)],
            Some(parent) => fs::read_dir(root().join(parent))
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.is_dir())
                .collect(),
        };
        for file in folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()) {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found
}

/// The lines of a document outside of its code blocks, with a page included in place of its mark.
fn prose(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let mut code = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            code = !code;
        } else if let Some(file) = line.strip_prefix("{{#include ").filter(|_| !code) {
            lines.extend(prose(&path.with_file_name(file.trim_end_matches('}'))));
        } else if !code {
            lines.push(line.to_owned());
        }
    }
    lines
}

/// The name of a heading in a link, as GitHub and mdBook make it.
fn anchor(heading: &str) -> String {
    let kept = |character: &char| character.is_alphanumeric() || " -_".contains(*character);
    heading.to_lowercase().chars().filter(kept).collect::<String>().trim().replace(' ', "-")
}

fn anchors(path: &Path) -> BTreeSet<String> {
    let lines = prose(path);
    lines
        .iter()
        .filter(|line| line.starts_with('#'))
        .map(|line| anchor(line.trim_start_matches('#')))
        .collect()
}

/// The targets of the links and pictures of a line.
fn targets(line: &str) -> Vec<&str> {
    let after = line.split("](").skip(1);
    after.filter_map(|rest| rest.split(')').next()).collect()
}

#[test]
fn links_inside_the_repository_lead_to_files_and_headings() {
    let (mut links, mut broken) = (0, Vec::new());
    for document in documents() {
        for line in prose(&document) {
            for target in targets(&line).into_iter().filter(|target| !target.contains("://")) {
                links += 1;
                let (file, heading) = target.split_once('#').unwrap_or((target, ""));
                let path = if file.is_empty() {
                    document.clone()
                } else {
                    document.parent().unwrap().join(file)
                };
                let found =
                    path.exists() && (heading.is_empty() || anchors(&path).contains(heading));
                if !found {
                    broken.push(format!("{}: {target}", document.display()));
                }
            }
        }
    }
    assert!(links > 60, "{links} links");
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn summary_has_every_page_once_and_begins_with_the_start() {
    let docs = root().join("docs");
    let summary = fs::read_to_string(docs.join("SUMMARY.md")).unwrap();
    let listed: Vec<&str> = summary.lines().flat_map(targets).collect();
    let pages: BTreeSet<String> = fs::read_dir(&docs)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "md"))
        .filter(|name| name != "SUMMARY.md")
        .collect();
    let names: BTreeSet<String> = listed.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(names, pages);
    assert_eq!(listed.len(), pages.len(), "a page is listed twice");
    let position = |page: &str| listed.iter().position(|listed| *listed == page).unwrap();
    let order = [
        "quickstart.md",
        "decision.md",
        "groups.md",
        "operations.md",
        "observing.md",
        "browsers.md",
    ];
    assert!(order.is_sorted_by_key(|page| position(page)), "{listed:?}");
}
