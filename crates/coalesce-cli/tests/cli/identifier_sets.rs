//! Identifier sets: `coalesce compile --certificate`, and the commands that read its output.

use std::fs;

use coalesce_core::{Host, IdentifierSet};
use serde_json::{Value, json};

use crate::world::{World, text};

/// Makes a world with `a.ids`, of certificate A.
fn world() -> World {
    let world = World::new();
    world.say(&["compile", "--certificate", "certs/A.pem", "-o", "a.ids"], 0);
    world
}

fn json(said: &str) -> Value {
    serde_json::from_str(said).unwrap()
}

#[test]
fn certificate_becomes_a_set_that_the_core_reads() {
    let world = World::new();
    let said = world.say(&["compile", "--certificate", "certs/A.pem", "-o", "a.ids"], 0);
    let bytes = fs::read(world.path("a.ids")).unwrap();
    let set = IdentifierSet::from_bytes(&bytes[..]).unwrap();
    assert!(set.covers(&Host::parse(b"x.wild.example.test").unwrap()));
    assert!(!set.covers(&Host::parse(b"c.example.test").unwrap()));
    let checksum = format!("{:016x}", set.checksum());
    let expected =
        format!("set       a.ids\nnames     6\nbytes     {}\nchecksum  {checksum}\n", bytes.len());
    assert_eq!(said, expected);
    let asked = ["compile", "--certificate", "certs/A.pem", "-o", "again.ids", "--json"];
    let expected = json!({
        "identifiers": "again.ids", "names": 6, "ignored": [], "bytes": bytes.len(),
        "checksum": checksum,
    });
    assert_eq!(json(&world.say(&asked, 0)), expected);
    assert_eq!(fs::read(world.path("again.ids")).unwrap(), bytes);
}

#[test]
fn leaf_counts_in_der_and_in_a_chain() {
    let world = world();
    let leaf = fs::read_to_string(world.path("certs/A.pem")).unwrap();
    world.write("chain.pem", &format!("{leaf}{}", world.read("certs/B.pem")));
    fs::write(world.path("leaf.der"), pem::parse(&leaf).unwrap().contents()).unwrap();
    for file in ["chain.pem", "leaf.der"] {
        world.say(&["compile", "--certificate", file, "-o", "other.ids"], 0);
        let same = world.read_bytes("other.ids") == world.read_bytes("a.ids");
        assert!(same, "{file}");
    }
}

