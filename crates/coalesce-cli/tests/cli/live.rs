//! Changes of files while `coalesce serve` runs: their effect on open and new connections.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::client::{Client, Server, config_of};
use crate::world::{World, text, virtual_host};

const LISTENER: &str = "[[listener]]\naddress = \"127.0.0.1:0\"\n";
const RELOADED: &str = "reloaded";
const REFUSED: &str = "reload refused";

/// The names that certificate A covers.
const A: &str = "a.example.test";
const B: &str = "b.example.test";
const M: &str = "m.example.test";

fn site(parts: &[&str]) -> String {
    format!("{LISTENER}{}", parts.concat())
}

fn host(name: &str, of: &str) -> String {
    virtual_host(name, of, "A")
}

/// Requests `name`; returns the virtual host that answers, or the status.
async fn got(client: &Client, name: &str) -> String {
    let (head, content) = client.get(name, "/").await;
    match head.status.as_u16() {
        200 => text(&content).trim().strip_prefix("vhost=").unwrap().to_owned(),
        status => status.to_string(),
    }
}

/// Starts a server of `before` that reloads on SIGHUP only, and connects to it for `a`.
async fn serving(world: &World, before: &str) -> (Server, Client) {
    world.write("site.toml", before);
    let server = Server::start_with(world, 1, &["--no-watch"]);
    let client = Client::connect(world, server.address(), A).await;
    (server, client)
}

/// Reloads with `after`, the `times`th reload of this server.
async fn reload(world: &World, server: &Server, after: &str, times: usize) {
    world.replace("site.toml", after);
    server.hang_up();
    server.logged(RELOADED, times).await;
}

#[tokio::test]
async fn each_request_is_decided_on_the_newest_configuration() {
    let world = World::new();
    let (a, b, m) = (host("a", A), host("b", B), host("m", M));
    let (server, client) = serving(&world, &site(&[&a, &b])).await;
    assert_eq!([got(&client, A).await, got(&client, B).await], ["a", "b"]);
    assert_eq!(got(&client, M).await, "421");
    // One name is removed, another is added, and a third moves to another virtual host.
    reload(&world, &server, &site(&[&host("other", A), &m]), 1).await;
    assert_eq!([got(&client, A).await, got(&client, M).await], ["other", "m"]);
    assert_eq!(got(&client, B).await, "421");
    let new = Client::connect(&world, server.address(), M).await;
    assert_eq!([got(&new, A).await, got(&new, B).await], ["other", "421"]);
    // And back.
    reload(&world, &server, &site(&[&a, &b]), 2).await;
    assert_eq!(
        [got(&client, A).await, got(&client, B).await, got(&client, M).await],
        ["a", "b", "421"]
    );
}

#[tokio::test]
async fn virtual_hosts_that_change_places_keep_their_answers() {
    let world = World::new();
    let hosts = [host("a", A), host("b", B), host("m", M)];
    let (server, client) = serving(&world, &site(&[&hosts[0], &hosts[1], &hosts[2]])).await;
    for (times, order) in [[1, 0, 2], [2, 1, 0], [0, 2, 1]].iter().enumerate() {
        // The connection remembers its last answer by virtual host, not by number.
        assert_eq!(got(&client, A).await, "a");
        let [first, second, third] = order.map(|number| hosts[number].as_str());
        reload(&world, &server, &site(&[first, second, third]), times + 1).await;
        assert_eq!(
            [got(&client, A).await, got(&client, B).await, got(&client, M).await],
            ["a", "b", "m"]
        );
    }
}

const PUBLIC: &str = "\n[[group]]\nname = \"public\"\n";
const ADMIN: &str = "\n[[group]]\nname = \"admin\"\nclient_ca = \"certs/client-ca1.pem\"\n";
const OTHER: &str = "\n[[group]]\nname = \"other\"\nminimum_version = \"1.3\"\n";

/// Hosts of the groups `public` and `admin`, under a certificate that covers both.
fn in_groups() -> (String, String) {
    let a = host("a", A) + "group = \"public\"\n";
    let m = host("m", M) + "group = \"admin\"\n";
    (a, m)
}

