//! Checks that `coalesce groups` and `coalesce explain` agree on each pair of names.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::world::World;

/// Names, each with a certificate that covers it. Addresses are for the default host.
const POOL: [(&str, &str); 12] = [
    ("a.example.test", "A"),
    ("b.example.test", "A"),
    ("*.wild.example.test", "A"),
    ("x.wild.example.test", "A"),
    ("m.example.test", "M"),
    ("m2.example.test", "M"),
    ("c.example.test", "B"),
    ("*.example.test", "B"),
    ("**.example.test", "B"),
    ("d.example.test", "B"),
    ("api.example.test", "API"),
    ("e.example.test", "WITH-ADDRESS"),
];

const COALESCE: [&str; 3] = ["certificate-and-group", "strict-server-name", "never"];

/// A xorshift generator with a fixed seed, so the sites are the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end).unwrap()).unwrap()
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

/// Returns a site with these listeners, two groups and some hosts of the pool.
fn site(random: &mut Random) -> String {
    let mut text = "[[listener]]\naddress = \"127.0.0.1:8443\"\nports = [443]\n".to_owned();
    let has_address = random.below(3) == 0;
    if has_address {
        text.push_str("default_virtual_host = \"host11\"\n");
    }
    for group in ["one", "two"] {
        let coalesce = random.pick(&COALESCE);
        // A host with an address must be served without a server name.
        let coalesce = if has_address && coalesce == "never" { COALESCE[1] } else { coalesce };
        writeln!(text, "[[group]]\nname = \"{group}\"\nisolate = true").unwrap();
        writeln!(text, "coalesce = \"{coalesce}\"").unwrap();
    }
    for (number, (name, certificate)) in POOL.iter().enumerate() {
        let (group, own) = (random.pick(&["one", "two"]), random.below(6));
        let is_default = number == 11;
        if random.below(4) == 0 && !is_default {
            continue;
        }
        let names = match (is_default, has_address) {
            (true, true) => format!("\"{name}\", \"192.0.2.1\", \"2001:db8::1\""),
            _ => format!("\"{name}\""),
        };
        writeln!(
            text,
            "[[virtual_host]]\nname = \"host{number}\"\nnames = [{names}]\n\
             certificate = \"certs/{certificate}.pem\"\nkey = \"certs/{certificate}.key\"\n\
             answer = {{ text = \"\" }}\ngroup = \"{group}\""
        )
        .unwrap();
        if own < 2 && !is_default {
            writeln!(text, "coalesce = \"{}\"", COALESCE[own]).unwrap();
        }
    }
    text
}

/// Returns a host of the name; for a wildcard, the one with this label. A host of `**.` is two
/// labels below, because `*.` may have those that are one label below.
fn host_of(name: &str, label: &str, has_both: bool) -> String {
    match name.rsplit_once("*.") {
        Some(("*", parent)) if has_both => format!("{label}.deep.{parent}"),
        Some((_, parent)) => format!("{label}.{parent}"),
        None if name.contains(':') => format!("[{name}]"),
        None => name.to_owned(),
    }
}

/// A client sends no server name for an address (RFC 6066 §3).
fn server_name(host: &str) -> Value {
    let is_address = host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok();
    if is_address { Value::Null } else { json!(host) }
}

/// A question for `explain`, and the answer that `groups` gives.
struct Asked {
    question: Value,
    groups_says: Option<String>,
}

/// Returns a question for each pair of names in a report.
fn questions(report: &Value, has_both: bool) -> Vec<Asked> {
    let host_of = |name: &str, label: &str| host_of(name, label, has_both);
    let strings = |list: &Value| -> Vec<String> {
        let list = list.as_array().cloned().unwrap_or_default();
        list.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let mut asked = Vec::new();
    let groups = report["groups"].as_array().unwrap().iter();
    let connections = groups.flat_map(|group| group["connections"].as_array().unwrap());
    for connection in connections {
        let mut carried: BTreeMap<String, Option<String>> = BTreeMap::new();
        let only = strings(&connection["server_name_only"]);
        for name in strings(&connection["may_carry"]) {
            assert!(carried.insert(name, None).is_none(), "{connection}");
        }
        for (reason, names) in connection["may_not"].as_object().unwrap() {
            for name in strings(names) {
                assert!(carried.insert(name, Some(reason.clone())).is_none(), "{connection}");
            }
        }
        for from in strings(&connection["server_names"]) {
            let own = host_of(&from, "own");
            let mut ask = |host: &str, groups_says: Option<String>| {
                let question = json!({ "server_name": server_name(&own), "authority": host });
                asked.push(Asked { question, groups_says });
            };
            for (name, reason) in &carried {
                // Another host of the wildcard, so it differs from the server name.
                ask(&host_of(name, "other"), reason.clone());
            }
            for name in &only {
                assert_eq!((name, carried.get(name)), (&from, None), "{connection}");
                ask(&own, None);
                ask(&host_of(name, "other"), Some("server_name".to_owned()));
            }
        }
    }
    asked
}

#[test]
fn groups_and_explain_agree_on_each_pair_of_names() {
    let world = World::new();
    world.issue("WITH-ADDRESS", &["e.example.test", "192.0.2.1", "2001:db8::1"]);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut pairs, mut reasons) = (0, BTreeMap::<String, usize>::new());
    for _ in 0..60 {
        let text = site(&mut random);
        world.write("site.toml", &text);
        let said = world.say(&["groups", "--config", "site.toml", "--json"], 0);
        let has_both = text.contains("\"*.example.test\"");
        let asked = questions(&serde_json::from_str(&said).unwrap(), has_both);
        for some in asked.chunks(300) {
            let lines: Vec<String> = some.iter().map(|one| one.question.to_string()).collect();
            let arguments = ["-qq", "explain", "--config", "site.toml", "--batch"];
            let (_, answers) = world.batch(&arguments, &lines.join("\n"));
            assert_eq!(answers.len(), some.len());
            for (Asked { question, groups_says }, answer) in some.iter().zip(&answers) {
                let expected = groups_says.as_deref().unwrap_or("served");
                assert_eq!(answer["reason"], expected, "{question} {answer}\n{text}\n{said}");
                *reasons.entry(expected.to_owned()).or_default() += 1;
                pairs += 1;
            }
        }
    }
    assert!(pairs > 1_000, "{pairs} pairs");
    for reason in ["served", "server_name", "certificate"] {
        assert!(reasons.get(reason).is_some_and(|times| *times > 50), "{reasons:?}");
    }
}

