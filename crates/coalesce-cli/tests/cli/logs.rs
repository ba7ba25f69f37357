//! Unread logs delay no request and take little memory.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use http::Method;

use crate::client::{Client, Server};
use crate::operator::{metrics, with_admin};
use crate::world::{World, virtual_host};

const A: &str = "a.example.test";
/// More time than any step takes.
const WITHIN: Duration = Duration::from_secs(60);

fn world() -> World {
    let world = World::new();
    let listener = "[[listener]]\naddress = \"127.0.0.1:0\"\n";
    world.write("site.toml", &format!("{listener}{}", virtual_host("a", A, "A")));
    world
}

/// A child process that is killed when dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Fails if the process has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Requests `path`, fifty requests at a time.
async fn ask(client: &Client, path: &str, times: usize) {
    for _ in 0..times / 50 {
        let mut answers = Vec::new();
        for _ in 0..50 {
            let request = client.request(Method::GET, A, path);
            answers.push(client.try_begin(request).await.unwrap());
        }
        for answer in answers {
            let answer = tokio::time::timeout(WITHIN, answer).await.expect("an answer in time");
            assert_eq!(answer.unwrap().status(), 200);
        }
    }
}

/// With `-vv` each request has dozens of lines, so a few requests fill the pipe.
#[tokio::test]
async fn unread_standard_error_holds_no_request() {
    let world = world();
    let mut command = world.command();
    command.args(["serve", "--config", "site.toml", "--admin=127.0.0.1:0", "-vv"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Killed(command.spawn().unwrap());
    let mut output = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let mut address = |prefix: &str| -> SocketAddr {
        let line = output.next().unwrap().unwrap();
        line.strip_prefix(prefix).unwrap().parse().unwrap()
    };
    let (address, admin) = (address("listening on "), address("admin on "));
    let client = Client::connect(&world, address, A).await;
    let lost = "coalesce_log_lines_lost_total{log=\"main\"}";
    let begun = Instant::now();
    while metrics(admin)[lost] < 1_000.0 {
        assert!(begun.elapsed() < WITHIN, "no line is lost");
        ask(&client, "/", 500).await;
    }
    // A new connection as well.
    ask(&Client::connect(&world, address, A).await, "/", 50).await;
    // Once the log is read, it reports the lost lines and continues.
    let stderr = child.0.stderr.take().unwrap();
    let said = std::thread::spawn(move || {
        let lines = BufReader::new(stderr).lines().map(Result::unwrap);
        lines.into_iter().find(|line| line.contains("lines of a log were lost"))
    });
    while !said.is_finished() {
        assert!(begun.elapsed() < WITHIN, "no line says that lines were lost");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let said = said.join().unwrap().unwrap();
    assert!(said.contains("log=\"main\" lines="), "{said}");
}

fn resident_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

#[tokio::test]
async fn unread_access_log_of_long_paths_takes_little_memory() {
    let world = world();
    let pipe = world.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // The server waits for a reader before it starts, so open the pipe in another thread.
    let opening = std::thread::spawn(move || File::open(pipe).unwrap());
    let (server, admin) = with_admin(&world, &["--access-log", "pipe"]);
    let mut reader = opening.join().unwrap();
    let client = Client::connect(&world, server.address(), A).await;
    ask(&client, "/", 50).await;
    let before = resident_kib(server.id());
    // Each line has the first 1,024 bytes of the path; together they exceed the queue.
    let path = format!("/{}", "a".repeat(2_000));
    ask(&client, &path, 4_000).await;
    let grown = resident_kib(server.id()).saturating_sub(before);
    // The two buffers of the queue hold 4 MiB each, and grow by doubling.
    assert!(grown < 32 * 1024, "{grown} KiB");
    assert!(metrics(admin)["coalesce_log_lines_lost_total{log=\"access\"}"] > 100.0);
    // The line about the loss follows the batch that is being written, which may be large.
    std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
    server.logged("lines of a log were lost", 1).await;
    assert!(server.log().contains("log=\"access\""));
}

#[tokio::test]
async fn end_writes_what_is_in_the_queues() {
    let world = world();
    let server = Server::start_with(&world, 1, &["--access-log", "access.log"]);
    let client = Client::connect(&world, server.address(), A).await;
    ask(&client, "/", 500).await;
    server.terminate();
    // While the client closes its connection.
    let (code, log) = tokio::task::spawn_blocking(|| server.end(WITHIN)).await.unwrap();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.trim_end().ends_with("ended"), "{log}");
    let lines = std::fs::read_to_string(world.path("access.log")).unwrap();
    assert_eq!(lines.lines().count(), 500);
}
