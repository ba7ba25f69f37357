//! `install.sh`: the installed files, and programs that are built with them.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{install, pkg_config, prefix, root, run};

/// Decides two requests on a connection in the clear.
const PROGRAM: &str = r#"
#include <coalesce.h>
#include <stdio.h>

static coalesce_bytes text(const char *text, size_t len) {
    return (coalesce_bytes){ (const uint8_t *)text, len };
}

int main(void) {
    coalesce_table_builder *builder;
    coalesce_table *table;
    if (coalesce_abi_version() != COALESCE_ABI_VERSION) return 1;
    if (coalesce_table_builder_new(&builder)) return 2;
    if (coalesce_table_builder_group(builder, 0, NULL)) return 3;
    if (coalesce_table_builder_entry(builder, text("a.test", 6), 7, 0)) return 4;
    if (coalesce_table_builder_build(builder, &table)) return 5;
    const uint16_t port = 80;
    const coalesce_connection connection = {
        .size = sizeof connection, .scheme = COALESCE_SCHEME_HTTP, .ports = &port, .ports_len = 1 };
    for (int number = 0; number < 2; number++) {
        coalesce_request request = { .size = sizeof request, .host_count = 1 };
        coalesce_verdict verdict = { .size = sizeof verdict };
        request.host = text(number ? "b.test" : "a.test", 6);
        if (coalesce_decide(table, &connection, &request, &verdict)) return 6;
        printf("%u %u %s\n", verdict.status, verdict.virtual_host,
               coalesce_reason_code(verdict.reason));
    }
    coalesce_table_free(table);
    coalesce_table_builder_free(builder);
}
"#;

const PROGRAM_OUTPUT: &str = "0 7 \n421 0 unknown_authority\n";

/// Compiles the program with these arguments for the linker, and returns its path.
fn program(folder: &Path, flags: &[String], libraries: &[String]) -> PathBuf {
    fs::write(folder.join("program.c"), PROGRAM).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]).args(flags);
    run(compiler.args(["program.c", "-o", "program"]).args(libraries).current_dir(folder));
    folder.join("program")
}

/// The shared libraries that a program or library needs, and its own name.
fn dynamic_section(file: &Path) -> String {
    run(Command::new("readelf").arg("--dynamic").arg(file))
}

fn files_below(folder: &Path) -> Vec<String> {
    let text = run(Command::new("find").args([".", "!", "-type", "d"]).current_dir(folder));
    let mut files: Vec<String> = text.lines().map(str::to_owned).collect();
    files.sort();
    files
}

#[test]
fn staged_installation_has_every_file_and_names_the_prefix_alone() {
    let stage = tempfile::tempdir().unwrap();
    run(install("/opt/coalesce").env("DESTDIR", stage.path()));
    // As root, a compiler replaces its output, even if that is a device.
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    let version = env!("CARGO_PKG_VERSION");
    let expected = [
        "./opt/coalesce/include/coalesce.h",
        "./opt/coalesce/include/coalesce.hpp",
        "./opt/coalesce/lib/libcoalesce.a",
        "./opt/coalesce/lib/libcoalesce.so",
        "./opt/coalesce/lib/libcoalesce.so.0",
        &format!("./opt/coalesce/lib/libcoalesce.so.{version}"),
        "./opt/coalesce/lib/pkgconfig/coalesce.pc",
    ];
    assert_eq!(files_below(stage.path()), expected);
    let lib = stage.path().join("opt/coalesce/lib");
    let target = |link: &str| fs::read_link(lib.join(link)).unwrap();
    assert_eq!(target("libcoalesce.so"), Path::new("libcoalesce.so.0"));
    assert_eq!(target("libcoalesce.so.0"), PathBuf::from(format!("libcoalesce.so.{version}")));
    let headers = stage.path().join("opt/coalesce/include");
    for header in ["coalesce.h", "coalesce.hpp"] {
        let source = root().join("crates/coalesce-ffi/include").join(header);
        assert_eq!(fs::read(headers.join(header)).unwrap(), fs::read(source).unwrap(), "{header}");
    }
    let described = fs::read_to_string(lib.join("pkgconfig/coalesce.pc")).unwrap();
    assert!(described.starts_with("prefix=/opt/coalesce\n"), "{described}");
    let stage_name = stage.path().to_str().unwrap();
    assert!(!described.contains(stage_name), "{described}");
    assert_eq!(pkg_config(stage.path(), Path::new("/opt/coalesce"), &["--modversion"]), [version]);

    let flags = pkg_config(stage.path(), Path::new("/opt/coalesce"), &["--cflags"]);
    let libraries = pkg_config(stage.path(), Path::new("/opt/coalesce"), &["--libs"]);
    let program = program(stage.path(), &flags, &libraries);
    let output = run(Command::new(program).env("LD_LIBRARY_PATH", &lib));
    assert_eq!(output, PROGRAM_OUTPUT);
}

