//! Compares the decision with the model, and checks its promises without one.

use std::collections::BTreeMap;

use coalesce_core::{Authority, Memo, Verdict, decide};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::build::{build_table, build_with, outcome, presented, run, target, with_connection};
use crate::generate::{case, cases};
use crate::model::{self, Method, Outcome, Transport};

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn decide_agrees_with_the_model((world, facts, request) in case()) {
        let verdict = run(&world, &facts, &request);
        prop_assert_eq!(outcome(&verdict), model::decide(&world, &facts, &request));
    }
}

proptest! {
    #![proptest_config(cases(4))]

    /// A memo decides as if it had seen nothing before, whatever tables and requests it has seen.
    #[test]
    fn memo_decides_as_decide_does(
        cases in vec(case(), 1..4),
        order in vec((any::<Index>(), any::<Index>()), 1..24),
    ) {
        for (world, facts, _) in &cases {
            with_connection(world, facts, |_, connection| {
                let mut memo = Memo::new(connection.clone());
                for (world, request) in &order {
                    let (world, _, _) = &cases[world.index(cases.len())];
                    let (_, _, request) = &cases[request.index(cases.len())];
                    let (table, target) = (build_with(world, &facts.extra), target(request));
                    for _ in 0..2 {
                        let said = memo.decide(&table, table.checksum(), &target);
                        prop_assert_eq!(said, decide(&table, connection, &target));
                    }
                }
                Ok(())
            })?;
        }
    }

    /// Checks the security boundary without a model: the presented certificate covers a served
    /// virtual host, and the connection's group contains it.
    #[test]
    fn served_virtual_host_is_covered_and_in_the_group(
        (world, facts, request) in case(),
    ) {
        let Verdict::Serve(proof) = run(&world, &facts, &request) else { return Ok(()) };
        prop_assert_eq!(proof.group().get(), facts.group);
        let Some(id) = proof.virtual_host() else { return Ok(()) };
        let field = request.authority.as_ref().unwrap_or_else(|| &request.hosts[0]);
        let authority = Authority::parse(field).unwrap();
        let found = build_table(&world).lookup(&authority.host()).unwrap();
        prop_assert_eq!(found.virtual_host, id);
        if proof.observed().is_some() {
            let home = found.group.get();
            prop_assert!(home == facts.group || facts.extra.open([home, facts.group]));
            return Ok(());
        }
        prop_assert_eq!(found.group.get(), facts.group);
        let covers = |name: &String| presented(name).covers(&authority.host());
        let waived = facts.transport != Transport::Tls;
        prop_assert!(waived || facts.certificate.iter().any(covers));
    }

    /// No answer reveals which names exist (step 3): a request for a host of another group gets the
    /// same answer as one for an unknown host.
    #[test]
    fn host_of_another_group_looks_like_an_unknown_host(
        (world, facts, request) in case(),
    ) {
        let host = request.authority.as_deref().and_then(|field| model::authority(field).ok());
        let Some((host, _)) = host else { return Ok(()) };
        let foreign = world.lookup(&host).is_some_and(|entry| entry.group != facts.group);
        let tunnel = request.method == Method::Connect;
        // A host for which no listener of the port is responsible may go to the application, for a
        // 404.
        let listeners = facts.extra.listeners.is_some();
        if !foreign || tunnel || listeners || request.hosts.len() > 1 {
            return Ok(());
        }
        let open = world.lookup(&host).is_some_and(|entry| {
            facts.extra.open([entry.group, facts.group])
        });
        // Observing may serve what the rules forbid, but only as far as it says.
        match run(&world, &facts, &request) {
            Verdict::Misdirected(_) => {}
            Verdict::Serve(proof) => prop_assert!(open && proof.observed().is_some()),
            malformed @ Verdict::Malformed(_) => prop_assert!(open, "{malformed:?}"),
        }
    }
}

/// Checks that a fixed sequence of generated cases contains every documented outcome, and not just
/// a handful of any.
#[test]
fn every_outcome_is_reached() {
    let mut runner = TestRunner::deterministic();
    let mut reached = BTreeMap::new();
    for _ in 0..4_000 {
        let (world, facts, request) = case().new_tree(&mut runner).unwrap().current();
        let code = match outcome(&run(&world, &facts, &request)) {
            Outcome::VirtualHost(_) => "virtual_host",
            Outcome::Unlisted => "unlisted",
            Outcome::Observed(..) => "observed",
            Outcome::Tunnel => "tunnel",
            Outcome::Misdirected(code) | Outcome::Malformed(code) => code,
        };
        *reached.entry(code).or_insert(0) += 1;
    }
    let at_least = [
        ("authority_empty_host", 2),
        ("authority_field_value", 2),
        ("authority_host", 10),
        ("authority_port", 2),
        ("authority_userinfo", 2),
        ("certificate", 100),
        ("connect_port", 2),
        ("connect_refused", 60),
        ("extended_connect_refused", 40),
        ("group", 100),
        ("host_differs", 25),
        ("host_invalid", 10),
        ("listener", 20),
        ("no_authority", 10),
        ("observed", 100),
        ("port", 100),
        ("scheme", 100),
        ("server_name", 50),
        ("several_hosts", 25),
        ("tunnel", 2),
        ("unknown_authority", 100),
        ("unlisted", 100),
        ("virtual_host", 500),
    ];
    let short: Vec<_> =
        at_least.iter().filter(|(code, least)| reached.get(code) < Some(least)).collect();
    assert!(short.is_empty(), "too few of {short:?} in {reached:?}");
    assert_eq!(reached.len(), at_least.len(), "{reached:?}");
}
