//! Compares the decision with [`design`](crate::design) on generated worlds, and checks properties
//! without a model.

use coalesce_core::Authority;
use proptest::prelude::*;

use crate::build::{build_table, outcome, run};
use crate::design;
use crate::generate::{case, cases};
use crate::model::{self, Extra, Outcome, Transport};

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn decide_is_the_design((world, mut facts, request) in case()) {
        // The list does not cover observing, listeners with several ports, and parts of groups.
        facts.extra = Extra::default();
        let found = outcome(&run(&world, &facts, &request));
        prop_assert_eq!(&found, &design::decide(&world, &facts, &request));
        prop_assert_eq!(&found, &model::decide(&world, &facts, &request));
    }

    /// A virtual host is served only to a connection of its group, whose certificate covers the
    /// named host, at a port of the listener. No model is involved.
    #[test]
    fn served_host_is_covered_and_in_the_group((world, mut facts, request) in case()) {
        facts.extra = Extra::default();
        let Outcome::VirtualHost(id) = outcome(&run(&world, &facts, &request)) else {
            return Ok(());
        };
        let field = request.authority.as_ref().or(request.hosts.first());
        let authority = Authority::parse(field.expect("an authority")).expect("a whole one");
        let entry = build_table(&world).lookup(&authority.host()).expect("an entry");
        prop_assert_eq!((entry.virtual_host.get(), entry.group.get()), (id, facts.group));
        let tls = matches!(facts.transport, Transport::Tls | Transport::GatewayHttps);
        let default = if tls { 443 } else { 80 };
        prop_assert!(facts.ports.contains(&authority.port_or(default)));
        let (host, _) = model::authority(field.expect("an authority")).expect("a whole one");
        let covered = facts.certificate.iter().any(|name| model::covers(name, &host));
        prop_assert!(covered || facts.transport != Transport::Tls);
    }

    /// A refusal does not depend on the table: a host of another group, certificate or port gets
    /// the same refusal as an unknown host.
    #[test]
    fn known_host_elsewhere_is_refused_like_an_unknown_one(
        (mut world, mut facts, request) in case(),
    ) {
        facts.extra = Extra::default();
        let Outcome::Misdirected(reason) = outcome(&run(&world, &facts, &request)) else {
            return Ok(());
        };
        let lenient = |(id, policy): &(u32, model::Policy)| {
            *id == facts.group && policy.unknown_to_application
        };
        if reason == "scheme" || world.groups.iter().any(lenient) {
            return Ok(());
        }
        // The same request without any entry.
        world.entries.clear();
        let nobody = outcome(&run(&world, &facts, &request));
        prop_assert_eq!(nobody, Outcome::Misdirected("unknown_authority"));
    }
}
