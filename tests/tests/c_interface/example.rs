//! `examples/c`: the server is built as its Makefile says, and asked with curl.

use std::fs;
use std::process::Command;

use coalesce_tests::{Server, World};

use super::{prefix, root, run};

/// Builds the example in a new folder with the certificates that it needs, and starts it.
fn start(link: &[&str]) -> (World, Server) {
    let (shop, admin) = (["shop.test", "img.test"], ["admin.test"]);
    let world = World::new(&[("shop", &shop), ("admin", &admin)], "");
    for file in ["Makefile", "server.c"] {
        fs::copy(root().join("examples/c").join(file), world.path(file)).unwrap();
    }
    let mut make = Command::new("make");
    make.env("PKG_CONFIG_PATH", prefix().join("lib/pkgconfig"));
    make.arg("CFLAGS=-Wall -Wextra -Werror -g -fsanitize=address,undefined");
    run(make.args(link).current_dir(world.path("")));
    let mut server = Command::new(world.path("server"));
    server.arg("127.0.0.1:0").current_dir(world.path(""));
    server.env("LD_LIBRARY_PATH", prefix().join("lib"));
    let server = world.start(server);
    (world, server)
}

/// The answer to a request: status, content, and whether its connection is a new one.
type Answer = (u16, String, bool);

/// Sends requests with these `Host` fields, one after the other, to the host `server_name`. curl
/// uses one connection as long as it stays open.
fn ask(world: &World, server: &Server, server_name: &str, hosts: &[&str]) -> Vec<Answer> {
    let mut curl = Command::new("curl");
    for host in hosts {
        curl.args(["--silent", "--http1.1", "--max-time", "20", "--cacert", "ca.pem"])
            .args(["--connect-to", &format!("::{}", server.address)])
            .args(["--write-out", "%{http_code} %{num_connects}\n", "--header"])
            .arg(format!("Host: {host}"))
            .args([&format!("https://{server_name}:{}/", server.address.port()), "--next"]);
    }
    // curl refuses a `--next` without a request behind it.
    let arguments: Vec<_> = curl.get_args().map(ToOwned::to_owned).collect();
    let mut curl = Command::new("curl");
    curl.args(&arguments[..arguments.len() - 1]).current_dir(world.path(""));
    let output = run(&mut curl);
    let lines: Vec<&str> = output.lines().collect();
    lines
        .chunks(2)
        .map(|answer| {
            let (status, connects) = answer[1].split_once(' ').unwrap();
            (status.parse().unwrap(), answer[0].to_owned(), connects != "0")
        })
        .collect()
}

fn assert_decides(link: &[&str]) {
    let (world, server) = start(link);
    let port = server.address.port();
    let host = |name: &str| format!("{name}.test:{port}");
    let (shop, img, admin) = (host("shop"), host("img"), host("ADMIN"));
    let answer = |status, content: &str, new| (status, content.to_owned(), new);
    let refused = "not served here";
    let asked = ask(&world, &server, "shop.test", &[&shop, &img, &admin, &shop]);
    let expected = [
        answer(200, "shop.test", true),
        answer(200, "img.test", false),
        answer(421, refused, false),
        answer(200, "shop.test", false),
    ];
    assert_eq!(asked, expected, "one connection, with the certificate of two hosts");
    let asked = ask(&world, &server, "admin.test", &[&admin, &shop, "nowhere.test", "shop.test:1"]);
    let expected = [
        answer(200, "admin.test", true),
        answer(421, refused, false),
        answer(421, refused, false),
        answer(421, refused, false),
    ];
    assert_eq!(asked, expected);
    // A malformed request ends the connection.
    let asked = ask(&world, &server, "shop.test", &["a b", &shop, "shop.test:x", "", &shop]);
    let statuses: Vec<_> = asked.iter().map(|(status, _, new)| (*status, *new)).collect();
    assert_eq!(statuses, [(400, true), (200, true), (400, false), (400, true), (200, true)]);
}

#[test]
fn server_with_the_shared_library_decides() {
    assert_decides(&[]);
}

#[test]
fn server_with_the_static_library_decides() {
    assert_decides(&["STATIC=1"]);
}

#[test]
fn fields_that_would_hide_another_request_are_refused() {
    let (world, server) = start(&["STATIC=1"]);
    let url = format!("https://shop.test:{}/", server.address.port());
    let status = |more: &[&str]| {
        let curl = coalesce_tests::curl(&world, &server, &url, None, more);
        (curl.status, curl.exit)
    };
    assert_eq!(status(&["--http1.1"]), (200, 0));
    assert_eq!(status(&["--http1.1", "--data", "x"]), (400, 0), "another method, with content");
    assert_eq!(status(&["--http1.1", "-X", "GET", "--data", "x"]), (400, 0), "content");
    let chunked = ["--http1.1", "-X", "GET", "-H", "transfer-encoding: chunked", "--data", "x"];
    assert_eq!(status(&chunked), (400, 0));
    assert_eq!(status(&["--http1.1", "-H", "Host;"]).0, 400, "an empty host");
    assert_eq!(status(&["--http1.1", "-H", "Host:"]).0, 400, "no host");
    assert_eq!(status(&["--http1.1", "-H", "a b: c"]).0, 400);
    let two = ["--http1.1", "-H", "X: y\r\nHost: shop.test"];
    assert_eq!(status(&two).0, 400, "two hosts");
}

/// The lines of the example that are not empty.
const LINES_MAX: usize = 110;

#[test]
fn example_is_short() {
    let text = fs::read_to_string(root().join("examples/c/server.c")).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty()).count();
    assert!(lines <= LINES_MAX, "{lines} lines");
}
