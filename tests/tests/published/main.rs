//! The crates as they would be published: manifests, licences, and READMEs generated from the
//! documentation.

mod public;
mod readme;

use std::fs;
use std::path::{Path, PathBuf};

use public::Documented;
use toml::Table;

/// The command, whose documentation is its help.
const COMMAND: &str = "coalesce-cli";

/// The library for C, whose documentation is its header. A test of its own compares them.
const C_INTERFACE: &str = "coalesce-ffi";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn manifest(path: impl AsRef<Path>) -> Table {
    toml::from_str(&read(path)).unwrap()
}

/// The names of the crates that could be published: each folder of `crates`.
fn crates() -> Vec<String> {
    let folders = fs::read_dir(root().join("crates")).unwrap();
    let mut names: Vec<_> =
        folders.map(|folder| folder.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    assert!(names.len() > 5, "{names:?}");
    names
}

fn libraries() -> impl Iterator<Item = String> {
    crates().into_iter().filter(|name| name != COMMAND)
}

/// The libraries whose users read the documentation of Rust.
fn rust_libraries() -> impl Iterator<Item = String> {
    libraries().filter(|name| name != C_INTERFACE)
}

/// `COALESCE_BLESS=1` writes the READMEs anew.
#[test]
fn readme_of_each_library_is_what_its_documentation_makes_it() {
    let workspace = read("README.md");
    for name in libraries() {
        let library = read(format!("crates/{name}/src/lib.rs"));
        let expected = readme::readme(&name, &library, &workspace);
        let path = format!("crates/{name}/README.md");
        if std::env::var_os("COALESCE_BLESS").is_some() {
            fs::write(root().join(&path), &expected).unwrap();
        }
        assert!(read(&path) == expected, "{path} should be: run `just bless-readmes`\n{expected}");
    }
}

#[test]
fn readme_of_the_command_ends_with_platforms_and_licence() {
    let footer = readme::footer(&read("README.md"));
    let path = format!("crates/{COMMAND}/README.md");
    assert!(read(&path).ends_with(&footer), "{path}: the end should be\n{footer}");
}

#[test]
fn readme_names_the_lowest_rust_version() {
    let workspace = manifest("Cargo.toml");
    let version = workspace["workspace"]["package"]["rust-version"].as_str().unwrap();
    let readme = read("README.md");
    let platforms = readme::section(&readme, "## ", "Platforms").unwrap();
    assert!(platforms.contains(&format!("Rust {version}")), "Rust {version} in {platforms}");
}

#[test]
fn manifest_of_each_crate_has_the_metadata_of_a_package() {
    for name in crates() {
        let path = format!("crates/{name}/Cargo.toml");
        let manifest = manifest(&path);
        let package = manifest["package"].as_table().unwrap();
        for field in [
            "name",
            "description",
            "version",
            "edition",
            "rust-version",
            "license",
            "authors",
            "keywords",
            "categories",
            "include",
        ] {
            assert!(package.contains_key(field), "{path}: no {field}");
        }
        assert_eq!(package["name"].as_str(), Some(&name[..]));
        if name != COMMAND {
            let docs_rs = &package["metadata"]["docs"]["rs"];
            assert_eq!(docs_rs["all-features"].as_bool(), Some(true), "{path}");
        }
    }
}

#[test]
fn licences_of_each_crate_are_those_of_the_workspace() {
    for name in crates() {
        for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
            assert_eq!(read(format!("crates/{name}/{licence}")), read(licence), "{name}");
        }
    }
}

/// Each feature has a line in the documentation, and the documentation names no other.
#[test]
fn crate_features_of_the_documentation_are_those_of_the_manifest() {
    for name in libraries() {
        let manifest = manifest(format!("crates/{name}/Cargo.toml"));
        let features = manifest.get("features").and_then(|features| features.as_table());
        let features = features.into_iter().flat_map(|features| features.keys());
        let mut expected: Vec<_> =
            features.map(String::as_str).filter(|feature| *feature != "default").collect();
        let documentation = readme::documentation(&read(format!("crates/{name}/src/lib.rs")));
        let section = readme::section(&documentation, "# ", "Crate features")
            .unwrap_or_else(|| panic!("{name}: no section \"Crate features\""));
        let lines = section.lines().filter_map(|line| line.strip_prefix("* `"));
        let mut found: Vec<_> = lines.filter_map(|line| Some(line.split_once('`')?.0)).collect();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected, "{name}");
    }
}

