//! The decision against [`design`](crate::design), for generated worlds, and against no model.

use coalesce_core::{Authority, Malformed, Misdirected};
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

    /// What is misdirected does not depend on what the certificate's other names are, and the
    /// request that named nobody and the one that named somebody's host end in the same kind.
    #[test]
    fn an_unknown_and_a_known_host_elsewhere_are_both_misdirected(
        (mut world, mut facts, request) in case(),
    ) {
        facts.extra = Extra::default();
        let Outcome::Misdirected(reason) = outcome(&run(&world, &facts, &request)) else {
            return Ok(());
        };
        let known = Misdirected::ALL.iter().find(|it| it.code() == reason).expect("a reason");
        let lenient = |(id, policy): &(u32, model::Policy)| {
            *id == facts.group && policy.hand_unknown_over
        };
        if known.code() == "scheme" || world.groups.iter().any(lenient) {
            return Ok(());
        }
        // The same request where nobody has any name.
        world.entries.clear();
        let nobody = outcome(&run(&world, &facts, &request));
        prop_assert_eq!(nobody, Outcome::Misdirected("unknown_authority"));
    }
}

/// A refusal for the target and one for its form are never answered alike by mistake.
#[test]
fn misdirected_and_malformed_have_no_code_in_common() {
    let malformed = [Malformed::NoAuthority, Malformed::SeveralHosts, Malformed::HostDiffers];
    for reason in Misdirected::ALL {
        assert!(malformed.iter().all(|it| it.code() != reason.code()), "{}", reason.code());
    }
}