#[test]
fn library_folder_can_be_another_one() {
    let stage = tempfile::tempdir().unwrap();
    let mut command = install("/usr");
    run(command.env("DESTDIR", stage.path()).env("LIBDIR", "/usr/lib/x86_64-linux-gnu"));
    let lib = stage.path().join("usr/lib/x86_64-linux-gnu");
    assert!(lib.join("libcoalesce.so.0").exists() && lib.join("libcoalesce.a").exists());
    let described = fs::read_to_string(lib.join("pkgconfig/coalesce.pc")).unwrap();
    assert!(described.contains("\nlibdir=${prefix}/lib/x86_64-linux-gnu\n"), "{described}");
    assert!(!stage.path().join("usr/lib/libcoalesce.a").exists());
}

#[test]
fn program_is_linked_with_the_shared_library_and_finds_it_by_its_soname() {
    let folder = tempfile::tempdir().unwrap();
    let ask = |asked| pkg_config(Path::new("/"), prefix(), &[asked]);
    let program = program(folder.path(), &ask("--cflags"), &ask("--libs"));
    assert!(dynamic_section(&program).contains("[libcoalesce.so.0]"), "by the soname");
    let lib = prefix().join("lib");
    assert!(dynamic_section(&lib.join("libcoalesce.so")).contains("soname: [libcoalesce.so.0]"));
    assert_eq!(run(Command::new(program).env("LD_LIBRARY_PATH", lib)), PROGRAM_OUTPUT);
}

#[test]
fn program_with_the_static_library_needs_no_library_but_those_of_the_system() {
    let folder = tempfile::tempdir().unwrap();
    let mut libraries = pkg_config(Path::new("/"), prefix(), &["--libs", "--static"]);
    // The C library of today has most of them inside, so that a linker would not miss one.
    for needed in ["-lgcc_s", "-lpthread", "-ldl", "-lm", "-lc"] {
        assert!(libraries.iter().any(|library| library == needed), "{needed}: {libraries:?}");
    }
    for library in &mut libraries {
        if library == "-lcoalesce" {
            *library = prefix().join("lib/libcoalesce.a").to_str().unwrap().to_owned();
        }
    }
    let flags = pkg_config(Path::new("/"), prefix(), &["--cflags"]);
    let program = program(folder.path(), &flags, &libraries);
    assert!(!dynamic_section(&program).contains("coalesce"));
    assert_eq!(run(&mut Command::new(program)), PROGRAM_OUTPUT);
}

#[test]
fn wrong_arguments_are_refused_and_nothing_is_installed() {
    for (arguments, status) in [(&[][..], 2), (&["relative"], 2), (&["/a", "/b"], 2)] {
        let script = root().join("crates/coalesce-ffi/install.sh");
        let output = Command::new(script).args(arguments).env("PROFILE", "dev").output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {output:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{output:?}");
    }
    let output = install("/opt").env("LIBDIR", "lib").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}
