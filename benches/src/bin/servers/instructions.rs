//! Instructions and allocations of one request, counted by callgrind.
//!
//! A server runs under valgrind and answers bursts of [`BURST`] requests on one connection: once
//! [`SHORT`] of them, once [`LONG`]. What it did besides (starting, the handshake, ending) is the same
//! both times, so the difference divided by the requests between is the cost of a request. The
//! program's own client waits for a whole burst before it sends the next one, so that a server which
//! valgrind makes slow always has all of it to read.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;

use anyhow::{Context as _, Result};

use crate::callgrind::Profile;
use crate::case::Case;
use crate::client::Client;
use crate::kinds::Kind;
use crate::records::{Figure, Record};
use crate::run::Bench;

/// Requests in flight at once: what a browser or `h2load -m100` sends.
pub(crate) const BURST: usize = 100;
/// Bursts of the shorter run: tables are filled, windows and buffers have grown.
const SHORT: usize = 5;
/// Bursts of the longer one.
const LONG: usize = 45;
/// Functions that are printed.
const FUNCTIONS: usize = 60;

/// Counts for one server and one case.
pub(crate) fn count(bench: &Bench<'_>, kind: &'static Kind, case: Case) -> Result<Vec<Record>> {
    let short = profile(bench, kind, case, SHORT)?;
    let long = profile(bench, kind, case, LONG)?;
    let requests = ((LONG - SHORT) * BURST) as f64;
    let per_request = |long: u64, short: u64| (long as f64 - short as f64) / requests;
    let mut records = vec![
        figure(kind, case, "instructions", per_request(long.instructions, short.instructions)),
        figure(kind, case, "allocations", per_request(long.allocations, short.allocations)),
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
    Record::Figure(Figure::new("instructions", kind.name, case.name(), quantity, value))
}

/// One run under valgrind.
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

/// Which part of the program a function is of, by the crate in its name. What was inlined counts as
/// the function that it was inlined into.
fn part(function: &str) -> &'static str {
    const PARTS: [(&str, &[&str]); 7] = [
        ("h2", &["h2", "http", "slab", "indexmap", "hashbrown", "fnv", "bytes", "atomic_waker"]),
        ("TLS", &["rustls", "tokio_rustls", "ring", "subtle", "zeroize", "rustls_pki_types"]),
        ("Coalesce", &["coalesce", "coalesce_h2", "coalesce_core", "coalesce_tls"]),
        ("the baseline's own", &["bare_h2"]),
        ("tokio", &["tokio", "mio", "parking_lot", "parking_lot_core"]),
        ("logging", &["tracing", "tracing_core", "tracing_subscriber", "log"]),
        ("std", &["std", "core", "alloc"]),
    ];
    const ALLOCATOR: [&str; 12] = [
        "malloc",
        "free",
        "realloc",
        "calloc",
        "_int_malloc",
        "_int_free",
        "_int_realloc",
        "malloc_consolidate",
        "unlink_chunk",
        "__rdl_alloc",
        "cfree",
        "tcache_get",
    ];
    let plain = function.trim_end_matches(|last: char| last == '\'' || last.is_ascii_digit());
    let base = plain.split(['.', '@']).next().unwrap_or(plain);
    if ALLOCATOR.contains(&base) || base.starts_with("__rust_") || base.contains("__rdl_") {
        return "allocator";
    }
    if base.starts_with("__mem") || base.starts_with("mem") && !base.contains("::") {
        return "copying";
    }
    let path = function.trim_start_matches(['<', '&', '*', '(']).trim_start_matches("mut ");
    let path = path.trim_start_matches("dyn ");
    let first = path.split(|next: char| !next.is_alphanumeric() && next != '_').next();
    let of = |(name, crates): &(&'static str, &[&str])| {
        first.filter(|first| crates.contains(first)).map(|_| *name)
    };
    if let Some(name) = PARTS.iter().find_map(of) {
        return name;
    }
    // The cryptography that ring has from elsewhere is in C and assembly.
    if ["ring_core", "aes", "gcm", "gf_", "chacha", "x25519", "bn_", "ecp", "p256", "fe_"]
        .iter()
        .any(|start| base.starts_with(start))
    {
        return "TLS";
    }
    "libc and the rest"
}

/// The functions that cost most.
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