#[test]
fn names_that_never_match_get_a_warning_and_are_left_out() {
    let world = World::new();
    world.issue("ODD", &["a.example.test", "f*.example.test", "*"]);
    let output = world.run(&["compile", "--certificate", "certs/ODD.pem", "-o", "odd.ids"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let warned = text(&output.stderr);
    for name in ["certs/ODD.pem: subjectAltName: ignored DNS:f*.example.test: ", "DNS:*: "] {
        assert!(warned.contains(name), "{name:?} missing in:\n{warned}");
    }
    assert!(text(&output.stdout).contains("names     1\nignored   2\n"), "{output:?}");
    assert_eq!(world.say(&["inspect", "odd.ids", "--names"], 0), "DNS:a.example.test\n");
    // Without a name that can match, a server would refuse every host.
    world.issue("NONE", &["f*.example.test"]);
    let said = world.say(&["compile", "--certificate", "certs/NONE.pem", "-o", "none.ids"], 3);
    let expected = "--certificate certs/NONE.pem: no name that can match; at least one expected\n";
    assert!(said.ends_with(expected), "{said}");
    world.issue("NAMELESS", &[]);
    let said = world.say(&["compile", "--certificate", "certs/NAMELESS.pem", "-o", "none.ids"], 3);
    let expected = "--certificate certs/NAMELESS.pem: no subjectAltName extension; one expected, \
                    since the common name does not count\n";
    assert_eq!(said, expected);
    assert!(!world.path("none.ids").exists());
}

#[test]
fn warnings_are_bounded_and_the_rest_is_counted() {
    let world = World::new();
    let mut names: Vec<String> = (0..30).map(|number| format!("f*.a{number}.test")).collect();
    names.push("a.test".to_owned());
    world.issue("MANY", &names.iter().map(String::as_str).collect::<Vec<_>>());
    let output = world.run(&["compile", "--certificate", "certs/MANY.pem", "-o", "many.ids"]);
    let warned = text(&output.stderr);
    assert_eq!(warned.lines().count(), 21, "{warned}");
    assert!(warned.ends_with("subjectAltName: ignored 10 more names\n"), "{warned}");
}

#[test]
fn unusable_files_and_arguments_are_refused() {
    let world = world();
    world.write("names.list", "a.example.test\n");
    world.say(&["compile", "names.list", "-o", "names.table"], 0);
    let compile = |file: &str, output: &str, code| {
        world.say(&["compile", "--certificate", file, "-o", output], code)
    };
    let cases = [
        ("missing.pem", 2, "--certificate: cannot read missing.pem: No such file or directory\n"),
        ("certs", 2, "--certificate: cannot read certs: found a folder, expected a regular file\n"),
        ("certs/A.key", 2, "--certificate: certs/A.key: no CERTIFICATE section"),
    ];
    for (file, code, message) in cases {
        let said = compile(file, "new.ids", code);
        assert!(said.starts_with(message), "{said}");
    }
    fs::write(world.path("cut.der"), [0x30, 0x82, 1, 0, 0x30]).unwrap();
    let said = compile("cut.der", "new.ids", 3);
    assert!(said.starts_with("--certificate cut.der: not an X.509 certificate in DER: "), "{said}");
    assert!(!world.path("new.ids").exists());
    // The output is replaced only if it is an identifier set.
    for (output, found) in [
        ("names.table", "a table"),
        ("certs/A.pem", "a file that is no identifier set"),
        ("certs", "something that is no file"),
    ] {
        let said = compile("certs/B.pem", output, 2);
        let expected =
            format!("--output {output}: there is {found} with this name, which is not replaced\n");
        assert_eq!(said, expected);
    }
    let said = world.say(&["compile", "names.list", "-o", "a.ids"], 2);
    assert!(said.contains("there is an identifier set with this name"), "{said}");
    let before = world.read_bytes("a.ids");
    compile("certs/B.pem", "a.ids", 0);
    assert_ne!(world.read_bytes("a.ids"), before);
    let with = |arguments: &[&str]| {
        let asked = ["compile", "--certificate", "certs/A.pem", "-o", "new.ids"];
        world.say(&[&asked, arguments].concat(), 2)
    };
    for other in [&["names.list"][..], &["--config", "site.toml"], &["--layout", "fast"]] {
        assert!(with(other).contains("cannot be used with"), "{other:?}");
    }
    world.say(&["compile", "-o", "new.ids"], 2);
}

#[test]
fn inspect_reports_a_set_and_lists_its_identifiers() {
    let world = world();
    world.issue("IPS", &["*.example.test", "192.0.2.1", "2001:db8::1"]);
    world.say(&["compile", "--certificate", "certs/IPS.pem", "-o", "ips.ids"], 0);
    let report = json(&world.say(&["inspect", "ips.ids", "--json"], 0));
    let bytes = world.read_bytes("ips.ids").len();
    let expected = json!({
        "identifiers": "ips.ids", "kind": "identifier set", "names": 3, "exact": 0,
        "one_label": 1, "addresses": 2, "bytes": bytes, "checksum": report["checksum"],
    });
    assert_eq!(report, expected);
    let said = world.say(&["inspect", "ips.ids", "--map"], 0);
    let checksum = report["checksum"].as_str().unwrap();
    for part in [
        "set            ips.ids\n",
        "kind           identifier set\n",
        "names          3\n",
        "  *.name       1\n",
        "  address      2\n",
        &format!("bytes          {bytes}\n"),
        &format!("checksum       {checksum}\n"),
    ] {
        assert!(said.contains(part), "{part:?} missing in:\n{said}");
    }
    let expected = "DNS:*.example.test\nIP:192.0.2.1\nIP:2001:db8::1\n";
    assert_eq!(world.say(&["inspect", "ips.ids", "--names"], 0), expected);
    let listed = world.say(&["inspect", "a.ids", "--names", "--below", "B.example.test"], 0);
    assert_eq!(listed, "DNS:b.example.test\n");
    let listed = world.say(&["inspect", "a.ids", "--names", "--below", "wild.example.test"], 0);
    assert_eq!(listed, "DNS:*.wild.example.test\n");
    assert_eq!(world.say(&["inspect", "a.ids", "--names", "--below", "ple.test"], 0), "");
    let listed = world.say(&["inspect", "ips.ids", "--names", "--json"], 0);
    let first = listed.lines().next().unwrap();
    assert_eq!(json(first), json!({"identifier": "DNS:*.example.test"}));
}

#[test]
fn match_asks_a_set_and_lookup_names_the_right_command() {
    let world = world();
    let asked = ["match", "--identifiers", "a.ids", "B.example.test", "x.wild.example.test"];
    let expected = "B.example.test       DNS:b.example.test\n\
                    x.wild.example.test  DNS:*.wild.example.test\n";
    assert_eq!(world.say(&asked, 0), expected);
    let asked = ["match", "--identifiers", "a.ids", "--san", "DNS:c.test", "c.test", "d.test"];
    assert_eq!(world.say(&asked, 1), "c.test  DNS:c.test\nd.test  not covered\n");
    let said = world.say(&["lookup", "a.ids", "a.example.test"], 3);
    let expected = "a.ids: found an identifier set, expected a table; use 'coalesce match \
                    --identifiers' to ask it\n";
    assert_eq!(said, expected);
    world.write("names.list", "a.example.test\n");
    world.say(&["compile", "names.list", "-o", "names.table"], 0);
    let said = world.say(&["match", "--identifiers", "names.table", "a.example.test"], 3);
    let expected = "names.table: found a table, expected an identifier set; use 'coalesce lookup' \
                    to ask it\n";
    assert_eq!(said, expected);
}

#[test]
fn changed_set_is_refused_by_every_command() {
    let world = world();
    let set = world.read_bytes("a.ids");
    let refused = |bytes: &[u8], fault: &str| {
        fs::write(world.path("bad.ids"), bytes).unwrap();
        for asked in [&["inspect", "bad.ids"][..], &["match", "--identifiers", "bad.ids", "a.test"]]
        {
            let said = world.say(asked, 3);
            assert!(said.starts_with("bad.ids: ") && said.lines().count() == 1, "{fault}: {said}");
        }
    };
    refused(b"", "empty");
    refused(b"garbage", "garbage");
    refused(&set[..6], "cut to its start");
    refused(&set[..set.len() - 1], "cut short");
    for at in [0, 4, 5, 9, set.len() / 2, set.len() - 1] {
        let mut changed = set.clone();
        changed[at] ^= 1;
        refused(&changed, "a bit");
    }
}
