//! `coalesce compile`: the tables it makes, the faults it reports, and the files it leaves alone.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use crate::world::{World, text};

const LIST: &str = "\
# The shop.
a.example.test 0 7
*.Example.test. 1 7   # and its customers

**.example.test\t2
192.0.2.1 3
2001:db8::1 3
";

fn entries(world: &World, table: &str) -> Vec<String> {
    world.say(&["inspect", table, "--names"], 0).lines().map(str::to_owned).collect()
}

#[test]
fn list_compiles_to_a_table() {
    let world = World::new();
    world.write("names.list", LIST);
    let said = world.say(&["compile", "names.list", "-o", "names.table"], 0);
    for part in ["table     names.table\n", "names     5\n", "layout    fast\n", "checksum  "] {
        assert!(said.contains(part), "{part:?} missing in:\n{said}");
    }
    let expected = [
        "*.example.test 1 7",
        "**.example.test 2 0",
        "a.example.test 0 7",
        "192.0.2.1 3 0",
        "2001:db8::1 3 0",
    ];
    assert_eq!(entries(&world, "names.table"), expected);
    let asked = ["compile", "names.list", "-o", "small.table", "--layout", "compact", "--json"];
    let summary: Value = serde_json::from_str(&world.say(&asked, 0)).unwrap();
    assert_eq!(summary["table"], "small.table");
    assert_eq!((&summary["names"], &summary["layout"]), (&5.into(), &"compact".into()));
    let bytes = fs::metadata(world.path("small.table")).unwrap().len();
    assert_eq!(summary["bytes"], bytes);
    assert_eq!(summary["checksum"].as_str().unwrap().len(), 16);
    assert_eq!(entries(&world, "small.table"), expected);
    assert!(summary["seconds"].is_number() && summary["bytes_per_name"].is_number());
}

#[test]
fn table_ignores_line_order_and_its_listing_is_a_list() {
    let world = World::new();
    world.write("names.list", LIST);
    let reversed: Vec<&str> = LIST.lines().rev().collect();
    world.write("reversed.list", &reversed.join("\r\n"));
    world.say(&["compile", "names.list", "-o", "names.table"], 0);
    world.say(&["compile", "reversed.list", "-o", "reversed.table"], 0);
    let bytes = fs::read(world.path("names.table")).unwrap();
    assert_eq!(fs::read(world.path("reversed.table")).unwrap(), bytes);
    world.write("again.list", &entries(&world, "names.table").join("\n"));
    world.say(&["compile", "again.list", "-o", "again.table"], 0);
    assert_eq!(fs::read(world.path("again.table")).unwrap(), bytes);
}

/// Compiles standard input; returns the exit code and standard error.
fn compile_input(world: &World, input: &[u8]) -> (i32, String) {
    let mut child = world
        .command()
        .args(["compile", "-", "-o", "names.table"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), text(&output.stderr).to_owned())
}

#[test]
fn standard_input_is_a_list_as_well() {
    let world = World::new();
    let (code, said) = compile_input(&world, LIST.as_bytes());
    assert_eq!((code, said.as_str()), (0, ""));
    assert_eq!(entries(&world, "names.table").len(), 5);
    // Both lines are reported, although the input can be read only once.
    let (code, said) = compile_input(&world, b"a.test\nb.test\nA.test 1");
    assert_eq!(code, 3);
    let expected = "standard input:3:1: conflict: \"A.test\" is virtual host 1, group 0 here, and \
                    as \"a.test\" in line 1 it is virtual host 0, group 0\n";
    assert_eq!(said, expected);
}

