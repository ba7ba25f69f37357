//! Tables of the measurements, for a terminal and for the document.

use std::fmt::Write as _;

use anyhow::Result;
use coalesce_benches::table::{Table, between, figure};

use crate::case::Case;
use crate::kinds::{BASELINE, KINDS, Kind, OURS};
use crate::records::{Figure, Records};
use crate::{calls, cpu, instructions, latency, memory, parts, scaling};

/// Marks a missing figure.
const NONE: &str = "–";

/// A table and its title.
type Titled = (String, Table);

/// Returns the tables of a set.
pub(crate) fn tables(records: &Records, set: &str) -> Vec<Titled> {
    let tables = match set {
        cpu::SET => cpu_tables(records),
        instructions::SET => vec![instructions_table(records), parts_table(records)],
        calls::SET => vec![calls_table(records)],
        latency::SET => vec![latency_table(records)],
        memory::SET => vec![memory_table(records)],
        scaling::SET => vec![scaling_table(records)],
        _ => Vec::new(),
    };
    tables.into_iter().filter(|(_, table)| !table.rows.is_empty()).collect()
}

/// Returns the tables of a set as text for a terminal.
pub(crate) fn plain(records: &Records, set: &str) -> String {
    let text = |(title, table): Titled| format!("\n{title}\n{}", table.plain());
    tables(records, set).into_iter().map(text).collect()
}

/// Writes all measurements between the marks of a document, and keeps the rest of the document.
///
/// # Errors
/// Returns an error if a mark is missing.
pub(crate) fn fill(document: &str, records: &Records, sets: &[&str]) -> Result<String> {
    let mut text = between(document, "machine", &machine(records))?;
    text = between(&text, "servers", &servers(records))?;
    for set in sets {
        let mut body = String::new();
        for (title, table) in tables(records, set) {
            let _ = write!(body, "{title}:\n\n{}", table.markdown(true));
        }
        text = between(&text, set, &body)?;
    }
    Ok(text)
}

fn machine(records: &Records) -> String {
    records.machine().map_or_else(
        || "Nothing was measured.".to_owned(),
        |machine| {
            format!(
                "{}, {} cores; {}; {}.",
                machine.cpu, machine.cores, machine.rustc, machine.date
            )
        },
    )
}

fn servers(records: &Records) -> String {
    let mut table = Table::new(["server", "version", "how it answers"]);
    for kind in &KINDS {
        let version = if kind.is_own() {
            "this workspace".to_owned()
        } else {
            records.version(kind.name).unwrap_or(NONE).to_owned()
        };
        table.rows.push(vec![shown(kind), version, kind.about.to_owned()]);
    }
    table.markdown(false)
}

/// Prints Coalesce and the baseline in bold.
fn shown(kind: &Kind) -> String {
    if [OURS, BASELINE].contains(&kind.name) {
        format!("**{}**", kind.name)
    } else {
        kind.name.to_owned()
    }
}

/// Formats a ratio with three decimals, so that a difference of one percent is visible.
fn ratio(figure: Option<&Figure>) -> String {
    let Some(figure) = figure else { return NONE.to_owned() };
    let mut text = format!("{:.3}", figure.value);
    // A ratio of a server to itself has no interval.
    if let Some([low, high]) = figure.interval.filter(|[low, high]| low < high) {
        let _ = write!(text, " [{low:.3}, {high:.3}]");
    }
    text
}

/// Returns the number of rounds of a set's figures, or the lowest if they differ.
fn rounds(records: &Records, set: &str) -> String {
    let fewest = records.figures(set).filter_map(|figure| figure.rounds).min();
    fewest.map_or_else(String::new, |rounds| format!("; {rounds} rounds"))
}

fn value(found: Option<&Figure>) -> String {
    found.map_or_else(|| NONE.to_owned(), |found| figure(found.value))
}

fn kibibytes(found: Option<&Figure>) -> String {
    found.map_or_else(|| NONE.to_owned(), |found| format!("{:.2}", found.value / 1024.0))
}

