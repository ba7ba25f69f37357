//! The configurations between which the server changes.

use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Stdio};

use coalesce_tests::{World, binary};

/// The number of names in a table beside those that the clients request.
pub(crate) const NAMES: usize = 100_000;

/// Writes at most two configurations. They differ in the owner of one name, in half of the other
/// names and in the order of the groups.
pub(crate) fn world(built: bool, configurations: usize) -> World {
    let identifiers = ["a.example.test", "b.example.test", "m.example.test", "*.bulk.example.test"];
    let world = World::new(&[("A", &identifiers)], "");
    for turn in 0..configurations {
        let mut list = String::new();
        for name in 0..NAMES {
            // Odd names are in one configuration only.
            let name = if name % 2 == 0 { name } else { name + turn * NAMES };
            writeln!(list, "h{name}.bulk.example.test a").expect("a string");
        }
        let config = |table: &str, names: &str| {
            let groups = [
                "[[group]]\nname = \"open\"\n",
                "[[group]]\nname = \"closed\"\n\
                 client_ca = \"client-ca.pem\"\n",
            ];
            let host = |name: &str, names: &str, group: &str| {
                format!(
                    "[[virtual_host]]\nname = \"{name}\"\nnames = [{names}]\n\
                 certificate = \"A.pem\"\nkey = \"A.key\"\ngroup = \"{group}\"\n\
                 answer = {{ text = \"{name}\\n\" }}\n"
                )
            };
            format!(
                "{table}[[listener]]\naddress = \"127.0.0.1:0\"\n{}{}{}{}{}",
                groups[turn],
                groups[1 - turn],
                host("a", &format!("\"a.example.test\"{names}"), "open"),
                host(["b", "c"][turn], "\"b.example.test\"", "open"),
                host("m", "\"m.example.test\"", "closed"),
            )
        };
        let file = |end: &str| world.path(&format!("{turn}.{end}"));
        // Compile the table in both cases, because its file size is needed.
        fs::write(file("list"), &list).expect("a list");
        fs::write(file("toml"), config("", "")).expect("a configuration");
        let status = Command::new(binary())
            .args(["compile", "-q", "--config"])
            .args([file("toml"), file("list")])
            .arg("-o")
            .arg(file("table"))
            .stdout(Stdio::null())
            .status();
        assert!(status.expect("the binary runs").success(), "the table does not compile");
        let text = if built {
            let names = list.lines().filter_map(|line| line.split(' ').next());
            let names: Vec<String> = names.map(|name| format!(", \"{name}\"")).collect();
            config("", &names.concat())
        } else {
            config(&format!("table = \"{turn}.table\"\n"), "")
        };
        fs::write(file("toml"), text).expect("a configuration");
    }
    put(&world, 0);
    world
}

/// Makes a configuration current.
pub(crate) fn put(world: &World, turn: usize) {
    let new = world.path("new.toml");
    fs::copy(world.path(&format!("{}.toml", turn % 2)), &new).expect("a copy");
    fs::rename(new, world.path("site.toml")).expect("a file in its place");
}
