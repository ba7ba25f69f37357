use coalesce_benches::machine::Machine;

use super::*;
use crate::SETS;
use crate::records::{Absent, Record, Version};

/// Returns a minimal document.
fn document() -> String {
    let mut text = "# Title\n\nProse.\n\n".to_owned();
    for name in ["machine", "servers"].iter().chain(SETS.iter()) {
        let _ = write!(text, "<!-- {name} -->\nold\n<!-- end of {name} -->\n\nmore prose\n\n");
    }
    text
}

fn record(set: &str, server: &str, case: &str, quantity: &str, value: f64) -> Record {
    let mut figure = Figure::new(set, server, case, quantity, value);
    figure.interval = Some([value * 0.9, value * 1.1]);
    figure.rounds = Some(7);
    Record::Figure(figure)
}

/// Returns one figure of every kind.
fn records() -> Records {
    let mut records = Records::default();
    let text = str::to_owned;
    records.add([
        Record::Machine(Machine {
            cpu: text("a processor"),
            cores: 2,
            rustc: text("rustc 1"),
            date: text("2026-01-02"),
        }),
        Record::Version(Version { server: text("nginx"), version: text("nginx/1.2") }),
        Record::Absent(Absent {
            set: text(cpu::SET),
            server: text("caddy"),
            reason: text("not installed: apt-get install caddy"),
        }),
    ]);
    for server in [BASELINE, OURS] {
        for (case, connections) in [(Case::Served, 1), (Case::Misdirected, 10)] {
            let load = cpu::load_name(case, connections);
            records.add([
                record(cpu::SET, server, &load, cpu::MICROSECONDS, 13.5),
                record(cpu::SET, server, &load, cpu::TO_BASELINE, 1.0),
                record(calls::SET, server, &load, calls::ALL_CALLS, 0.0312),
                record(calls::SET, server, &load, "writev", 0.0101),
            ]);
        }
        records.add([
            record(instructions::SET, server, "200", instructions::INSTRUCTIONS, 23_000.0),
            record(instructions::SET, server, "200", instructions::ALLOCATIONS, 4.0),
            record(instructions::SET, server, "200", "h2", 14_000.0),
            record(latency::SET, server, "200", "p50", 50.0),
            record(memory::SET, server, "", memory::PER_CONNECTION, 40_960.0),
            record(scaling::SET, server, "200, 2", cpu::PER_SECOND, 90_000.0),
        ]);
    }
    records
}

#[test]
fn fill_puts_each_set_between_its_marks() {
    let text = fill(&document(), &records(), &SETS).unwrap();
    for head in [
        "a processor, 2 cores; rustc 1; 2026-01-02.",
        "| server | version | how it answers |",
        "| nginx | nginx/1.2 |",
        "A 200, 1 connection of 100 streams; 7 rounds:",
        "A 421, 10 connections of 100 streams; 7 rounds:",
        "| server | CPU, µs | to bare-h2 [95 %] | coalesce to it [95 %] |\n",
        "| **bare-h2** | 13.5 | 1.000 [0.900, 1.100] | – |\n",
        "| caddy | not installed: apt-get install caddy | – | – |\n",
        "| coalesce to it [95 %] | to its own 200 [95 %] |\n",
        "| caddy | not installed: apt-get install caddy | – | – | – |\n",
        "| request | bare-h2, instructions | coalesce, instructions |",
        "| part | 200: bare-h2 | 200: coalesce |",
        "| h2 | 14000 | 14000 |",
        "| server | request, connections | system calls |",
        "| bare-h2 | 200, 1 | 0.0312 | 0.0000 | 0.0000 | 0.0101 |",
        "| server | request | p50, µs |",
        "| server | KiB for an idle connection | KiB for an open stream |",
        "| coalesce | 40.00 | – |",
        "| server | request | workers | requests a second |",
        "\nmore prose\n",
    ] {
        assert!(text.contains(head), "{head}\n{text}");
    }
    assert!(!text.contains("\nold\n"));
}

#[test]
fn fill_twice_gives_the_same_document() {
    let once = fill(&document(), &records(), &SETS).unwrap();
    assert_eq!(fill(&once, &records(), &SETS).unwrap(), once);
}

#[test]
fn document_without_a_mark_is_refused() {
    for mark in ["<!-- cpu -->", "<!-- end of latency -->"] {
        let error = fill(&document().replace(mark, ""), &records(), &SETS).unwrap_err();
        assert!(error.to_string().contains(mark), "{error}");
    }
    let twice = document() + "<!-- cpu -->\n<!-- end of cpu -->\n";
    assert!(fill(&twice, &records(), &SETS).is_err());
}

#[test]
fn performance_document_has_all_marks() {
    let document = include_str!("../../../../../docs/performance.md");
    fill(document, &records(), &SETS).unwrap();
}
