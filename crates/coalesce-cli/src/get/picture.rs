//! The report for people: which requests shared which connection, and why others did not.

use std::collections::BTreeMap;
use std::io::Write;

use crate::get::limits::WIDTH;
use crate::get::report::{ConnectionReport, Event, Report, RequestReport, Step};
use crate::get::wrap::{NO_BREAK_SPACE, shortened, size, wrapped};
use crate::terminal::exit::Failure;
use crate::terminal::output::Output;
use crate::terminal::palette::Palette;
use crate::terminal::text::some_of;

/// The columns of a row before its URL: branch, status, kind, size, time.
const BEFORE_URL: usize = 37;

/// The indentation of a note below a row.
const NOTE: &str = "      ";

/// Prints the connections with their requests. `trace` adds every step of every request.
pub(super) fn print(
    report: &Report,
    trace: bool,
    output: &mut Output<impl Write>,
) -> Result<(), Failure> {
    for connection in &report.connections {
        print_connection(connection, report, output)?;
        output.line("")?;
    }
    let unsent: Vec<_> =
        report.requests.iter().filter(|request| request.sent_on().next().is_none()).collect();
    if !unsent.is_empty() {
        output.line(output.palette().heading("no connection"))?;
        for (place, request) in unsent.iter().enumerate() {
            let is_last = place + 1 == unsent.len();
            print_row(request, None, is_last, output)?;
        }
        output.line("")?;
    }
    if trace {
        report.requests.iter().try_for_each(|request| print_trail(request, output))?;
    }
    wrapped(&summary(report), WIDTH).iter().try_for_each(|line| output.line(line))
}

fn print_connection(
    connection: &ConnectionReport,
    report: &Report,
    output: &mut Output<impl Write>,
) -> Result<(), Failure> {
    let mut heading = format!("connection {}", connection.connection);
    let peer = connection.peer.map(|peer| peer.to_string());
    for part in [peer.as_deref(), connection.protocol].into_iter().flatten() {
        heading = format!("{heading}  {part}");
    }
    output.line(output.palette().heading(&heading))?;
    if connection.requests.is_empty() {
        return output.line("└─ no request");
    }
    for (place, request) in connection.requests.iter().enumerate() {
        let is_last = place + 1 == connection.requests.len();
        let Some(request) = report.requests.get(*request) else { continue };
        print_row(request, Some(connection), is_last, output)?;
    }
    Ok(())
}

/// Prints a request on one of its connections, or without a connection, and the notes on it.
fn print_row(
    request: &RequestReport,
    connection: Option<&ConnectionReport>,
    is_last: bool,
    output: &mut Output<impl Write>,
) -> Result<(), Failure> {
    let number = connection.map(|connection| connection.connection);
    let palette = output.palette();
    // The answer of another connection, after this one did not answer the request.
    let is_elsewhere = number.is_some() && request.connection != number;
    let on_it = |step: &&Step| step.event == Event::Sent && step.connection == number;
    let kind = match request.trail.iter().rev().find(on_it) {
        Some(sent) if sent.code == "same_origin" => "own",
        Some(_) => "shared",
        None => "",
    };
    let branch = if is_last { "└─" } else { "├─" };
    let (status, size, time) = if is_elsewhere {
        (given_up(request, number, palette), String::new(), String::new())
    } else {
        let time = format!("{} ms", request.milliseconds);
        let size = if request.status.is_some() { size(request.bytes) } else { String::new() };
        (status(request, palette), size, time)
    };
    let url = method_and_url(request);
    let url = shortened(&url, WIDTH.saturating_sub(BEFORE_URL));
    let row = format!("{branch} {status}  {kind:6}  {size:>8}  {time:>8}  {url}");
    output.line(row.trim_end())?;
    let below = if is_last { "  " } else { "│ " };
    for note in notes(request, number, is_elsewhere) {
        let first = format!("{below}{NOTE}");
        for line in wrapped(&note, WIDTH.saturating_sub(first.chars().count())) {
            output.line(format_args!("{first}{line}"))?;
        }
    }
    Ok(())
}

/// Returns the method, unless it is GET, and the URL.
fn method_and_url(request: &RequestReport) -> String {
    match request.method.as_str() {
        "GET" => request.url.clone(),
        method => format!("{method} {}", request.url),
    }
}