#[tokio::test]
async fn groups_that_change_places_stay_apart() {
    let world = World::new();
    let (a, m) = in_groups();
    let (server, client) = serving(&world, &site(&[PUBLIC, ADMIN, &a, &m])).await;
    assert_eq!([got(&client, A).await, got(&client, M).await], ["a", "421"]);
    let orders: [&[&str]; 4] = [
        &[ADMIN, PUBLIC, &a, &m],
        &[OTHER, ADMIN, PUBLIC, &m, &a],
        &[PUBLIC, OTHER, ADMIN, &a, &m],
        &[ADMIN, OTHER, PUBLIC, &m, &a],
    ];
    for (times, order) in orders.into_iter().enumerate() {
        reload(&world, &server, &site(order), times + 1).await;
        // This connection never sent a client certificate, whatever number its group has.
        assert_eq!([got(&client, A).await, got(&client, M).await], ["a", "421"], "{order:?}");
    }
    // The group is gone, and another group has its number now.
    reload(&world, &server, &site(&[ADMIN, &m, &host("b", B)]), 5).await;
    assert_eq!([got(&client, A).await, got(&client, M).await], ["421", "421"]);
    assert_eq!(got(&client, B).await, "b", "the default group has the policy of `public`");
    let isolated = PUBLIC.replace("public", "own") + "isolate = true\n";
    let b = host("b", B) + "group = \"own\"\n";
    reload(&world, &server, &site(&[ADMIN, &isolated, &m, &b]), 6).await;
    assert_eq!([got(&client, B).await, got(&client, M).await], ["421", "421"]);
    // The group is back, and the handshake met its policy.
    reload(&world, &server, &site(&[ADMIN, PUBLIC, &a, &m]), 7).await;
    assert_eq!([got(&client, A).await, got(&client, M).await], ["a", "421"]);
    server.logged("reason=\"group\"", 1).await;
}

#[tokio::test]
async fn group_with_another_tls_policy_is_another_group() {
    let world = World::new();
    let (a, m) = in_groups();
    let before = site(&[PUBLIC, ADMIN, &a, &m]);
    let (server, client) = serving(&world, &before).await;
    assert_eq!(got(&client, A).await, "a");
    let tighter = [
        PUBLIC.to_owned() + "client_ca = \"certs/client-ca2.pem\"\n",
        PUBLIC.to_owned() + "minimum_version = \"1.3\"\n",
    ];
    for (number, public) in tighter.iter().enumerate() {
        reload(&world, &server, &site(&[public, ADMIN, &a, &m]), 2 * number + 1).await;
        assert_eq!(got(&client, A).await, "421", "{public}");
        reload(&world, &server, &before, 2 * number + 2).await;
        assert_eq!(got(&client, A).await, "a", "{public}");
    }
    // Fields outside of the TLS policy may change.
    let strict = PUBLIC.to_owned() + "coalesce = \"strict-server-name\"\n";
    let b = host("b", B) + "group = \"public\"\n";
    reload(&world, &server, &site(&[&strict, ADMIN, &a, &m, &b]), 5).await;
    assert_eq!([got(&client, A).await, got(&client, B).await], ["a", "421"]);
    reload(&world, &server, &site(&[PUBLIC, ADMIN, &a, &m, &b]), 6).await;
    assert_eq!([got(&client, A).await, got(&client, B).await], ["a", "b"]);
}

#[tokio::test]
async fn group_that_leaves_a_listener_is_another_group() {
    let world = World::new();
    let listeners = "[[listener]]\nname = \"one\"\naddress = \"127.0.0.1:0\"\n\n\
                     [[listener]]\nname = \"two\"\naddress = \"127.0.0.1:0\"\n";
    let group = |on: &str| format!("\n[[group]]\nname = \"g\"\nlisteners = [{on}]\n");
    let a = host("a", A) + "group = \"g\"\n";
    let b = host("b", B);
    let site = |on: &str| [listeners, &group(on), &a, &b].concat();
    world.write("site.toml", &site("\"one\", \"two\""));
    let server = Server::start_with(&world, 2, &["--no-watch"]);
    let [one, two] = server.addresses[..] else { panic!() };
    let [to_one, to_two] = [one, two].map(|address| Client::connect(&world, address, A));
    let (old_one, old_two) = (to_one.await, to_two.await);
    assert_eq!([got(&old_one, A).await, got(&old_two, A).await], ["a", "a"]);
    reload(&world, &server, &site("\"two\""), 1).await;
    assert_eq!([got(&old_one, A).await, got(&old_two, A).await], ["421", "421"]);
    let [to_one, to_two] = [one, two].map(|address| Client::connect(&world, address, B));
    assert_eq!([got(&to_one.await, A).await, got(&to_two.await, A).await], ["421", "421"]);
    let to_two = Client::connect(&world, two, A).await;
    assert_eq!(got(&to_two, A).await, "a");
}

