//! Checks the commands in the documents that no test can run, because they take minutes or install
//! packages: each names programs, packages, targets and features that exist.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The test that runs the command blocks of a document.
const RUN_BY: &[(&str, &str)] = &[
    ("README.md", "demo.rs, and the gate for tests/run.sh"),
    ("docs/quickstart.md", "quickstart.rs"),
    ("docs/421.md", "misdirected_page.rs"),
    ("docs/client.md", "client_page.rs"),
    ("docs/c-interface.md", "c_interface/page.rs"),
];

/// The documents whose commands are checked here.
const CHECKED: &[&str] = &[
    "CONTRIBUTING.md",
    "docs/browsers.md",
    "docs/c-servers.md",
    "docs/operations.md",
    "docs/performance.md",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// The commands in the `sh` blocks of a document, each as its words.
fn commands(document: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join(document)).unwrap();
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut found = Vec::new();
    for block in blocks {
        for line in block.replace("\\\n", " ").lines() {
            let words = line.split('#').next().unwrap().split_whitespace();
            let words: Vec<String> = words.map(str::to_owned).collect();
            if !words.is_empty() {
                found.push(words);
            }
        }
    }
    found
}

fn packages() -> Vec<Value> {
    let run = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&run.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// The package of a cargo command: that of `-p`, or of the folder of `--path`.
fn package<'a>(words: &[String], packages: &'a [Value]) -> &'a Value {
    let value = |flags: [&str; 2]| {
        let position = words.iter().position(|word| flags.contains(&word.as_str()))?;
        Some(words[position + 1].as_str())
    };
    let name = match (value(["-p", "--package"]), value(["--path", "--path"])) {
        (Some(name), _) => name,
        (None, Some(path)) => Path::new(path).file_name().unwrap().to_str().unwrap(),
        (None, None) => panic!("no package in {words:?}"),
    };
    packages.iter().find(|package| package["name"] == name).unwrap_or_else(|| panic!("{name}"))
}

fn has_target(package: &Value, kind: &str, name: &str) -> bool {
    let targets = package["targets"].as_array().unwrap();
    targets.iter().any(|target| {
        target["name"] == name && target["kind"].as_array().unwrap().iter().any(|k| k == kind)
    })
}

fn assert_cargo_command(words: &[String], packages: &[Value]) {
    let package = package(words, packages);
    // The words after `--` are for the program.
    let own = words.split(|word| word == "--").next().unwrap();
    for pair in own.windows(2) {
        let [flag, value] = pair else { unreachable!() };
        match flag.as_str() {
            "--bin" | "--bench" | "--test" | "--example" => {
                assert!(has_target(package, &flag[2..], value), "{words:?}");
            }
            "--features" => assert!(package["features"].get(value).is_some(), "{words:?}"),
            "--path" => assert!(root().join(value).join("Cargo.toml").exists(), "{words:?}"),
            _ => {}
        }
    }
}

/// Returns whether the program `coalesce` has this command.
fn has_command(name: &str) -> bool {
    let source = fs::read_to_string(root().join("crates/coalesce-cli/src/cli.rs")).unwrap();
    let (first, rest) = name.split_at(1);
    source.contains(&format!("    {}{rest}(", first.to_uppercase()))
}

#[test]
fn every_document_with_commands_has_a_test() {
    let listed = fs::read_dir(root().join("docs")).unwrap();
    let pages = listed.map(|entry| format!("docs/{}", entry.unwrap().file_name().display()));
    let documents = pages.chain(["README.md".to_owned(), "CONTRIBUTING.md".to_owned()]);
    let with_commands: BTreeSet<String> = documents
        .filter(|page| Path::new(page).extension().is_some_and(|extension| extension == "md"))
        .filter(|page| !commands(page).is_empty())
        .collect();
    let run = RUN_BY.iter().map(|(page, _)| *page);
    let known: BTreeSet<String> = run.chain(CHECKED.iter().copied()).map(str::to_owned).collect();
    assert_eq!(with_commands, known);
}

#[test]
fn commands_name_targets_features_and_packages_that_exist() {
    let packages = packages();
    let mut checked = 0;
    for document in CHECKED {
        for words in commands(document) {
            // Environment variables come before the program.
            let words = words.iter().position(|word| !word.contains('=')).map(|at| &words[at..]);
            let words = words.unwrap_or_else(|| panic!("{document}: a command without a program"));
            match words[0].as_str() {
                "cargo" => assert_cargo_command(words, &packages),
                "coalesce" => assert!(has_command(&words[1]), "{document}: {words:?}"),
                "apt-get" => assert_eq!(words[1], "install", "{words:?}"),
                script => {
                    let mode = fs::metadata(root().join(script)).map(|file| file.permissions());
                    let mode = mode.unwrap_or_else(|_| panic!("{document}: no script {script}"));
                    assert!(mode.mode() & 0o100 != 0, "{document}: {script} is not executable");
                }
            }
            checked += 1;
        }
    }
    assert!(checked >= 14, "{checked} commands");
}
