//! `coalesce demo`: the whole path on made-up hosts, every verdict shown.

mod client;
mod report;
mod rows;
pub(crate) mod world;

use std::collections::HashMap;
use std::net::SocketAddr;

use crate::cli::DemoArguments;
use crate::config::{Listener, Site};
use crate::exit::{Exit, Failure};
use crate::explain::{self, Client as ClientCertificate, Question};
use crate::output::Output;
use crate::serve::{self, Observers, Server, Signals};

use client::{Client, Connection, Got};
use report::Line;
use rows::{Certificate, ROWS, Row};
use world::World;

pub(crate) fn run(arguments: &DemoArguments) -> Result<Exit, Failure> {
    let world = World::make().map_err(Failure::runtime)?;
    serve::block_on(None, demonstrate(arguments, &world))
}

async fn demonstrate(arguments: &DemoArguments, world: &World) -> Result<Exit, Failure> {
    let mut signals = Signals::new()?;
    let load = || Site::load(&world.configuration()).map_err(Failure::configuration);
    // One copy serves; the other is asked for the reason, which no response carries.
    let (live, explained) = (load()?, load()?);
    let server = Server::bind(live, Observers::default()).await?;
    let address = server
        .addresses()
        .next()
        .ok_or_else(|| Failure::runtime("the demo's configuration has no listener"))?;
    let running = server.start();

    let lines = ask_everything(world, &explained, address).await?;
    let mut output = Output::stdout();
    if arguments.json {
        report::json(&lines, &mut output)?;
    } else {
        report::table(&lines, address, &mut output)?;
    }
    if arguments.keep {
        report::commands(world.folder(), address, &mut output)?;
        output.flush()?;
        signals.next().await;
    }
    output.flush()?;
    running.end().await;
    Ok(if lines.iter().all(|line| line.holds) { Exit::Fine } else { Exit::No })
}

/// Puts every row to the server, in order; rows with the same server name and certificate share a
/// connection, which is numbered as it is opened.
async fn ask_everything(
    world: &World,
    site: &Site,
    address: SocketAddr,
) -> Result<Vec<Line>, Failure> {
    let client = Client::new(world, address)
        .map_err(|error| Failure::runtime(format_args!("the demo's client: {error}")))?;
    let mut connections: HashMap<(&str, Certificate), (usize, Connection)> = HashMap::new();
    let listener = site
        .listeners
        .first()
        .ok_or_else(|| Failure::runtime("the demo's configuration has no listener"))?;
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
        lines.push(Line::new(row, number, &got, reason(site, listener, row)));
    }
    Ok(lines)
}

async fn ask(connection: &Connection, row: &Row) -> Result<Got, Failure> {
    let request = row
        .request()
        .map_err(|error| Failure::runtime(format_args!("the demo's request: {error}")))?;
    Ok(connection.send(request).await)
}

/// What `coalesce explain` says of the row.
fn reason(site: &Site, listener: &Listener, row: &Row) -> &'static str {
    let question = Question {
        server_name: Some(row.server_name.to_owned()),
        authority: Some(row.authority.to_owned()),
        hosts: row.host.map(str::to_owned).into_iter().collect(),
        scheme: (row.method != "CONNECT").then(|| row.scheme.to_owned()),
        method: Some(row.method.to_owned()),
        protocol: None,
        client: match row.certificate {
            Certificate::None => ClientCertificate::WithoutCertificate,
            Certificate::Demo => ClientCertificate::Accepted,
        },
    };
    explain::reason(site, listener, &question)
}
