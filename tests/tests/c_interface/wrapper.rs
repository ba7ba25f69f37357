//! `coalesce.hpp`, under the sanitizers of the compiler.

use std::path::Path;
use std::process::Command;

use super::{pkg_config, prefix, root, run};

#[test]
fn wrapper_in_cpp_compiles_without_exceptions_and_keeps_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("wrapper");
    let mut libraries = pkg_config(Path::new("/"), prefix(), &["--libs", "--static"]);
    libraries.retain(|library| library != "-lcoalesce");
    let mut compiler = Command::new("c++");
    compiler
        .args(["-std=c++17", "-fno-exceptions", "-fno-rtti", "-Wall", "-Wextra", "-Wpedantic"])
        .args(["-Wshadow", "-Werror", "-g", "-fsanitize=address,undefined"])
        .arg("-fno-sanitize-recover=all")
        .args(pkg_config(Path::new("/"), prefix(), &["--cflags"]))
        .arg(root().join("tests/tests/c_interface/wrapper.cpp"))
        .arg("-o")
        .arg(&program)
        .arg(prefix().join("lib/libcoalesce.a"))
        .args(libraries);
    run(&mut compiler);
    assert_eq!(run(&mut Command::new(program)), "");
}

#[test]
fn wrapper_is_short() {
    let header = root().join("crates/coalesce-ffi/include/coalesce.hpp");
    let lines = std::fs::read_to_string(header).unwrap().lines().count();
    assert!(lines < 200, "{lines} lines");
}
