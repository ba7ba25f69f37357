//! Files that are not regular, and folders that cannot be read.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::client::{Client, Server};
use crate::world::{World, text, virtual_host};

const A: &str = "a.example.test";
const LISTENER: &str = "[[listener]]\naddress = \"127.0.0.1:0\"\n";

/// A virtual host that names every kind of file.
const SITE: &str = r#"table = "names.table"

[[listener]]
address = "127.0.0.1:8443"

[[virtual_host]]
name = "m"
names = ["m.example.test"]
certificate = "certs/M.pem"
key = "certs/M.key"
client_ca = "certs/client-ca1.pem"
client_crl = "certs/client-ca1.crl"
answer = { text = "m" }
"#;

/// The fields of files in [`SITE`], each with its file and line.
const FIELDS: [(&str, &str, usize); 4] = [
    ("certificate", "certs/M.pem", 9),
    ("key", "certs/M.key", 10),
    ("client_ca", "certs/client-ca1.pem", 11),
    ("client_crl", "certs/client-ca1.crl", 12),
];

fn make_pipe(world: &World, name: &str) {
    let made = Command::new("mkfifo").arg(world.path(name)).status().unwrap();
    assert!(made.success());
}

#[test]
fn named_pipe_in_place_of_a_file_is_refused_and_never_waited_for() {
    let world = World::new();
    world.write("site.toml", SITE);
    world.write("names.list", "m2.example.test m\n");
    world.say(&["compile", "--config", "site.toml", "names.list", "-o", "names.table"], 0);
    let groups = ["groups", "--config", "site.toml"];
    world.say(&groups, 0);
    for (field, file, line) in FIELDS {
        let kept = fs::read_to_string(world.path(file)).unwrap();
        fs::remove_file(world.path(file)).unwrap();
        make_pipe(&world, file);
        let said = world.say(&groups, 3);
        let expected = format!(
            "site.toml:{line}: virtual_host \"m\": {field}: cannot read {file}: found a named \
             pipe, expected a regular file"
        );
        assert!(said.contains(&expected), "{said}");
        world.replace(file, &kept);
    }
    fs::remove_file(world.path("names.table")).unwrap();
    make_pipe(&world, "names.table");
    let said = world.say(&groups, 3);
    assert!(said.contains("names.table: found a named pipe, expected a regular file"), "{said}");
    for command in ["lookup", "inspect"] {
        let name = (command == "lookup").then_some("m.example.test");
        let arguments: Vec<&str> = [command, "names.table"].into_iter().chain(name).collect();
        let said = world.say(&arguments, 2);
        assert!(said.contains("found a named pipe, expected a regular file"), "{said}");
    }
    fs::remove_file(world.path("site.toml")).unwrap();
    make_pipe(&world, "site.toml");
    let said = world.say(&groups, 3);
    assert!(said.contains("site.toml: cannot read: found a named pipe, expected"), "{said}");
    let said = world.say(&["match", "--certificate", "site.toml", A], 2);
    assert!(said.contains("found a named pipe, expected a regular file"), "{said}");
}

#[tokio::test]
async fn reload_goes_on_after_a_key_was_a_named_pipe() {
    let world = World::new();
    world.write("site.toml", &format!("{LISTENER}{}", virtual_host("a", A, "A")));
    let server = Server::start(&world, 1);
    let before = Client::connect(&world, server.address(), A).await;
    fs::remove_file(world.path("certs/A.key")).unwrap();
    make_pipe(&world, "certs/A.key");
    let line = server.logged("found a named pipe, expected a regular file", 1).await;
    assert!(line.contains("reload refused"), "{line}");
    world.issue("B", &[A]);
    for end in ["pem", "key"] {
        let new = fs::read_to_string(world.path(&format!("certs/B.{end}"))).unwrap();
        world.replace(&format!("certs/A.{end}"), &new);
    }
    server.logged("reloaded", 1).await;
    let after = Client::connect(&world, server.address(), A).await;
    assert_ne!(before.shown, after.shown);
}

#[tokio::test]
async fn folder_serves_regular_files_only() {
    let world = World::new();
    fs::create_dir(world.path("public")).unwrap();
    world.write("public/file", "content");
    make_pipe(&world, "public/pipe");
    let _listener = UnixListener::bind(world.path("public/socket")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", world.path("public/device")).unwrap();
    let host = virtual_host("a", A, "A");
    let host = host.replace("{ text = \"vhost=a\\n\" }", "{ folder = \"public\" }");
    world.write("site.toml", &format!("{LISTENER}{host}"));
    let server = Server::start(&world, 1);
    let client = Client::connect(&world, server.address(), A).await;
    for path in ["/pipe", "/socket", "/device"] {
        let (head, _) = client.get(A, path).await;
        assert_eq!(head.status, 404, "{path}");
    }
    let (head, content) = client.get(A, "/file").await;
    assert_eq!((head.status.as_u16(), text(&content)), (200, "content"));
    assert!(!server.log().contains("cannot read"), "{}", server.log());
    // The folder goes away while it is served.
    fs::rename(world.path("public"), world.path("elsewhere")).unwrap();
    let (head, _) = client.get(A, "/file").await;
    assert_eq!(head.status, 404);
    let line = server.logged("cannot read a folder", 1).await;
    assert!(line.contains("public") && line.contains("No such file or directory"), "{line}");
    fs::rename(world.path("elsewhere"), world.path("public")).unwrap();
    let (head, _) = client.get(A, "/file").await;
    assert_eq!(head.status, 200);
}

/// An administrator may search every folder, so the command runs as somebody else here.
#[test]
fn folder_that_may_not_be_searched_is_refused_at_load() {
    const NOBODY: u32 = 65534;
    let world = World::new();
    fs::create_dir(world.path("public")).unwrap();
    let host = virtual_host("a", A, "A");
    let host = host.replace("{ text = \"vhost=a\\n\" }", "{ folder = \"public\" }");
    world.write("site.toml", &format!("{LISTENER}{host}"));
    let mode = |name: &str, mode| {
        fs::set_permissions(world.path(name), Permissions::from_mode(mode)).unwrap();
    };
    let groups = || {
        let mut command = world.command();
        command.args(["groups", "--config", "site.toml"]);
        if fs::metadata("/proc/self").is_ok_and(|own| is_root(&own)) {
            mode("", 0o755);
            mode("certs/A.key", 0o644);
            command.uid(NOBODY);
        }
        command.output()
    };
    mode("public", 0o311);
    // Other users may not be able to search the build folder.
    let Ok(output) = groups() else { return };
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    mode("public", 0o000);
    let output = groups().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    let expected = "answer.folder: cannot read public: Permission denied";
    assert!(said.contains(expected), "{said}");
    mode("public", 0o755);
}

fn is_root(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.uid() == 0
}
