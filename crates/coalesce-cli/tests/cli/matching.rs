//! `coalesce match`.

use serde_json::{Value, json};

use crate::world::{World, text};

#[test]
fn each_host_gets_the_identifier_that_covers_it() {
    let world = World::new();
    let wild = "--san=DNS:*.example.com";
    let run = |arguments: &[&str]| {
        let output = world.run(&[&["match"], arguments].concat());
        (output.status.code().unwrap(), text(&output.stdout).to_owned())
    };
    let (code, said) = run(&[wild, "--san", "IP:192.0.2.1", "a.example.com", "192.0.2.1"]);
    assert_eq!((code, said.lines().count()), (0, 2));
    assert!(said.contains("a.example.com  DNS:*.example.com"), "{said}");
    assert!(said.contains("192.0.2.1      IP:192.0.2.1"), "{said}");
    let (code, said) = run(&[wild, "a.example.com", "a.b.example.com"]);
    assert_eq!(code, 1);
    assert!(said.contains("a.b.example.com  not covered"), "{said}");
    let (code, said) = run(&[wild, "--san=DNS:f*.example.com", "f1.example.com", "--json"]);
    assert_eq!(code, 0);
    let answer: Value = serde_json::from_str(&said).unwrap();
    let expected = json!({
        "host": "f1.example.com", "matched": "DNS:*.example.com",
        "ignored": ["DNS:f*.example.com"], "error": null
    });
    assert_eq!(answer, expected);
    let (code, said) = run(&["--san=IP:2001:db8::1", "[2001:db8::1]", "2001:db8:0::1"]);
    assert_eq!((code, said.matches("IP:2001:db8::1").count()), (0, 2), "{said}");
}

#[test]
fn ignored_identifiers_are_reported_with_the_reason() {
    let world = World::new();
    let output = world.run(&["match", "--san", "DNS:a.*.test", "a.b.test"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    assert!(said.contains("ignored DNS:a.*.test: '*' must be the whole left-most"), "{said}");
}

#[test]
fn identifiers_are_read_from_a_certificate() {
    let world = World::new();
    let asked = ["match", "--certificate", "certs/A.pem", "x.wild.example.test", "b.example.test"];
    let output = world.run(&asked);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("DNS:*.wild.example.test"));
    let asked = ["match", "--certificate", "certs/A.key", "a.example.test"];
    let output = world.run(&asked);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("certs/A.key: no CERTIFICATE section"), "{said}");
}

#[test]
fn batch_is_answered_in_order() {
    let world = World::new();
    let input = r#"{"san":["DNS:*.example.com","DNS:f*.example.com"],"host":"a.example.com"}
{"san":["DNS:*.example.com"],"host":"a.b.example.com"}
{"san":["IP:192.0.2.1","DNS:192.0.2.1"],"host":"192.0.2.1"}
{"san":["example.com"],"host":"example.com"}
{"san":["DNS:example.com"],"host":"a..b"}
{"san":["DNS:example.com"]}
nonsense
{"san":[],"host":"example.com"}
"#;
    let (code, answers) = world.batch(&["match", "--batch"], input);
    assert_eq!(code, 0);
    assert_eq!(answers.len(), 8);
    assert_eq!(
        answers[0],
        json!({"matched": "DNS:*.example.com", "ignored": ["DNS:f*.example.com"], "error": null})
    );
    assert_eq!(answers[1], json!({"matched": null, "ignored": [], "error": null}));
    assert_eq!(
        answers[2],
        json!({"matched": "IP:192.0.2.1", "ignored": ["DNS:192.0.2.1"], "error": null})
    );
    assert_eq!(answers[3], json!({"matched": null, "ignored": ["example.com"], "error": null}));
    assert!(answers[4]["error"].as_str().unwrap().contains("host: "), "{}", answers[4]);
    assert!(answers[5]["error"].as_str().unwrap().contains("host"), "{}", answers[5]);
    assert_eq!(answers[6]["line"], 7);
    assert_eq!(answers[7], json!({"matched": null, "ignored": [], "error": null}));
}

/// RFC 9525 §2: the common name does not count.
#[test]
fn certificate_without_names_covers_no_host() {
    let world = World::new();
    world.issue("NAMELESS", &[]);
    let asked = ["match", "--certificate", "certs/NAMELESS.pem", "a.example.test"];
    let said = world.say(&asked, 1);
    let expected = "a.example.test  not covered\nthe certificate covers no host: no subjectAltName";
    assert!(said.starts_with(expected), "{said}");
    let said = world.say(&[&asked[..], &["--json"]].concat(), 1);
    let expected =
        json!({ "host": "a.example.test", "matched": null, "ignored": [], "error": null });
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap(), expected);
    // Identifiers given in addition to the file count.
    let asked = [&asked[..], &["--san", "DNS:a.example.test"]].concat();
    assert!(world.say(&asked, 0).starts_with("a.example.test  DNS:a.example.test\n"));
}

/// Each command with batches reads them from standard input or a file.
#[test]
fn batch_is_read_from_standard_input_or_a_file() {
    let world = World::lab();
    let table = ["compile", "-", "-o", "names.table", "--json"];
    assert_eq!(world.batch(&table, "a.example.test\n").0, 0);
    let question = r#"{"server_name":"a.example.test","authority":"a.example.test"}"#;
    let cases: [(&[&str], &str); 3] = [
        (&["match"], r#"{"san":["DNS:a.example.test"],"host":"a.example.test"}"#),
        (&["explain", "--config", "site.toml"], question),
        (&["lookup", "names.table", "--json"], "a.example.test"),
    ];
    for (arguments, line) in cases {
        let ask = |batch: &[&str]| world.batch(&[arguments, batch].concat(), &format!("{line}\n"));
        let (code, answers) = ask(&["--batch"]);
        assert_eq!((code, answers.len()), (0, 1), "{arguments:?}");
        assert_eq!(ask(&["--batch", "-"]), (code, answers.clone()));
        world.write("lines", line);
        let said = world.say(&[arguments, &["--batch", "lines"]].concat(), 0);
        assert_eq!(serde_json::from_str::<Value>(&said).unwrap(), answers[0]);
        let missing = [arguments, &["--batch", "no-such-file"]].concat();
        let expected = "--batch: cannot read no-such-file: No such file or directory";
        assert!(world.say(&missing, 2).contains(expected));
    }
}
