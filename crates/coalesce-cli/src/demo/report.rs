//! What the demo prints.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;

use serde::Serialize;

use crate::demo::rows::{DemoCertificate, Got, Row};
use crate::terminal::exit::Failure;
use crate::terminal::output::Output;

/// One row with what came of it.
#[derive(Debug, Serialize)]
pub(super) struct RowResult {
    server_name: &'static str,
    client_certificate: bool,
    method: &'static str,
    scheme: &'static str,
    authority: &'static str,
    host: Option<&'static str>,
    expected: String,
    got: String,
    reason: &'static str,
    /// The number of the connection, in the order of opening; none when it was refused.
    connection: Option<usize>,
    pub(super) holds: bool,
    shows: &'static str,
}

impl RowResult {
    pub(super) fn new(
        row: &Row,
        connection: Option<usize>,
        got: &Got,
        reason: &'static str,
    ) -> Self {
        Self {
            server_name: row.server_name,
            client_certificate: row.certificate == DemoCertificate::Demo,
            method: row.method,
            scheme: row.scheme,
            authority: row.authority,
            host: row.host,
            expected: row.expected.to_string(),
            got: got.to_string(),
            reason,
            connection,
            holds: row.expected.holds(got) && row.reason == reason,
            shows: row.shows,
        }
    }

    /// The request, with what is unusual about it.
    fn request(&self) -> String {
        let mut text = self.authority.to_owned();
        if self.method != "GET" {
            text = format!("{} {text}", self.method);
        }
        if self.scheme != "https" {
            text = format!("{}://{text}", self.scheme);
        }
        if let Some(host) = self.host {
            text = format!("{text}, Host: {host}");
        }
        text
    }

    fn cells(&self) -> [String; 7] {
        let certificate = if self.client_certificate { " + certificate" } else { "" };
        [
            format!("{}{certificate}", self.server_name),
            self.request(),
            self.expected.clone(),
            if self.holds { self.got.clone() } else { format!("{} <- FAILED", self.got) },
            self.reason.to_owned(),
            self.connection.map_or_else(|| "-".to_owned(), |number| number.to_string()),
            self.shows.to_owned(),
        ]
    }
}

pub(super) fn json(lines: &[RowResult], output: &mut Output<impl Write>) -> Result<(), Failure> {
    lines.iter().try_for_each(|line| output.json(line))
}

pub(super) fn table(
    lines: &[RowResult],
    address: SocketAddr,
    output: &mut Output<impl Write>,
) -> Result<(), Failure> {
    const HEAD: [&str; 7] =
        ["server name", "authority", "expected", "got", "reason", "connection", "shows"];
    output.line(format_args!(
        "A server on {address}, a client that sends what it is told; every request below is real."
    ))?;
    output.line("")?;
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(lines.iter().map(RowResult::cells));
    let widths: [usize; 7] = std::array::from_fn(|column| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    });
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        output.line(cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    let failed = lines.iter().filter(|line| !line.holds).count();
    let connections = lines.iter().filter_map(|line| line.connection).max().unwrap_or_default();
    output.line("")?;
    output.line(format_args!(
        "{} requests on {connections} connections: {} as expected, {failed} not",
        lines.len(),
        lines.len().saturating_sub(failed),
    ))
}

/// Commands to paste while the server stays up.
pub(super) fn commands(
    folder: &Path,
    address: SocketAddr,
    output: &mut Output<impl Write>,
) -> Result<(), Failure> {
    let folder = folder.display();
    let base = format!("curl -i --http2 --cacert {folder}/ca.pem --connect-to ::{address}");
    let client = format!("--cert {folder}/client.pem --key {folder}/client.key");
    output.line("")?;
    output.line(format_args!("The server stays on {address} until Ctrl-C. Try:"))?;
    output.line("")?;
    for (comment, rest) in [
        ("its own host", "https://www.example.test/".to_owned()),
        (
            "another host of the certificate on the same connection",
            "https://www.example.test/ -H 'Host: img.example.test'".to_owned(),
        ),
        (
            "a host of another certificate: 421",
            "https://api.example.test/ -H 'Host: cdn.example.test'".to_owned(),
        ),
        ("what a client does then: 200", "https://cdn.example.test/".to_owned()),
        ("a client certificate is demanded", format!("{client} https://admin.example.test/")),
    ] {
        output.line(format_args!("# {comment}\n{base} {rest}"))?;
    }
    output.line("")?;
    output.line(format_args!(
        "# why\ncoalesce explain --config {folder}/site.toml --server-name api.example.test \
         --authority cdn.example.test"
    ))
}
