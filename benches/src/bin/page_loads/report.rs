//! The measurements as tables.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;
use coalesce_benches::statistics::{median, ratio_interval};
use coalesce_benches::table::{Table, between, figure};

use crate::drivers::{BASE, PEERS, Peer};
use crate::records::{Instructions, Record, Records, Sample};
use crate::trace::{SHAPES, Shape};

/// The text of a cell without a figure.
const NONE: &str = "–";

/// The samples of one client on one page, by the round-trip time.
type Samples<'a> = BTreeMap<u32, Vec<&'a Sample>>;

/// Formats all tables as text.
pub(crate) fn plain(records: &Records) -> String {
    let mut text = String::new();
    for (title, table) in tables(records) {
        let _ = writeln!(text, "{title}\n\n{}", table.plain());
    }
    text
}

/// Writes the tables between the marks of a document.
pub(crate) fn fill(document: &str, records: &Records) -> Result<String> {
    let mut body = String::new();
    for (title, table) in tables(records) {
        let _ = write!(body, "{title}:\n\n{}", table.markdown(true));
    }
    let text = between(document, "clients", &clients(records).markdown(false))?;
    between(&text, "page loads", &body)
}

fn clients(records: &Records) -> Table {
    let mut table = Table::new(["client", "version", "settings"]);
    for peer in &PEERS {
        let version = records.iter().find_map(|record| match record {
            Record::Version(version) if version.peer == peer.name => Some(version.version.clone()),
            _ => None,
        });
        let version = version.unwrap_or_else(|| NONE.to_owned());
        table.rows.push(vec![shown(peer), version, peer.about.to_owned()]);
    }
    table
}

fn tables(records: &Records) -> Vec<(String, Table)> {
    let mut tables = Vec::new();
    let mut losses: Vec<u32> = samples(records).map(|sample| sample.conditions.loss).collect();
    losses.sort_unstable();
    losses.dedup();
    for loss in losses {
        for shape in &SHAPES {
            tables.extend(page(records, shape, loss));
        }
    }
    tables.extend(instructions(records));
    tables
}

fn samples(records: &Records) -> impl Iterator<Item = &Sample> {
    records.iter().filter_map(|record| match record {
        Record::Sample(sample) => Some(sample),
        _ => None,
    })
}

/// Returns the right page loads of one client.
fn samples_of<'a>(records: &'a Records, shape: &Shape, peer: &str, loss: u32) -> Samples<'a> {
    let mut found = Samples::new();
    for sample in samples(records) {
        let of = &sample.conditions;
        if of.trace == shape.name && of.peer == peer && of.loss == loss && sample.is_right() {
            found.entry(of.round_trip).or_default().push(sample);
        }
    }
    found
}

