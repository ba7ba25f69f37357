//! The output of the demo.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;

use serde::Serialize;

use crate::demo::rows::{DemoCertificate, Got, Row};
use crate::terminal::exit::Failure;
use crate::terminal::output::Output;
use crate::terminal::palette::Palette;

/// The widest request, `CONNECT cdn.example.test:443`.
const REQUEST_WIDTH: usize = 28;

/// The widest expected result, `200 admin` or `200 shops`.
const RESULT_WIDTH: usize = 9;

/// The widest reason of a 421, `unknown_authority`.
const REASON_WIDTH: usize = 17;

/// One row with its result.
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
    /// The number of the connection, in the order of opening; `None` if the handshake was refused.
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

    /// Returns the authority of the request, and the parts that an ordinary request lacks.
    fn request(&self) -> String {
        if let Some(host) = self.host {
            return format!("Host: {host}");
        }
        let mut text = self.authority.to_owned();
        if self.method != "GET" {
            text = format!("{} {text}", self.method);
        }
        if self.scheme != "https" {
            text = format!("{}://{text}", self.scheme);
        }
        text
    }

    /// Returns the result; with its details if it is not the expected one.
    fn result(&self, palette: Palette) -> String {
        if !self.holds {
            return palette.failed(&format!("{} <- FAILED, expected {}", self.got, self.expected));
        }
        let padded = format!("{:RESULT_WIDTH$}", self.expected);
        match self.expected.as_bytes() {
            [b'2', ..] => palette.served(&padded),
            b"421" => palette.misdirected(&padded),
            _ => palette.refused(&padded),
        }
    }

    /// Returns the heading of the rows of one connection.
    fn connection(&self, seen: usize) -> String {
        let certificate = if self.client_certificate { ", with a client certificate" } else { "" };
        let connection = match self.connection {
            None => "no connection".to_owned(),
            Some(number) if number <= seen => format!("connection {number} again"),
            Some(number) => format!("connection {number}"),
        };
        format!("{connection}, server name {}{certificate}", self.server_name)
    }
}

pub(super) fn json(lines: &[RowResult], output: &mut Output<impl Write>) -> Result<(), Failure> {
    lines.iter().try_for_each(|line| output.json(line))
}

/// Prints the rows as a tree, with one branch for each connection.
pub(super) fn table(
    lines: &[RowResult],
    address: SocketAddr,
    output: &mut Output<impl Write>,
) -> Result<(), Failure> {
    let palette = output.palette();
    output.line(format_args!(
        "A server on {address} and a client that sends these requests over real TLS and HTTP/2."
    ))?;
    let mut connections = 0;
    let same = |a: &RowResult, b: &RowResult| {
        (a.connection, a.server_name) == (b.connection, b.server_name)
    };
    for branch in lines.chunk_by(same) {
        let Some((last, others)) = branch.split_last() else { continue };
        output.line("")?;
        output.line(palette.heading(&last.connection(connections)))?;
        connections = connections.max(last.connection.unwrap_or_default());
        for line in others {
            output.line(row("├─", line, palette))?;
        }
        output.line(row("└─", last, palette))?;
    }
    let failed = lines.iter().filter(|line| !line.holds).count();
    output.line("")?;
    output.line(format_args!(
        "{} requests on {connections} connections: {} as expected, {failed} not",
        lines.len(),
        lines.len().saturating_sub(failed),
    ))
}

/// Formats one row, in at most 100 columns.
fn row(branch: &str, line: &RowResult, palette: Palette) -> String {
    let (request, result) = (line.request(), line.result(palette));
    format!(
        "{branch} {request:REQUEST_WIDTH$}  {result}  {:REASON_WIDTH$}  {}",
        line.reason, line.shows
    )
    .trim_end()
    .to_owned()
}

/// Prints commands to paste while the server keeps running.
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
    ))?;
    let urls = ["www", "img", "api", "admin"].map(|name| format!("https://{name}.example.test/"));
    output.line(format_args!(
        "# a client that shares connections, and asks again after a 421\n\
         coalesce get --cacert {folder}/ca.pem --resolve '*:443:{address}' {client} {}",
        urls.join(" ")
    ))
}
