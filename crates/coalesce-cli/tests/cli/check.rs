//! `coalesce check`: the exit code, the text and the JSON for valid and invalid configurations.

use serde_json::{Value, json};

use crate::world::{World, text};

const VALID: &str = r#"
[[listener]]
address = "127.0.0.1:8443"

[[virtual_host]]
name = "a"
names = ["a.example.test", "b.example.test"]
certificate = "certs/A.pem"
key = "certs/A.key"
answer = { text = "a" }

[[virtual_host]]
name = "c"
names = ["c.example.test"]
certificate = "certs/B.pem"
key = "certs/B.key"
answer = { text = "c" }
"#;

/// Runs `coalesce check ARGUMENTS`, and returns its exit code and its standard output.
fn check(world: &World, arguments: &[&str]) -> (Option<i32>, String) {
    let output = world.run(&[&["check"], arguments].concat());
    (output.status.code(), text(&output.stdout).to_owned())
}

fn json_of(world: &World, arguments: &[&str]) -> (Option<i32>, Value) {
    let (exit, stdout) = check(world, &[arguments, &["--json"]].concat());
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    (exit, serde_json::from_str(&stdout).unwrap())
}

#[test]
fn valid_configuration_is_summarised_and_exits_with_0() {
    let world = World::new();
    world.write("site.toml", VALID);
    let (exit, stdout) = check(&world, &["site.toml"]);
    let expected = "site.toml is valid: 1 listener, 2 virtual hosts, 1 group, 3 names, \
                    2 certificates, of which certs/";
    assert_eq!(exit, Some(0));
    assert!(stdout.starts_with(expected), "{stdout}");
    assert_eq!(check(&world, &["--config", "site.toml"]), (exit, stdout));

    let (exit, report) = json_of(&world, &["site.toml", "--deny-warnings"]);
    assert_eq!(exit, Some(0));
    assert_eq!(report["valid"], true);
    assert_eq!((&report["errors"], &report["warnings"]), (&json!([]), &json!([])));
    assert_eq!(report["listeners"], json!(["127.0.0.1:8443"]));
    assert_eq!((&report["virtual_hosts"], &report["names"]), (&json!(2), &json!(3)));
    let certificates = report["certificates"].as_array().unwrap();
    assert_eq!(certificates.len(), 2, "{report}");
}

#[test]
fn invalid_configuration_exits_with_3_and_names_every_place() {
    let world = World::new();
    let broken = VALID.replace("certs/A.key", "certs/none.key").replace("8443", "x");
    world.write("site.toml", &broken);
    let output = world.run(&["check", "site.toml"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(3), ""));
    assert!(text(&output.stderr).contains("site.toml:3: listener 1: address:"));

    let (exit, report) = json_of(&world, &["site.toml"]);
    assert_eq!((exit, &report["valid"]), (Some(3), &json!(false)));
    let errors = report["errors"].as_array().unwrap();
    let places: Vec<_> = errors.iter().map(|error| (&error["line"], &error["place"])).collect();
    let address = (&json!(3), &json!(["listener 1", "address"]));
    let key = (&json!(9), &json!(["virtual_host \"a\"", "key"]));
    assert_eq!(places, [address, key], "{report}");
    assert!(errors.iter().all(|error| error["file"] == "site.toml"));
    assert!(report.get("listeners").is_none());
}

#[test]
fn missing_configuration_exits_with_3_and_missing_argument_with_2() {
    let world = World::new();
    let (exit, report) = json_of(&world, &["none.toml"]);
    assert_eq!((exit, &report["errors"][0]["line"]), (Some(3), &Value::Null));
    assert_eq!(check(&world, &[]).0, Some(2));
    assert_eq!(check(&world, &["a.toml", "--config", "b.toml"]).0, Some(2));
}

#[test]
fn warning_is_shown_and_denied_on_request() {
    let world = World::new();
    // An announced origin set leaves out the hosts below the wildcard.
    let wildcard = VALID.replace("\"b.example.test\"", "\"*.wild.example.test\"");
    world.write("site.toml", &format!("announce_origins = \"always\"\n{wildcard}"));
    let (exit, stdout) = check(&world, &["site.toml"]);
    assert_eq!(exit, Some(0), "{stdout}");
    let warning = stdout.lines().nth(1).unwrap();
    assert!(warning.starts_with("warning: site.toml"), "{stdout}");
    assert!(warning.contains("*.wild.example.test"), "{stdout}");
    let (exit, report) = json_of(&world, &["site.toml", "--deny-warnings"]);
    assert_eq!((exit, &report["valid"]), (Some(1), &json!(true)));
    assert_eq!(report["warnings"].as_array().unwrap().len(), 1);
}
