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

/// The answers that the lab's README and scenarios require.
const TABLE: &[Row] = &[
    // Served requests.
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
fn batch_answers_the_lab_in_order() {
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
fn bad_line_gets_its_error_and_the_next_is_answered() {
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
fn waiting_caller_gets_each_answer_at_once() {
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
        // The beginning of the next line must not delay this answer.
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
fn text_answer_has_reason_step_and_rule() {
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
fn authority_without_a_port_means_443_and_the_hint_says_so() {
    let world = World::lab();
    let site = std::fs::read_to_string(world.path("site.toml")).unwrap();
    world.write("site.toml", &site.replace("ports = [443, 8443]\n", ""));
    let asked = ["--server-name", "a.example.test", "--authority", "a.example.test"];
    let (code, said) = explain(&world, &asked);
    assert_eq!(code, 1);
    assert!(said.contains("did you mean a.example.test:8443?"), "{said}");
    let with_port = ["--server-name", "a.example.test", "--authority", "a.example.test:8443"];
    assert_eq!(explain(&world, &with_port).0, 0);
    // The port is unknown until the system chooses it, so `explain` assumes 443.
    let site = std::fs::read_to_string(world.path("site.toml")).unwrap();
    world.write("site.toml", &site.replace(":8443\"", ":0\""));
    assert_eq!(explain(&world, &asked).0, 0);
}

#[test]
fn group_with_client_certificates_accepts_its_clients_only() {
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
fn unknown_server_name_is_refused_before_any_request() {
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
fn several_listeners_require_a_choice() {
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

/// The hints of one answer.
fn hints(world: &World, arguments: &[&str]) -> Vec<String> {
    let (_, said) = explain(world, &[arguments, &["--json"]].concat());
    let answer: Value = serde_json::from_str(&said).unwrap();
    let hints = answer["hints"].as_array().cloned().unwrap_or_default();
    let hints: Vec<String> = hints.iter().map(|hint| hint.as_str().unwrap().to_owned()).collect();
    // The text answer has the same hints.
    let (_, said) = explain(world, arguments);
    for hint in &hints {
        assert!(said.contains(&format!("\nhint         {hint}\n")), "{hint}\n{said}");
    }
    assert_eq!(said.matches("\nhint ").count(), hints.len(), "{said}");
    hints
}

/// Each reason of `reason.rs` that a configuration can have, and each of a handshake.
#[test]
fn every_reason_comes_with_a_hint() {
    let world = World::lab();
    let on_a = ["--server-name", "a.example.test"];
    let cases: &[(&[&str], &str)] = &[
        (
            &["--authority", "a.example.test", "--scheme", "http"],
            "requests on this connection have the scheme https",
        ),
        (&["--authority", "a.exmaple.test"], "the nearest name here is a.example.test"),
        (&["--authority", "192.0.2.9"], "add 192.0.2.9 to the names of a virtual host"),
        (&["--authority", "a..test"], "no virtual host can have this name"),
        (
            &["--authority", "x.y.wild.example.test"],
            "*.wild.example.test matches names with one more label",
        ),
        (&["--authority", "a.example.test:80"], "listener main answers for port 443, 8443"),
        (&["--authority", "cdn.example.test"], "cdn.example.test is covered by "),
        (
            &["--authority", "m.example.test"],
            "virtual host m is in group client_ca=certs/client-ca1.pem",
        ),
        (&[], "a request names its authority in :authority"),
        (&["--host", "a", "--host", "a"], "a request has one Host field and no more"),
        (
            &["--authority", "u@a.example.test"],
            "leave out the userinfo: did you mean a.example.test?",
        ),
        (&["--authority", ":443"], "an authority is a host"),
        (&["--authority", "a.example.test:x"], "a port is a number up to 65535"),
        (&["--authority", "https://a.example.test"], "an authority has neither scheme nor path"),
        (&["--authority", "a.example.test/x"], "an authority has neither scheme nor path"),
        (&["--authority", "b\u{fc}cher.example.test"], "write the name in ASCII"),
        (&["--authority", "a_[b"], "a host is a name of letters"),
        (&["--authority", "a%zz"], "two hexadecimal digits follow"),
        (&["--authority", "[::x]"], "brackets are for IPv6 addresses"),
        (&["--authority", "a\nb"], "leave out the byte"),
        (&["--host", "a.example.test:x"], "a port is a number up to 65535"),
        (&["--authority", "a.example.test", "--host", "b:x"], "a port is a number up to 65535"),
        (
            &["--authority", "a.example.test", "--host", "b.example.test"],
            "send the same authority in Host",
        ),
        (&["--authority", "a.example.test:1", "--method", "CONNECT"], "CONNECT asks a proxy"),
        (
            &["--authority", "a.example.test", "--method", "CONNECT", "--protocol", "websocket"],
            "this group takes no extended CONNECT",
        ),
    ];
    for (arguments, expected) in cases {
        let found = hints(&world, &[&on_a, *arguments].concat());
        assert!(found.iter().any(|hint| hint.starts_with(expected)), "{arguments:?}: {found:?}");
    }
    assert_eq!(
        hints(&world, &["--server-name", "a.example.test", "--authority", "b.example.test"]),
        [""; 0]
    );
}

#[test]
fn refused_handshake_comes_with_a_hint() {
    let world = World::lab();
    let site = std::fs::read_to_string(world.path("site.toml")).unwrap();
    world.write("site.toml", &site.replace("default_virtual_host = \"a\"\n", ""));
    let m = ["--server-name", "m.example.test", "--authority", "m.example.test"];
    let cases: &[(&[&str], &str)] = &[
        (&["--authority", "a.example.test"], "clients send no server name for an address"),
        (&["--server-name", "a.exmaple.test"], "the nearest name here is a.example.test"),
        (&["--server-name", "wild.example.test"], "*.wild.example.test does not match"),
        (&["--server-name", "nothing.like.it"], "no name here is like nothing.like.it"),
        (&["--server-name", "no.such"], "a default host of the listener would get these"),
        (
            &[&m[..], &["--client-certificate", "none"]].concat(),
            "group client_ca=certs/client-ca1.pem accepts",
        ),
        (
            &[&m[..], &["--client-certificate", "certs/client2.pem"]].concat(),
            "group client_ca=certs/client-ca1.pem accepts",
        ),
    ];
    for (arguments, expected) in cases {
        let found = hints(&world, arguments);
        assert!(found.iter().any(|hint| hint.starts_with(expected)), "{arguments:?}: {found:?}");
    }
}

/// The reasons of policies and of listeners that share an address.
#[test]
fn hints_name_the_connection_that_would_be_served() {
    let world = World::lab();
    let site = std::fs::read_to_string(world.path("site.toml")).unwrap();
    let strict = "[[group]]\nname = \"default\"\ncoalesce = \"strict-server-name\"\n";
    world.write("site.toml", &format!("{site}{strict}"));
    let asked = ["--server-name", "a.example.test", "--authority", "b.example.test"];
    let expected = [
        "b.example.test is served only on connections with the server name b.example.test",
        "on a connection of its own it is served, by virtual host b in group default",
    ];
    assert_eq!(hints(&world, &asked), expected);

    let observe =
        "[[group]]\nname = \"default\"\nobserve = true\nunknown_authority = \"not-found\"\n";
    world.write("site.toml", &format!("{site}{observe}"));
    let asked = ["--server-name", "a.example.test", "--authority", "cdn.example.test"];
    let expected = [
        "cdn.example.test is covered by certs/B.pem, certs/CDN.pem",
        "on a connection of its own it is served, by virtual host cdn in group default",
    ];
    assert_eq!(hints(&world, &asked), expected);
    let asked = ["--server-name", "a.example.test", "--authority", "a.exmaple.test"];
    assert_eq!(hints(&world, &asked), ["the nearest name here is a.example.test"]);

    let listener = |name: &str, hostname: &str| {
        format!(
            "[[listener]]\nname = \"{name}\"\naddress = \"127.0.0.1:0\"\nhostname = \"{hostname}\"\n"
        )
    };
    let host = |name: &str, listener: &str| {
        let authority = format!("{name}.example.test");
        crate::world::virtual_host(name, &authority, "A")
            + &format!("listeners = [\"{listener}\"]\n")
    };
    let parts = [
        "profile = \"gateway-api\"\n".to_owned(),
        listener("one", "a.example.test"),
        listener("two", "b.example.test"),
        host("a", "one"),
        host("b", "two"),
    ];
    world.write("site.toml", &parts.concat());
    let asked =
        ["--listener", "one", "--server-name", "a.example.test", "--authority", "b.example.test"];
    let expected = [
        "listener two is responsible for b.example.test",
        "on a connection of its own it is served, by virtual host b in group listeners=two",
    ];
    assert_eq!(hints(&world, &asked), expected);
}

#[test]
fn url_is_asked_for_on_the_connection_that_a_client_makes_for_it() {
    let world = World::lab();
    let ask = |arguments: &[&str]| {
        let output = world.run(&[&["explain"], arguments].concat());
        (
            output.status.code().unwrap(),
            text(&output.stdout).to_owned(),
            text(&output.stderr).to_owned(),
        )
    };
    let url = "https://c.example.test:8443/path?query";
    for start in [&["site.toml", url][..], &["--config", "site.toml", url]] {
        let (code, said, _) = ask(start);
        assert_eq!(code, 0);
        assert!(
            said.starts_with("connection   server name c.example.test, listener main\n"),
            "{said}"
        );
        assert!(said.contains("request      GET https://c.example.test:8443\n"), "{said}");
        let (code, said, _) =
            ask(&[start, &["--server-name", "api.example.test", "--json"]].concat());
        assert_eq!(code, 1);
        assert!(said.contains("\"certificate\""), "{said}");
    }
    let (code, said, _) = ask(&["site.toml", "http://c.example.test:8443"]);
    assert!(code == 1 && said.contains("reason       scheme"), "{said}");
    let (code, said, _) = ask(&["site.toml", "https://192.0.2.1/"]);
    assert!(code == 1 && said.starts_with("connection   no server name"), "{said}");
    for (arguments, expected) in [
        (&["site.toml", "c.example.test"][..], "does not begin with https:// or http://"),
        (&["site.toml", "https://u@c.example.test"], "a client sends no userinfo"),
        (
            &["site.toml", url, "--authority", "c.example.test"],
            "leave out --scheme and --authority",
        ),
        (&["site.toml", url, "--batch"], "a URL cannot be used with --batch"),
        (&["--config", "site.toml", "site.toml", url], "the configuration file is named twice"),
        (&["--authority", "c.example.test"], "no configuration file; --config FILE names it"),
    ] {
        let (code, _, said) = ask(arguments);
        assert_eq!(code, 2, "{arguments:?} {said}");
        assert!(said.contains(expected), "{arguments:?} {said}");
    }
}

/// The port of the URL chooses the only listener that answers for it.
#[test]
fn url_chooses_the_listener_by_its_port() {
    let world = World::lab();
    let site = std::fs::read_to_string(world.path("site.toml")).unwrap();
    let site = site.replace("[[listener]]\n", "[[listener]]\nname = \"one\"\n");
    let second = "\n[[listener]]\nname = \"two\"\naddress = \"127.0.0.1:9443\"\n";
    world.write("site.toml", &format!("{site}{second}"));
    let ask = |url: &str| {
        let output = world.run(&["explain", "site.toml", url]);
        (output.status.code().unwrap(), text(&output.stdout).to_owned())
    };
    assert!(ask("https://a.example.test:9443/").1.contains("listener two"));
    assert!(ask("https://a.example.test:8443/").1.contains("listener one"));
    assert_eq!(ask("https://a.example.test:1/").0, 2);
}
