use coalesce_core::{
    ClientCertificates, CoalescePolicy, DnsName, GroupId, GroupPolicy, IdentifierSet, MethodKind,
    NamePattern, PresentedIdentifier, Scheme, VirtualHostId,
};

use super::*;

const NOT_ASKED: ClientCertificates = ClientCertificates::NotAsked;
const OPEN: GroupId = GroupId::new(1);
const STRICT: GroupId = GroupId::new(2);
const GONE: GroupId = GroupId::new(3);

/// Whatever is remembered and left out on the way, the verdict is that of `decide`: each target
/// after each other, on every kind of connection.
#[test]
fn verdicts_are_those_of_the_decision() {
    let mut strict = GroupPolicy::default();
    strict.coalesce = CoalescePolicy::StrictServerName;
    let mut table = AuthorityTable::builder();
    table.group(OPEN, GroupPolicy::default()).unwrap().group(STRICT, strict).unwrap();
    let names = [("a.test", OPEN), ("b.test", OPEN), ("s.test", STRICT), ("192.0.2.1", STRICT)];
    for (id, (name, group)) in (0..).zip(names) {
        let pattern = NamePattern::parse(name.as_bytes()).unwrap();
        table.entry(pattern, VirtualHostId::new(id), group).unwrap();
    }
    let table = table.build().unwrap();
    let presented = ["a.test", "s.test"];
    let presented = presented.map(|name| PresentedIdentifier::parse_dns(name.as_bytes()).unwrap());
    let address = PresentedIdentifier::from_address_octets(&[192, 0, 2, 1]).unwrap();
    let presented = Arc::new(IdentifierSet::build(presented.into_iter().chain([address])).unwrap());

    let name = |text: &'static str| DnsName::parse(text.as_bytes()).ok();
    let mut connections = Vec::new();
    for group in [OPEN, STRICT, GONE] {
        for server_name in [None, name("a.test"), name("s.test")] {
            connections.push(ConnectionInfo::tls(
                presented.clone(),
                server_name,
                group,
                NOT_ASKED,
                [443],
            ));
            let scheme = Scheme::Https;
            connections.push(ConnectionInfo::trusted_gateway(
                scheme,
                server_name,
                group,
                NOT_ASKED,
                [443],
            ));
        }
        connections.push(ConnectionInfo::cleartext(group, [80]));
    }
    let texts: [&[u8]; 9] = [
        b"a.test",
        b"A.test.:443",
        b"b.test",
        b"s.test",
        b"192.0.2.1",
        b"",
        b"a b",
        b"u@a.test",
        b"a.test:1",
    ];
    let mut targets = Vec::new();
    for text in texts {
        for (authority, host) in [
            (Some(text), HostField::Absent),
            (None, HostField::One(text)),
            (Some(&b"a.test"[..]), HostField::One(text)),
            (Some(text), HostField::Several),
        ] {
            for scheme in [None, Some(&b"https"[..])] {
                let method = MethodKind::Ordinary;
                targets.push(RequestTarget { authority, host, scheme, method });
            }
        }
    }
    for info in &connections {
        for first in &targets {
            for second in &targets {
                // A connection that remembers the first one when the second one comes.
                for target in [first, second] {
                    let undecided = Undecided { info, forwarded: None, target: *target };
                    let expected = decide(&table, info.connection(), target);
                    assert_eq!(undecided.decide(&table), expected, "{info:?} {target:?}");
                }
            }
        }
    }
}

#[test]
fn request_does_not_wait_for_another_decision() {
    let table = AuthorityTable::builder().build().unwrap();
    let info = ConnectionInfo::cleartext(OPEN, [80]);
    let undecided =
        Undecided { info: &info, forwarded: None, target: RequestTarget::https(b"a.test") };
    let held = info.memo().lock().unwrap();
    assert!(matches!(undecided.decide(&table), Verdict::Misdirected(_)));
    drop(held);
}
