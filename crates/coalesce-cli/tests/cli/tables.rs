//! `coalesce inspect`, `coalesce lookup`, and the help of all commands for compiled tables.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::world::{World, text};

const LIST: &str = "\
example.test 0
www.example.test 1
*.example.test 2 1
**.deep.example.test 3 1
192.0.2.1 4
2001:db8::1 4
other.test 5
";

/// A world with `names.table`, of the list above.
fn world() -> World {
    let world = World::new();
    world.write("names.list", LIST);
    world.say(&["compile", "names.list", "-o", "names.table"], 0);
    world
}

#[test]
fn inspect_shows_the_content_of_a_table() {
    let world = world();
    let bytes = u32::try_from(fs::read(world.path("names.table")).unwrap().len()).unwrap();
    let said = world.say(&["inspect", "names.table"], 0);
    for part in [
        "table          names.table\n",
        "kind           authority table, ",
        "layout fast\n",
        "names          7\n",
        "  name         3\n",
        "  *.name       1\n",
        "  **.name      1\n",
        "  address      2\n",
        "  *            0\n",
        "virtual hosts  6, in 2 groups\n",
        "depth          3 labels\n",
        "longest name   deep.example.test, 17 bytes\n",
        &format!("bytes          {bytes}, {:.1} a name\n", f64::from(bytes) / 7.0),
        "checksum       ",
    ] {
        assert!(said.contains(part), "{part:?} missing in:\n{said}");
    }
    let report: Value =
        serde_json::from_str(&world.say(&["inspect", "names.table", "--json"], 0)).unwrap();
    let expected = json!({
        "table": "names.table", "kind": "authority table", "layout": "fast",
        "names": 7, "exact": 3, "one_label": 1, "any_depth": 1, "addresses": 2, "catch_all": 0,
        "virtual_hosts": 6, "groups": 2, "depth": 3, "longest": "deep.example.test",
        "bytes": bytes,
    });
    for (member, value) in expected.as_object().unwrap() {
        assert_eq!(&report[member], value, "{member}");
    }
    let checksum = report["checksum"].as_str().unwrap();
    assert!(said.contains(checksum), "{checksum} not in:\n{said}");
}

#[test]
fn entries_are_listed_whole_or_below_a_name() {
    let world = world();
    let listed = |below: &[&str]| {
        let said = world.say(&[&["inspect", "names.table", "--names"], below].concat(), 0);
        said.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let expected = [
        "example.test 0 0",
        "*.example.test 2 1",
        "**.deep.example.test 3 1",
        "www.example.test 1 0",
        "other.test 5 0",
        "192.0.2.1 4 0",
        "2001:db8::1 4 0",
    ];
    assert_eq!(listed(&[]), expected);
    assert_eq!(listed(&["--below", "Example.test."]), expected[..4]);
    assert_eq!(listed(&["--below", "deep.example.test"]), expected[2..3]);
    assert_eq!(listed(&["--below", "www.example.test"]), expected[3..4]);
    assert!(listed(&["--below", "ample.test"]).is_empty());
    assert!(listed(&["--below", "nobody.test"]).is_empty());
    let said = world.say(&["inspect", "names.table", "--names", "--json", "--below", "test"], 0);
    assert_eq!(said.lines().count(), 5);
    let mut listed = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let wild = json!({"pattern": "*.example.test", "virtual_host": 2, "group": 1});
    assert!(listed.any(|entry| entry == wild), "{said}");
    world.say(&["inspect", "names.table", "--below", "test"], 2);
    world.say(&["inspect", "names.table", "--names", "--below", "a..b"], 2);
}

#[test]
fn lookup_returns_the_most_specific_entry() {
    let world = world();
    let said = world.say(&["lookup", "names.table", "WWW.example.test:8443", "[2001:db8::1]"], 0);
    let expected = "WWW.example.test:8443  www.example.test, virtual host 1, group 0\n\
                    [2001:db8::1]          2001:db8::1, virtual host 4, group 0\n";
    assert_eq!(said, expected);
    for (name, pattern, virtual_host) in [
        ("example.test.", "example.test", 0),
        ("x.example.test", "*.example.test", 2),
        ("deep.example.test", "*.example.test", 2),
        ("x.deep.example.test", "**.deep.example.test", 3),
        ("x.y.deep.example.test", "**.deep.example.test", 3),
        ("192.0.2.1:443", "192.0.2.1", 4),
    ] {
        let said = world.say(&["lookup", "names.table", "--json", name], 0);
        let answer: Value = serde_json::from_str(&said).unwrap();
        assert_eq!((&answer["name"], &answer["pattern"]), (&name.into(), &pattern.into()));
        assert_eq!(answer["virtual_host"], virtual_host, "{name}");
    }
    let said = world.say(&["lookup", "names.table", "other.test", "x.y.example.test"], 1);
    assert!(said.ends_with("x.y.example.test  no entry\n"), "{said}");
    let said = world.say(&["lookup", "names.table", "--json", "192.0.2.2"], 1);
    let answer: Value = serde_json::from_str(&said).unwrap();
    let expected =
        json!({"name": "192.0.2.2", "pattern": null, "virtual_host": null, "group": null});
    assert_eq!(answer, expected);
    world.say(&["lookup", "names.table"], 2);
    world.say(&["lookup", "names.table", "a b"], 2);
}

#[test]
fn batch_has_one_output_line_for_each_input_line() {
    let world = world();
    let input = "www.example.test\r\nnobody.test\n\na b\nother.test:1";
    let (code, answers) = world.batch(&["lookup", "names.table", "--batch", "-", "--json"], input);
    assert_eq!((code, answers.len()), (0, 5));
    assert_eq!(answers[0]["virtual_host"], 1);
    assert_eq!(answers[1]["pattern"], Value::Null);
    assert_eq!((&answers[2]["line"], &answers[3]["line"]), (&3.into(), &4.into()));
    assert_eq!(answers[4]["pattern"], "other.test");
    world.write("asked.txt", input);
    let said = world.say(&["lookup", "names.table", "--batch", "asked.txt"], 0);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "www.example.test  www.example.test, virtual host 1, group 0");
    assert_eq!(lines[1], "nobody.test  no entry");
    assert!(lines[2].starts_with("line 3: ") && lines[3].starts_with("line 4: "), "{said}");
    let said = world.say(&["lookup", "names.table", "--batch", "missing.txt"], 2);
    assert_eq!(said, "--batch: cannot read missing.txt: No such file or directory\n");
    world.say(&["lookup", "names.table", "--batch", "-", "a.test"], 2);
}

