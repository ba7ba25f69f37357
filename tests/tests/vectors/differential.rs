//! The decision against [`design`](crate::design), for generated worlds, and against no model.

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
        // Observing, listeners of one port and parts of groups are beyond the list.
        facts.extra = Extra::default();
        let found = outcome(&run(&world, &facts, &request));
        prop_assert_eq!(&found, &design::decide(&world, &facts, &request));
        prop_assert_eq!(&found, &model::decide(&world, &facts, &request));
    }

    /// Whatever the models say: a virtual host is served to a connection of its group, whose
    /// certificate covers the very host that was named, at a port that is answered for.
    #[test]
    fn a_served_host_is_covered_and_in_the_group((world, mut facts, request) in case()) {
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

    /// Where a request is misdirected, it would be so if nobody had any name: who meets a host of
    /// another group, certificate or port sees what one sees who meets none.
    #[test]
    fn a_known_host_elsewhere_is_refused_like_an_unknown_one(
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
        // The same request where nobody has any name.
        world.entries.clear();
        let nobody = outcome(&run(&world, &facts, &request));
        prop_assert_eq!(nobody, Outcome::Misdirected("unknown_authority"));
    }
}
