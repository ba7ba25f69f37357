//! Strict names and observed groups, with a real client.

use std::fs;

use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::world::{World, text, virtual_host};

const LISTENER: &str = "[[listener]]\naddress = \"127.0.0.1:0\"\n";

fn host(name: &str, certificate: &str, fields: &str) -> String {
    virtual_host(name, &format!("{name}.example.test"), certificate) + fields
}

fn world(parts: &[String]) -> World {
    let world = World::new();
    world.write("site.toml", &format!("{LISTENER}{}", parts.concat()));
    world
}

/// Server name, authority, status.
type Row = (&'static str, &'static str, u16);

async fn check(world: &World, rows: &[Row]) {
    let server = Server::start(world, 1);
    for (server_name, authority, status) in rows {
        let server_name = format!("{server_name}.example.test");
        let client = Client::connect(world, server.address(), &server_name).await;
        let (head, content) = client.get(&format!("{authority}.example.test"), "/").await;
        assert_eq!(head.status, *status, "{authority} on {server_name}");
        if *status == 200 {
            assert_eq!(text(&content), format!("vhost={authority}\n"));
        } else {
            assert_eq!(content, r#"{"error":"misdirected_request"}"#);
        }
    }
}

/// `a` and `b` share a group and a certificate; the names of `b` are strict.
#[tokio::test]
async fn virtual_host_sets_the_strictness_of_its_names() {
    const ROWS: &[Row] = &[
        ("a", "a", 200),
        ("a", "b", 421),
        ("a", "dead", 200),
        ("b", "b", 200),
        ("b", "a", 200),
        ("dead", "b", 421),
    ];
    let group = "[[group]]\nname = \"public\"\n".to_owned();
    let strict = "coalesce = \"strict-server-name\"\n";
    let named = [
        group,
        host("a", "A", "group = \"public\"\n"),
        host("b", "A", &format!("group = \"public\"\n{strict}")),
        host("dead", "A", ""),
    ];
    let unnamed = [host("a", "A", ""), host("b", "A", strict), host("dead", "A", "")];
    for world in [world(&named), world(&unnamed)] {
        check(&world, ROWS).await;
        let report: Value =
            serde_json::from_str(&world.say(&["groups", "--config", "site.toml", "--json"], 0))
                .unwrap();
        let groups = report["groups"].as_array().unwrap();
        assert_eq!(groups.len(), 1, "it is the same group");
        let own = json!({ "strict-server-name": ["b.example.test"] });
        assert_eq!(groups[0]["own_coalesce"], own);
        let may_not = &groups[0]["connections"][0]["may_not"];
        assert_eq!(*may_not, json!({ "server_name": ["b.example.test"] }));
    }
}

/// A compiled table stores the strictness of each name.
#[tokio::test]
async fn compiled_table_has_the_strictness_of_names() {
    let site = [host("a", "A", ""), host("b", "A", "coalesce = \"never\"\n")];
    let world = world(&site);
    let site = fs::read_to_string(world.path("site.toml")).unwrap();
    world.write("site.toml", &format!("table = \"names.table\"\n{site}"));
    world.write("names.list", "dead.example.test a\nx.wild.example.test b default\n");
    world.say(&["compile", "--config", "site.toml", "names.list", "-o", "names.table"], 0);
    let explain = |server_name: &str, authority: &str, code| {
        let asked = ["--server-name", server_name, "--authority", authority, "--json"];
        let asked = [&["explain", "--config", "site.toml"][..], &asked].concat();
        world.say(&asked, code)
    };
    assert!(explain("a.example.test", "dead.example.test", 0).contains("\"served\""));
    assert!(explain("a.example.test", "x.wild.example.test", 1).contains("\"server_name\""));
    assert!(explain("x.wild.example.test", "x.wild.example.test", 0).contains("\"served\""));
    assert!(explain("b.example.test", "a.example.test", 0).contains("\"served\""));
}

/// Two public groups and one that requests client certificates, all observed.
fn observed() -> World {
    let group = |name: &str, fields: &str| {
        format!("[[group]]\nname = \"{name}\"\nobserve = true\n{fields}")
    };
    world(&[
        group("public", ""),
        group("modern", "minimum_version = \"1.3\"\n"),
        group(
            "clients",
            "client_ca = \"certs/client-ca1.pem\"\nclient_certificate = \"optional\"\n",
        ),
        "[[group]]\nname = \"strict\"\nisolate = true\n".to_owned(),
        host("a", "A", "group = \"public\"\n"),
        host("b", "A", "group = \"modern\"\n"),
        host("c", "B", "group = \"strict\"\n"),
        host("cdn", "CDN", "group = \"public\"\n"),
        host("m", "M", "group = \"clients\"\n"),
    ])
}

#[tokio::test]
async fn observed_group_serves_refused_requests_but_never_across_client_rules() {
    check(
        &observed(),
        &[
            ("a", "a", 200),
            ("a", "cdn", 200),
            ("a", "b", 200),
            ("b", "cdn", 200),
            // The same requests in an enforced group are refused.
            ("a", "c", 421),
            ("c", "a", 421),
            ("c", "cdn", 421),
            // No virtual host has this name.
            ("a", "dead", 421),
            // Never across client-certificate rules, even optional ones.
            ("a", "m", 421),
            ("b", "m", 421),
            ("m", "a", 421),
            ("m", "m", 200),
        ],
    )
    .await;
}

#[test]
fn explain_says_what_is_only_observed() {
    let world = observed();
    let explain = |server_name: &str, authority: &str| {
        let asked = ["explain", "--config", "site.toml", "--server-name", server_name];
        world.say(&[&asked[..], &["--authority", authority]].concat(), 0)
    };
    let said = explain("a.example.test", "cdn.example.test");
    let reason = "reason       served: the group is only observed; else a 421: the presented \
                  certificate does not cover the host\n";
    assert!(said.contains(reason), "{said}");
    let input = r#"{"server_name":"a.example.test","authority":"cdn.example.test"}
{"server_name":"a.example.test","authority":"b.example.test"}
{"server_name":"a.example.test","authority":"a.example.test"}
"#;
    let (_, lines) = world.batch(&["explain", "--config", "site.toml", "--batch"], input);
    let observed: Vec<&Value> = lines.iter().map(|line| &line["observed"]).collect();
    assert_eq!(observed, [&json!("certificate"), &json!("group"), &Value::Null]);
    // The report is about the rules, observed or not.
    let asked = ["groups", "--config", "site.toml", "a.example.test", "cdn.example.test"];
    assert!(world.say(&asked, 1).contains("may not, certificate"));
}