#[tokio::test]
async fn broken_configuration_is_refused_and_the_last_good_one_stays() {
    let world = World::new();
    let good = site(&[&host("a", A), &host("b", B)]);
    let (server, client) = serving(&world, &good).await;
    let two_listeners = "[[listener]]\nname = \"new\"\naddress = \"127.0.0.1:0\"\n".to_owned()
        + &good.replace("]]\naddress", "]]\nname = \"main\"\naddress");
    let broken = [
        (good.replace("A.key", "API.key"), "site.toml:8: virtual_host \\\"a\\\": key: "),
        (good.replace("A.pem", "missing.pem"), "cannot read certs/missing.pem: No such file"),
        (good.replace("names", "name"), "site.toml:6: virtual_host \\\"a\\\": "),
        (good.replace("[[", "["), "site.toml:1: listener: unexpected key or value"),
        (String::new(), "no [[listener]]"),
        (two_listeners, "listener \\\"new\\\" is new; listeners are bound at the start"),
        (
            good.replace("127.0.0.1:0", "127.0.0.2:0"),
            "listener \\\"main\\\" moves from 127.0.0.1:0 to 127.0.0.2:0; ",
        ),
        (
            good.replace("]]\naddress", "]]\nname = \"other\"\naddress"),
            "listener \\\"other\\\" is new; ",
        ),
    ];
    for (times, (broken, reason)) in broken.iter().enumerate() {
        world.replace("site.toml", broken);
        server.hang_up();
        let line = server.logged(REFUSED, times + 1).await;
        assert!(line.contains(reason), "{reason:?} missing in {line}");
        assert_eq!([got(&client, A).await, got(&client, B).await], ["a", "b"]);
        let new = Client::connect(&world, server.address(), B).await;
        assert_eq!(got(&new, A).await, "a");
    }
    assert!(!server.log().contains(RELOADED));
    reload(&world, &server, &site(&[&host("a", A)]), 1).await;
    assert_eq!([got(&client, A).await, got(&client, B).await], ["a", "421"]);
}

#[tokio::test]
async fn certificates_rotate_and_connections_keep_the_one_they_were_shown() {
    let world = World::new();
    let both = site(&[&host("a", A), &host("b", B)]);
    world.write("site.toml", &both);
    let server = Server::start(&world, 1);
    let before = Client::connect(&world, server.address(), A).await;
    assert_eq!([got(&before, A).await, got(&before, B).await], ["a", "b"]);
    // A narrower certificate would leave `b` without one.
    world.issue("A", &[A]);
    let line = server.logged(REFUSED, 1).await;
    assert!(line.contains("b.example.test\\\" is not covered"), "{line}");
    world.issue("B", &[B]);
    world.replace("site.toml", &site(&[&host("a", A), &virtual_host("b", B, "B")]));
    server.logged(RELOADED, 1).await;
    let after = Client::connect(&world, server.address(), A).await;
    assert_ne!(before.shown, after.shown);
    assert_eq!([got(&after, A).await, got(&after, B).await], ["a", "421"]);
    // The certificate that this connection received covers both names.
    assert_eq!([got(&before, A).await, got(&before, B).await], ["a", "b"]);
}

