//! Sends requests to a server on several connections while the server reloads, judges each answer,
//! and measures the memory of the server's processes.
//!
//! ```sh
//! cargo run -p coalesce-tests --example reloads -- \
//!     ADDRESS CERTIFICATES PROCESS SECONDS LOST_MAX COMMAND...
//! ```
//!
//! CERTIFICATES is the folder that `coalesce-lab world` made, and PROCESS the first process of the
//! server. `LOST_MAX` is the share of requests, in percent, that may have no answer: 0, but for a
//! server that loses requests without a module too. COMMAND makes one reload.
//!
//! The exit code is 0 if no request had an answer that `reloads/load.toml` does not accept, not
//! more requests were lost, and the memory at the end is at most `MEMORY_GROWTH_MAX` above that
//! after the first reloads. A request that the server says it did not process is not lost, because
//! clients send it again (RFC 9113 §6.8, §8.7).
#![allow(clippy::print_stdout, reason = "the program prints a report")]

#[path = "reloads/load.rs"]
mod load;
#[path = "reloads/processes.rs"]
mod processes;

use std::env;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use coalesce_lab::{Scenarios, Target};

use load::{CONNECTIONS, Counts, load};
use processes::{Processes, settled};

/// The largest growth of memory, as a share. Pages that a process touches for the first time, and
/// the fragments of an allocator, take some percent; a table that each reload leaves behind takes
/// more within seconds.
const MEMORY_GROWTH_MAX: f64 = 0.15;

/// From the beginning of one reload to that of the next, unless the reload itself takes longer.
const PERIOD: Duration = Duration::from_secs(1);

/// The first reloads, after which each process has touched the memory that it needs.
const WARM_UP: Duration = Duration::from_secs(4);

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [address, certificates, process, seconds, lost_max, command @ ..] = arguments.as_slice()
    else {
        panic!("expected ADDRESS CERTIFICATES PROCESS SECONDS LOST_MAX COMMAND...");
    };
    let address = address.parse().expect("an address as IP:PORT");
    let target = Target::new(address, certificates.as_ref()).expect("a folder of certificates");
    let process = process.parse().expect("the number of a process");
    let seconds = Duration::from_secs(seconds.parse().expect("a number of seconds"));
    let lost_max = lost_max.parse().expect("a share in percent");
    let scenarios = Scenarios::parse("load.toml", include_str!("reloads/load.toml"));
    let scenarios = scenarios.expect("scenarios");

    let at_start = Processes::read(process);
    let mut counts = Counts::default();
    let mut turn = |time| {
        let (counted, reloads) = load_and_reload(&target, &scenarios, time, command);
        counts.add(counted);
        (reloads, settled(process, at_start.count()))
    };
    let (first, warm) = turn(WARM_UP);
    let (more, end) = turn(seconds);
    report(&counts, first + more, lost_max, &warm, &end)
}

/// Sends requests for a while, and reloads meanwhile; returns how often.
fn load_and_reload(
    target: &Target,
    scenarios: &Scenarios,
    time: Duration,
    command: &[String],
) -> (Counts, usize) {
    let ends = AtomicBool::new(false);
    scope(|threads| {
        let load = threads.spawn(|| load(target, scenarios, &ends));
        let until = Instant::now() + time;
        let mut reloads = 0;
        loop {
            let next = Instant::now() + PERIOD;
            sleep(next.min(until).saturating_duration_since(Instant::now()));
            if Instant::now() >= until {
                break;
            }
            if let Err(problem) = reload(command) {
                // No panic here, because the load would go on.
                println!("{command:?}: {problem}");
                break;
            }
            reloads += 1;
        }
        ends.store(true, Ordering::Relaxed);
        (load.join().expect("the load"), reloads)
    })
}

fn reload(command: &[String]) -> Result<(), String> {
    let (program, arguments) = command.split_first().ok_or("expected a command that reloads")?;
    let status = Command::new(program).args(arguments).status();
    let status = status.map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(status.to_string()) }
}

/// Prints the figures, and returns the exit code.
fn report(
    counts: &Counts,
    reloads: usize,
    lost_max: f64,
    warm: &Processes,
    end: &Processes,
) -> ExitCode {
    let growth = end.memory() / warm.memory() - 1.0;
    println!("reloads             {reloads}, beside {CONNECTIONS} connections at a time");
    println!("connections         {}", counts.connections);
    println!("served, refused     {}, {}", counts.served, counts.refused);
    println!("not processed       {}, which clients send again", counts.unprocessed);
    println!("wrong               {}", counts.wrong);
    let share = counts.lost_share();
    println!("lost                {} ({share:.1} %, at most {lost_max} %)", counts.lost);
    for (what, times) in &counts.faults {
        println!("    {times} x {what}");
    }
    println!(
        "memory, KiB         {:.0} after the first reloads, {:.0} at the end: {:+.1} %",
        warm.memory(),
        end.memory(),
        100.0 * growth
    );
    let new = end.new_since(warm);
    println!(
        "processes           {} then, {} at the end, {new} of them new",
        warm.count(),
        end.count()
    );
    // A server of several processes replaces all but the first when it reloads.
    let has_reloaded = reloads > 0 && (end.count() == 1 || new > 0);
    let is_fine =
        counts.wrong == 0 && share <= lost_max && counts.served > 0 && growth <= MEMORY_GROWTH_MAX;
    let is_fine = is_fine && has_reloaded;
    println!("{}", if is_fine { "holds" } else { "does not hold" });
    if is_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
