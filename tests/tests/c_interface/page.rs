//! `docs/c-interface.md`: its commands, its code and its table of files.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use coalesce_tests::World;

use super::{for_tests, pkg_config, prefix, root, run};

fn page() -> String {
    fs::read_to_string(root().join("docs/c-interface.md")).unwrap()
}

/// The code blocks of a language, in order.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("```{language}\n");
    // Not the last line break, so that a block is a part of a longer text.
    page.split(&*opening).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect()
}

#[test]
fn commands_of_the_page_install_build_and_ask() {
    let page = page();
    let [install, build, start, ask] = blocks(&page, "sh")[..] else {
        panic!("four blocks of commands expected")
    };
    let [expected] = blocks(&page, "text")[..] else { panic!("one output expected") };
    let world = World::new(&[], "");
    let home = world.path("");
    symlink(root().join("crates"), world.path("crates")).unwrap();
    fs::create_dir_all(world.path("examples/c")).unwrap();
    for file in ["Makefile", "server.c"] {
        let from = root().join("examples/c").join(file);
        fs::copy(from, world.path("examples/c").join(file)).unwrap();
    }
    let shell = |folder: &Path, script: &str| {
        let mut command = Command::new("bash");
        // The programs of the toolchain find their folders by HOME, unless these say them.
        for (variable, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
            let user = std::env::var_os("HOME").unwrap_or_default();
            let set = std::env::var_os(variable);
            let set = set.unwrap_or_else(|| Path::new(&user).join(folder).into_os_string());
            command.env(variable, set);
        }
        command.args(["-euc", script]).current_dir(folder);
        command.env("HOME", &home);
        for_tests(&mut command);
        command
    };
    run(&mut shell(&home, install));
    run(&mut shell(&home, build));
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let here = |script: &str| script.replace("8443", &address.port().to_string());
    let example = world.path("examples/c");
    let server = world.start(shell(&example, &format!("exec {}", here(start))));
    assert_eq!(server.address, address);
    assert_eq!(run(&mut shell(&example, &here(ask))).trim_end(), expected.trim_end());
}

#[test]
fn c_of_the_page_is_that_of_the_example() {
    let page = page();
    let example = fs::read_to_string(root().join("examples/c/server.c")).unwrap();
    let blocks = blocks(&page, "c");
    assert_eq!(blocks.len(), 5);
    for block in blocks {
        assert!(example.contains(block), "not in the example:\n{block}");
    }
}

#[test]
fn cpp_of_the_page_compiles() {
    let page = page();
    let [code] = blocks(&page, "cpp")[..] else { panic!("one block expected") };
    let folder = tempfile::tempdir().unwrap();
    let program = format!("#include <coalesce.hpp>\nint main() {{\n{code}\n}}\n");
    fs::write(folder.path().join("page.cpp"), program).unwrap();
    let mut compiler = Command::new("c++");
    compiler.args(["-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "page.cpp"]);
    compiler.args(pkg_config(Path::new("/"), prefix(), &["--cflags"]));
    run(compiler.current_dir(folder.path()));
}

#[test]
fn python_of_the_page_calls_the_shared_library() {
    let page = page();
    let [program] = blocks(&page, "python")[..] else { panic!("one program expected") };
    let mut python = Command::new("python3");
    python.args(["-c", program]).env("LD_LIBRARY_PATH", prefix().join("lib"));
    assert_eq!(run(&mut python), "1\n");
}