#[test]
fn each_bad_line_is_named_with_line_column_and_what_was_expected() {
    let world = World::new();
    let lines = "\
a.test
  a..test
*.b.*
a b c d
c.test shop
d.test 1 -1
e.test 4294967296
bücher.test
f.test 4294967295
";
    world.write("bad.list", lines);
    let said = world.say(&["compile", "bad.list", "-o", "names.table"], 3);
    let form = "a name, *.name, **.name, an IP address or * expected";
    let number = "; a number from 0 to 4294967295 expected, or --config for names";
    let expected = [
        format!("bad.list:2:5: \"a..test\": empty label at byte 2; {form}"),
        format!("bad.list:3:1: \"*.b.*\": '*' must be alone or in a leading '*.' or '**.'; {form}"),
        "bad.list:4:7: \"d\" is one field too many; PATTERN [VIRTUAL-HOST [GROUP]] expected"
            .to_owned(),
        format!("bad.list:5:8: \"shop\" is no virtual host{number}"),
        format!("bad.list:6:10: \"-1\" is no group{number}"),
        format!("bad.list:7:8: \"4294967296\" is no virtual host{number}"),
        format!(
            "bad.list:8:2: \"bücher.test\": byte '\\xc3' at 1; only letters, digits, '-' and '_' \
             allowed in a label; {form}; write its A-labels (IDNA): \"xn--bcher-kva.test\""
        ),
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
    assert!(!world.path("names.table").exists());
}

#[test]
fn duplicates_and_conflicts_name_both_lines() {
    let world = World::new();
    let lines = "\
a.test 1
# a.test 2
b.test 1
A.test. 1
b.test 1 9
*.a.test

*.a.test
**.a.test
[::1]
0::1
*
* 1
";
    world.write("bad.list", lines);
    let said = world.say(&["compile", "bad.list", "-o", "names.table"], 3);
    let expected = [
        "bad.list:4:1: duplicate: \"A.test.\" is as \"a.test\" in line 1 already",
        "bad.list:5:1: conflict: \"b.test\" is virtual host 1, group 9 here, and in line 3 it is \
         virtual host 1, group 0",
        "bad.list:8:1: duplicate: \"*.a.test\" is in line 6 already",
        "bad.list:11:1: duplicate: \"0::1\" is as \"[::1]\" in line 10 already",
        "bad.list:13:1: conflict: \"*\" is virtual host 1, group 0 here, and in line 12 it is \
         virtual host 0, group 0",
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn first_hundred_faults_are_shown_and_all_are_counted() {
    let world = World::new();
    let mut lines = String::new();
    for number in 0..150 {
        writeln!(lines, "a{number}.test\na{number}.test 1").unwrap();
    }
    lines.push_str("a..b\n");
    world.write("bad.list", &lines);
    let said = world.say(&["compile", "bad.list", "-o", "names.table"], 3);
    assert_eq!(said.lines().count(), 101);
    assert!(said.contains("bad.list:301:3: \"a..b\": "), "{said}");
    assert!(said.contains("bad.list:2:1: conflict: \"a0.test\" "), "{said}");
    assert_eq!(said.lines().last(), Some("and 51 more faults; only 100 are shown"));
}

#[test]
fn list_without_names_is_a_fault() {
    let world = World::new();
    world.write("empty.list", "# nothing yet\n\n");
    let said = world.say(&["compile", "empty.list", "-o", "names.table"], 3);
    assert_eq!(said, "empty.list: no names; at least one expected\n");
}

#[test]
fn unreadable_and_unwritable_files_are_reported() {
    let world = World::new();
    world.write("names.list", LIST);
    let said = world.say(&["compile", "missing.list", "-o", "names.table"], 2);
    assert_eq!(said, "cannot read missing.list: No such file or directory\n");
    let said = world.say(&["compile", "certs", "-o", "names.table"], 2);
    assert_eq!(said, "cannot read certs: is a directory\n");
    let said = world.say(&["compile", "names.list", "-o", "no/names.table"], 4);
    assert!(said.starts_with("cannot write no/names.table: "), "{said}");
    // Swapped arguments must not overwrite the list.
    let said = world.say(&["compile", "names.list", "-o", "names.list"], 2);
    let expected = "--output names.list: there is a file that is no table with this name, which is \
                    not replaced\n";
    assert_eq!(said, expected);
    assert_eq!(fs::read_to_string(world.path("names.list")).unwrap(), LIST);
    let said = world.say(&["compile", "names.list", "-o", "/dev/null"], 2);
    assert!(said.contains("there is something that is no file with this name"), "{said}");
    world.say(&["compile", "names.list"], 2);
    world.say(&["compile", "-o", "names.table"], 2);
}

#[test]
fn failure_leaves_the_older_table_and_no_temporary_file() {
    let world = World::new();
    world.write("names.list", LIST);
    world.say(&["compile", "names.list", "-o", "names.table"], 0);
    let older = fs::read(world.path("names.table")).unwrap();
    let files = || fs::read_dir(world.folder()).unwrap().count();
    let before = files();
    world.write("names.list", "a..b\n");
    world.say(&["compile", "names.list", "-o", "names.table"], 3);
    assert_eq!(fs::read(world.path("names.table")).unwrap(), older);
    // A file-size limit behaves like a full disk for one process.
    let many: String = (0..2000).fold(String::new(), |mut lines, number| {
        writeln!(lines, "a{number}.example.test").unwrap();
        lines
    });
    world.write("names.list", &many);
    let script = "trap '' XFSZ; ulimit -f 1; exec \"$0\" compile names.list -o names.table";
    let output = std::process::Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_coalesce")])
        .current_dir(world.folder())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert_eq!(text(&output.stderr), "cannot write names.table: File too large\n");
    assert_eq!(fs::read(world.path("names.table")).unwrap(), older);
    assert_eq!(files(), before);
    world.say(&["compile", "names.list", "-o", "names.table"], 0);
    assert_ne!(fs::read(world.path("names.table")).unwrap(), older);
    assert_eq!(files(), before);
}