/// Returns the status in its colour, in four columns.
fn status(request: &RequestReport, palette: Palette) -> String {
    match request.status {
        _ if request.error.is_some() => palette.failed("fail"),
        None => palette.failed("fail"),
        Some(status @ ..400) => palette.served(&format!("{status:<4}")),
        Some(421) => palette.misdirected("421 "),
        Some(status) => palette.refused(&format!("{status:<4}")),
    }
}

/// Returns the result of a connection that did not answer the request in the end.
fn given_up(request: &RequestReport, number: Option<u64>, palette: Palette) -> String {
    let is_421 = |step: &Step| step.event == Event::Misdirected && step.connection == number;
    if request.trail.iter().any(is_421) {
        palette.misdirected("421 ")
    } else {
        palette.refused("none")
    }
}

/// Returns the notes on a request below its row.
fn notes(request: &RequestReport, number: Option<u64>, is_elsewhere: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if is_elsewhere {
        let reason = request.trail.iter().rev().find(|step| {
            matches!(step.event, Event::Misdirected | Event::Unprocessed | Event::Lost)
                && step.connection == number
        });
        let then = request.connection.map_or_else(
            || "and there was no other answer".to_owned(),
            |next| format!("so the request was sent again on connection {next}"),
        );
        notes.push(match reason {
            Some(step) => format!("{}, {then}{}", step.description, rule(step)),
            None => format!("no answer, {then}"),
        });
        return notes;
    }
    // Only a request for which a connection was made says why it uses no other one.
    if request.grounds.is_none_or(|code| code == "same_origin") {
        notes.extend(refusals(request, number));
    }
    notes.extend(request.file.iter().map(|file| format!("content in {file}")));
    notes.extend(request.error.clone());
    notes
}

/// Returns one note for each reason for which other connections than `number` were not used.
fn refusals(request: &RequestReport, number: Option<u64>) -> impl Iterator<Item = String> {
    let refused = request.trail.iter().filter(|step| step.event == Event::Refused);
    let last: BTreeMap<u64, &Step> =
        refused.filter_map(|step| Some((step.connection?, step))).collect();
    let mut reasons: BTreeMap<&str, (Vec<String>, &Step)> = BTreeMap::new();
    for (other, step) in last.into_iter().filter(|(other, _)| Some(*other) != number) {
        let (numbers, _) = reasons.entry(step.code).or_insert_with(|| (Vec::new(), step));
        numbers.push(other.to_string());
    }
    reasons.into_values().map(|(numbers, step)| {
        let connections = if numbers.len() == 1 { "connection" } else { "connections" };
        let Step { code, description, .. } = step;
        let numbers = some_of(&numbers);
        format!("not {connections} {numbers}: {code}: {description}{}", rule(step))
    })
}

/// Returns the rule of a step in parentheses, whose sections are not broken between lines.
fn rule(step: &Step) -> String {
    let rule = step.rule.map(|rule| {
        rule.split(", ")
            .map(|section| section.replace(' ', &NO_BREAK_SPACE.to_string()))
            .collect::<Vec<_>>()
    });
    rule.map(|sections| format!(" ({})", sections.join(", "))).unwrap_or_default()
}

/// Prints every step on the way of a request.
fn print_trail(request: &RequestReport, output: &mut Output<impl Write>) -> Result<(), Failure> {
    let palette = output.palette();
    output.line(palette.heading(&shortened(&method_and_url(request), WIDTH)))?;
    for (place, step) in request.trail.iter().enumerate() {
        let number = format!("{:4}  ", place + 1);
        let text = trail_line(step);
        let lines = wrapped(&text, WIDTH.saturating_sub(number.len()));
        for (line_number, line) in lines.iter().enumerate() {
            let line = match step.event {
                Event::Sent => palette.served(line),
                Event::Misdirected => palette.misdirected(line),
                _ => line.clone(),
            };
            let before = if line_number == 0 { number.as_str() } else { NOTE };
            output.line(format_args!("{before}{line}"))?;
        }
    }
    if request.trail.is_empty() {
        output.line(format_args!("{NOTE}no decision"))?;
    }
    if request.trail_left_out > 0 {
        output.line(format_args!("{NOTE}and {} more steps", request.trail_left_out))?;
    }
    output.line("")
}

fn trail_line(step: &Step) -> String {
    let Step { event, connection, code, description, .. } = step;
    let candidate = connection.map_or_else(
        || "a connection that is being made".to_owned(),
        |number| format!("connection {number}"),
    );
    let rule = rule(step);
    match event {
        Event::Eligible | Event::Refused => format!("{candidate}: {code}: {description}{rule}"),
        Event::Sent => format!("sent on {candidate}: {code}: {description}{rule}"),
        Event::Misdirected | Event::Unprocessed | Event::Lost => {
            format!("{candidate}: {description}{rule}")
        }
    }
}

