//! The cases of the client's decision: facts in, decision out.
//!
//! The cases come from the `.toml` files of this folder, or from the file that the environment's
//! `CLIENT_CASES` names. This program translates each of them into calls of the crate's public
//! functions. Its last line is `N of M cases`.
#![allow(clippy::print_stdout, reason = "the program prints the cases that fail, and the sum")]

mod case;
mod world;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use case::File;

fn main() -> ExitCode {
    let files = match std::env::var_os("CLIENT_CASES") {
        // Cargo runs this program in the folder of the crate; a relative path may be meant from
        // there or from the root of the workspace.
        Some(path) if Path::new(&path).exists() => vec![PathBuf::from(path)],
        Some(path) => vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)],
        None => own_files(),
    };
    let cases: Vec<_> = files.iter().flat_map(|path| read(path).case).collect();
    let mut passed = 0;
    for case in &cases {
        match world::run(case) {
            Ok(()) => passed += 1,
            Err(found) => println!("{} ({}): {found}", case.id, case.note),
        }
    }
    println!("{passed} of {} cases", cases.len());
    if passed == cases.len() && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn own_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|it| it == "toml")).collect();
    files.sort_unstable();
    files
}

fn read(path: &Path) -> File {
    let text = std::fs::read_to_string(path);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file: File =
        toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(file.schema, 1, "{}: schema", path.display());
    file
}
