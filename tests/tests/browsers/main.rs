//! Runs real browsers, and our client, against `coalesce serve`: which requests share a connection,
//! and the outcome of a 421.
//!
//! A page requests resources of other hosts step by step, and then reports the results to its own
//! host. The server's access log shows the connection of each request and its answer. `--nocapture`
//! prints the log.

#![allow(clippy::print_stdout, reason = "prints the access log of each visit")]

mod browser;
mod chromium;
mod client;
mod firefox;
mod names;
mod visit;

use client::Dns;
use coalesce_tests::World;
use names::name;
use visit::{Request, Site, Visit};

const HOSTS: [&str; 3] = ["a", "b", "c"];

/// The client certificate that a connection for another host does not have. The browsers have none.
const ASKS_FOR_A_CERTIFICATE: &str =
    "client_ca = \"client-ca.pem\"\nclient_certificate = \"optional\"";

/// A certificate for all hosts at one address, which is all that browsers require for sharing. `a`
/// and `b` are in one group, `c` is in another. Each connection announces its origins (RFC 8336).
fn site() -> Site {
    let listener = "[[listener]]\naddress = \"127.0.0.1:0\"\n".to_owned();
    let configuration = listener + &HOSTS.map(virtual_host).concat();
    let names = HOSTS.map(name);
    let world = World::new(&[("site", &names.each_ref().map(String::as_str))], &configuration);
    Site { world, flags: &[] }
}

/// The same site without ORIGIN frames.
fn without_origins() -> Site {
    Site { flags: &["--no-origins"], ..site() }
}

fn virtual_host(host: &str) -> String {
    let (name, page) = (name(host), include_str!("page.html").replace("HOST", host));
    let rule = if host == "c" { ASKS_FOR_A_CERTIFICATE } else { "" };
    format!(
        "[[virtual_host]]\nname = \"{host}\"\nnames = [\"{name}\"]\n{rule}\n\
         certificate = \"site.pem\"\nkey = \"site.key\"\n\
         answer = {{ content_type = \"text/html\", text = '''{page}''' }}\n"
    )
}

#[test]
fn hosts_of_one_group_share_a_connection() {
    for browser in browser::both() {
        for site in [site(), without_origins()] {
            let steps = "get=b/1&frame=b/2&post=b/3";
            let visit = Visit::new(browser, &site, &HOSTS, steps, "a");
            assert_eq!(visit.told("b"), Some("b"), "{visit}");
            for path in ["/1", "/2", "/3"] {
                visit.served("b", path);
            }
            assert_eq!(visit.connections().len(), 1, "{visit}");
            assert!(visit.misdirected().is_empty(), "{visit}");
        }
    }
}

#[test]
fn page_of_another_group_is_shown_after_a_421() {
    for browser in browser::both() {
        let visit = Visit::new(browser, &without_origins(), &HOSTS, "get=b/1&go=c/2", "c");
        assert_eq!(visit.told("c"), Some("c"), "{visit}");
        let (a, b, c) = (visit.served("a", "/"), visit.served("b", "/1"), visit.served("c", "/2"));
        assert_eq!(a.connection, b.connection, "{visit}");
        assert_ne!(a.connection, c.connection, "{visit}");
        assert_eq!(c.server_name, "c", "{visit}");
        let [misdirected] = visit.misdirected()[..] else { panic!("not one 421 in {visit}") };
        assert_eq!(misdirected.host, "c", "{visit}");
        assert_eq!(misdirected.reason, "group", "{visit}");
        assert_eq!(misdirected.connection, a.connection, "{visit}");
    }
}

/// The steps. The first is a POST, which the browser repeats with its content.
const EVERYWHERE: &str = "post=c/1&frame=c/2&get=b/3&get=c/4&get=a/5";

fn assert_all_are_served(visit: &Visit) {
    assert_eq!(visit.told("c"), Some("c"), "{visit}");
    for (host, path) in [("c", "/1"), ("c", "/2"), ("b", "/3"), ("c", "/4"), ("a", "/5")] {
        visit.served(host, path);
    }
}

#[test]
fn requests_of_every_kind_are_repeated_after_a_421() {
    for browser in browser::both() {
        let visit = Visit::new(browser, &without_origins(), &HOSTS, EVERYWHERE, "a");
        assert_all_are_served(&visit);
        let misdirected = visit.misdirected();
        let first = &visit.served("a", "/").connection;
        let of_c = |request: &&Request| request.host == "c" && request.connection == *first;
        assert_eq!(misdirected.iter().copied().filter(of_c).count(), 1, "{visit}");
        for request in misdirected {
            assert_eq!(request.reason, "group", "{visit}");
            assert_ne!(request.host, request.server_name, "the connection for this host: {visit}");
        }
    }
}

