//! The files of `coalesce compile` in a program in C.

use std::fs;
use std::path::Path;
use std::process::Command;

use coalesce_tests::{World, binary};

use super::{pkg_config, prefix, root, run};

#[test]
fn compiled_table_and_identifier_set_are_read_by_a_program_in_c() {
    let world = World::new(&[("shop", &["shop.test", "*.img.test"])], "");
    let list = "shop.test 7 1\n*.img.test 8 1\ncdn.test 9 1\n";
    fs::write(world.path("hosts.list"), list).unwrap();
    for arguments in [
        ["compile", "hosts.list", "-o", "hosts.table"].as_slice(),
        &["compile", "--certificate", "shop.pem", "-o", "shop.ids"],
    ] {
        run(Command::new(binary()).args(arguments).current_dir(world.path("")));
    }
    let mut libraries = pkg_config(Path::new("/"), prefix(), &["--libs", "--static"]);
    libraries.retain(|library| library != "-lcoalesce");
    let mut compiler = Command::new("cc");
    compiler
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined"])
        .args(pkg_config(Path::new("/"), prefix(), &["--cflags"]))
        .arg(root().join("tests/tests/c_interface/compiled.c"))
        .arg(prefix().join("lib/libcoalesce.a"))
        .args(libraries)
        .args(["-o", "program"])
        .current_dir(world.path(""));
    run(&mut compiler);
    let output = run(Command::new(world.path("program")).current_dir(world.path("")));
    assert_eq!(output, "shop.test 0 7 -\na.img.test 0 8 -\ncdn.test 421 0 certificate\n");
}
