//! Coalescing groups: when two are equal, and the report of `coalesce groups`.

use serde_json::{Value, json};

use crate::world::{World, text, virtual_host};

const LISTENER: &str = "[[listener]]\naddress = \"127.0.0.1:0\"\n";

fn world(text: &str) -> World {
    let world = World::new();
    world.write("site.toml", &format!("{LISTENER}{text}"));
    world
}

fn report(world: &World) -> Value {
    serde_json::from_str(&world.say(&["groups", "--config", "site.toml", "--json"], 0)).unwrap()
}

/// Returns the names of the groups, each with its equal groups.
fn names(world: &World) -> Vec<Value> {
    let groups = report(world);
    let groups = groups["groups"].as_array().unwrap();
    groups.iter().map(|group| json!([group["name"], group["also"]])).collect()
}

fn group(name: &str, fields: &str) -> String {
    format!("[[group]]\nname = \"{name}\"\n{fields}")
}

fn host(name: &str, fields: &str) -> String {
    virtual_host(name, &format!("{name}.example.test"), if name == "m" { "M" } else { "A" })
        + fields
}

#[test]
fn equal_groups_are_one() {
    let site = [
        group("public", ""),
        group("same", "minimum_version = \"1.2\"\nlisteners = [\"main\"]\n"),
        group("m", "client_ca = [\"certs/client-ca1.pem\", \"certs/client-ca2.pem\"]\n"),
        host("a", "group = \"same\"\n"),
        host("b", ""),
        host("m", "client_ca = [\"copy.pem\", \"certs/client-ca1.pem\"]\n"),
    ];
    let world = world(&site.concat());
    std::fs::copy(world.path("certs/client-ca2.pem"), world.path("copy.pem")).unwrap();
    let made = "client_ca=certs/client-ca1.pem+copy.pem";
    assert_eq!(
        names(&world),
        [json!(["public", ["same", "default"]]), json!(["m", [made]])],
        "by what is in the files, not by where they are"
    );
    let connections = &report(&world)["groups"][0]["connections"];
    let expected = json!([{
        "listener": "main",
        "certificate": "certs/A.pem",
        "server_names": ["a.example.test", "b.example.test"],
        "may_carry": ["a.example.test", "b.example.test"],
        "may_not": {},
    }]);
    assert_eq!(connections, &expected);
}

#[test]
fn isolated_groups_are_not() {
    let site = [
        group("public", ""),
        group("apart", "isolate = true\n"),
        host("a", "group = \"public\"\n"),
        host("b", "group = \"apart\"\n"),
        host("dead", "isolate = true\n"),
    ];
    let world = world(&site.concat());
    let alone = json!([]);
    let expected = ["public", "apart", "dead"].map(|name| json!([name, alone]));
    assert_eq!(names(&world), expected);
    let apart = &report(&world)["apart"][2];
    let isolate = json!({ "field": "isolate", "values": ["apart", "dead"] });
    assert_eq!(*apart, json!({ "groups": ["apart", "dead"], "because": [isolate] }));
    let asked = ["groups", "--config", "site.toml", "a.example.test", "b.example.test"];
    assert!(world.say(&asked, 1).contains("may not, group\n  isolate"));
}

/// Returns the names of each connection: server names, carried, server name only, and refused.
fn connections(world: &World) -> Vec<Value> {
    let report = report(world);
    let connections = report["groups"][0]["connections"].as_array().unwrap();
    let members = |connection: &Value| {
        let names = ["server_names", "may_carry", "server_name_only", "may_not"];
        names.iter().map(|name| connection[name].clone()).collect()
    };
    connections.iter().map(members).collect()
}

#[test]
fn each_server_name_is_judged_separately() {
    let site = [
        group("all", "coalesce = \"strict-server-name\"\n"),
        host("a", "group = \"all\"\n"),
        host("b", "group = \"all\"\n"),
        virtual_host("wild", "*.wild.example.test", "A") + "group = \"all\"\n",
    ];
    let world = world(&site.concat());
    let [a, b, wild] = ["a.example.test", "b.example.test", "*.wild.example.test"];
    let expected = [
        json!([[a], [a], null, { "server_name": [b, wild] }]),
        json!([[b], [b], null, { "server_name": [a, wild] }]),
        json!([[wild], [], [wild], { "server_name": [a, b] }]),
    ];
    assert_eq!(connections(&world), expected);
    let said = world.say(&["groups", "--config", "site.toml"], 0);
    let expected = "  connections for b.example.test (listener main, certs/A.pem)\n    \
                    may carry  b.example.test\n    \
                    may not    a.example.test, *.wild.example.test (server_name)\n";
    assert!(said.contains(expected), "{said}");
    assert!(
        said.contains("    may carry  only the server name, of *.wild.example.test\n"),
        "{said}"
    );
}

