//! A compiled table beside a configuration: the names that it serves, and tables that do not fit.

use std::fs;

use crate::client::{Client, Server};
use crate::world::{World, text, virtual_host};

const LISTENER: &str = "[[listener]]\naddress = \"127.0.0.1:0\"\n";

/// Virtual hosts `a`, `wild` and `m`, which is in a separate group, and a list that gives each of
/// them names that the configuration does not have.
fn world() -> World {
    let world = World::new();
    let m = virtual_host("m", "m.example.test", "M") + "minimum_version = \"1.3\"\n";
    let hosts = [
        virtual_host("a", "a.example.test", "A"),
        virtual_host("wild", "x.wild.example.test", "A"),
        m,
    ];
    world.write("site.toml", &format!("table = \"names.table\"\n{LISTENER}{}", hosts.concat()));
    world.write("names.list", LIST);
    world
}

const LIST: &str = "\
b.example.test       a
*.wild.example.test  wild  default
m2.example.test      m     minimum_version=1.3
";

const COMPILE: [&str; 6] = ["compile", "--config", "site.toml", "names.list", "-o", "names.table"];

fn explain(world: &World, server_name: &str, authority: &str) -> (i32, String) {
    let asked = ["explain", "--config", "site.toml", "--server-name", server_name];
    let output = world.run(&[&asked[..], &["--authority", authority, "--json"]].concat());
    let said = if output.stdout.is_empty() { &output.stderr } else { &output.stdout };
    (output.status.code().unwrap(), text(said).to_owned())
}

/// Returns the message of `explain` for a configuration that does not load.
fn misfit(world: &World) -> String {
    let (code, said) = explain(world, "a.example.test", "a.example.test");
    assert_eq!(code, 3, "{said}");
    said
}

fn replace(world: &World, file: &str, from: &str, to: &str) {
    let before = fs::read_to_string(world.path(file)).unwrap();
    assert!(before.contains(from), "{from}");
    world.write(file, &before.replace(from, to));
}

#[tokio::test]
async fn serve_serves_a_compiled_table() {
    let world = world();
    let said = world.say(&COMPILE, 0);
    assert!(said.contains("names     6\n"), "{said}");
    let server = Server::start(&world, 1);
    // A loaded table does not depend on its file.
    fs::remove_file(world.path("names.table")).unwrap();
    for (name, host) in [
        ("a.example.test", "a"),
        ("b.example.test", "a"),
        ("x.wild.example.test", "wild"),
        ("y.wild.example.test", "wild"),
        ("m.example.test", "m"),
        ("m2.example.test", "m"),
    ] {
        let client = Client::connect(&world, server.address(), name).await;
        let (head, content) = client.get(name, "/").await;
        assert_eq!((head.status.as_u16(), text(&content)), (200, &*format!("vhost={host}\n")));
    }
    let client = Client::connect(&world, server.address(), "b.example.test").await;
    assert_eq!(client.get("y.wild.example.test", "/").await.0.status, 200, "same group");
    assert_eq!(client.get("m2.example.test", "/").await.0.status, 421, "another certificate");
    assert_eq!(client.get("m.example.test", "/").await.0.status, 421, "another group");
    assert_eq!(client.get("xn--bcher-kva.example.test", "/").await.0.status, 421, "no entry");
}

/// Waits until the virtual host of `name` answers with `host`.
async fn answered(world: &World, server: &Server, name: &str, host: &str) {
    let client = Client::connect(world, server.address(), name).await;
    let (head, content) = client.get(name, "/").await;
    let expected = format!("vhost={host}\n");
    assert_eq!((head.status.as_u16(), text(&content)), (200, expected.as_str()), "{name}");
}