#[tokio::test]
async fn every_file_is_watched() {
    let world = World::new();
    let m = virtual_host("m", M, "M") + "client_ca = \"certs/client-ca1.pem\"\n";
    world.write("site.toml", &format!("table = \"names.table\"\n{LISTENER}{}{m}", host("a", A)));
    world.write("names.list", "dead.example.test a\n");
    let compile = ["compile", "--config", "site.toml", "names.list", "-o", "names.table"];
    world.say(&compile, 0);
    let server = Server::start(&world, 1);
    let client = Client::connect(&world, server.address(), A).await;
    assert_eq!([got(&client, A).await, got(&client, B).await], ["a", "421"]);
    // The compiled table, replaced by renaming.
    world.write("names.list", "b.example.test a\n");
    world.say(&compile, 0);
    server.logged(RELOADED, 1).await;
    assert_eq!([got(&client, A).await, got(&client, B).await], ["a", "a"]);
    // A CA, written in place.
    let ca = fs::read_to_string(world.path("certs/client-ca2.pem")).unwrap();
    world.write("certs/client-ca1.pem", &ca);
    server.logged(RELOADED, 2).await;
    // A certificate and its key.
    world.issue("M", &[M]);
    server.logged(RELOADED, 3).await;
    // The configuration itself.
    let site = fs::read_to_string(world.path("site.toml")).unwrap();
    world.replace("site.toml", &site.replace("vhost=a", "vhost=z"));
    server.logged(RELOADED, 4).await;
    assert_eq!(got(&client, A).await, "z");
    // An invalid table, and then the valid one again.
    fs::rename(world.path("names.table"), world.path("kept.table")).unwrap();
    world.replace("names.table", "nonsense");
    let line = server.logged(REFUSED, 1).await;
    assert!(line.contains("site.toml:1: table: names.table: "), "{line}");
    assert_eq!([got(&client, A).await, got(&client, B).await], ["z", "z"]);
    fs::rename(world.path("kept.table"), world.path("names.table")).unwrap();
    server.logged(RELOADED, 5).await;
}

#[tokio::test]
async fn folder_replaced_behind_a_link_is_noticed() {
    let world = World::new();
    for version in ["v1", "v2"] {
        fs::create_dir(world.path(version)).unwrap();
        world.issue(&format!("../{version}/tls"), &[A]);
    }
    let link = |name: &str, to: &str| {
        let _ = fs::remove_file(world.path("link"));
        std::os::unix::fs::symlink(to, world.path("link")).unwrap();
        fs::rename(world.path("link"), world.path(name)).unwrap();
    };
    link("data", "v1");
    for file in ["tls.pem", "tls.key"] {
        link(file, &format!("data/{file}"));
    }
    let a = host("a", A).replace("certs/A", "tls");
    world.write("site.toml", &site(&[&a]));
    let server = Server::start(&world, 1);
    let before = Client::connect(&world, server.address(), A).await.shown;
    link("data", "v2");
    server.logged(RELOADED, 1).await;
    assert_ne!(Client::connect(&world, server.address(), A).await.shown, before);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn files_are_not_watched_with_no_watch() {
    let world = World::new();
    world.write("site.toml", &site(&[&host("a", A)]));
    for (arguments, watching) in [(&[][..], true), (&["--no-watch"][..], false)] {
        let server = Server::start_with(&world, 1, arguments);
        let open = fs::read_dir(format!("/proc/{}/fd", server.id())).unwrap();
        let inotify = open
            .filter_map(|file| fs::read_link(file.unwrap().path()).ok())
            .any(|target| target.to_string_lossy().contains("inotify"));
        assert_eq!(inotify, watching, "{arguments:?}");
    }
}

/// Eight connections send requests without a pause while tables with different names, certificates
/// and orders of groups replace each other.
#[tokio::test]
async fn no_request_fails_and_no_answer_is_wrong_while_reloading() {
    const RELOADS: usize = 20;
    let world = World::new();
    let (a, m) = in_groups();
    let listed = "table = \"names.table\"\n";
    let sites = [
        [listed, LISTENER, PUBLIC, ADMIN, &a, &m].concat(),
        [listed, LISTENER, OTHER, ADMIN, PUBLIC, &m, &a].concat(),
    ];
    for (number, text) in sites.iter().enumerate() {
        world.write("site.toml", text);
        world.write("names.list", &format!("b.example.test a\nx{number}.wild.example.test a\n"));
        world.say(&["compile", "--config", "site.toml", "names.list", "-o", "names.table"], 0);
        fs::rename(world.path("names.table"), world.path(&format!("{number}.table"))).unwrap();
    }
    let use_site = |number: usize| {
        let named = sites[number].replace("names.table", &format!("{number}.table"));
        world.replace("site.toml", &named);
    };
    use_site(0);
    let server = Server::start_with(&world, 1, &["--no-watch"]);
    let done = Arc::new(AtomicBool::new(false));
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let client = Client::connect(&world, server.address(), A).await;
        let done = done.clone();
        asking.spawn(async move {
            let mut asked = 0;
            while !done.load(Ordering::Relaxed) {
                for (name, expected) in [(A, "a"), (B, "a"), (M, "421"), (A, "a")] {
                    assert_eq!(got(&client, name).await, expected, "{name}");
                }
                let one = got(&client, "x0.wild.example.test").await;
                assert!(["a", "421"].contains(&one.as_str()), "{one}");
                asked += 5;
            }
            asked
        });
    }
    for times in 1..=RELOADS {
        use_site(times % 2);
        server.hang_up();
        server.logged(RELOADED, times).await;
        let name = format!("x{}.wild.example.test", times % 2);
        let client = Client::connect(&world, server.address(), A).await;
        assert_eq!(got(&client, &name).await, "a");
    }
    done.store(true, Ordering::Relaxed);
    let asked: Vec<usize> = asking.join_all().await;
    assert!(asked.iter().all(|asked| *asked > 0), "{asked:?}");
}

