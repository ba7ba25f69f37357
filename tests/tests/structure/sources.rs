//! The source files of the workspace, and the root file of each target.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Texts by their path from the root of the workspace, written with `/`.
pub(crate) type Sources = BTreeMap<String, String>;

/// The folders that have packages in them, or are packages.
const PACKAGES_IN: [&str; 6] = ["crates", "examples", "benches", "tests", "fuzz", "tests/no-alloc"];

/// Folders of a package without code of the package: integration tests and build results.
const SKIPPED: [&str; 5] = ["tests", "target", "corpus", "artifacts", "no-alloc"];

/// The packages of the workspace: the folder of each, and its `Cargo.toml`.
pub(crate) struct Workspace {
    pub(crate) sources: Sources,
    pub(crate) manifests: BTreeMap<String, toml::Table>,
}

impl Workspace {
    pub(crate) fn read(root: &Path) -> Self {
        let mut workspace = Self { sources: Sources::new(), manifests: BTreeMap::new() };
        for folder in PACKAGES_IN {
            if root.join(folder).join("Cargo.toml").exists() {
                workspace.add_package(root, folder);
                continue;
            }
            for entry in fs::read_dir(root.join(folder)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                let folder = format!("{folder}/{name}");
                if root.join(&folder).join("Cargo.toml").exists() {
                    workspace.add_package(root, &folder);
                }
            }
        }
        workspace
    }

    fn add_package(&mut self, root: &Path, folder: &str) {
        let manifest = fs::read_to_string(root.join(folder).join("Cargo.toml")).unwrap();
        self.manifests.insert(folder.to_owned(), manifest.parse().unwrap());
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if !SKIPPED.contains(&name.as_str()) {
                add(&mut self.sources, root, format!("{folder}/{name}"));
            }
        }
    }

    /// Returns the root files of all targets but tests.
    pub(crate) fn roots(&self) -> BTreeSet<String> {
        let manifests = self.manifests.iter();
        manifests.flat_map(|(folder, manifest)| roots(folder, manifest, &self.sources)).collect()
    }
}

/// Adds a file, or the files of a folder and of those below it.
fn add(sources: &mut Sources, root: &Path, path: String) {
    let place = root.join(&path);
    if place.is_dir() {
        for entry in fs::read_dir(place).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            add(sources, root, format!("{path}/{name}"));
        }
    } else if place.extension().is_some_and(|extension| extension == "rs") {
        sources.insert(path, fs::read_to_string(place).unwrap());
    }
}

/// Returns the root files of a package: those that `Cargo.toml` names, and those that Cargo finds.
fn roots(folder: &str, manifest: &toml::Table, sources: &Sources) -> BTreeSet<String> {
    let named = ["lib", "bin", "example", "bench"].into_iter().flat_map(|kind| {
        let targets = match manifest.get(kind) {
            Some(toml::Value::Array(targets)) => targets.iter().collect(),
            Some(target) => vec![target],
            None => Vec::new(),
        };
        targets.into_iter().filter_map(|target| target.get("path")?.as_str())
    });
    let named: BTreeSet<String> = named.map(|path| format!("{folder}/{path}")).collect();
    let found = sources.keys().filter(|path| {
        let inside = path.strip_prefix(folder).and_then(|path| path.strip_prefix('/'));
        inside.is_some_and(is_found_by_cargo)
    });
    named.into_iter().chain(found.cloned()).collect()
}

/// True for a file that Cargo makes a target without an entry in the manifest.
fn is_found_by_cargo(path: &str) -> bool {
    let folders = ["src/bin/", "benches/", "examples/"];
    let in_folder = |path: &str| {
        let inside = folders.iter().find_map(|folder| path.strip_prefix(folder));
        inside.is_some_and(|file| !file.contains('/'))
    };
    matches!(path, "src/lib.rs" | "src/main.rs" | "build.rs")
        || in_folder(path)
        || path.strip_suffix("/main.rs").is_some_and(in_folder)
}