/// Names that are stricter than their group are refused on some connections of a certificate only.
#[test]
fn server_names_with_equal_lists_are_shown_together() {
    let site = [
        host("a", ""),
        host("b", "coalesce = \"strict-server-name\"\n"),
        virtual_host("idn", "xn--bcher-kva.example.test", "A"),
    ];
    let world = world(&site.concat());
    let [a, b, idn] = ["a.example.test", "b.example.test", "xn--bcher-kva.example.test"];
    let expected = [
        json!([[a, idn], [a, idn], null, { "server_name": [b] }]),
        json!([[b], [a, b, idn], null, {}]),
    ];
    assert_eq!(connections(&world), expected);
}

/// The server name chooses one of the listeners of an address, whatever certificate each shows.
#[test]
fn listeners_of_one_address_are_judged_separately() {
    let listener = |name: &str, hostname: &str| {
        format!(
            "[[listener]]\nname = \"{name}\"\naddress = \"127.0.0.1:0\"\n\
             hostname = \"{hostname}\"\n"
        )
    };
    let site = [
        "profile = \"gateway-api\"\n".to_owned(),
        listener("one", "a.example.test"),
        listener("two", "b.example.test"),
        host("a", ""),
        host("b", ""),
    ];
    let world = World::new();
    world.write("site.toml", &site.concat());
    let [a, b] = ["a.example.test", "b.example.test"];
    let expected = [
        json!([[a], [a], null, { "listener": [b] }]),
        json!([[b], [b], null, { "listener": [a] }]),
    ];
    assert_eq!(connections(&world), expected);
}

/// A client that connects to an address sends no server name.
#[test]
fn connections_without_a_server_name_are_shown_with_the_default_certificate() {
    let world = World::new();
    world.issue("BOTH", &["d.example.test", "192.0.2.1"]);
    world.issue("ADDRESS", &["192.0.2.1"]);
    let site = [
        LISTENER.replace("\n[", "[") + "default_virtual_host = \"d\"\n",
        virtual_host("address", "192.0.2.1", "ADDRESS"),
        virtual_host("d", "d.example.test", "BOTH") + "coalesce = \"strict-server-name\"\n",
    ];
    world.write("site.toml", &site.concat());
    let [address, d] = ["192.0.2.1", "d.example.test"];
    let expected = [
        json!([[address], [address], null, { "server_name": [d] }]),
        json!([[d], [address, d], null, {}]),
    ];
    assert_eq!(connections(&world), expected);
    assert_eq!(report(&world)["groups"][0]["connections"][0]["certificate"], "certs/BOTH.pem");
}

#[test]
fn report_for_people_is_bounded_and_json_is_complete() {
    let names: Vec<String> =
        (0..200).map(|number| format!("n{number}.wild.example.test")).collect();
    let list = format!("[\"{}\"]", names.join("\", \""));
    let many = virtual_host("many", "LIST", "A").replace("[\"LIST\"]", &list);
    let strict = "coalesce = \"strict-server-name\"\n";
    let apart = (0..12).map(|number| format!("[[group]]\nname = \"g{number}\"\nisolate = true\n"));
    let site = [many, strict.to_owned(), apart.collect::<String>()];
    let world = world(&site.concat());
    let report = report(&world);
    let connections = report["groups"].as_array().unwrap().iter();
    let connections: Vec<&Value> =
        connections.flat_map(|group| group["connections"].as_array().unwrap()).collect();
    assert_eq!(connections.len(), names.len());
    for (connection, name) in connections.iter().zip(&names) {
        assert_eq!(connection["may_carry"], json!([name]));
        assert_eq!(connection["may_not"]["server_name"].as_array().unwrap().len(), names.len() - 1);
    }
    let pairs = report["apart"].as_array().unwrap().len();
    assert_eq!(pairs, 13 * 12 / 2);
    let said = world.say(&["groups", "--config", "site.toml"], 0);
    assert!(said.contains("  and 192 more kinds of connections, with --json\n"), "{said}");
    assert!(said.contains("and 50 more pairs of groups, with --json\n"), "{said}");
    assert!(said.len() < 12_000, "{} bytes", said.len());
}

