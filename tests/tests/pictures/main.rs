//! The pictures of the documentation are what the code draws from the facts of the repository.

mod badge;
mod connection;
mod terminal;

use std::fs;
use std::path::Path;
use std::process::Command;

use coalesce_tests::binary;

/// Compares a picture with its file. `COALESCE_BLESS=1` writes the file.
fn compare(name: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pictures").join(name);
    if std::env::var_os("COALESCE_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "docs/pictures/{name} is not up to date: run `just bless-pictures`");
}

#[test]
fn connection_picture_has_two_streams_served_and_one_421() {
    compare("connection.svg", &connection::draw());
}

#[test]
fn badges_have_the_facts_of_the_manifests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: &str| -> toml::Table {
        fs::read_to_string(root.join(path)).unwrap().parse().unwrap()
    };
    let package = read("Cargo.toml")["workspace"]["package"].clone();
    let rust = package["rust-version"].as_str().unwrap();
    let licence = package["license"].as_str().unwrap().replace(" OR ", " or ");
    let core = read("crates/coalesce-core/Cargo.toml");
    let dependencies = core.get("dependencies").map_or(0, |table| table.as_table().unwrap().len());
    compare("badge-rust.svg", &badge::draw("Rust", &format!("{rust} or newer")));
    compare("badge-licence.svg", &badge::draw("licence", &licence));
    compare("badge-core.svg", &badge::draw("dependencies of the core", &dependencies.to_string()));
}

#[test]
fn demo_picture_is_its_output() {
    let output = Command::new(binary()).arg("demo").env("CLICOLOR_FORCE", "1").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    // The system chooses the port.
    let (before, after) = text.split_once("127.0.0.1:").unwrap();
    let after = after.trim_start_matches(|character: char| character.is_ascii_digit());
    let text = format!("{before}127.0.0.1:8443{after}");
    compare("demo.svg", &terminal::draw("coalesce demo", &text));
}
