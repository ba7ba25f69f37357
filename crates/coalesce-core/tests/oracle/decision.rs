//! The decision against the model, and its promises without one.

use std::collections::BTreeSet;

use coalesce_core::{Authority, Verdict};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::build::{build_table, outcome, presented, run};
use crate::generate::{cases, facts, request, world};
use crate::model::{self, Method, Outcome, Transport};

proptest! {
    #![proptest_config(cases(8))]

    #[test]
    fn decide_is_the_model(world in world(), facts in facts(), request in request()) {
        let verdict = run(&world, &facts, &request);
        prop_assert_eq!(outcome(&verdict), model::decide(&world, &facts, &request));
    }

    /// The security boundary, without the help of any model: a served virtual host is covered by
    /// the presented certificate and in the connection's group.
    #[test]
    fn no_virtual_host_without_coverage_and_group(
        world in world(),
        facts in facts(),
        request in request(),
    ) {
        let Verdict::Serve(proof) = run(&world, &facts, &request) else { return Ok(()) };
        prop_assert_eq!(proof.group().get(), facts.group);
        let Some(id) = proof.virtual_host() else { return Ok(()) };
        let field = request.authority.as_ref().unwrap_or_else(|| &request.hosts[0]);
        let authority = Authority::parse(field).unwrap();
        let found = build_table(&world).lookup(&authority.host()).unwrap();
        prop_assert_eq!((found.virtual_host, found.group.get()), (id, facts.group));
        let covers = |name: &String| presented(name).covers(&authority.host());
        let waived = facts.transport != Transport::Tls;
        prop_assert!(waived || facts.certificate.iter().any(covers));
    }

    /// No oracle tells a stranger which names exist (step 3): a request for a host of another group
    /// is answered as if that host were not there.
    #[test]
    fn hosts_of_other_groups_cannot_be_told_from_none(
        world in world(),
        facts in facts(),
        request in request(),
    ) {
        let host = request.authority.as_deref().and_then(|field| model::authority(field).ok());
        let Some((host, _)) = host else { return Ok(()) };
        let foreign = world.lookup(&host).is_some_and(|entry| entry.group != facts.group);
        let tunnel = request.method == Method::Connect;
        if !foreign || tunnel || request.hosts.len() > 1 {
            return Ok(());
        }
        prop_assert!(matches!(run(&world, &facts, &request), Verdict::Misdirected(_)));
    }
}

/// Every outcome that the crate documents appears among a fixed sequence of generated cases.
#[test]
fn every_outcome_is_reached() {
    let mut runner = TestRunner::deterministic();
    let mut reached = BTreeSet::new();
    for _ in 0..20_000 {
        let case = (world(), facts(), request()).new_tree(&mut runner).unwrap();
        let (world, facts, request) = case.current();
        reached.insert(match outcome(&run(&world, &facts, &request)) {
            Outcome::VirtualHost(_) => "virtual_host",
            Outcome::Unlisted => "unlisted",
            Outcome::Tunnel => "tunnel",
            Outcome::Misdirected(code) | Outcome::Malformed(code) => code,
        });
    }
    let expected = BTreeSet::from([
        "authority_empty_host",
        "authority_field_value",
        "authority_host",
        "authority_port",
        "authority_userinfo",
        "certificate",
        "connect_port",
        "connect_refused",
        "group",
        "host_differs",
        "host_invalid",
        "no_authority",
        "port",
        "scheme",
        "server_name",
        "several_hosts",
        "tunnel",
        "unknown_authority",
        "unlisted",
        "virtual_host",
    ]);
    assert_eq!(reached, expected);
}
