//! Tables of the measurements, for a terminal and as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use coalesce_benches::machine::Machine;
use coalesce_benches::table::{Table, figure};

use crate::loads::LOADS;
use crate::peers::{Answers, Difference, OURS, PEERS, PeerKind, REFERENCE, is_ours};
use crate::records::{Records, Time};
use crate::sets::{Depth, SETS, SetKind};

fn inverse(ratio: Option<f64>) -> String {
    ratio.filter(|ratio| *ratio > 0.0).map_or_else(|| "–".to_owned(), |ratio| figure(1.0 / ratio))
}

// ---------------------------------------------------------------- on a terminal

/// Lists sets, loads and peers.
pub(crate) fn list() -> String {
    let mut sets = Table::new(["set", "names", "wildcards", "measured"]);
    sets.rows = SETS.iter().map(set_row).collect();
    let mut text = sets.plain();
    text += "\nloads:";
    for (name, _) in LOADS {
        let _ = write!(text, " {name}");
    }
    text += "\n\npeers:\n";
    for peer in PEERS {
        let _ = writeln!(text, "{:<20} {}", peer.name, peer.about);
    }
    text
}

fn set_row(set: &SetKind) -> Vec<String> {
    let depth = if set.depth == Depth::OneLabel { "one label" } else { "any depth" };
    let usual = if set.usual { "by default" } else { "when named" };
    vec![set.name.into(), set.count.to_string(), depth.into(), usual.into()]
}

/// Shows all measurements on one set.
pub(crate) fn set(records: &Records, name: &str) -> String {
    let mut text = String::new();
    for (load, _) in LOADS {
        let times = times(records, name, load);
        if !times.is_empty() {
            let _ = writeln!(text, "\n{name}, {load}, nanoseconds for a lookup");
            text += &one_load(&times).plain();
        }
    }
    let builds: Vec<_> = records.builds().filter(|build| build.set == name).collect();
    if !builds.is_empty() {
        let mut table = Table::new(["peer", "bytes per name", "build, ms"]);
        for build in builds {
            let bytes = build.bytes_per_name.map_or_else(|| "n/a".to_owned(), figure);
            table.rows.push(vec![build.peer.clone(), bytes, figure(build.milliseconds)]);
        }
        let _ = write!(text, "\n{name}\n{}", table.plain());
    }
    let counted = instructions_table(records, name);
    if !counted.rows.is_empty() {
        let _ = write!(text, "\n{name}, instructions for a lookup\n{}", counted.plain());
    }
    for absent in records.absent().filter(|absent| absent.set == name) {
        let _ = writeln!(text, "{}: n/a, {}", absent.peer, absent.reason);
    }
    text
}

fn one_load(times: &[&Time]) -> Table {
    let mut table = Table::new([
        "peer",
        "overlapped",
        "peer/ours",
        "ours/peer",
        "dependent",
        "peer/ours",
        "ours/peer",
        "allocations",
        "wrong",
        "of",
    ]);
    for time in times {
        let ratio = |ratio: Option<f64>| ratio.map_or_else(|| "–".to_owned(), figure);
        table.rows.push(vec![
            time.peer.clone(),
            figure(time.overlapped_ns),
            ratio(time.overlapped_to_ours),
            inverse(time.overlapped_to_ours),
            figure(time.dependent_ns),
            ratio(time.dependent_to_ours),
            inverse(time.dependent_to_ours),
            figure(time.allocations),
            time.wrong.to_string(),
            time.checked.to_string(),
        ]);
    }
    table
}

/// Returns the times of one set and load, the fastest first.
fn times<'a>(records: &'a Records, set: &str, load: &str) -> Vec<&'a Time> {
    let mut times: Vec<_> =
        records.times().filter(|time| time.set == set && time.load == load).collect();
    times.sort_by(|a, b| a.overlapped_ns.total_cmp(&b.overlapped_ns));
    times
}

// ---------------------------------------------------------------- as Markdown

const COMMAND: &str = "cargo run --release -p coalesce-benches --bin peers \
                       --features openssl,sozu -- --results FILE --write benches/RESULTS.md\n\
                       # for each set (--set NAME, table-1e7 with --rounds 5), and --instructions";