/// Makes the table of one page, unless no client has loaded it.
fn page(records: &Records, shape: &Shape, loss: u32) -> Option<(String, Table)> {
    let all: Vec<(&Peer, Samples<'_>)> = PEERS
        .iter()
        .map(|peer| (peer, samples_of(records, shape, peer.name, loss)))
        .filter(|(_, samples)| !samples.is_empty())
        .collect();
    let mut round_trips: Vec<u32> =
        all.iter().flat_map(|(_, samples)| samples.keys().copied()).collect();
    round_trips.sort_unstable();
    round_trips.dedup();
    let base = samples_of(records, shape, BASE, loss);
    let mut head: Vec<String> =
        ["client", "connections", "TLS", "DNS", "KiB"].map(str::to_owned).into();
    for round_trip in &round_trips {
        head.push(format!("ms at {round_trip}"));
        head.push("ratio".to_owned());
    }
    head.push("rounds".to_owned());
    let mut table = Table::new(head);
    for (peer, samples) in &all {
        let mut row = vec![shown(peer)];
        row.extend(counts(samples));
        for round_trip in &round_trips {
            let of = samples.get(round_trip).map_or(&[][..], Vec::as_slice);
            let base = base.get(round_trip).map_or(&[][..], Vec::as_slice);
            row.extend(times(of, base));
        }
        row.push(rounds(samples));
        table.rows.push(row);
    }
    let Shape { name, about, hosts, operators, requests, .. } = shape;
    let on_link = if loss > 0 { format!(", {loss} % of packets lost") } else { String::new() };
    let title = format!(
        "`{name}`, {about}: {requests} requests to {hosts} hosts with {operators} certificates, \
         {} connections at least{on_link}",
        shape.fewest_connections()
    );
    (!all.is_empty()).then_some((title, table))
}

/// Returns connections, handshakes, DNS questions and bytes: medians at the middle round trip.
fn counts(samples: &Samples<'_>) -> [String; 4] {
    let Some(of) = samples.values().nth((samples.len() - 1) / 2) else {
        return [NONE; 4].map(str::to_owned);
    };
    let count = |figure: fn(&Sample) -> f64| {
        format!("{:.0}", median(of.iter().map(|sample| figure(sample)).collect()))
    };
    let resumed = count(|sample| sample.counts.resumed as f64);
    let full = count(|sample| sample.counts.full as f64);
    [
        count(|sample| sample.counts.accepted as f64),
        if resumed == "0" { full } else { format!("{full} + {resumed} resumed") },
        count(|sample| sample.counts.dns() as f64),
        count(|sample| sample.bytes as f64 / 1024.0),
    ]
}

/// Returns the median time, and its ratio to the base with the interval over common rounds.
fn times(of: &[&Sample], base: &[&Sample]) -> [String; 2] {
    if of.is_empty() {
        return [NONE; 2].map(str::to_owned);
    }
    let time = figure(median(of.iter().map(|sample| sample.milliseconds).collect()));
    let pairs: Vec<[f64; 2]> = of
        .iter()
        .filter_map(|sample| {
            let round = sample.conditions.round;
            let base = base.iter().find(|base| base.conditions.round == round)?;
            Some([sample.milliseconds, base.milliseconds])
        })
        .collect();
    let is_base = of.first().is_some_and(|sample| sample.conditions.peer == BASE);
    if pairs.is_empty() || is_base {
        return [time, if is_base { "1".to_owned() } else { NONE.to_owned() }];
    }
    let [ratio, low, high] = ratio_interval(&pairs);
    [time, format!("{ratio:.2} ({low:.2}–{high:.2})")]
}

fn rounds(samples: &Samples<'_>) -> String {
    let most = samples.values().map(Vec::len).max().unwrap_or(0);
    let least = samples.values().map(Vec::len).min().unwrap_or(0);
    if least == most { most.to_string() } else { format!("{least}–{most}") }
}

/// Makes the table of instructions, in millions.
fn instructions(records: &Records) -> Option<(String, Table)> {
    let all = || {
        records.iter().filter_map(|record| match record {
            Record::Instructions(of) => Some(of),
            _ => None,
        })
    };
    let find = |shape: &Shape, peer: &str| -> Option<&Instructions> {
        all().find(|of| of.trace == shape.name && of.peer == peer)
    };
    all().next()?;
    let mut table = Table::new(["page", "client", "client's", "server's", "both", "ratio of both"]);
    for shape in &SHAPES {
        for peer in &PEERS {
            let Some(of) = find(shape, peer.name) else { continue };
            let millions = |count: u64| figure(count as f64 / 1e6);
            let both = of.client + of.server;
            let ratio = find(shape, BASE).map_or_else(
                || NONE.to_owned(),
                |base| format!("{:.2}", both as f64 / (base.client + base.server) as f64),
            );
            table.rows.push(vec![
                shape.name.to_owned(),
                shown(peer),
                millions(of.client),
                millions(of.server),
                millions(both),
                ratio,
            ]);
        }
    }
    Some(("Millions of instructions of a page load without a round-trip time".to_owned(), table))
}

/// Formats the name of a client: this workspace's in bold.
fn shown(peer: &Peer) -> String {
    if peer.name.starts_with("ours") {
        format!("**{}**", peer.name.replace("ours", "coalesce-client"))
    } else {
        peer.name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use coalesce_benches::records::Record as _;

    use super::*;
    use crate::counts::Counts;
    use crate::records::Conditions;

    fn sample(peer: &str, round: u32, milliseconds: f64) -> Record {
        let conditions =
            Conditions { trace: "p50".into(), peer: peer.into(), round_trip: 20, loss: 0, round };
        let counts = Counts { accepted: 14, full: 12, resumed: 2, ..Counts::default() };
        Record::Sample(Sample { milliseconds, bytes: 2048, counts, ..Sample::of(conditions) })
    }

    #[test]
    fn page_has_counts_and_a_ratio_to_the_base() {
        let mut records = Records::default();
        for round in 0..5 {
            records.add([sample(BASE, round, 200.0), sample("reqwest", round, 300.0)]);
        }
        let (_, table) = page(&records, &SHAPES[0], 0).unwrap();
        let row = ["reqwest", "14", "12 + 2 resumed", "0", "2", "300", "1.50 (1.50–1.50)", "5"];
        assert_eq!(table.rows[1], row);
    }

    #[test]
    fn page_load_with_a_wrong_answer_is_left_out() {
        let mut records = Records::default();
        let Record::Sample(right) = sample("reqwest", 0, 1.0) else { unreachable!() };
        let wrong = Record::Sample(Sample { wrong: 1, ..right });
        records.add([wrong.clone()]);
        assert!(records.get(&wrong.key()).is_some());
        assert!(page(&records, &SHAPES[0], 0).is_none());
    }

    #[test]
    fn performance_document_has_all_marks() {
        let document = include_str!("../../../../docs/performance.md");
        let once = fill(document, &Records::default()).unwrap();
        assert_eq!(fill(&once, &Records::default()).unwrap(), once);
    }
}