#[test]
fn firefox_shares_no_host_that_an_origin_frame_leaves_out() {
    let Some(firefox) = browser::firefox() else { return };
    let visit = Visit::new(firefox, &site(), &HOSTS, EVERYWHERE, "a");
    assert_all_are_served(&visit);
    assert!(visit.misdirected().is_empty(), "{visit}");
    assert_eq!(visit.served("b", "/3").connection, visit.served("a", "/").connection, "{visit}");
}

/// `b` resolves to an address where no server listens.
#[test]
fn firefox_shares_a_host_that_only_an_origin_frame_announces() {
    let Some(firefox) = browser::firefox() else { return };
    let visit = Visit::new(firefox, &site(), &["a"], "get=b/1&get=c/2", "a");
    assert_eq!(visit.told("a"), Some("a,answered,failed"), "{visit}");
    assert_eq!(visit.served("b", "/1").connection, visit.served("a", "/").connection, "{visit}");
    assert_eq!(visit.connections().len(), 1, "{visit}");
}

#[test]
fn host_elsewhere_without_an_origin_frame_shares_no_connection() {
    for browser in browser::both() {
        let visit = Visit::new(browser, &without_origins(), &["a"], "get=b/1&get=c/2", "a");
        assert_eq!(visit.told("a"), Some("a,failed,failed"), "{visit}");
        assert_eq!(visit.connections().len(), 1, "{visit}");
    }
}

/// Chromium may ignore the frames; the test prints whether it does.
#[test]
fn chromium_is_not_disturbed_by_origin_frames() {
    let Some(chromium) = browser::chromium() else { return };
    let visit = Visit::new(chromium, &site(), &["a"], "get=b/1&get=c/2", "a");
    assert!(visit.misdirected().is_empty(), "{visit}");
    let visit = Visit::new(chromium, &site(), &HOSTS, EVERYWHERE, "a");
    assert_all_are_served(&visit);
}

/// A row of `docs/browsers.md`: the steps, the hosts at the server's address, the results of our
/// client, the number of its connections, and of its requests that were answered 421.
type Row<'a> = (&'a str, &'a [&'a str], &'a str, usize, usize);

#[test]
fn client_shares_connections_as_the_page_on_browsers_says() {
    let without: [Row<'_>; 4] = [
        ("get=b/1&frame=b/2&post=b/3", &HOSTS, "a,answered,answered,answered", 1, 0),
        ("get=b/1&go=c/2&get=c/3&get=b/4", &HOSTS, "a,answered,answered,answered,answered", 2, 1),
        (EVERYWHERE, &HOSTS, "a,answered,answered,answered,answered,answered", 2, 1),
        ("get=b/1&get=c/2", &["a"], "a,failed,failed", 1, 0),
    ];
    let with: [Row<'_>; 4] = [
        ("get=b/1&frame=b/2&post=b/3", &HOSTS, "a,answered,answered,answered", 1, 0),
        ("get=b/1&go=c/2&get=c/3&get=b/4", &HOSTS, "a,answered,answered,answered,answered", 2, 0),
        (EVERYWHERE, &HOSTS, "a,answered,answered,answered,answered,answered", 2, 0),
        ("get=b/1&get=c/2", &["a"], "a,failed,failed", 1, 0),
    ];
    for (rows, origins) in [(without, false), (with, true)] {
        for row in rows {
            for dns in [Dns::Required, Dns::Waived] {
                // Only with a waiver does an origin set replace DNS.
                let row = match (row, dns) {
                    ((steps, here @ ["a"], ..), Dns::Waived) if origins => {
                        (steps, here, "a,answered,failed", 1, 0)
                    }
                    _ => row,
                };
                assert_client_does(row, origins, dns);
            }
        }
    }
}

fn assert_client_does(row: Row<'_>, origins: bool, dns: Dns) {
    let (steps, here, told, connections, misdirected) = row;
    let site = if origins { site() } else { without_origins() };
    let visit = Visit::of_client(&site, here, steps, dns);
    assert_eq!(visit.told("a"), Some(told), "{visit}");
    assert_eq!(visit.connections().len(), connections, "{visit}");
    assert_eq!(visit.misdirected().len(), misdirected, "{visit}");
}