/// Returns the whole document, with links to the plots.
pub(crate) fn markdown(records: &Records) -> String {
    let mut text = String::from("# Lookups beside those of others\n\n");
    if let Some(Machine { cpu, cores, rustc, date }) = records.machine() {
        let _ = writeln!(text, "{cpu}, {cores} cores; {rustc}; {date}. Written by\n");
    }
    let _ = writeln!(text, "```text\n{COMMAND}\n```\n");
    text += HOW;
    text += "## Size\n\n\
             ![nanoseconds for a lookup over the size of the table](plots/time.svg)\n\n\
             ![bytes for a name over the size of the table](plots/bytes.svg)\n\n";
    text += &curve(records);
    for set in &SETS {
        text += &one_set(records, set);
    }
    text += &peers(records);
    text
}

const HOW: &str = "\
Every peer gets the raw bytes of an authority, strips port and trailing dot, folds case, and returns
the number of the most specific entry. All peers run in one process, in turns. A ratio is the median
over rounds of the ratio within a round. *Overlapped* lookups are independent of each other; each
*dependent* lookup starts after the answer to the previous one is known. The numbers in brackets are
our time divided by the peer's, so below 1 we are faster. Bytes are those requested from the
allocator, without its overhead; for Coalesce the bytes of the table. `null` reads one byte of the
query: the cost of measuring, which all figures include. `src/bin/peers/loads.rs` and
`src/bin/peers/sets.rs` describe the loads and sets.

";

fn one_set(records: &Records, set: &SetKind) -> String {
    let overlapped = loads_table(records, set.name, |time| {
        format!("{} ({})", figure(time.overlapped_ns), inverse(time.overlapped_to_ours))
    });
    let mut text = String::new();
    if !overlapped.rows.is_empty() {
        let dependent = loads_table(records, set.name, |time| {
            format!("{} ({})", figure(time.dependent_ns), inverse(time.dependent_to_ours))
        });
        let _ = writeln!(text, "## `{}`\n\nOverlapped, nanoseconds (ours/peer):\n", set.name);
        text += &overlapped.markdown(true);
        text += "Dependent, nanoseconds (ours/peer):\n\n";
        text += &dependent.markdown(true);
        text += &builds_table(records, set.name).markdown(true);
    }
    let counted = instructions_table(records, set.name);
    if !counted.rows.is_empty() {
        let _ = writeln!(text, "Instructions for a lookup on `{}`:\n", set.name);
        text += &counted.markdown(true);
    }
    text
}

/// Returns the loads for which a set has figures.
fn loads_of(has: impl Fn(&str) -> bool) -> Vec<&'static str> {
    LOADS.iter().map(|(name, _)| *name).filter(|name| has(name)).collect()
}

/// Orders peers by their time on the mixed load, or on another load if that is missing.
fn loads_table(records: &Records, set: &str, cell: impl Fn(&Time) -> String) -> Table {
    let mut of_set: BTreeMap<(&str, &str), &Time> = BTreeMap::new();
    for time in records.times().filter(|time| time.set == set) {
        of_set.insert((&time.peer, &time.load), time);
    }
    let loads = loads_of(|load| of_set.keys().any(|(_, found)| *found == load));
    let mut table = Table::new(["peer"].into_iter().chain(loads.iter().copied()));
    let Some(order) = loads.iter().find(|load| **load == "mixed").or(loads.first()) else {
        return table;
    };
    for time in times(records, set, order) {
        let cells = loads.iter().map(|load| {
            of_set.get(&(&time.peer[..], load)).map_or_else(|| "–".to_owned(), |time| cell(time))
        });
        table.rows.push([shown(&time.peer)].into_iter().chain(cells).collect());
    }
    table
}

/// Prints Coalesce and the reference in bold.
fn shown(peer: &str) -> String {
    if is_ours(peer) || peer == REFERENCE { format!("**{peer}**") } else { peer.to_owned() }
}

