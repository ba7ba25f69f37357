//! Counts instructions and allocations of one request with callgrind.
//!
//! A server runs under valgrind and answers bursts of [`BURST`] requests on one connection:
//! [`SHORT`] bursts in one run, [`LONG`] in another. Start, handshake and end cost the same in both
//! runs, so the difference divided by the additional requests is the cost of one request. The
//! program's own client waits for a whole burst before it sends the next one, so that the server
//! always has a whole burst to read, although valgrind makes it slow.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;

use anyhow::{Context as _, Result};

use crate::callgrind::Profile;
use crate::case::Case;
use crate::client::Client;
use crate::kinds::Kind;
use crate::parts::part;
use crate::records::{Figure, Record};
use crate::run::Bench;

/// The requests in flight at once, as many as a browser or `h2load -m100` sends.
pub(crate) const BURST: usize = 100;
/// The bursts of the shorter run. After them tables are filled, and windows and buffers have grown.
const SHORT: usize = 5;
/// The bursts of the longer run.
const LONG: usize = 45;
/// The number of functions to print.
const FUNCTIONS: usize = 60;

pub(crate) const SET: &str = "instructions";
pub(crate) const INSTRUCTIONS: &str = "instructions";
pub(crate) const ALLOCATIONS: &str = "allocations";

/// Counts for one server and one case.
pub(crate) fn count(bench: &Bench<'_>, kind: &'static Kind, case: Case) -> Result<Vec<Record>> {
    let short = profile(bench, kind, case, SHORT)?;
    let long = profile(bench, kind, case, LONG)?;
    let requests = ((LONG - SHORT) * BURST) as f64;
    let per_request = |long: u64, short: u64| (long as f64 - short as f64) / requests;
    let mut records = vec![
        figure(kind, case, INSTRUCTIONS, per_request(long.instructions, short.instructions)),
        figure(kind, case, ALLOCATIONS, per_request(long.allocations, short.allocations)),
    ];
    let mut parts: BTreeMap<&'static str, f64> = BTreeMap::new();
    for (name, cost) in &long.functions {
        let before = short.functions.get(name).copied().unwrap_or(0);
        *parts.entry(part(name)).or_default() += per_request(*cost, before);
    }
    records.extend(parts.into_iter().map(|(part, cost)| figure(kind, case, part, cost)));
    if bench.functions {
        print_functions(kind, case, &long, &short, requests)?;
    }
    Ok(records)
}

fn figure(kind: &Kind, case: Case, quantity: &str, value: f64) -> Record {
    Record::Figure(Figure::new(SET, kind.name, case.name(), quantity, value))
}

/// Does one run under valgrind.
fn profile(bench: &Bench<'_>, kind: &'static Kind, case: Case, bursts: usize) -> Result<Profile> {
    let counted = bench.world.scratch("callgrind")?.join(format!("{}-{bursts}", kind.name));
    let wrapper = [
        "valgrind".to_owned(),
        "--quiet".to_owned(),
        "--tool=callgrind".to_owned(),
        format!("--callgrind-out-file={}", counted.display()),
    ];
    let server = bench.launch(kind, &wrapper).start()?;
    let client = Client::new(bench.world)?;
    client.run(async {
        let mut connection = client.connect(server.address).await?;
        for _ in 0..bursts {
            connection.burst(case, BURST).await?;
        }
        Ok(())
    })?;
    server.stop()?;
    let text = fs::read_to_string(&counted)
        .with_context(|| format!("callgrind wrote no {}", counted.display()))?;
    Profile::parse(&text)
}

/// Prints the functions with the highest cost.
fn print_functions(
    kind: &Kind,
    case: Case,
    long: &Profile,
    short: &Profile,
    requests: f64,
) -> Result<()> {
    let cost = |(name, cost): (&String, &u64)| {
        let before = short.functions.get(name).copied().unwrap_or(0);
        ((*cost as f64 - before as f64) / requests, name.clone())
    };
    let mut functions: Vec<_> = long.functions.iter().map(cost).collect();
    functions.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut output = std::io::stdout().lock();
    writeln!(output, "\n{} {}, instructions of one request by function", kind.name, case.name())?;
    for (cost, name) in functions.iter().take(FUNCTIONS) {
        writeln!(output, "{cost:>9.1}  {:<18}  {name}", part(name))?;
    }
    Ok(())
}