/// Each field of a policy makes another group, and the report names the field.
#[test]
fn every_policy_field_separates_groups() {
    let site = [
        group("public", ""),
        host("a", "group = \"public\"\n"),
        group("other", "FIELDS"),
        host("b", "group = \"other\"\n"),
    ]
    .concat();
    let ca = "client_ca = \"certs/client-ca1.pem\"\n";
    let cases: &[(&str, &str, &str, [&str; 2])] = &[
        ("", "client_ca = \"certs/client-ca1.pem\"\n", "client_certificate", ["none", "required"]),
        (ca, "client_certificate = \"optional\"\n", "client_certificate", ["required", "optional"]),
        ("", "minimum_version = \"1.3\"\n", "minimum_version", ["1.2", "1.3"]),
        ("", "maximum_version = \"1.2\"\n", "maximum_version", ["1.3", "1.2"]),
        (
            "",
            "cipher_suites = [\"TLS_AES_256_GCM_SHA384\", \"TLS_AES_128_GCM_SHA256\"]\n",
            "cipher_suites",
            ["all", "TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384"],
        ),
        ("", "coalesce = \"never\"\n", "coalesce", ["certificate-and-group", "never"]),
        (
            "",
            "unknown_authority = \"not-found\"\n",
            "unknown_authority",
            ["misdirected", "not-found"],
        ),
        ("", "isolate = true\n", "isolate", ["no", "other"]),
    ];
    for (both, one, field, values) in cases {
        let site = site.replace("FIELDS", &format!("{both}{one}"));
        let site = site.replace("name = \"public\"\n", &format!("name = \"public\"\n{both}"));
        let world = world(&site);
        let because = &report(&world)["apart"][0]["because"];
        let expected = json!({ "field": field, "values": values });
        assert!(because.as_array().unwrap().contains(&expected), "{field}: {because}");
        let hosts = ["a.example.test", "b.example.test"];
        let asked = [&["groups", "--config", "site.toml", "--json"][..], &hosts].concat();
        let answer = world.say(&asked, 1);
        for line in answer.lines() {
            let pair: Value = serde_json::from_str(line).unwrap();
            assert_eq!((&pair["shares"], &pair["reason"]), (&json!(false), &json!("group")));
        }
        assert_eq!(answer.lines().count(), 2);
    }
}

/// `explain` asks the verifier that serves.
#[test]
fn optional_certificate_may_be_missing_but_not_invalid() {
    let optional =
        "client_ca = \"certs/client-ca1.pem\"\nclient_certificate = \"optional\"\n".to_owned();
    let world = world(&host("a", &optional));
    let explain = |client: &str, code| {
        let asked = ["--server-name", "a.example.test", "--authority", "a.example.test", "--json"];
        let asked = [&["explain", "--config", "site.toml"][..], &asked].concat();
        world.say(&[&asked[..], &["--client-certificate", client]].concat(), code)
    };
    assert!(explain("none", 0).contains("\"served\""));
    assert!(explain("certs/client1.pem", 0).contains("\"served\""));
    assert!(explain("certs/client2.pem", 1).contains("client_certificate_invalid"));
}

#[test]
fn report_of_the_lab_has_its_text() {
    let world = World::lab();
    let said = world.say(&["groups", "--config", "site.toml"], 0);
    let expected = [
        "group default\n  client_certificate  none\n",
        "  connections for a.example.test, b.example.test, *.wild.example.test, \
         xn--bcher-kva.example.test (listener main, certs/A.pem)\n",
        "    may not    c.example.test, api.example.test, cdn.example.test (certificate)\n",
        "group client_ca=certs/client-ca1.pem\n  client_certificate  required\n",
        "no connection is in default and in client_ca=certs/client-ca1.pem\n  client_certificate  \
         none / required\n",
    ];
    for part in expected {
        assert!(said.contains(part), "{part}\n{said}");
    }
    let asked = ["groups", "--config", "site.toml", "c.example.test", "a.example.test"];
    let said = world.say(&asked, 1);
    let expected = "c.example.test -> a.example.test (listener main): may share\n\
                    a.example.test -> c.example.test (listener main): may not, certificate\n";
    assert_eq!(said, expected);
    let asked = ["groups", "--config", "site.toml", "a.example.test", "b.example.test"];
    world.say(&asked, 0);
}

/// The members in the help are those of the report.
#[test]
fn members_in_the_help_are_those_of_the_report() {
    let world = World::lab();
    let output = world.run(&["groups", "--help"]);
    let help = text(&output.stdout);
    let report = report(&world);
    let group = &report["groups"][0];
    let objects = [&report, group, &group["connections"][0], &report["apart"][0]];
    for member in objects.iter().flat_map(|object| object.as_object().unwrap().keys()) {
        assert!(help.contains(&format!("\"{member}\"")), "{member}");
    }
    let output = world.run(&["serve", "--help"]);
    let configuration = text(&output.stdout);
    for field in group["policy"].as_object().unwrap().keys() {
        assert!(configuration.contains(&format!("\n  {field} = ")), "{field}");
    }
}