fn builds_table(records: &Records, set: &str) -> Table {
    let mut table =
        Table::new(["peer", "bytes per name", "build, ms", "allocations, at most", "wrong"]);
    for build in records.builds().filter(|build| build.set == set) {
        let times = || records.times().filter(|time| time.set == set && time.peer == build.peer);
        let allocations = times().map(|time| time.allocations).fold(0.0, f64::max);
        let wrong: usize = times().map(|time| time.wrong).sum();
        let checked: usize = times().map(|time| time.checked).sum();
        table.rows.push(vec![
            shown(&build.peer),
            build.bytes_per_name.map_or_else(|| "n/a".to_owned(), figure),
            figure(build.milliseconds),
            figure(allocations),
            if checked == 0 { "–".to_owned() } else { format!("{wrong} of {checked}") },
        ]);
    }
    for absent in records.absent().filter(|absent| absent.set == set) {
        let none = || "–".to_owned();
        table.rows.push(vec![absent.peer.clone(), absent.reason.clone(), none(), none(), none()]);
    }
    table
}

fn instructions_table(records: &Records, set: &str) -> Table {
    let mut of_set: BTreeMap<&str, BTreeMap<&str, f64>> = BTreeMap::new();
    for counted in records.instructions().filter(|counted| counted.set == set) {
        of_set.entry(&counted.peer).or_default().insert(&counted.load, counted.count);
    }
    let loads = loads_of(|load| of_set.values().any(|loads| loads.contains_key(load)));
    let mut table = Table::new(["peer"].into_iter().chain(loads.iter().copied()));
    for peer in PEERS {
        if let Some(counted) = of_set.get(peer.name) {
            let cells = loads.iter().map(|load| {
                counted.get(load).map_or_else(|| "–".to_owned(), |count| format!("{count:.0}"))
            });
            table.rows.push([peer.name.to_owned()].into_iter().chain(cells).collect());
        }
    }
    table
}

/// Shows Coalesce from the smallest to the largest table, beside the reference.
fn curve(records: &Records) -> String {
    let mut table = Table::new([
        "table",
        "overlapped, ns",
        "dependent, ns",
        "ours/reference",
        "dependent",
        "bytes per name",
        "reference's",
        "build, ms",
    ]);
    for set in SETS.iter().filter(|set| is_on_curve(set)) {
        let times = times(records, set.name, "mixed");
        let time = |peer: &str| times.iter().find(|time| time.peer == peer).copied();
        let build =
            |peer: &str| records.builds().find(|build| build.set == set.name && build.peer == peer);
        let bytes = |peer: &str| {
            build(peer).and_then(|build| build.bytes_per_name).map_or_else(|| "–".into(), figure)
        };
        let Some(ours) = time(OURS) else { continue };
        let reference = time(REFERENCE);
        table.rows.push(vec![
            format!("`{}`", set.name),
            figure(ours.overlapped_ns),
            figure(ours.dependent_ns),
            inverse(reference.and_then(|time| time.overlapped_to_ours)),
            inverse(reference.and_then(|time| time.dependent_to_ours)),
            bytes(OURS),
            bytes(REFERENCE),
            build(OURS).map_or_else(|| "–".into(), |build| figure(build.milliseconds)),
        ]);
    }
    if table.rows.is_empty() {
        return String::new();
    }
    format!("Ours on the mixed load, beside `{REFERENCE}`:\n\n{}", table.markdown(true))
}

/// Returns whether the set is a table with any-depth wildcards. These differ only in size.
pub(crate) fn is_on_curve(set: &SetKind) -> bool {
    !set.certificate && set.depth == Depth::AnyDepth
}

fn peers(records: &Records) -> String {
    let mut table = Table::new(["peer", "what and how", "kept up by", "answers and differences"]);
    for peer in PEERS {
        table.rows.push(vec![
            peer.name.to_owned(),
            peer.about.to_owned(),
            peer.upkeep.to_owned(),
            differences(records, peer),
        ]);
    }
    format!("## Peers\n\n{}", table.markdown(false))
}

fn differences(records: &Records, peer: &PeerKind) -> String {
    let mut parts = vec![match peer.answers {
        Answers::Number => "the entry's number".to_owned(),
        Answers::Coverage => "covered or not, without saying by which name".to_owned(),
        Answers::Nothing => return "none".to_owned(),
    }];
    parts.extend(peer.differences.iter().copied().map(Difference::text).map(str::to_owned));
    let wrong: usize =
        records.times().filter(|time| time.peer == peer.name).map(|time| time.wrong).sum();
    if wrong > 0 {
        parts.push(format!("{wrong} answers differed"));
    }
    parts.join("; ")
}