#[test]
fn invalid_table_is_refused_by_every_command() {
    let world = world();
    let table = fs::read(world.path("names.table")).unwrap();
    let refused = |bytes: &[u8], what: &str| {
        fs::write(world.path("bad.table"), bytes).unwrap();
        for asked in [&["inspect", "bad.table"][..], &["lookup", "bad.table", "a.test"]] {
            let said = world.say(asked, 3);
            assert!(said.starts_with("bad.table: "), "{what}: {said}");
            assert_eq!(said.lines().count(), 1, "{what}: {said}");
        }
    };
    refused(b"", "empty");
    refused(b"garbage", "garbage");
    refused(&vec![0xff; 4096], "noise");
    for len in [4, 12, table.len() / 2, table.len() - 1] {
        refused(&table[..len], "cut short");
    }
    refused(&[table.as_slice(), b"\0"].concat(), "longer");
    for at in [0, 4, table.len() / 2, table.len() - 1] {
        let mut changed = table.clone();
        changed[at] ^= 1;
        refused(&changed, "a bit");
    }
    for asked in [&["inspect", "no.table"][..], &["lookup", "no.table", "a.test"]] {
        let said = world.say(asked, 2);
        assert_eq!(said, "cannot read no.table: No such file or directory\n");
    }
    let said = world.say(&["inspect", "certs"], 2);
    assert_eq!(said, "cannot read certs: found a folder, expected a regular file\n");
}

/// The lines under `Examples:` in the help of a command.
fn examples(world: &World, command: &str) -> Vec<String> {
    let help = world.say(&[command, "--help"], 0);
    let (_, after) = help.split_once("Examples:\n").unwrap();
    after.lines().map_while(|line| line.strip_prefix("  ")).map(str::to_owned).collect()
}

#[test]
fn help_examples_work() {
    let world = World::lab();
    world.write("names.list", "b.example.test\nwww.example.test\n");
    world.write("cert.pem", &world.read("certs/A.pem"));
    let folder = std::path::Path::new(env!("CARGO_BIN_EXE_coalesce")).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let run = |example: &str| {
        let output = Command::new("sh")
            .args(["-ec", example])
            .env("PATH", &path)
            .current_dir(world.folder())
            .output()
            .unwrap();
        assert!(output.status.success(), "{example}: {output:?}");
        text(&output.stdout).to_owned()
    };
    for example in examples(&world, "compile") {
        let list = if example.contains("--config") {
            "x.wild.example.test wild\n"
        } else {
            "www.example.test\n192.0.2.1\nb.example.test\n"
        };
        world.write("names.list", list);
        run(&example);
    }
    for (command, count) in [("inspect", 4), ("lookup", 3)] {
        let examples = examples(&world, command);
        assert_eq!(examples.len(), count, "{examples:?}");
        for example in examples {
            assert!(!run(&example).is_empty(), "{example}");
        }
    }
}
