//! The interface as C and C++ see it: programs under sanitizers, the header, the exported names.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder of this test's binary, where cargo puts the libraries of the crate too.
fn libraries() -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().to_owned()
}

fn header() -> String {
    fs::read_to_string(folder().join("include/coalesce.h")).unwrap()
}

/// Returns the C or C++ compiler that the environment names, or that of the system.
fn compiler(cpp: bool) -> Command {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut build = cc::Build::new();
    build.cpp(cpp).target(&target).host(&target).opt_level(1).cargo_metadata(false);
    let mut command = build.get_compiler().to_command();
    command.args(["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I"]);
    command.arg(folder().join("include"));
    command
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}", text(&output.stderr));
    text(&output.stdout)
}

/// Compiles a program with the static library under `AddressSanitizer` and
/// `UndefinedBehaviorSanitizer`, and runs it.
fn run_sanitized(name: &str) {
    let binary = libraries().join(format!("coalesce-c-{name}"));
    let mut build = compiler(false);
    build.args(["-std=c11", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
    build.arg(folder().join(format!("tests/c/{name}.c"))).arg("-o").arg(&binary);
    build.arg(libraries().join("libcoalesce_ffi.a"));
    run(build.args(["-lpthread", "-lm", "-ldl"]));
    // A leak of a handle is a fault too.
    run(Command::new(binary).env("ASAN_OPTIONS", "detect_leaks=1"));
}

#[test]
fn hostile_arguments_are_results_under_sanitizers() {
    run_sanitized("arguments");
}

#[test]
fn rules_of_the_interface_hold_under_sanitizers() {
    run_sanitized("rules");
}

#[test]
fn header_compiles_as_c_and_as_cpp() {
    let source = libraries().join("coalesce-c-header.c");
    fs::write(
        &source,
        "#include <coalesce.h>\n#include <coalesce.h>\nint main(void) { return 0; }\n",
    )
    .unwrap();
    run(compiler(false).args(["-std=c99", "-fsyntax-only"]).arg(&source));
    run(compiler(true).args(["-std=c++11", "-fsyntax-only", "-x", "c++"]).arg(&source));
}

/// The example of the crate's documentation.
#[test]
fn example_of_the_documentation_serves_its_host() {
    let library = fs::read_to_string(folder().join("src/lib.rs")).unwrap();
    let (_, rest) = library.split_once("//! ```c\n").unwrap();
    let (example, _) = rest.split_once("//! ```\n").unwrap();
    let lines =
        example.lines().map(|line| line.strip_prefix("//!").unwrap().trim_start_matches(' '));
    let source = libraries().join("coalesce-c-example.c");
    fs::write(&source, lines.collect::<Vec<_>>().join("\n") + "\n").unwrap();
    let binary = libraries().join("coalesce-c-example");
    let mut build = compiler(false);
    build.arg("-std=c99").arg(&source).arg("-o").arg(&binary);
    run(build.arg(libraries().join("libcoalesce_ffi.a")).args(["-lpthread", "-lm", "-ldl"]));
    assert_eq!(run(&mut Command::new(binary)), "outcome 1, virtual host 7\n");
}

/// Returns the functions that the header declares.
fn declared() -> BTreeSet<String> {
    let header = header();
    let (_, functions) = header.split_once("extern \"C\" {").unwrap();
    let words = functions
        .split(|character: char| !(character.is_alphanumeric() || "_(".contains(character)));
    let names = words.filter_map(|word| Some(word.split_once('(')?.0.to_owned()));
    names.filter(|name| name.starts_with("coalesce_")).collect()
}

#[test]
fn shared_library_exports_the_functions_of_the_header_alone() {
    let mut nm = Command::new("nm");
    nm.args(["--dynamic", "--defined-only", "--format=posix"]);
    let listed = run(nm.arg(libraries().join("libcoalesce_ffi.so")));
    let exported: BTreeSet<_> = listed
        .lines()
        .filter_map(|line| Some(line.split_whitespace().next()?.to_owned()))
        .collect();
    assert!(exported.len() > 30, "{exported:?}");
    assert_eq!(exported, declared());
}

#[test]
fn every_function_is_called_with_hostile_arguments() {
    let program = fs::read_to_string(folder().join("tests/c/arguments.c")).unwrap();
    let missing: Vec<_> =
        declared().into_iter().filter(|name| !program.contains(&format!("{name}("))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn header_is_the_one_that_cbindgen_makes() {
    let configuration = cbindgen::Config::from_file(folder().join("cbindgen.toml")).unwrap();
    let mut made = Vec::new();
    cbindgen::generate_with_config(folder(), configuration).unwrap().write(&mut made);
    let made = String::from_utf8(made).unwrap();
    if std::env::var_os("COALESCE_BLESS").is_some() {
        fs::write(folder().join("include/coalesce.h"), &made).unwrap();
    }
    assert!(header() == made, "include/coalesce.h differs; COALESCE_BLESS=1 writes it");
}
