//! Help, version, exit codes, logs.

use std::io::Write;
use std::process::Stdio;

use crate::world::{World, text};

#[test]
fn help_teaches_and_version_says() {
    let world = World::new();
    let help = world.run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    let said = text(&help.stdout);
    for part in [
        "421 (Misdirected Request",
        "5 certificate",
        "Examples:",
        "Exit codes:",
        "match",
        "compile",
    ] {
        assert!(said.contains(part), "{part:?} missing in:\n{said}");
    }
    let help = world.run(&["serve", "--help"]);
    let said = text(&help.stdout);
    for part in
        ["table = ", "[[listener]]", "[[group]]", "[[virtual_host]]", "default_virtual_host"]
    {
        assert!(said.contains(part), "{part:?} missing in:\n{said}");
    }
    let version = world.run(&["--version"]);
    assert_eq!(version.status.code(), Some(0));
    assert_eq!(text(&version.stdout), concat!("coalesce ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn exit_codes_are_the_documented_ones() {
    let world = World::lab();
    world.write("broken.toml", "[[listener]]\n");
    let cases: &[(&[&str], i32)] = &[
        (&[], 2),
        (&["nonsense"], 2),
        (&["match"], 2),
        (&["match", "--san", "DNS:a"], 2),
        (&["match", "--san", "a.test", "a.test"], 2),
        (&["match", "--san", "DNS:a.test", "a b"], 2),
        (&["match", "--batch", "--san", "DNS:a.test"], 2),
        (&["match", "--san", "DNS:a.test", "a.test"], 0),
        (&["match", "--san", "DNS:a.test", "b.test"], 1),
        (&["explain"], 2),
        (&["explain", "--config", "site.toml", "--batch", "--authority", "a"], 2),
        (&["explain", "--config", "site.toml", "--client-certificate", "no.pem"], 2),
        (&["explain", "--config", "missing.toml"], 3),
        (&["explain", "--config", "broken.toml"], 3),
        (&["serve"], 2),
        (&["serve", "--config", "site.toml", "--listen", "nowhere"], 2),
        (&["serve", "--config", "broken.toml"], 3),
        (&["compile"], 2),
        (&["compile", "missing.list", "-o", "x.table"], 2),
        (&["compile", "site.toml", "-o", "x.table"], 3),
        (&["compile", "--config", "broken.toml", "missing.list", "-o", "x.table"], 3),
        (&["compile", "site.toml", "-o", "nowhere/x.table"], 4),
        (&["inspect"], 2),
        (&["inspect", "missing.table"], 2),
        (&["inspect", "site.toml"], 3),
        (&["lookup", "site.toml"], 2),
        (&["lookup", "site.toml", "a"], 3),
        // An address for documentation (RFC 5737), which no machine has.
        (&["serve", "--config", "site.toml", "--listen", "192.0.2.1:0"], 4),
    ];
    for (arguments, code) in cases {
        let output = world.run(arguments);
        assert_eq!(output.status.code(), Some(*code), "{arguments:?}: {output:?}");
        assert!(*code < 2 || !output.stderr.is_empty(), "{arguments:?} says nothing");
    }
}

#[test]
fn closed_standard_output_is_not_an_error() {
    let world = World::lab();
    let mut child = world
        .command()
        .args(["-qq", "explain", "--config", "site.toml", "--batch"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut input = child.stdin.take().unwrap();
    // The process may have ended before it reads all input.
    let _ = input.write_all(&b"{}\n".repeat(1000));
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn warnings_are_logged_as_text_or_json() {
    let world = World::new();
    let site = "[[listener]]\naddress = \"127.0.0.1:8443\"\n".to_owned()
        + &crate::world::virtual_host("any", "**.wild.example.test", "A");
    world.write("site.toml", &site);
    let asked = ["explain", "--config", "site.toml", "--server-name", "x.wild.example.test"];
    let output = world.run(&asked);
    let said = text(&output.stderr);
    assert!(said.contains("site.toml:6: virtual_host \"any\": names:"), "{said}");
    let output = world.run(&[&asked[..], &["--log-format", "json"]].concat());
    let line: serde_json::Value = serde_json::from_str(text(&output.stderr).trim()).unwrap();
    assert_eq!(line["level"], "WARN");
    let output = world.run(&[&asked[..], &["-qq"]].concat());
    assert_eq!(text(&output.stderr), "");
    let quiet = world.command().env("RUST_LOG", "off").args(asked).output().unwrap();
    assert_eq!(text(&quiet.stderr), "");
}
