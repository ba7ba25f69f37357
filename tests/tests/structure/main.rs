//! The structure of the workspace: no circles of files, no long files or functions, dependencies
//! that point inward, and every folder in `ARCHITECTURE.md`.
//!
//! A circle is a group of files of which each uses, directly or through others, an item of every
//! other. A file uses another if it names one of its items in a `use` or in a path. `mod` lines,
//! re-exports and test code do not count. Method calls count only on `self`, because the checker
//! does not know the types of other receivers.

mod circles;
mod lengths;
mod made_up;
mod modules;
mod sources;
mod uses;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use modules::{Code, Modules};
use sources::Workspace;
use uses::Uses;

/// No file that is not for tests has more lines.
const FILE_LINES_MAX: usize = 600;

/// No function that is not for tests has more lines.
const FUNCTION_LINES_MAX: usize = 60;

/// Circles still to be removed, by their files. A part of one is allowed as well; remove a circle
/// from this list when it is gone.
const KNOWN_CIRCLES: &[&[&str]] = &[];

/// Files that are still too long.
const KNOWN_LONG_FILES: &[&str] = &[];

/// Functions that are still too long, by file and name.
const KNOWN_LONG_FUNCTIONS: &[(&str, &str)] = &[];

/// The crates of this workspace that each crate may depend on.
const DEPENDENCIES: &[(&str, &[&str])] = &[
    ("coalesce-core", &[]),
    ("coalesce-tls", &["coalesce-core"]),
    ("coalesce-http", &["coalesce-core"]),
    ("coalesce-h2", &["coalesce-core", "coalesce-http"]),
    ("coalesce-tower", &["coalesce-core", "coalesce-http", "coalesce-tls"]),
    (
        "coalesce-site",
        &["coalesce-core", "coalesce-tls", "coalesce-http", "coalesce-h2", "coalesce-tower"],
    ),
    ("coalesce-ffi", &["coalesce-core", "coalesce-tls"]),
    ("coalesce-pool", &["coalesce-core"]),
    ("coalesce-client", &["coalesce-core", "coalesce-h2", "coalesce-pool", "coalesce-tls"]),
    ("coalesce-lab", &[]),
    (
        "coalesce-cli",
        &[
            "coalesce-core",
            "coalesce-tls",
            "coalesce-http",
            "coalesce-h2",
            "coalesce-client",
            "coalesce-pool",
            "coalesce-site",
            "coalesce-lab",
        ],
    ),
];

static WORKSPACE: LazyLock<Workspace> = LazyLock::new(|| Workspace::read(&root()));

static USES: LazyLock<Uses> = LazyLock::new(|| {
    let roots = WORKSPACE.roots();
    Uses::read(roots.iter().map(String::as_str), &WORKSPACE.sources)
});

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn files_use_each_other_in_no_circle() {
    let circles = circles::circles(&USES);
    let within = |circle: &circles::Circle, known: &[&str]| {
        circle.iter().all(|file| known.contains(&file.as_str()))
    };
    let new =
        circles.iter().filter(|circle| !KNOWN_CIRCLES.iter().any(|known| within(circle, known)));
    let new: String = new.map(|circle| circles::describe(circle, &USES)).collect();
    let gone =
        KNOWN_CIRCLES.iter().filter(|known| !circles.iter().any(|circle| within(circle, known)));
    let gone: Vec<_> = gone.collect();
    assert!(new.is_empty(), "{new}");
    assert!(gone.is_empty(), "no circle any more, remove from the list: {gone:#?}");
}

#[test]
fn every_file_is_in_a_module_tree() {
    let roots = WORKSPACE.roots();
    let trees = roots.iter().map(|root| Modules::read(root, &WORKSPACE.sources, Code::All));
    let read: BTreeSet<String> =
        trees.flat_map(|tree| tree.files().map(str::to_owned).collect::<Vec<_>>()).collect();
    let dead: Vec<_> = WORKSPACE.sources.keys().filter(|file| !read.contains(*file)).collect();
    assert!(dead.is_empty(), "in no module tree: {dead:#?}");
}

#[test]
fn no_file_is_too_long() {
    let lines = |file: &str| WORKSPACE.sources[file].lines().count();
    let long = USES.files.iter().filter(|file| lines(file) > FILE_LINES_MAX);
    let long: BTreeSet<&str> = long.map(String::as_str).collect();
    let known = KNOWN_LONG_FILES.iter().copied().collect();
    assert_eq!(long, known, "files over {FILE_LINES_MAX} lines, and those known to be");
}

#[test]
fn no_function_is_too_long() {
    let long = USES.files.iter().flat_map(|file| {
        let functions = lengths::functions(&WORKSPACE.sources[file]);
        let long = functions.into_iter().filter(|function| function.lines > FUNCTION_LINES_MAX);
        long.map(|function| (file.clone(), function.name))
    });
    let long: BTreeSet<_> = long.collect();
    let owned = |(file, name): &(&str, &str)| ((*file).to_owned(), (*name).to_owned());
    let known: BTreeSet<_> = KNOWN_LONG_FUNCTIONS.iter().map(owned).collect();
    assert_eq!(long, known, "functions over {FUNCTION_LINES_MAX} lines, and those known to be");
}

#[test]
fn dependencies_point_inward() {
    let allowed: BTreeMap<_, _> = DEPENDENCIES.iter().copied().collect();
    for (folder, manifest) in &WORKSPACE.manifests {
        let Some(name) = folder.strip_prefix("crates/") else { continue };
        let allowed = allowed.get(name);
        let allowed = allowed.unwrap_or_else(|| panic!("no row for {name} in DEPENDENCIES"));
        for dependency in own_dependencies(manifest) {
            assert!(allowed.contains(&dependency.as_str()), "{name} depends on {dependency}");
        }
    }
}

/// Returns the dependencies of a package, of any target, that are crates of this workspace.
fn own_dependencies(manifest: &toml::Table) -> BTreeSet<String> {
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let targets = targets.into_iter().flat_map(toml::Table::values);
    let tables = targets.filter_map(toml::Value::as_table).chain([manifest]);
    let kinds = tables.flat_map(|table| {
        ["dependencies", "build-dependencies"].into_iter().filter_map(|kind| table.get(kind))
    });
    let names = kinds.filter_map(toml::Value::as_table).flat_map(toml::Table::keys);
    names.filter(|name| name.starts_with("coalesce")).cloned().collect()
}

#[test]
fn architecture_md_names_every_crate_and_folder() {
    let document = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut missing = BTreeSet::new();
    for file in &USES.files {
        let Some((name, path)) = file.strip_prefix("crates/").and_then(|file| file.split_once('/'))
        else {
            continue;
        };
        let section = document.split(&format!("\n### {name}\n")).nth(1);
        let section = section.map(|section| section.split("\n#").next().unwrap());
        let Some(section) = section else {
            missing.insert(format!("a section on {name}"));
            continue;
        };
        let Some(inside) = path.strip_prefix("src/").and_then(|path| path.rsplit_once('/')) else {
            continue;
        };
        // `engine`, or a file of it as in `engine/hpack`.
        let folder = inside.0.rsplit('/').next().unwrap();
        let named = [format!("`{folder}`"), format!("/{folder}`"), format!("`{folder}/")];
        if !named.iter().any(|named| section.contains(named)) {
            missing.insert(format!("{} in the section on {name}", inside.0));
        }
    }
    assert!(missing.is_empty(), "ARCHITECTURE.md lacks {missing:#?}");
}
