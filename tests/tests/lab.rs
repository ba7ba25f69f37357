//! Checks that the lab finds wrong servers and wrong expectations.

use std::path::Path;

use coalesce_lab::{Report, Scenarios, Target, Verdict};
use coalesce_tests::{Server, World};

/// Starts `coalesce serve` with the hosts of the lab, after one replacement in the configuration.
fn serve(found: &str, replacement: &str) -> (World, Server) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("lab/fixture.toml");
    let fixture = std::fs::read_to_string(fixture).unwrap();
    assert!(fixture.contains(found), "{found}");
    let world = World::new(&[], &fixture.replacen(found, replacement, 1));
    coalesce_lab::World::built_in().unwrap().write(&world.path("certs")).unwrap();
    let server = world.serve();
    (world, server)
}

fn target(world: &World, server: &Server) -> Target {
    Target::new(server.address, &world.path("certs")).unwrap()
}

/// Runs scenarios, and returns the verdict of each.
async fn verdicts(target: &Target, scenarios: &Scenarios) -> Vec<(String, Verdict)> {
    let mut verdicts = Vec::new();
    for scenario in scenarios.iter() {
        let record = target.run(scenario).await;
        verdicts.push((record.id().to_owned(), record.verdict().unwrap()));
    }
    verdicts
}

const ADDRESS: &str = "address = \"127.0.0.1:0\"";

#[tokio::test]
async fn server_that_answers_for_every_port_serves_wrongly() {
    let ports = "address = \"127.0.0.1:0\"\nports = [80, 443, 8443, 9443]";
    let (world, server) = serve(ADDRESS, ports);
    let scenarios = Scenarios::built_in().unwrap().select("port-80,port-of-another-server");
    let found = verdicts(&target(&world, &server), &scenarios).await;
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|(_, verdict)| *verdict == Verdict::ServedWrongly), "{found:?}");
}

#[tokio::test]
async fn host_without_its_client_certificate_rule_is_served_wrongly() {
    let (world, server) = serve("group = \"clients-of-ca1\"", "group = \"public\"");
    let scenarios = Scenarios::built_in().unwrap().select("client-*");
    let found = verdicts(&target(&world, &server), &scenarios).await;
    let wrongly = found.iter().filter(|(_, verdict)| *verdict == Verdict::ServedWrongly);
    let wrongly: Vec<_> = wrongly.map(|(id, _)| id.as_str()).collect();
    let expected = [
        "client-without-certificate",
        "client-of-another-root",
        "client-not-asked",
        "client-not-asked-but-known",
        "client-not-asked-wildcard",
        "client-not-asked-capitals",
        "client-not-asked-no-server-name",
    ];
    assert_eq!(wrongly, expected);
}

#[tokio::test]
async fn wrong_expectation_is_neither_first_choice_nor_acceptable() {
    let (world, server) = serve(ADDRESS, ADDRESS);
    let text = "kind = \"wrong\"\nabout = \"Wrong.\"\n[[scenario]]\nid = \"wrong\"\n\
                summary = \"A refused request is to be served.\"\nrfc = [\"none\"]\n\
                server_name = \"api.example.test\"\naccepts = [\"200 from cdn\"]\n\
                requests = [{ host = \"cdn.example.test\" }]\n";
    let scenarios = Scenarios::parse("wrong.toml", text).unwrap();
    let found = verdicts(&target(&world, &server), &scenarios).await;
    assert_eq!(found, [("wrong".to_owned(), Verdict::Neither)]);
}

#[test]
fn second_world_has_what_the_built_in_scenarios_name() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../integrations/second-world.toml");
    let world = coalesce_lab::World::read_description(&file).unwrap();
    world.check(&Scenarios::built_in().unwrap()).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let (hosts, _) = text.split_once("[renames.names]").unwrap();
    assert!(!hosts.contains("example.test"), "a name of the first world");
}

#[tokio::test]
async fn server_that_is_gone_is_unreachable() {
    let (world, server) = serve(ADDRESS, ADDRESS);
    let target = target(&world, &server);
    server.terminate();
    let scenarios = Scenarios::built_in().unwrap().select("own-host");
    let mut report = Report::new("gone", "nowhere");
    for scenario in scenarios.iter() {
        report.add(target.run(scenario).await, 0.0);
    }
    assert!(report.is_unreachable() && !report.is_fine());
}