/// The same check for two named hosts.
#[test]
fn pairs_of_named_hosts_and_explain_agree() {
    let world = World::new();
    world.issue("WITH-ADDRESS", &["e.example.test", "192.0.2.1", "2001:db8::1"]);
    let mut random = Random(0x1234_5678_9abc_def1);
    let hosts = ["a.example.test", "s.wild.example.test", "t.wild.example.test", "m.example.test"];
    for _ in 0..20 {
        world.write("site.toml", &site(&mut random));
        let asked = [&["-qq", "groups", "--config", "site.toml", "--json"][..], &hosts].concat();
        let output = world.run(&asked);
        let pairs: Vec<Value> = String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(pairs.len(), hosts.len() * (hosts.len() - 1));
        let lines: Vec<String> = pairs
            .iter()
            .map(|pair| {
                json!({ "server_name": pair["connection"], "authority": pair["request"] })
                    .to_string()
            })
            .collect();
        let arguments = ["-qq", "explain", "--config", "site.toml", "--batch"];
        let (_, answers) = world.batch(&arguments, &lines.join("\n"));
        for (pair, answer) in pairs.iter().zip(&answers) {
            let expected = pair["reason"].as_str().unwrap_or("served");
            assert_eq!(answer["reason"], expected, "{pair} {answer}");
        }
    }
}

/// A client of `serve` gets the answers that `groups` and `explain` report.
#[tokio::test]
async fn serve_does_what_groups_and_explain_say_of_each_pair() {
    let world = World::new();
    world.issue("WITH-ADDRESS", &["e.example.test", "192.0.2.1", "2001:db8::1"]);
    let mut random = Random(0x0dd0_5eed_0dd0_5eed);
    let mut statuses = BTreeMap::<u16, usize>::new();
    for _ in 0..4 {
        // Requests name the port that the client has connected to.
        let text = site(&mut random).replace("127.0.0.1:8443\"\nports = [443]", "127.0.0.1:0\"");
        world.write("site.toml", &text);
        let said = world.say(&["groups", "--config", "site.toml", "--json"], 0);
        let has_both = text.contains("\"*.example.test\"");
        let mut asked = questions(&serde_json::from_str(&said).unwrap(), has_both);
        // Clients reject the certificate for a host two labels below its wildcard.
        asked.retain(|one| {
            one.question["server_name"].as_str().is_some_and(|name| !name.contains("deep"))
        });
        let lines: Vec<String> = asked.iter().map(|one| one.question.to_string()).collect();
        let arguments = ["-qq", "explain", "--config", "site.toml", "--batch"];
        let server = Server::start_with(&world, 1, &["--no-watch"]);
        let mut client: Option<(String, Client)> = None;
        for (some, lines) in asked.chunks(300).zip(lines.chunks(300)) {
            let (_, answers) = world.batch(&arguments, &lines.join("\n"));
            for (Asked { question, groups_says }, answer) in some.iter().zip(&answers) {
                let [own, host] =
                    ["server_name", "authority"].map(|it| question[it].as_str().unwrap());
                if client.as_ref().is_none_or(|(name, _)| name != own) {
                    let connected = Client::connect(&world, server.address(), own).await;
                    client = Some((own.to_owned(), connected));
                }
                let Some((_, client)) = &client else { continue };
                let status = client.get(host, "/").await.0.status.as_u16();
                assert_eq!(answer["status"], status, "{question} {answer}\n{text}");
                let expected = if groups_says.is_none() { 200 } else { 421 };
                assert_eq!(status, expected, "{question} {groups_says:?}\n{text}");
                *statuses.entry(status).or_default() += 1;
            }
        }
        server.terminate();
    }
    assert!(statuses.get(&200).is_some_and(|times| *times > 20), "{statuses:?}");
    assert!(statuses.get(&421).is_some_and(|times| *times > 20), "{statuses:?}");
}
