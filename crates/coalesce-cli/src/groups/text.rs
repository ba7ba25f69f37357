//! The report as text. Its length is bounded; `--json` writes the whole report.

use std::io::Write;

use crate::groups::connections::ConnectionReport;
use crate::groups::report::{GroupPairs, GroupReport, GroupsReport, OverlapReport};
use crate::terminal::exit::Failure;
use crate::terminal::output::Output;
use crate::terminal::text::{left_out, some_of};

/// The number of connections shown for a group. With strict names, each name has a connection.
const CONNECTIONS_SHOWN_MAX: usize = 8;

/// The number of pairs of groups shown: those of eight groups.
const PAIRS_SHOWN_MAX: usize = 28;

/// Writes the report.
pub(super) fn write(
    report: &GroupsReport<'_>,
    output: &mut Output<impl Write>,
) -> Result<(), Failure> {
    for group in &report.groups {
        write_group(group, output)?;
    }
    write_apart(report.apart, output)?;
    for OverlapReport { listener, reason, with } in &report.overlaps {
        let with = some_of(with);
        output.line(format_args!("listener {listener} overlaps {with} ({reason})"))?;
    }
    Ok(())
}

fn write_group(group: &GroupReport<'_>, output: &mut Output<impl Write>) -> Result<(), Failure> {
    let heading = output.palette().heading(&format!("group {}", group.name));
    output.line(heading)?;
    if !group.also.is_empty() {
        output.line(format_args!("  the same as         {}", some_of(group.also)))?;
    }
    for (field, value) in &group.policy {
        output.line(format_args!("  {field:<18}  {value}"))?;
    }
    for (coalesce, names) in &group.own_coalesce {
        output.line(format_args!("  {coalesce:<18}  for {}", some_of(names)))?;
    }
    for connection in group.connections.iter().take(CONNECTIONS_SHOWN_MAX) {
        write_connection(connection, output)?;
    }
    match group.connections.len().saturating_sub(CONNECTIONS_SHOWN_MAX) {
        0 => Ok(()),
        more => output.line(format_args!("  and {more} more kinds of connections, with --json")),
    }
}

fn write_connection(
    connection: &ConnectionReport<'_>,
    output: &mut Output<impl Write>,
) -> Result<(), Failure> {
    let ConnectionReport { listener, certificate, server_names, .. } = connection;
    let palette = output.palette();
    let (may_carry, may_not) = (palette.served("may carry"), palette.misdirected("may not"));
    let names = some_of(server_names);
    output.line(format_args!("  connections for {names} (listener {listener}, {certificate})"))?;
    output.line(format_args!("    {may_carry}  {}", some_of(&connection.may_carry())))?;
    let server_name_only = connection.server_name_only();
    if !server_name_only.is_empty() {
        let wildcards = some_of(&server_name_only);
        output.line(format_args!("    {may_carry}  only the server name, of {wildcards}"))?;
    }
    if connection.leaves_hosts_out() {
        let left_out = left_out(&connection.origins);
        let origins = if connection.origins.is_announced { "their origins" } else { "no origins" };
        output
            .line(format_args!("    announce   {origins}: an origin set leaves out {left_out}"))?;
    }
    for (reason, names) in connection.may_not() {
        output.line(format_args!("    {may_not}    {} ({reason})", some_of(&names)))?;
    }
    Ok(())
}

fn write_apart(pairs: GroupPairs<'_>, output: &mut Output<impl Write>) -> Result<(), Failure> {
    for apart in pairs.iter().take(PAIRS_SHOWN_MAX) {
        let [one, other] = apart.groups;
        output.line(format_args!("no connection is in {one} and in {other}"))?;
        for difference in &apart.because {
            let [one, other] = &difference.values;
            output.line(format_args!("  {:<18}  {one} / {other}", difference.field))?;
        }
    }
    match pairs.len().saturating_sub(PAIRS_SHOWN_MAX) {
        0 => Ok(()),
        more => output.line(format_args!("and {more} more pairs of groups, with --json")),
    }
}
