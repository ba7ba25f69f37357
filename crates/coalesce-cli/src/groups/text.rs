//! The report for people.

use std::io::Write;

use crate::groups::report::GroupsReport;
use crate::terminal::exit::Failure;
use crate::terminal::output::Output;
use crate::terminal::text::some_of;

pub(super) fn write(
    report: &GroupsReport<'_>,
    output: &mut Output<impl Write>,
) -> Result<(), Failure> {
    for group in &report.groups {
        output.line(format_args!("group {}", group.name))?;
        if !group.also.is_empty() {
            output.line(format_args!("  the same as         {}", group.also.join(", ")))?;
        }
        for (field, value) in &group.policy {
            output.line(format_args!("  {field:<18}  {value}"))?;
        }
        for (coalesce, names) in &group.own_coalesce {
            output.line(format_args!("  {coalesce:<18}  for {}", some(names)))?;
        }
        for connection in &group.connections {
            output.line(format_args!(
                "  connections for {} (listener {}, {})",
                some(&connection.server_names),
                connection.listener,
                connection.certificate
            ))?;
            output.line(format_args!("    may carry  {}", some(&connection.may_carry)))?;
            for (reason, names) in &connection.may_not {
                output.line(format_args!("    may not    {} ({reason})", some(names)))?;
            }
        }
    }
    for apart in &report.apart {
        let [one, other] = apart.groups;
        output.line(format_args!("no connection is in {one} and in {other}"))?;
        for difference in &apart.because {
            let [one, other] = &difference.values;
            output.line(format_args!("  {:<18}  {one} / {other}", difference.field))?;
        }
    }
    for overlap in report.overlaps {
        let (listener, with) = (&overlap.listener, overlap.with.join(", "));
        output.line(format_args!("listener {listener} overlaps {with} ({:?})", overlap.reason))?;
    }
    Ok(())
}

fn some(names: &[&str]) -> String {
    some_of(&names.iter().map(ToString::to_string).collect::<Vec<_>>())
}
