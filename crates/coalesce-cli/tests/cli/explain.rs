//! `coalesce explain` on the lab's hosts and certificates.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{World, text};

/// Server name, members of the request, verdict, reason, virtual host, step.
type Row =
    (Option<&'static str>, &'static str, &'static str, &'static str, Option<&'static str>, u8);

/// What the lab's README and scenarios say.
const TABLE: &[Row] = &[
    // Nothing misdirected.
    (Some("a"), r#""authority":"a.example.test""#, "serve", "served", Some("a"), 8),
    (Some("c"), r#""authority":"c.example.test""#, "serve", "served", Some("c"), 8),
    (
        Some("foo.wild"),
        r#""authority":"foo.wild.example.test""#,
        "serve",
        "served",
        Some("wild"),
        8,
    ),
    (Some("m"), r#""authority":"m.example.test""#, "serve", "served", Some("m"), 8),
    // Coalescing that the certificate allows.
    (Some("a"), r#""authority":"b.example.test""#, "serve", "served", Some("b"), 8),
    (Some("a"), r#""authority":"foo.wild.example.test""#, "serve", "served", Some("wild"), 8),
    (Some("c"), r#""authority":"a.example.test""#, "serve", "served", Some("a"), 8),
    (Some("a"), r#""authority":"xn--bcher-kva.example.test""#, "serve", "served", Some("idn"), 8),
    // Misdirected, each for its own reason.
    (Some("api"), r#""authority":"cdn.example.test""#, "misdirected", "certificate", None, 5),
    (
        Some("api"),
        r#""authority":"wrong.example.test""#,
        "misdirected",
        "unknown_authority",
        None,
        3,
    ),
    (Some("a"), r#""authority":"dead.example.test""#, "misdirected", "unknown_authority", None, 3),
    (Some("c"), r#""authority":"wrong.example.test""#, "misdirected", "unknown_authority", None, 3),
    (
        Some("a"),
        r#""authority":"x.y.wild.example.test""#,
        "misdirected",
        "unknown_authority",
        None,
        3,
    ),
    (Some("a"), r#""authority":"127.0.0.1""#, "misdirected", "unknown_authority", None, 3),
    (Some("a"), r#""authority":"a.example.test:80""#, "misdirected", "port", None, 4),
    (
        Some("a"),
        r#""authority":"a.example.test","scheme":"http""#,
        "misdirected",
        "scheme",
        None,
        2,
    ),
    (Some("a"), r#""authority":"m.example.test""#, "misdirected", "group", None, 6),
    (Some("a"), r#""authority":"M.Example.TEST.""#, "misdirected", "group", None, 6),
    (Some("m"), r#""authority":"m2.example.test""#, "misdirected", "group", None, 6),
    (Some("m"), r#""authority":"a.example.test""#, "misdirected", "certificate", None, 5),
    // Spelling.
    (Some("a"), r#""authority":"A.EXAMPLE.TEST.:443""#, "serve", "served", Some("a"), 8),
    (Some("a"), r#""authority":"a.example.test:""#, "serve", "served", Some("a"), 8),
    (Some("a"), r#""authority":"a.example.test:8443""#, "serve", "served", Some("a"), 8),
    (Some("a"), r#""authority":"user@a.example.test""#, "malformed", "authority_userinfo", None, 1),
    (Some("a"), r#""authority":"""#, "malformed", "authority_empty_host", None, 1),
    (Some("a"), r#""authority":"a.example.test:x""#, "malformed", "authority_port", None, 1),
    (Some("a"), r#""authority":"bücher.example.test""#, "malformed", "authority_host", None, 1),
    (Some("a"), r#""authority":"a\u0000b""#, "malformed", "authority_field_value", None, 1),
    (Some("a"), r#""method":"GET""#, "malformed", "no_authority", None, 1),
    // Host.
    (Some("a"), r#""host":"a.example.test""#, "serve", "served", Some("a"), 8),
    (Some("api"), r#""host":["cdn.example.test"]"#, "misdirected", "certificate", None, 5),
    (
        Some("a"),
        r#""authority":"a.example.test","host":"cdn.example.test""#,
        "malformed",
        "host_differs",
        None,
        7,
    ),
    (
        Some("a"),
        r#""host":["a.example.test","a.example.test"]"#,
        "malformed",
        "several_hosts",
        None,
        1,
    ),
    // CONNECT.
    (
        Some("a"),
        r#""authority":"a.example.test:443","method":"CONNECT""#,
        "malformed",
        "connect_refused",
        None,
        1,
    ),
    (
        Some("api"),
        r#""authority":"cdn.example.test","method":"CONNECT","protocol":"websocket""#,
        "misdirected",
        "certificate",
        None,
        5,
    ),
    // No server name, an unknown one, an address: the default virtual host, a.
    (None, r#""authority":"a.example.test""#, "serve", "served", Some("a"), 8),
    (None, r#""authority":"m.example.test""#, "misdirected", "group", None, 6),
    (
        Some("wrong"),
        r#""authority":"wrong.example.test""#,
        "misdirected",
        "unknown_authority",
        None,
        3,
    ),
    (Some("wrong"), r#""authority":"a.example.test""#, "serve", "served", Some("a"), 8),
];

fn status(verdict: &str, reason: &str) -> u16 {
    match (verdict, reason) {
        ("serve", _) => 200,
        ("misdirected", _) => 421,
        (_, "connect_refused") => 405,
        _ => 400,
    }
}

#[test]
fn the_lab_is_answered_in_order() {
    let world = World::lab();
    let mut input = String::new();
    for (server_name, members, ..) in TABLE {
        let server_name = match server_name {
            Some(name) => format!("\"{name}.example.test\""),
            None => "null".to_owned(),
        };
        writeln!(input, "{{\"server_name\":{server_name},{members}}}").unwrap();
    }
    let (code, answers) = world.batch(&["explain", "--config", "site.toml", "--batch"], &input);
    assert_eq!(code, 0);
    assert_eq!(answers.len(), TABLE.len());
    for (row, answer) in TABLE.iter().zip(&answers) {
        let (_, _, verdict, reason, virtual_host, step) = row;
        assert_eq!(answer["verdict"], *verdict, "{row:?}: {answer}");
        assert_eq!(answer["reason"], *reason, "{row:?}: {answer}");
        assert_eq!(answer["virtual_host"], json!(virtual_host), "{row:?}: {answer}");
        assert_eq!(answer["step"], *step, "{row:?}: {answer}");
        assert_eq!(answer["status"], status(verdict, reason), "{row:?}: {answer}");
        assert!(answer["rule"].as_str().unwrap().starts_with("RFC "), "{row:?}: {answer}");
        let resets = ["authority_userinfo", "authority_field_value", "host_differs"];
        let reset = resets.contains(reason).then_some("PROTOCOL_ERROR");
        assert_eq!(answer.get("reset").and_then(Value::as_str), reset, "{row:?}: {answer}");
    }
}

#[test]
fn a_bad_line_has_its_error_and_the_next_one_is_answered() {
    let world = World::lab();
    let good = r#"{"server_name":"a.example.test","authority":"a.example.test","id":7}"#;
    let input = format!(
        "{good}\nnonsense\n\n[1]\n{{\"host\":1}}\n{{\"client_certificate\":\"no.pem\"}}\n{good}"
    );
    let (code, answers) = world.batch(&["explain", "--config", "site.toml", "--batch"], &input);
    assert_eq!(code, 0);
    let lines: Vec<Option<u64>> = answers.iter().map(|answer| answer["line"].as_u64()).collect();
    assert_eq!(lines, [None, Some(2), Some(3), Some(4), Some(5), Some(6), None]);
    for answer in answers.iter().filter(|answer| answer.get("line").is_some()) {
        assert!(!answer["error"].as_str().unwrap().is_empty(), "{answer}");
    }
    assert_eq!(answers[0], answers[6]);
}

#[test]
fn a_caller_that_waits_gets_each_answer_at_once() {
    let world = World::lab();
    let mut child = world
        .command()
        .args(["explain", "--config", "site.toml", "--batch"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let (answers, answered) = mpsc::channel();
    thread::spawn(move || {
        for line in output.lines() {
            answers.send(serde_json::from_str::<Value>(&line.unwrap()).unwrap()).unwrap();
        }
    });
    let mut ask = |line: &str| {
        // The beginning of the next line must not hold the answer to this one back.
        write!(input, "{line}\n{{").unwrap();
        input.flush().unwrap();
        answered.recv_timeout(Duration::from_secs(10)).expect("the answer is held back")
    };
    assert_eq!(ask(r#"{"authority":"a.example.test"}"#)["virtual_host"], "a");
    assert_eq!(ask(r#""authority":"b.example.test"}"#)["virtual_host"], "b");
    drop(input);
    assert!(child.wait().unwrap().success());
}

fn explain(world: &World, arguments: &[&str]) -> (i32, String) {
    let output = world.run(&[&["explain", "--config", "site.toml"], arguments].concat());
    (output.status.code().unwrap(), text(&output.stdout).to_owned())
}

#[test]
fn people_are_told_the_reason_the_step_and_the_rule() {
    let world = World::lab();
    let (code, said) =
        explain(&world, &["--server-name", "api.example.test", "--authority", "cdn.example.test"]);
    assert_eq!(code, 1);
    for part in [
        "misdirected (421)",
        "certificate: the presented certificate does not cover the host",
        "step         5 certificate",
        "RFC 9113 §9.1.1",
        "certificate for DNS:api.example.test",
        "on a connection of its own it is served, by virtual host cdn",
    ] {
        assert!(said.contains(part), "{part:?} missing in:\n{said}");
    }
    let served = ["--server-name", "a.example.test", "--authority", "b.example.test"];
    let (code, said) = explain(&world, &served);
    assert_eq!(code, 0);
    assert!(said.contains("virtual host b") && said.contains("step         8 serve"), "{said}");
    let (code, said) = explain(&world, &[&served[..], &["--json"]].concat());
    assert_eq!(code, 0);
    let answer: Value = serde_json::from_str(&said).unwrap();
    let expected = json!({
        "verdict": "serve", "reason": "served", "status": 200, "virtual_host": "b",
        "group": "default", "rule": "RFC 9110 §7.4, RFC 9113 §9.1.1", "step": 8
    });
    assert_eq!(answer, expected);
}

#[test]
fn an_authority_without_port_means_443_and_people_are_told() {
    let world = World::lab();
    let site = std::fs::read_to_string(world.path("site.toml")).unwrap();
    world.write("site.toml", &site.replace("ports = [443, 8443]\n", ""));
    let asked = ["--server-name", "a.example.test", "--authority", "a.example.test"];
    let (code, said) = explain(&world, &asked);
    assert_eq!(code, 1);
    assert!(said.contains("did you mean a.example.test:8443?"), "{said}");
    let with_port = ["--server-name", "a.example.test", "--authority", "a.example.test:8443"];
    assert_eq!(explain(&world, &with_port).0, 0);
    // Of a port that the system will choose nothing is known; then 443 is taken for it.
    let site = std::fs::read_to_string(world.path("site.toml")).unwrap();
    world.write("site.toml", &site.replace(":8443\"", ":0\""));
    assert_eq!(explain(&world, &asked).0, 0);
}

#[test]
fn a_group_that_demands_a_certificate_accepts_its_own_clients_only() {
    let world = World::lab();
    let verdict = |certificate: &[&str]| {
        let asked = ["--server-name", "m.example.test", "--authority", "m.example.test", "--json"];
        let (code, said) = explain(&world, &[&asked[..], certificate].concat());
        let answer: Value = serde_json::from_str(&said).unwrap();
        (code, answer["verdict"].clone(), answer["reason"].clone(), answer["status"].clone())
    };
    assert_eq!(verdict(&[]), (0, json!("serve"), json!("served"), json!(200)));
    assert_eq!(
        verdict(&["--client-certificate", "none"]),
        (1, json!("refused"), json!("client_certificate_required"), Value::Null)
    );
    assert_eq!(
        verdict(&["--client-certificate", "certs/client2.pem"]),
        (1, json!("refused"), json!("client_certificate_invalid"), Value::Null)
    );
    assert_eq!(
        verdict(&["--client-certificate", "certs/client1.pem"]),
        (0, json!("serve"), json!("served"), json!(200))
    );
    let input = "{\"server_name\":\"m.example.test\",\"authority\":\"m.example.test\"";
    let input = format!(
        "{input}}}\n{input},\"client_certificate\":null}}\n\
         {input},\"client_certificate\":\"certs/client1.pem\"}}\n"
    );
    let (_, answers) = world.batch(&["explain", "--config", "site.toml", "--batch"], &input);
    let verdicts: Vec<&str> =
        answers.iter().map(|answer| answer["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["serve", "refused", "serve"]);
}

#[test]
fn a_server_name_that_leads_nowhere_is_refused_before_any_request() {
    let world = World::lab();
    let site = std::fs::read_to_string(world.path("site.toml")).unwrap();
    world.write("site.toml", &site.replace("default_virtual_host = \"a\"\n", ""));
    for server_name in [&[][..], &["--server-name", "wrong.example.test"]] {
        let asked = [&["--authority", "a.example.test"], server_name].concat();
        let (code, said) = explain(&world, &asked);
        assert_eq!(code, 1);
        assert!(said.contains("tls: unrecognized_name"), "{said}");
        let (_, said) = explain(&world, &[&asked[..], &["--json"]].concat());
        let answer: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(answer["verdict"], "refused");
        assert_eq!(answer["reason"], "unrecognized_name");
        assert_eq!(answer["step"], Value::Null);
    }
}

#[test]
fn policies_of_a_group_are_obeyed() {
    let world = World::lab();
    let site = std::fs::read_to_string(world.path("site.toml")).unwrap();
    let with = |policy: &str| {
        world.write("site.toml", &format!("{site}\n[[group]]\nname = \"default\"\n{policy}\n"));
        let input = "{\"server_name\":\"a.example.test\",\"authority\":\"b.example.test\"}\n\
                     {\"server_name\":\"a.example.test\",\"authority\":\"nobody.test\"}\n";
        let (_, answers) = world.batch(&["explain", "--config", "site.toml", "--batch"], input);
        answers.iter().map(|answer| answer["reason"].as_str().unwrap().to_owned()).collect()
    };
    let reasons: Vec<String> = with("coalesce = \"strict-server-name\"");
    assert_eq!(reasons, ["server_name", "unknown_authority"]);
    let reasons: Vec<String> = with("unknown_authority = \"not-found\"");
    assert_eq!(reasons, ["served", "unlisted"]);
}

#[test]
fn of_several_listeners_one_is_to_be_chosen() {
    let world = World::lab();
    let site = std::fs::read_to_string(world.path("site.toml")).unwrap();
    let site = site.replace("[[listener]]\n", "[[listener]]\nname = \"one\"\n");
    let second = "\n[[listener]]\nname = \"two\"\naddress = \"127.0.0.1:9443\"\n";
    world.write("site.toml", &format!("{site}{second}"));
    let asked = ["--server-name", "a.example.test", "--authority", "a.example.test:9443"];
    assert_eq!(explain(&world, &asked).0, 2);
    assert_eq!(explain(&world, &[&asked[..], &["--listener", "three"]].concat()).0, 2);
    assert_eq!(explain(&world, &[&asked[..], &["--listener", "one"]].concat()).0, 1);
    assert_eq!(explain(&world, &[&asked[..], &["--listener", "two"]].concat()).0, 0);
}