/// The documentation of `name` as docs.rs makes it, which the gate's step `published` writes.
fn documented(name: &str) -> Documented {
    let file = name.replace('-', "_");
    Documented::parse(&read(format!("target/published/doc/{file}.json")))
}

#[test]
#[ignore = "needs the documentation as JSON: just published"]
fn every_name_that_a_library_exports_is_in_its_documentation() {
    for name in rust_libraries() {
        let exported = public::exported_names(&read(format!("crates/{name}/src/lib.rs")));
        assert!(exported.len() > 3, "{name}: {exported:?}");
        assert_eq!(documented(&name).root_names(), exported, "{name}");
    }
}

#[test]
#[ignore = "needs the documentation as JSON: just published"]
fn external_types_of_each_library_are_those_of_its_documentation() {
    for name in rust_libraries() {
        let documentation = readme::documentation(&read(format!("crates/{name}/src/lib.rs")));
        let section = readme::section(&documentation, "# ", "External types")
            .unwrap_or_else(|| panic!("{name}: no section \"External types\""));
        let found = documented(&name).external_crates();
        assert_eq!(public::crates_in_table(section), found, "{name}");
    }
}

/// Public types that are `Send` but not `Sync`, with the reason.
const ONLY_SEND: &[(&str, &str, &str)] = &[
    ("coalesce-client", "RequestBody", "it holds a body of the user"),
    ("coalesce-client", "ResponseFuture", "it holds a body of the user"),
];

#[test]
#[ignore = "needs the documentation as JSON: just published"]
fn every_public_type_is_asserted_to_be_send_and_sync() {
    for name in rust_libraries() {
        let asserted = read(format!("crates/{name}/src/send_and_sync.rs"));
        let mut types = documented(&name).types();
        types.retain(|item| !ONLY_SEND.iter().any(|known| known.0 == name && known.1 == item));
        assert_eq!(public::asserted_types(&asserted), types, "{name}");
    }
}

/// Public items that need no example, with the reason.
const WITHOUT_EXAMPLE: &[(&str, &str)] = &[
    ("ConnectionService", "`CoalesceLayer::serve` makes it and has the example"),
    ("ResponseBody", "a layer makes it, and a server library takes it"),
    ("ResponseFuture", "a layer makes it, and a server library takes it"),
    ("WrappedFuture", "a layer makes it, and a server library takes it"),
];

#[test]
#[ignore = "needs the documentation as JSON: just published"]
fn every_public_type_trait_and_function_has_an_example() {
    for name in rust_libraries() {
        let mut missing = documented(&name).names_without_example();
        missing.retain(|item| !WITHOUT_EXAMPLE.iter().any(|(known, _)| known == item));
        assert!(missing.is_empty(), "{name}: {missing:?}");
    }
}

/// Struct-like variants that do not get more fields, with the reason.
const FIXED_FIELDS: &[(&str, &str, &str)] = &[
    (
        "coalesce-http",
        "LogDecision",
        "an event is logged with the number suppressed before it, or not",
    ),
    ("coalesce-http", "MisdirectedContent", "users write it in their programs"),
    ("coalesce-pool", "AnswerAction", "users compare whole actions in their tests"),
    ("coalesce-pool", "Choice", "users compare whole choices in their tests"),
    ("coalesce-tls", "ServerNamePolicy", "users write it in their programs"),
];

/// Users compare the errors of the core whole in their tests, so its documentation promises that
/// their variants keep their fields.
#[test]
#[ignore = "needs the documentation as JSON: just published"]
fn struct_like_variants_are_non_exhaustive() {
    for name in rust_libraries().filter(|name| name != "coalesce-core") {
        let fixed = documented(&name).variants_with_fixed_fields();
        let unexpected: Vec<_> = fixed
            .iter()
            .filter(|(item, _)| {
                !FIXED_FIELDS.iter().any(|known| known.0 == name && known.1 == item)
            })
            .collect();
        assert!(unexpected.is_empty(), "{name}: {unexpected:?}");
    }
}
