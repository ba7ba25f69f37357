//! Real browsers against `coalesce serve`: what shares a connection, and what becomes of a 421.
//!
//! A page asks for things of other hosts, step by step, and then tells its own host how that went.
//! Which request came on which connection, and what it was answered, is what the server's access
//! log says. `--nocapture` shows it.

#![allow(clippy::print_stdout, reason = "what browsers did is worth seeing")]

mod browser;
mod chromium;
mod firefox;
mod visit;

use coalesce_tests::World;
use visit::{Request, Visit, name};

const HOSTS: [&str; 3] = ["a", "b", "c"];

/// What a connection for another host has not shown, and need not have. Browsers have none to show.
const ASKS_FOR_A_CERTIFICATE: &str =
    "client_ca = \"client-ca.pem\"\nclient_certificate = \"optional\"";

/// A certificate for all hosts, at one address: everything that browsers ask for. `a` and `b` are
/// in one group, `c` is in another.
fn world() -> World {
    let listener = "[[listener]]\naddress = \"127.0.0.1:0\"\n".to_owned();
    let configuration = listener + &HOSTS.map(virtual_host).concat();
    World::new(&[("site", &HOSTS.map(name).each_ref().map(String::as_str))], &configuration)
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
        let steps = "get=b/1&frame=b/2&post=b/3";
        let told = ("a", "a,answered,answered,answered");
        let visit = Visit::new(browser, &world(), &HOSTS, steps, told);
        visit.served("b", "/1");
        visit.served("b", "/2");
        visit.served("b", "/3");
        assert_eq!(visit.connections().len(), 1, "{visit}");
        assert!(visit.misdirected().is_empty(), "{visit}");
    }
}

#[test]
fn a_page_of_another_group_is_shown_after_a_421() {
    for browser in browser::both() {
        let visit = Visit::new(browser, &world(), &HOSTS, "get=b/1&go=c/2", ("c", "c"));
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

#[test]
fn nothing_is_lost_to_a_421_whatever_was_asked_for() {
    for browser in browser::both() {
        // Each browser sends a POST again, with its content.
        let steps = "post=c/1&frame=c/2&get=b/3&get=c/4&get=a/5";
        let told = ("a", "a,answered,answered,answered,answered,answered");
        let visit = Visit::new(browser, &world(), &HOSTS, steps, told);
        for (host, path) in [("c", "/1"), ("c", "/2"), ("b", "/3"), ("c", "/4"), ("a", "/5")] {
            visit.served(host, path);
        }
        let misdirected = visit.misdirected();
        let first = &visit.served("a", "/").connection;
        let of_c = |request: &&Request| request.host == "c" && request.connection == *first;
        assert_eq!(misdirected.iter().copied().filter(of_c).count(), 1, "{visit}");
        for request in misdirected {
            assert_eq!(request.reason, "group", "{visit}");
            assert_ne!(request.host, request.server_name, "on a connection of its own: {visit}");
        }
    }
}

#[test]
fn a_name_that_leads_elsewhere_does_not_share_a_connection() {
    for browser in browser::both() {
        let visit = Visit::new(browser, &world(), &["a"], "get=b/1", ("a", "a,failed"));
        assert_eq!(visit.connections().len(), 1, "{visit}");
    }
}