#[tokio::test]
async fn table_that_is_overwritten_or_cut_short_in_place_is_served_on_as_it_was_checked() {
    let world = world();
    // More than a page, so that truncation would end a process that has mapped the file.
    let more: Vec<_> = (0..2_000).map(|number| format!("n{number}.wild.example.test a")).collect();
    world.write("names.list", &format!("{LIST}{}\n", more.join("\n")));
    world.say(&COMPILE, 0);
    let sound = fs::read(world.path("names.table")).unwrap();
    let server = Server::start_with(&world, 1, &["--no-watch"]);
    let names = ["a.example.test", "b.example.test", "n1.wild.example.test"];
    let changed: Vec<u8> = sound.iter().map(|byte| !byte).collect();
    for (times, content) in [&changed[..], &sound[..100], b""].into_iter().enumerate() {
        // Written in place, as `cp` does, or cut short by a full disk.
        fs::write(world.path("names.table"), content).unwrap();
        for name in names {
            answered(&world, &server, name, "a").await;
        }
        server.hang_up();
        server.logged("reload refused", times + 1).await;
        for name in names {
            answered(&world, &server, name, "a").await;
        }
    }
    fs::write(world.path("names.table"), &sound).unwrap();
    server.hang_up();
    server.logged("reloaded", 1).await;
    answered(&world, &server, "b.example.test", "a").await;
}

#[tokio::test]
async fn table_is_mapped_only_where_the_configuration_says_so() {
    let world = world();
    world.say(&COMPILE, 0);
    let is_mapped = |server: &Server| {
        let maps = fs::read_to_string(format!("/proc/{}/maps", server.id())).unwrap();
        maps.contains("names.table")
    };
    let server = Server::start(&world, 1);
    assert!(!is_mapped(&server));
    replace(
        &world,
        "site.toml",
        "table = \"names.table\"\n",
        "table = \"names.table\"\nmap_table = true\n",
    );
    let server = Server::start(&world, 1);
    assert!(is_mapped(&server));
    answered(&world, &server, "b.example.test", "a").await;
    replace(&world, "site.toml", "table = \"names.table\"\n", "");
    let said = misfit(&world);
    let expected = "site.toml:1: map_table: only allowed with table, the file that is mapped";
    assert!(said.contains(expected), "{said}");
    for asked in [&["inspect", "names.table"][..], &["lookup", "names.table", "b.example.test"]] {
        let mapped = world.say(&[asked, &["--map"]].concat(), 0);
        assert_eq!(mapped, world.say(asked, 0));
    }
}

#[test]
fn explain_reads_a_compiled_table() {
    let world = world();
    world.say(&COMPILE, 0);
    let (code, said) = explain(&world, "b.example.test", "y.wild.example.test");
    assert!(code == 0 && said.contains("\"virtual_host\":\"wild\""), "{said}");
    let (code, said) = explain(&world, "b.example.test", "m.example.test");
    assert!(code == 1 && said.contains("\"reason\":\"group\""), "{said}");
    let (code, said) = explain(&world, "nobody.example.test", "a.example.test");
    assert!(code == 1 && said.contains("\"reason\":\"unrecognized_name\""), "{said}");
}