/// Returns a table for each case and number of connections with figures.
fn cpu_tables(records: &Records) -> Vec<Titled> {
    let mut loads: Vec<(Case, usize)> = Vec::new();
    for figure in records.figures(cpu::SET) {
        if let Some((case, connections)) = figure.case.split_once(", ")
            && let (Some(case), Ok(connections)) = (Case::by_name(case), connections.parse())
            && !loads.contains(&(case, connections))
        {
            loads.push((case, connections));
        }
    }
    loads.sort_unstable();
    loads.into_iter().map(|(case, connections)| cpu_table(records, case, connections)).collect()
}

fn cpu_table(records: &Records, case: Case, connections: usize) -> Titled {
    let load = cpu::load_name(case, connections);
    let mut columns =
        vec![("to bare-h2 [95 %]", cpu::TO_BASELINE), ("coalesce to it [95 %]", cpu::OURS_TO_IT)];
    if case != Case::Served {
        columns.push(("to its own 200 [95 %]", cpu::TO_SERVED));
    }
    let names = columns.iter().map(|(name, _)| *name);
    let mut table = Table::new(["server", "CPU, µs"].into_iter().chain(names));
    for kind in &KINDS {
        let of = |quantity| records.figure(cpu::SET, kind.name, &load, quantity);
        let mut row = vec![shown(kind)];
        if let Some(absent) = records.absent(cpu::SET, kind.name) {
            row.push(absent.reason.clone());
            row.resize(columns.len() + 2, NONE.to_owned());
        } else if of(cpu::MICROSECONDS).is_some() {
            row.push(value(of(cpu::MICROSECONDS)));
            row.extend(columns.iter().map(|(_, quantity)| ratio(of(quantity))));
        } else {
            continue;
        }
        table.rows.push(row);
    }
    let plural = if connections == 1 { "" } else { "s" };
    let title = format!("A {}, {connections} connection{plural} of 100 streams", case.name());
    (title + &rounds(records, cpu::SET), table)
}

fn instructions_table(records: &Records) -> Titled {
    let mut table = Table::new([
        "request",
        "bare-h2, instructions",
        "coalesce, instructions",
        "coalesce to bare-h2",
        "coalesce to its own 200",
        "bare-h2, allocations",
        "coalesce, allocations",
    ]);
    for case in Case::ALL {
        let of = |server, case: Case, quantity| {
            records.figure(instructions::SET, server, case.name(), quantity)
        };
        let count = |server, case| of(server, case, instructions::INSTRUCTIONS);
        let (Some(bare), Some(ours)) = (count(BASELINE, case), count(OURS, case)) else { continue };
        let to_own = count(OURS, Case::Served).map(|served| ours.value / served.value);
        table.rows.push(vec![
            case.name().to_owned(),
            figure(bare.value),
            figure(ours.value),
            format!("{:.3}", ours.value / bare.value),
            to_own.map_or_else(|| NONE.to_owned(), |ratio| format!("{ratio:.3}")),
            value(of(BASELINE, case, instructions::ALLOCATIONS)),
            value(of(OURS, case, instructions::ALLOCATIONS)),
        ]);
    }
    ("One request of a burst of 100".to_owned(), table)
}

/// Returns the instructions by part: a row for each part, two columns for each case.
fn parts_table(records: &Records) -> Titled {
    let columns = Case::ALL.into_iter().flat_map(|case| [(case, BASELINE), (case, OURS)]);
    let columns: Vec<_> = columns.collect();
    let name = |(case, server): &(Case, &str)| format!("{}: {server}", case.name());
    let mut table = Table::new(["part".to_owned()].into_iter().chain(columns.iter().map(name)));
    for part in parts::all() {
        let of = |(case, server): &(Case, &str)| {
            records.figure(instructions::SET, server, case.name(), part)
        };
        if columns.iter().any(|column| of(column).is_some()) {
            let cells = columns.iter().map(|column| value(of(column)));
            table.rows.push([part.to_owned()].into_iter().chain(cells).collect());
        }
    }
    ("Instructions of one request by the crates that the functions are of".to_owned(), table)
}

