//! Connections that outlive the site that they were made under.

use std::fs;
use std::path::PathBuf;

use coalesce_core::{RequestTarget, Verdict, decide};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use tempfile::TempDir;

use super::*;
use coalesce_core::GroupId;
use coalesce_tls::HandshakeFacts;

/// A folder with a certificate for everything below `example.test`, and two client CAs.
struct SiteFolder(TempDir);

impl SiteFolder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(vec!["*.example.test".to_owned()]).unwrap();
        fs::write(folder.path("own.pem"), own.self_signed(&key).unwrap().pem()).unwrap();
        fs::write(folder.path("own.key"), key.serialize_pem()).unwrap();
        for name in ["ca1.pem", "ca2.pem"] {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            fs::write(folder.path(name), params.self_signed(&key).unwrap().pem()).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn load(&self, carried: &Carried, parts: &[&str]) -> Site {
        fs::write(self.path("site.toml"), parts.concat()).unwrap();
        Site::load_after(&self.path("site.toml"), carried).unwrap()
    }
}

const LISTENER: &str = "[[listener]]\naddress = \"127.0.0.1:0\"\n";
const CA1: &str = "client_ca = \"ca1.pem\"\n";
const CA2: &str = "client_ca = \"ca2.pem\"\n";

fn host(name: &str, fields: &str) -> String {
    format!(
        "[[virtual_host]]\nname = \"{name}\"\nnames = [\"{name}.example.test\"]\n\
         certificate = \"own.pem\"\nkey = \"own.key\"\nanswer = {{ text = \"\" }}\n{fields}"
    )
}

/// The facts of a connection that was made for `name`.
fn facts(site: &Site, name: &str) -> HandshakeFacts {
    let name = format!("{name}.example.test");
    site.listeners[0].handshakes.choose_by_name(Some(&name)).unwrap().facts
}

/// What a request for `name` gets on that connection, under `site`.
fn answer(site: &Site, facts: &HandshakeFacts, name: &str) -> &'static str {
    let connection =
        site.connection(site.place(site.listeners[0].address, facts), facts, 443.into());
    let authority = format!("{name}.example.test");
    match decide(&site.table, &connection, &RequestTarget::https(authority.as_bytes())) {
        Verdict::Serve(_) => "serve",
        Verdict::Misdirected(reason) => reason.code(),
        Verdict::Malformed(reason) => reason.code(),
    }
}

/// Groups are numbered by their places, which change; what a connection's handshake met does not.
#[test]
fn a_connection_stays_in_its_group_when_groups_are_numbered_otherwise() {
    let (folder, carried) = (SiteFolder::new(), Carried::default());
    let (a, b, m) = (host("a", ""), host("b", ""), host("m", CA1));
    let before = folder.load(&carried, &[LISTENER, &a, &m]);
    let (of_a, of_m) = (facts(&before, "a"), facts(&before, "m"));
    assert_eq!((of_a.group(), of_m.group()), (GroupId::new(0), GroupId::new(1)));
    // The numbers of the two groups change places.
    let after = folder.load(&carried, &[LISTENER, &m, &a, &b]);
    assert_eq!(facts(&after, "a").group(), GroupId::new(1));
    for (facts, name, expected) in [
        (&of_a, "a", "serve"),
        (&of_a, "b", "serve"),
        (&of_a, "m", "group"),
        (&of_m, "m", "serve"),
        (&of_m, "a", "group"),
    ] {
        assert_eq!(answer(&after, facts, name), expected, "{name}");
    }
}

/// The attack: a connection is opened while the rules are lax, and used once they are not.
#[test]
fn a_connection_is_in_no_group_once_its_rules_were_tightened() {
    let (folder, carried) = (SiteFolder::new(), Carried::default());
    let (a, m) = (host("a", ""), host("m", CA1));
    let before = folder.load(&carried, &[LISTENER, &a, &m]);
    let (of_a, of_m) = (facts(&before, "a"), facts(&before, "m"));
    for stricter in [CA1, CA2, "minimum_version = \"1.3\"\n", "isolate = true\n"] {
        let after = folder.load(&carried, &[LISTENER, &host("a", stricter), &m]);
        assert_eq!(answer(&after, &of_a, "a"), "group", "{stricter}");
        assert_eq!(answer(&after, &of_m, "m"), "serve", "{stricter}");
        assert_eq!(answer(&after, &facts(&after, "a"), "a"), "serve", "{stricter}");
    }
    // A CA file with another content is another policy.
    fs::copy(folder.path("ca2.pem"), folder.path("ca1.pem")).unwrap();
    let after = folder.load(&carried, &[LISTENER, &a, &m]);
    assert_eq!((answer(&after, &of_m, "m"), answer(&after, &of_a, "a")), ("group", "serve"));
    // One more listener changes nothing for the groups that are on all of them.
    let more = [LISTENER, "name = \"x\"\n", LISTENER, "name = \"y\"\n", &a];
    let after = folder.load(&carried, &more);
    assert_eq!(answer(&after, &of_a, "a"), "serve");
    // What only says how requests are decided is taken from the new site.
    let after =
        folder.load(&carried, &[LISTENER, &host("a", "unknown_authority = \"not-found\"\n")]);
    assert_eq!((answer(&after, &of_a, "a"), answer(&after, &of_a, "x")), ("serve", "serve"));
}

/// Sites that do not share what they keep know nothing of each other's connections.
#[test]
fn a_connection_of_elsewhere_is_in_no_group() {
    let folder = SiteFolder::new();
    let a = host("a", "");
    let one = folder.load(&Carried::default(), &[LISTENER, &a]);
    let other = folder.load(&Carried::default(), &[LISTENER, &a]);
    assert_eq!(answer(&other, &facts(&one, "a"), "a"), "group");
}

/// A connection came to the listener whose name it came under, whatever is put beside it.
#[test]
fn a_connection_stays_on_its_listener() {
    const PROFILE: &str = "profile = \"gateway-api\"\n";
    let (folder, carried) = (SiteFolder::new(), Carried::default());
    let listener = |name: &str, hostname: &str| format!("{LISTENER}name = \"{name}\"\n{hostname}");
    let wild = listener("wild", "hostname = \"*.example.test\"\n");
    let own = listener("own", "hostname = \"b.example.test\"\n");
    let on_wild = "listeners = [\"wild\"]\n";
    let (a, b) = (host("a", on_wild), host("b", on_wild));
    let before = folder.load(&carried, &[PROFILE, &wild, &a, &b]);
    let of_a = facts(&before, "a");
    assert_eq!((answer(&before, &of_a, "a"), answer(&before, &of_a, "b")), ("serve", "serve"));
    // A new listener, in front of the other, takes a name away.
    let moved = host("b", "listeners = [\"own\"]\n");
    let after = folder.load(&carried, &[PROFILE, &own, &wild, &a, &moved]);
    assert_eq!((answer(&after, &of_a, "a"), answer(&after, &of_a, "b")), ("serve", "listener"));
    // Made when there was but one listener on the port, it is on none of several.
    let alone = folder.load(&carried, &[LISTENER, "name = \"wild\"\n", &a]);
    let of_alone = facts(&alone, "a");
    assert_eq!(answer(&alone, &of_alone, "a"), "serve");
    assert_eq!(answer(&after, &of_alone, "a"), "listener");
}