#[tokio::test]
async fn sessions_are_resumed_after_a_reload_as_long_as_the_policy_is_the_same() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let world = World::new();
        let (a, m) = in_groups();
        let before = site(&[PUBLIC, ADMIN, &a, &m]);
        let longer = site(&[PUBLIC, ADMIN, OTHER, &a, &m, &host("b", B)]);
        let tighter = site(&[&(PUBLIC.to_owned() + OPTIONAL), ADMIN, &a, &m]);
        world.write("site.toml", &before);
        let server = Server::start_with(&world, 1, &["--no-watch"]);
        let config = config_of(&world, &[version]);
        let resumes = async || {
            let client = Client::connect_with(&config, server.address(), A).await;
            // Its tickets arrive before the first answer.
            assert_eq!(got(&client, A).await, "a");
            client.resumed
        };
        assert!(!resumes().await, "{version:?}");
        assert!(resumes().await, "{version:?}");
        reload(&world, &server, &longer, 1).await;
        assert!(resumes().await, "{version:?}");
        reload(&world, &server, &tighter, 2).await;
        assert!(!resumes().await, "{version:?}");
        assert!(resumes().await, "{version:?}");
        reload(&world, &server, &before, 3).await;
        assert!(!resumes().await, "{version:?}");
    }
}

/// A policy that requests client certificates, under which sessions without one are not resumed.
const OPTIONAL: &str = "client_ca = \"certs/client-ca2.pem\"\nclient_certificate = \"optional\"\n";

#[tokio::test]
async fn listeners_that_share_an_address_are_added_and_removed() {
    let world = World::new();
    let listener = |name: &str, hostname: &str| {
        format!(
            "[[listener]]\nname = \"{name}\"\nhostname = \"{hostname}\"\n\
             address = \"127.0.0.1:0\"\ndefault_virtual_host = \"{name}\"\n"
        )
    };
    let host = |name: &str, of: &str| host(name, of) + &format!("listeners = [\"{name}\"]\n");
    let (wild, exact) = (listener("wild", "*.example.test"), listener("exact", B));
    let profile = "profile = \"gateway-api\"\n";
    let one = [profile, &wild, &host("wild", "**.example.test")].concat();
    let both = [&one, exact.as_str(), &host("exact", B)].concat();
    world.write("site.toml", &one);
    let server = Server::start_with(&world, 1, &["--no-watch"]);
    let client = Client::connect(&world, server.address(), A).await;
    assert_eq!([got(&client, A).await, got(&client, B).await], ["wild", "wild"]);
    // The new listener is responsible for the name from now on.
    reload(&world, &server, &both, 1).await;
    assert_eq!([got(&client, A).await, got(&client, B).await], ["wild", "421"]);
    server.logged("reason=\"listener\"", 1).await;
    let new = Client::connect(&world, server.address(), B).await;
    assert_eq!([got(&new, A).await, got(&new, B).await], ["421", "exact"]);
    reload(&world, &server, &one, 2).await;
    assert_eq!([got(&client, A).await, got(&client, B).await], ["wild", "wild"]);
    assert_eq!([got(&new, A).await, got(&new, B).await], ["421", "421"]);
    // A reload binds no new address.
    let moved = one.replace("127.0.0.1:0", "127.0.0.2:0");
    world.replace("site.toml", &moved);
    server.hang_up();
    let refused = server.logged(REFUSED, 1).await;
    assert!(refused.contains("listener \\\"wild\\\" moves from 127.0.0.1:0"), "{refused}");
}
