//! Compares the origin set with the decision.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use coalesce_core::{Listing, ServerConnection, decide};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::build::{outcome, run_with, target};
use crate::generate::{case, cases, crowded, identifier};
use crate::model::{self, Facts, Method, Outcome, Request, Transport, World};

fn request(authority: &str) -> Request {
    Request {
        authority: Some(authority.into()),
        hosts: Vec::new(),
        scheme: Some(b"https".to_vec()),
        method: Method::Ordinary,
    }
}

/// Returns every name that the table or the certificate spells out.
fn spelled_out<'a>(world: &'a World, facts: &'a Facts) -> BTreeSet<&'a str> {
    let patterns = world.entries.iter().map(|entry| &*entry.pattern);
    let all = patterns.chain(facts.certificate.iter().map(|name| &**name));
    all.filter(|name| !name.starts_with('*') && name.parse::<std::net::IpAddr>().is_err()).collect()
}

/// Returns the announced origins as they are in frames, and the origins that the connection serves,
/// among all names with all ports.
fn announced_and_served(world: &World, facts: &Facts) -> (Vec<String>, BTreeSet<String>) {
    let (mut announced, mut served) = (Vec::new(), BTreeSet::new());
    let _ = run_with(world, facts, &request("a"), |table, connection, unused| {
        let listing = connection.origins(table, |origin| {
            announced.push(origin.to_string());
            ControlFlow::Continue(())
        });
        assert_eq!(listing, Listing::Whole);
        let spelled_out = spelled_out(world, facts);
        let own = facts.server_name.as_deref().filter(|name| !spelled_out.contains(name));
        for name in spelled_out.iter().copied().chain(own) {
            for port in &facts.ports {
                let request = request(&format!("{name}:{port}"));
                let decided = |connection: &ServerConnection<'_>| {
                    let found = outcome(&decide(table, connection, &target(&request)));
                    matches!(found, Outcome::VirtualHost(_))
                };
                // A name that neither side spells out is announced only if it is served to its own
                // server name and not to others.
                let all = own == Some(name) && decided(&connection.clone().with_server_name(None));
                if decided(connection) && !all {
                    let port = if *port == 443 { String::new() } else { format!(":{port}") };
                    served.insert(format!("https://{name}{port}"));
                }
            }
        }
        decide(table, connection, unused)
    });
    (announced, served)
}

fn check(world: &World, facts: &Facts) -> Result<usize, TestCaseError> {
    let (announced, served) = announced_and_served(world, facts);
    let set: BTreeSet<_> = announced.iter().cloned().collect();
    prop_assert_eq!(announced.len(), set.len(), "an origin is named twice");
    if facts.transport == Transport::Tls {
        prop_assert_eq!(&set, &served);
    } else {
        prop_assert!(set.is_empty(), "{:?} on {:?}", set, facts.transport);
    }
    // The model does not know how a table is searched.
    for origin in &set {
        let authority = origin.strip_prefix("https://").unwrap();
        let found = model::decide(world, facts, &request(authority));
        prop_assert!(matches!(found, Outcome::VirtualHost(_)), "{origin} gets {found:?}");
    }
    Ok(set.len())
}

proptest! {
    #![proptest_config(cases(2))]

    /// The set is true and complete: an origin is announced if and only if its request is served.
    #[test]
    fn origins_are_announced_if_and_only_if_served(
        (world, mut facts, _) in case(),
    ) {
        facts.ports.sort_unstable();
        facts.ports.dedup();
        check(&world, &facts)?;
    }

    /// Does the same for large sets: one group, and a certificate of many identifiers.
    #[test]
    fn large_origin_sets_are_announced_if_and_only_if_served(
        mut world in crowded().boxed(),
        mut facts in case().prop_map(|(_, facts, _)| facts).boxed(),
        certificate in vec(identifier(), 1..30),
        parents in vec((any::<Index>(), any::<bool>()), 0..30),
        group in any::<Index>(),
        strict in select(vec![false, false, true]),
    ) {
        facts.transport = Transport::Tls;
        facts.ports = vec![443, 8443];
        facts.certificate = certificate;
        facts.extra.listeners = None;
        // Wildcards that cover names of the table, and names of the table.
        let patterns: Vec<String> = world.entries.iter().map(|it| it.pattern.clone()).collect();
        for (index, wildcard) in parents.iter().filter(|_| !patterns.is_empty()) {
            let name = &patterns[index.index(patterns.len())];
            if name.starts_with('*') || name.parse::<std::net::IpAddr>().is_ok() {
                continue;
            }
            facts.certificate.push(match name.split_once('.').filter(|_| *wildcard) {
                Some((_, parent)) => format!("*.{parent}"),
                None => name.clone(),
            });
        }
        facts.group = world.groups[group.index(world.groups.len())].0;
        for entry in world.entries.iter_mut().filter(|_| !strict) {
            entry.group = facts.group;
        }
        check(&world, &facts)?;
    }
}

/// Checks that the generated cases have sets of every size.
#[test]
fn origin_sets_of_every_size_are_reached() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut sizes = [0; 4];
    for _ in 0..1_000 {
        let (world, mut facts, _) = case().new_tree(&mut runner).unwrap().current();
        facts.ports.sort_unstable();
        facts.ports.dedup();
        sizes[check(&world, &facts).unwrap().min(3)] += 1;
    }
    assert!(sizes.iter().all(|count| *count >= 5), "{sizes:?}");
}
