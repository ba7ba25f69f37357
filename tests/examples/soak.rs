//! Reloads a table of 100,000 names repeatedly while `h2load` sends requests on ten connections.
//! Reports the cost: failed requests, wrong answers, latencies and memory.
//!
//! ```sh
//! cargo run --release -p coalesce-tests --example soak [-- compiled | built] [RELOADS] [SECONDS]
//! ```
//!
//! `compiled` (the default) replaces a compiled table by renaming. `built` has all names in the
//! configuration, from which the server builds a table. Beside `h2load`, a client of this program
//! checks the content of every answer. The exit code is 0 if no request failed, no answer was
//! wrong, the 99th percentile with reloads is at most 1.5 times the one without, and the memory is
//! back to that of one table. Otherwise the exit code is 1.
//!
//! ```sh
//! cargo run --release -p coalesce-tests --example soak -- chaos [SECONDS]
//! ```
//!
//! `chaos` reloads nothing. For ten minutes, or SECONDS, a hostile client runs beside the others:
//! it resets streams, breaks off uploads and handshakes, requests unknown hosts, sends garbage and
//! does not read. The exit code is 0 if no served request was lost, no answer was wrong, and the
//! memory at the end is within 5% of that after a warm-up.
#![allow(clippy::print_stdout, reason = "the program prints a report")]

#[path = "soak/chaos.rs"]
mod chaos;
#[path = "soak/checker.rs"]
mod checker;
#[path = "soak/load.rs"]
mod load;
#[path = "soak/memory.rs"]
mod memory;
#[path = "soak/world.rs"]
mod world;

use std::fs;
use std::ops::Range;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use coalesce_tests::{Server, World};

use checker::Checker;
use load::{CONNECTIONS, Request, load, percentile};
use memory::{Memory, memory};
use world::{NAMES, put, world};

/// The largest 99th percentile with reloads, relative to the one without.
const RATIO_MAX: f64 = 1.5;

/// The number of turns. Turns with and without reloads alternate, so that other load of the machine
/// affects both alike.
const TURNS: u32 = 10;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    let mode = arguments.next_if(|argument| argument.parse::<u32>().is_err());
    let mut number =
        |default: u32| arguments.next().map_or(default, |text| text.parse().expect("a number"));
    let built = match mode.as_deref() {
        None | Some("compiled") => false,
        Some("built") => true,
        Some("chaos") => return chaos::run(&world(false, 1), number(600)),
        Some(other) => panic!("{other:?}: compiled, built or chaos expected"),
    };
    let (reloads, seconds) = (number(50).div_ceil(TURNS), number(40));
    let measured = measure(built, reloads, seconds);
    println!(
        "{NAMES} names, {} reloads in {seconds} s, {CONNECTIONS} connections",
        measured.took.len()
    );
    measured.report()
}

/// The figures of one run.
struct Measured {
    /// The requests of `h2load`, sorted by latency.
    requests: Vec<Request>,
    /// The periods that contain reloads.
    reloading: Vec<Range<u128>>,
    /// The seconds of each reload.
    took: Vec<f64>,
    checked: usize,
    wrong: usize,
    /// The size of one table, in KiB.
    table: u64,
    at_start: Memory,
    before: Memory,
    after: Memory,
}

/// Sends requests for `seconds` and makes `reloads` in every second turn.
fn measure(built: bool, reloads: u32, seconds: u32) -> Measured {
    let world = world(built, 2);
    let server = world.serve_with(&["--no-watch"]);
    let at_start = memory(server.id());
    // Warm up first: serving alone grows the memory.
    load(&world, &server, 2, || {});
    let before = memory(server.id());
    let checker = Checker::start(&world, &server);
    let turn = Duration::from_secs(seconds.into()) / (2 * TURNS);
    let (mut took, mut reloading) = (Vec::new(), Vec::new());
    let requests = load(&world, &server, seconds, || {
        for _ in 0..TURNS {
            sleep(turn);
            let began = now();
            for number in 0..reloads {
                let until = Instant::now() + turn / reloads;
                took.push(reload(&world, &server, took.len() + 1));
                sleep(until.saturating_duration_since(Instant::now()));
                if number + 1 == reloads {
                    reloading.push(began..now());
                }
            }
        }
    });
    let (contents, wrong) = checker.end();
    let table = fs::metadata(world.path("0.table")).map_or(0, |file| file.len() / 1024);
    let after = settled(&server, before.total() + table.max(1024));
    took.sort_by(f64::total_cmp);
    Measured { requests, reloading, took, checked: contents, wrong, table, at_start, before, after }
}

impl Measured {
    /// Prints the figures, and returns the exit code.
    fn report(&self) -> ExitCode {
        let Self { took, checked, wrong, table, at_start, before, after, .. } = self;
        let (with, without): (Vec<Request>, Vec<Request>) = self
            .requests
            .iter()
            .partition(|request| self.reloading.iter().any(|span| span.contains(&request.began)));
        let failed = self.requests.iter().filter(|request| request.failed).count();
        println!("requests            {} without reloads, {} with", without.len(), with.len());
        println!("failed or not 200   {failed}");
        println!("contents checked    {checked}, {wrong} wrong");
        let shown =
            |requests: &[Request]| [0.5, 0.99, 0.999].map(|part| percentile(requests, part));
        println!(
            "latency, us         p50, p99, p99.9: {:?} without, {:?} with",
            shown(&without),
            shown(&with)
        );
        let ratio = percentile(&with, 0.99) / percentile(&without, 0.99);
        println!("p99 ratio           {ratio:.2}");
        let last = took.len().saturating_sub(1);
        println!("a reload took, s    median {:.3}, longest {:.3}", took[last / 2], took[last]);
        println!("memory, KiB         {at_start:?} at the start, {before:?} warm, {after:?} after");
        println!("one table, KiB      {table}");
        let grown = after.total().saturating_sub(before.total());
        let fine = failed + wrong == 0 && ratio <= RATIO_MAX && grown < *table.max(&1024);
        println!("{}", if fine { "holds" } else { "does not hold" });
        if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Waits until the server's memory is below `wanted`, or 20 seconds, and returns it. The server
/// frees an old table after the last handshake with it, and the allocator returns memory after ten
/// seconds.
fn settled(server: &Server, wanted: u64) -> Memory {
    let begun = Instant::now();
    loop {
        let now = memory(server.id());
        if now.total() < wanted || begun.elapsed() > Duration::from_secs(20) {
            return now;
        }
        sleep(Duration::from_millis(500));
    }
}

/// Returns the microseconds since the epoch, the unit of `h2load`'s log.
fn now() -> u128 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.expect("a clock that is set").as_micros()
}

/// Makes the `times`th reload with the other configuration; returns the seconds it took.
fn reload(world: &World, server: &Server, times: usize) -> f64 {
    put(world, times);
    let begun = Instant::now();
    server.hang_up();
    loop {
        let log = fs::read_to_string(world.path("log")).expect("a log");
        if log.lines().filter(|line| line.contains(": reloaded ")).count() >= times {
            return begun.elapsed().as_secs_f64();
        }
        assert!(!log.contains("refused"), "{log}");
        assert!(begun.elapsed() < Duration::from_secs(60), "it is not reloaded: {log}");
        sleep(Duration::from_millis(5));
    }
}