#[test]
fn lines_that_the_configuration_does_not_bear_out_are_named() {
    let world = world();
    let lines = "\
b.example.test
c.example.test shop
m2.example.test m default
m2.example.test a
A.example.test a
m.example.test. wild
";
    world.write("names.list", lines);
    let said = world.say(&COMPILE, 3);
    let expected = [
        "names.list:1:1: \"b.example.test\" has no virtual host; with --config the name of one is \
         expected behind it",
        "names.list:2:16: no virtual_host of site.toml is \"shop\"",
        "names.list:3:19: \"default\" is not the group of virtual_host \"m\", which is \
         \"minimum_version=1.3\"",
        "names.list:4:1: \"m2.example.test\" is not covered by certs/A.pem, which presents \
         DNS:a.example.test, DNS:b.example.test, DNS:*.wild.example.test, \
         DNS:xn--bcher-kva.example.test, DNS:dead.example.test, DNS:m.example.test; it would be \
         answered 421 on its own connections (see: coalesce match --certificate certs/A.pem \
         m2.example.test)",
        "names.list:5:1: duplicate: \"A.example.test\" is a name of virtual_host \"a\" in \
         site.toml:7 already",
        "names.list:6:1: conflict: \"m.example.test.\" is a name of virtual_host \"m\" in \
         site.toml:21 already",
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
    world.write("names.list", "**.wild.example.test wild\n");
    let output = world.run(&COMPILE);
    assert_eq!(output.status.code(), Some(0));
    let said = text(&output.stderr);
    assert!(said.contains("names.list: 1 names, the first in line 1, stand for more"), "{said}");
    let (code, said) = explain(&world, "a.example.test", "x.y.wild.example.test");
    assert!(code == 1 && said.contains("\"reason\":\"certificate\""), "{said}");
}

#[test]
fn invalid_configuration_compiles_nothing() {
    let world = world();
    replace(&world, "site.toml", "certs/M.key", "certs/A.key");
    let said = world.say(&COMPILE, 3);
    assert!(said.starts_with("site.toml:23: virtual_host \"m\": key: "), "{said}");
    assert!(!world.path("names.table").exists());
}

#[test]
fn invalid_table_is_a_fault_of_the_configuration() {
    let world = world();
    let expected = "site.toml:1: table: cannot read names.table: No such file or directory\n";
    assert!(misfit(&world).starts_with(expected), "{}", misfit(&world));
    world.write("names.table", "nonsense");
    assert!(misfit(&world).starts_with("site.toml:1: table: names.table: "), "{}", misfit(&world));
    world.say(&COMPILE, 2);
    world.write("names.table", "");
    world.say(&COMPILE, 0);
    let table = fs::read(world.path("names.table")).unwrap();
    fs::write(world.path("names.table"), &table[..table.len() - 1]).unwrap();
    assert!(misfit(&world).starts_with("site.toml:1: table: names.table: "), "{}", misfit(&world));
    replace(&world, "site.toml", "\"names.table\"", "7");
    assert!(
        misfit(&world).starts_with("site.toml:1: table: found the number 7"),
        "{}",
        misfit(&world)
    );
}

/// Replacements in the configuration after the table was compiled, and the messages.
const CHANGES: &[(&str, &str, &str)] = &[
    // A name that the table lacks.
    (
        "\"a.example.test\"]",
        "\"a.example.test\", \"dead.example.test\"]",
        "site.toml:7: virtual_host \"a\": names: \"dead.example.test\" is not in names.table; \
         compile the table again, with --config",
    ),
    // Another group, and other policies of the same one.
    (
        "minimum_version = \"1.3\"\n",
        "",
        "site.toml:1: table: names.table does not fit: it has group 1, and there are 1 here, \
         counted from 0; compile the table again, with --config",
    ),
    (
        "minimum_version = \"1.3\"\n",
        "",
        "\"m2.example.test\" is in group 1, and its virtual host \"m\" is in group 0, \"default\" here",
    ),
    (
        "minimum_version = \"1.3\"\n",
        "minimum_version = \"1.3\"\ncoalesce = \"never\"\n",
        "\"m2.example.test\" has another coalesce than its virtual host \"m\" here",
    ),
    (
        "[[listener]]",
        "[[group]]\nname = \"more\"\nisolate = true\n[[listener]]",
        "names.table does not fit: it has no group 2, \"minimum_version=1.3\" here",
    ),
    // Another certificate.
    (
        "certs/M.pem\"\nkey = \"certs/M.key",
        "certs/A.pem\"\nkey = \"certs/A.key",
        "names.table does not fit: \"m2.example.test\" is not covered by certs/A.pem",
    ),
];

#[test]
fn table_of_another_configuration_is_refused() {
    let world = world();
    world.say(&COMPILE, 0);
    let site = fs::read_to_string(world.path("site.toml")).unwrap();
    for (from, to, message) in CHANGES {
        replace(&world, "site.toml", from, to);
        let said = misfit(&world);
        assert!(said.contains(message), "{message:?} missing in:\n{said}");
        world.write("site.toml", &site);
    }
    // Two virtual hosts swap their positions, or their names.
    let parts: Vec<&str> = site.split("[[virtual_host]]").collect();
    let &[head, a, wild, m] = parts.as_slice() else { panic!("{site}") };
    let swapped = [head, wild, a, m].join("[[virtual_host]]");
    let (one, other) = ("\"a.example.test\"", "\"x.wild.example.test\"");
    let renamed = site.replace(one, "?").replace(other, one).replace('?', other);
    for (site, host, first) in [(swapped, "a", "wild"), (renamed, "wild", "a")] {
        world.write("site.toml", &site);
        let expected = format!(
            "site.toml:14: virtual_host {host:?}: names: \"a.example.test\" is of virtual host 0, \
             {first:?} in names.table; compile the table again, with --config"
        );
        let said = misfit(&world);
        assert!(said.contains(&expected), "{expected:?} missing in:\n{said}");
        world.write("site.toml", &site);
    }
    world.write("site.toml", &site);
    // Changes of fields outside of the table are accepted.
    replace(&world, "site.toml", "vhost=a", "vhost=other");
    assert_eq!(explain(&world, "a.example.test", "b.example.test").0, 0);
    // The last virtual host is removed, so its names have no owner.
    let (without, _) = site.rsplit_once("[[virtual_host]]").unwrap();
    world.write("site.toml", without);
    let said = misfit(&world);
    let expected = "\"m2.example.test\" is of virtual host 2, and there are 2 here, counted from 0";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn address_in_a_table_needs_the_default_virtual_host() {
    let world = world();
    let ip = virtual_host("ip", "127.0.0.1", "IP");
    let listener = LISTENER.replace("]]\n", "]]\ndefault_virtual_host = \"ip\"\n");
    let a = virtual_host("a", "a.example.test", "A");
    world.write("site.toml", &format!("table = \"names.table\"\n{listener}{a}{ip}"));
    world.write("names.list", "::1 ip\n");
    world.say(&COMPILE, 0);
    assert_eq!(explain(&world, "a.example.test", "a.example.test").0, 0);
    let asked = ["explain", "--config", "site.toml", "--authority", "[::1]"];
    assert!(world.say(&asked, 0).contains("virtual host ip"));
    replace(&world, "site.toml", "host = \"ip\"", "host = \"a\"");
    let said = misfit(&world);
    let expected = "site.toml:1: table: \"::1\" would be answered 421 on its own connections";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn names_of_a_table_stay_on_the_listeners_of_their_group() {
    let world = world();
    let listeners = "\
[[listener]]
name = \"one\"
address = \"127.0.0.1:0\"

[[listener]]
name = \"two\"
address = \"127.0.0.1:0\"
";
    let hosts = [("a", "a.example.test", "one"), ("wild", "x.wild.example.test", "two")];
    let hosts = hosts.map(|(name, host, listener)| {
        virtual_host(name, host, "A") + &format!("listeners = [\"{listener}\"]\n")
    });
    world.write("site.toml", &format!("table = \"names.table\"\n{listeners}{}", hosts.concat()));
    world.write("names.list", "b.example.test a\n*.wild.example.test wild\n");
    world.say(&COMPILE, 0);
    for (listener, name, code) in [
        ("one", "b.example.test", 0),
        ("one", "y.wild.example.test", 1),
        ("two", "b.example.test", 1),
        ("two", "y.wild.example.test", 0),
    ] {
        let asked = ["explain", "--config", "site.toml", "--listener", listener, "--json"];
        let asked = [&asked[..], &["--server-name", name, "--authority", name]].concat();
        let said = world.say(&asked, code);
        let expected = if code == 0 { "\"served\"" } else { "\"unrecognized_name\"" };
        assert!(said.contains(expected), "{listener} {name}: {said}");
    }
}