fn calls_table(records: &Records) -> Titled {
    let mut table = Table::new([
        "server",
        "request, connections",
        "system calls",
        "waiting",
        "reading",
        "writing",
        "wake-ups",
        "TLS records",
        "bytes in each",
        "client's records",
    ]);
    let mut loads: Vec<&str> = records.figures(calls::SET).map(|found| &*found.case).collect();
    loads.sort_unstable();
    loads.dedup();
    for load in loads {
        for server in [BASELINE, OURS] {
            let of = |quantity: &str| records.figure(calls::SET, server, load, quantity);
            let Some(all) = of(calls::ALL_CALLS) else { continue };
            let sum = |names: &[&str]| {
                let values = names.iter().filter_map(|name| of(name)).map(|found| found.value);
                format!("{:.4}", values.fold(0.0, |sum, value| sum + value))
            };
            let small = |found: Option<&Figure>| {
                found.map_or_else(|| NONE.to_owned(), |found| format!("{:.4}", found.value))
            };
            table.rows.push(vec![
                server.to_owned(),
                load.to_owned(),
                small(Some(all)),
                sum(&calls::WAITING),
                sum(&calls::READING),
                sum(&calls::WRITING),
                small(of(calls::WAKE_UPS)),
                small(of(calls::RECORDS)),
                value(of(calls::RECORD_BYTES)),
                small(of(calls::CLIENT_RECORDS)),
            ]);
        }
    }
    ("For each request".to_owned(), table)
}

fn latency_table(records: &Records) -> Titled {
    let mut table = Table::new([
        "server",
        "request",
        "p50, µs",
        "to bare-h2 [95 %]",
        "p99, µs",
        "to bare-h2 [95 %]",
    ]);
    for case in Case::ALL {
        for server in [BASELINE, OURS] {
            let of = |quantity: &str| records.figure(latency::SET, server, case.name(), quantity);
            if of("p50").is_none() {
                continue;
            }
            let mut row = vec![server.to_owned(), case.name().to_owned()];
            for (name, _) in latency::QUANTILES {
                row.push(value(of(name)));
                row.push(ratio(of(&format!("{name} {}", cpu::TO_BASELINE))));
            }
            table.rows.push(row);
        }
    }
    ("A lone request on an idle connection".to_owned() + &rounds(records, latency::SET), table)
}

fn memory_table(records: &Records) -> Titled {
    let mut table = Table::new(["server", "KiB for an idle connection", "KiB for an open stream"]);
    for server in [BASELINE, OURS] {
        let of = |quantity| records.figure(memory::SET, server, "", quantity);
        if of(memory::PER_CONNECTION).is_some() {
            table.rows.push(vec![
                server.to_owned(),
                kibibytes(of(memory::PER_CONNECTION)),
                kibibytes(of(memory::PER_STREAM)),
            ]);
        }
    }
    ("Memory of the process".to_owned(), table)
}

fn scaling_table(records: &Records) -> Titled {
    let mut table = Table::new([
        "server",
        "request",
        "workers",
        "requests a second",
        "to one worker [95 %]",
        "CPU, µs",
        "processors busy",
    ]);
    for case in Case::PLAIN {
        for server in [BASELINE, OURS] {
            for workers in scaling::WORKERS {
                let load = cpu::load_name(case, workers);
                let of = |quantity| records.figure(scaling::SET, server, &load, quantity);
                if of(cpu::PER_SECOND).is_some() {
                    table.rows.push(vec![
                        server.to_owned(),
                        case.name().to_owned(),
                        workers.to_string(),
                        value(of(cpu::PER_SECOND)),
                        ratio(of(scaling::TO_ONE)),
                        value(of(cpu::MICROSECONDS)),
                        value(of(scaling::BUSY)),
                    ]);
                }
            }
        }
    }
    ("10 connections of 100 streams".to_owned() + &rounds(records, scaling::SET), table)
}

#[cfg(test)]
mod tests;