fn summary(report: &Report) -> String {
    let counted = |count: usize, one: &str, several: &str| {
        format!("{count} {}", if count == 1 { one } else { several })
    };
    let summary = &report.summary;
    let mut text = format!(
        "{} on {}: {} answered, {} failed",
        counted(summary.requests, "request", "requests"),
        counted(summary.connections, "connection", "connections"),
        summary.answered,
        summary.failed,
    );
    if summary.shared > 0 {
        text = format!("{text}, {} on the connection of another host", summary.shared);
    }
    if summary.retried > 0 {
        text = format!("{text}, {} sent again after a 421", summary.retried);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::get::report::tests::{sample, step};

    fn printed(requests: Vec<RequestReport>, trace: bool, palette: Palette) -> String {
        let mut bytes = Vec::new();
        let mut output = Output::with_palette(&mut bytes, palette);
        print(&Report::new(requests), trace, &mut output).unwrap();
        output.flush().unwrap();
        drop(output);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn picture_has_a_branch_for_each_connection_and_the_reasons_for_new_ones() {
        let expected = "\
connection 1  127.0.0.1:8443  HTTP/2
├─ 200   own          4 B     12 ms  https://www.example.test/
├─ 404   shared       4 B     12 ms  https://img.example.test/a/picture.png
└─ 421   shared                      https://admin.example.test/
        the server answered 421, so the request was sent again on connection 3 (RFC 9110 §15.5.20)

connection 2  127.0.0.1:8443  HTTP/2
└─ 200   own          4 B     12 ms  https://api.example.test/
        not connection 1: certificate: the certificate is not valid for the host (RFC 9110 §4.3.4,
        RFC 9113 §9.1.1)

connection 3  127.0.0.1:8443  HTTP/2
└─ 200   own          4 B     12 ms  https://admin.example.test/
        not connection 1: refused: the server has answered 421 for the origin (RFC 9110 §15.5.20,
        RFC 8336 §2.3)

no connection
└─ fail                        0 ms  https://dead.example.test/
        not connection 1: certificate: the certificate is not valid for the host (RFC 9110 §4.3.4,
        RFC 9113 §9.1.1)
        dead.example.test: cannot connect: Connection refused; check that a server runs there

5 requests on 3 connections: 4 answered, 1 failed, 1 on the connection of another host, 1 sent again
after a 421
";
        let found = printed(sample(), false, Palette::PLAIN);
        assert!(found == expected, "{found}");
    }

    #[test]
    fn trace_adds_every_step_of_each_request() {
        let expected = "\
https://admin.example.test/
   1  sent on connection 1: covered: the certificate covers the host, which has the connected
      address
   2  connection 1: the server answered 421 (RFC 9110 §15.5.20)
   3  connection 1: refused: the server has answered 421 for the origin (RFC 9110 §15.5.20,
      RFC 8336 §2.3)
   4  sent on connection 3: same_origin: the connection was made for the origin

";
        let found = printed(sample(), true, Palette::PLAIN);
        assert!(found.contains(expected), "{found}");
        let waited =
            "   1  a connection that is being made: connecting: the connection is not made";
        assert!(found.contains(waited), "{found}");
    }

    #[test]
    fn connections_that_are_refused_for_one_reason_share_a_note() {
        let mut requests = sample();
        let api = &mut requests[2];
        api.trail.insert(2, step(Event::Refused, Some(9), "certificate"));
        let found = printed(requests, false, Palette::PLAIN);
        assert!(found.contains("not connections 1, 3: certificate: the cert"), "{found}");
    }

    #[test]
    fn no_line_is_wider_than_100_columns() {
        let mut requests = sample();
        for request in &mut requests {
            request.url.push_str(&"long-path/".repeat(30));
            request.error = Some("word ".repeat(60));
            request.file = Some("f".repeat(250));
            request.trail.push(step(Event::Refused, Some(1), "certificate"));
        }
        let found = printed(requests, true, Palette::PLAIN);
        for line in found.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }

    #[test]
    fn colours_change_nothing_but_escape_sequences() {
        let plain = printed(sample(), true, Palette::PLAIN);
        let coloured = printed(sample(), true, Palette::COLOURED);
        assert!(coloured.contains("\u{1b}["));
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
    }
}
