//! A hostile client that runs beside well-behaved ones.

use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{ScopedJoinHandle, scope};
use std::time::{Duration, Instant};

use coalesce_tests::raw::{self, Raw};
use coalesce_tests::{CONTENT_421, Server, World, tls};

use crate::checker::Checker;
use crate::load::{CONNECTIONS, load};
use crate::memory::memory;
use crate::world::NAMES;

/// Two hosts: each connection serves the first and refuses the second as misdirected.
const OWN: &str = "a.example.test";
const OTHER: &str = "m.example.test";

/// The most memory after the run, in percent of that after the warm-up.
const MEMORY_MAX: u64 = 105;

/// The longest wait for closed connections to disappear.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `h2load`, a client that checks contents, and the hostile client for some seconds. Prints
/// the results.
pub(super) fn run(world: &World, seconds: u32) -> ExitCode {
    let server = world.serve_with(&["--no-watch"]);
    let warm_up = (seconds / 5).max(5);
    all_at_once(world, &server, warm_up);
    let before = memory(server.id());
    let seen = all_at_once(world, &server, seconds);
    let after = memory(server.id());

    println!("{NAMES} names, {CONNECTIONS} connections of h2load, {seconds} s of chaos");
    println!("requests            {}", seen.requests);
    println!("failed or not 200   {}", seen.failed);
    println!("contents checked    {}, {} wrong", seen.checked, seen.wrong);
    for ((name, _), times) in DEEDS.iter().zip(seen.deeds) {
        println!("{name:<20}{times}");
    }
    println!("wrong in chaos      {}", seen.wrong_in_chaos);
    println!("memory, KiB         {before:?} after {warm_up} s, {after:?} at the end");
    let is_flat = after.total() * 100 <= before.total() * MEMORY_MAX;
    println!("memory, %           {}", after.total() * 100 / before.total());
    let nothing_wrong = seen.failed + seen.wrong + seen.wrong_in_chaos == 0;
    let fine = nothing_wrong && is_flat && seen.deeds.iter().all(|times| *times > 0);
    println!("{}", if fine { "holds" } else { "does not hold" });
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The results of one run.
struct Seen {
    requests: usize,
    failed: usize,
    checked: usize,
    wrong: usize,
    deeds: [usize; DEEDS.len()],
    wrong_in_chaos: usize,
}

fn all_at_once(world: &World, server: &Server, seconds: u32) -> Seen {
    let idle = open_files(server);
    let looking = Checker::start(world, server);
    let over = Arc::new(AtomicBool::new(false));
    let seen = scope(|scope| {
        let chaos: ScopedJoinHandle<'_, _> = scope.spawn(|| chaos(world, server, &over));
        let requests = load(world, server, seconds, || {});
        over.store(true, Ordering::Relaxed);
        let (deeds, wrong_in_chaos) = chaos.join().expect("the chaos ends");
        let (checked, wrong) = looking.end();
        let failed = requests.iter().filter(|request| request.failed).count();
        Seen { requests: requests.len(), failed, checked, wrong, deeds, wrong_in_chaos }
    });
    let begun = Instant::now();
    while open_files(server) > idle {
        assert!(begun.elapsed() < PATIENCE, "connections are left open");
        std::thread::sleep(Duration::from_millis(10));
    }
    seen
}

/// Counts the open files and sockets of the process.
fn open_files(server: &Server) -> usize {
    let folder = std::fs::read_dir(format!("/proc/{}/fd", server.id()));
    folder.expect("Linux's /proc").count()
}

/// One kind of attack. Returns true if the answers were right.
type Deed = fn(&World, &Server, usize) -> bool;

const DEEDS: [(&str, Deed); 6] = [
    ("rapid resets", resets),
    ("half uploads", half_uploads),
    ("misdirected storms", storm),
    ("garbage", garbage),
    ("dropped handshakes", dropped_handshakes),
    ("not reading", not_reading),
];

/// Runs the attacks in turns until `over`; returns the runs of each and the wrong answers.
fn chaos(world: &World, server: &Server, over: &AtomicBool) -> ([usize; DEEDS.len()], usize) {
    let (mut times, mut wrong) = ([0; DEEDS.len()], 0);
    let mut turn = 0;
    while !over.load(Ordering::Relaxed) {
        let at = turn % DEEDS.len();
        let (name, deed) = DEEDS[at];
        if !deed(world, server, turn / DEEDS.len()) {
            println!("{name}: a wrong answer");
            wrong += 1;
        }
        times[at] += 1;
        turn += 1;
    }
    (times, wrong)
}

fn connect(world: &World, server: &Server) -> Raw {
    Raw::connect(world, server, OWN)
}

/// Returns the authorities of both hosts, with the port that the server listens on.
fn authorities(server: &Server) -> [String; 2] {
    [OWN, OTHER].map(|host| format!("{host}:{}", server.address.port()))
}

fn is_served(answer: &raw::Answer) -> bool {
    answer.status == Some(200) && answer.content == b"a\n" && answer.ended
}

fn is_refused(answer: &raw::Answer) -> bool {
    answer.status == Some(421) && answer.content == CONTENT_421.as_bytes()
}

/// Resets requests at once, a few at a time, so that the connection stays open.
fn resets(world: &World, server: &Server, turn: usize) -> bool {
    let (mut raw, hosts) = (connect(world, server), authorities(server));
    for nth in 0..50 {
        let stream = raw.stream();
        let host = &hosts[(nth + turn) % 2];
        raw.send(&[raw::get(stream, host), raw::reset(stream)].concat());
        if nth % 5 == 4 {
            raw.settle();
        }
    }
    is_served(&raw.ask(&hosts[0]))
}

/// Sends half an upload to either host, then closes the connection.
fn half_uploads(world: &World, server: &Server, turn: usize) -> bool {
    let (mut raw, hosts) = (connect(world, server), authorities(server));
    for nth in 0..20 {
        let stream = raw.stream();
        raw.send(&raw::post(stream, &hosts[(nth + turn) % 2]));
        raw.send_data(stream, 10_000, false);
    }
    is_served(&raw.ask(&hosts[0]))
}

/// Sends requests for an unknown host; each must be refused.
fn storm(world: &World, server: &Server, _: usize) -> bool {
    let (mut raw, [own, other]) = (connect(world, server), authorities(server));
    (0..20).all(|_| {
        let streams: Vec<u32> = (0..100).map(|_| raw.stream()).collect();
        raw.send(&streams.iter().flat_map(|stream| raw::get(*stream, &other)).collect::<Vec<u8>>());
        streams.into_iter().all(|stream| is_refused(&raw.answer(stream)))
            && is_served(&raw.ask(&own))
    })
}

/// Sends a wrong preface or bytes that are not TLS; the server must close the connection.
fn garbage(world: &World, server: &Server, turn: usize) -> bool {
    let octets = vec![u8::try_from(turn % 256).unwrap_or(0); 1_000];
    let mut raw = Raw::silent(world, server, OWN);
    raw.send(&octets);
    raw.end();
    let mut socket = server.connect();
    // The server may close or reset the connection before the last byte.
    let _ = socket.write_all(&octets);
    let _ = socket.read_to_end(&mut Vec::new());
    raw.answers.is_empty()
}

/// Sends a partial ClientHello, or a whole one without waiting for the answer.
fn dropped_handshakes(world: &World, server: &Server, turn: usize) -> bool {
    for versions in tls::EACH {
        let hello = tls::client_hello(tls::config(world, versions, None), OWN);
        for len in [turn % hello.len(), hello.len()] {
            let _ = server.connect().write_all(&hello[..len]);
        }
    }
    true
}

/// Sends many requests and closes the connection without reading.
fn not_reading(world: &World, server: &Server, _: usize) -> bool {
    let mut raw = connect(world, server);
    for _ in 0..40 {
        let hosts = [OWN, OTHER, OTHER, OTHER, OTHER];
        let asked: Vec<u8> = hosts.iter().flat_map(|host| raw::get(raw.stream(), host)).collect();
        raw.send(&asked);
    }
    true
}
