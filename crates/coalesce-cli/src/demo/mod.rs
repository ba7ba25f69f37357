//! `coalesce demo`: shows every verdict on made-up hosts, over the whole path.

mod client;
pub(crate) mod files;
mod report;
mod rows;

use std::collections::HashMap;
use std::net::SocketAddr;

use clap::Args;
use coalesce_site::{ClientIdentity, Question};

use crate::config::{Configuration, Site};
use crate::demo::client::{DemoClient, DemoConnection};
use crate::demo::files::DemoFiles;
use crate::demo::report::RowResult;
use crate::demo::rows::{DemoCertificate, Got, ROWS, Row};
use crate::explain;
use crate::serve::{self, Observers, Server, Signals};
use crate::terminal::exit::{Exit, Failure};
use crate::terminal::output::Output;

/// The arguments of `coalesce demo`.
#[derive(Args, Debug)]
pub(crate) struct DemoArguments {
    /// Stay up afterwards, and print curl commands to paste
    #[arg(long)]
    pub(crate) keep: bool,
    /// Print one JSON object per row instead of the table
    #[arg(long, conflicts_with = "keep")]
    pub(crate) json: bool,
}

pub(crate) fn run(arguments: &DemoArguments) -> Result<Exit, Failure> {
    let files = DemoFiles::make().map_err(Failure::runtime)?;
    serve::block_on(None, demonstrate(arguments, &files))
}

async fn demonstrate(arguments: &DemoArguments, files: &DemoFiles) -> Result<Exit, Failure> {
    let mut signals = Signals::new()?;
    let loaded = Configuration::load(&files.configuration()).map_err(Failure::configuration)?;
    // A separate reference, to look up the reasons, which responses do not carry.
    let explained = loaded.site.clone();
    let server = Server::bind(loaded, Observers::default()).await?;
    let address = server
        .addresses()
        .next()
        .ok_or_else(|| Failure::runtime("the demo's configuration has no listener"))?;
    let running = server.start();

    let lines = ask_everything(files, &explained, address).await?;
    let mut output = Output::stdout();
    if arguments.json {
        report::json(&lines, &mut output)?;
    } else {
        report::table(&lines, address, &mut output)?;
    }
    if arguments.keep {
        report::commands(files.folder(), address, &mut output)?;
        output.flush()?;
        signals.next().await;
    }
    output.flush()?;
    running.end().await;
    Ok(if lines.iter().all(|line| line.holds) { Exit::Fine } else { Exit::No })
}

/// Sends every row to the server, in order. Rows with the same server name and certificate share a
/// connection; connections are numbered as they are opened.
async fn ask_everything(
    files: &DemoFiles,
    site: &Site,
    address: SocketAddr,
) -> Result<Vec<RowResult>, Failure> {
    let client = DemoClient::new(files, address)
        .map_err(|error| Failure::runtime(format_args!("the demo's client: {error}")))?;
    let mut connections: HashMap<(&str, DemoCertificate), (usize, DemoConnection)> = HashMap::new();
    let mut lines = Vec::with_capacity(ROWS.len());
    for row in ROWS {
        let key = (row.server_name, row.certificate);
        let number = connections.len() + 1;
        let (number, got) = match connections.get(&key) {
            Some((number, connection)) => (Some(*number), ask(connection, row).await?),
            None => match client.connect(row.server_name, row.certificate).await {
                Ok(connection) => {
                    let got = ask(&connection, row).await?;
                    connections.insert(key, (number, connection));
                    (Some(number), got)
                }
                Err(got) => (None, got),
            },
        };
        lines.push(RowResult::new(row, number, &got, reason(site, row)));
    }
    Ok(lines)
}

async fn ask(connection: &DemoConnection, row: &Row) -> Result<Got, Failure> {
    let request = row
        .request()
        .map_err(|error| Failure::runtime(format_args!("the demo's request: {error}")))?;
    Ok(connection.send(request).await)
}

/// Returns the reason that `coalesce explain` reports for the row.
fn reason(site: &Site, row: &Row) -> &'static str {
    let question = Question::new()
        .with_server_name(row.server_name)
        .with_authority(row.authority)
        .with_method(row.method)
        .with_client(match row.certificate {
            DemoCertificate::None => ClientIdentity::WithoutCertificate,
            DemoCertificate::Demo => ClientIdentity::Accepted,
        });
    let question = row.host.into_iter().fold(question, Question::with_host);
    let question = match row.method {
        "CONNECT" => question,
        _ => question.with_scheme(row.scheme),
    };
    explain::reason(site, &question)
}
