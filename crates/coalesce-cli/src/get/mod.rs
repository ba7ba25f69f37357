//! `coalesce get`: fetches URLs in parallel, and shows which requests shared which connection.
//!
//! [`plan`] makes the requests of the arguments, [`client`] the client, [`fetch`] sends them, and
//! [`report`] has the results, which [`picture`] draws.

mod arguments;
mod client;
mod contents;
mod dns_server;
mod failure;
mod fetch;
mod limits;
mod picture;
mod plan;
mod report;
mod target;
mod trail;
mod wrap;

use std::io::{self, IsTerminal, Write};
use std::num::NonZeroUsize;

use crate::get::fetch::Rules;
use crate::get::plan::Planned;
use crate::get::report::{Report, RequestReport};
use crate::serve;
use crate::terminal::exit::{Exit, Failure};
use crate::terminal::logging::Logging;
use crate::terminal::output::Output;
use crate::terminal::progress::Progress;

pub(crate) use arguments::GetArguments;

/// The lowest status that `--fail` takes as a failure.
const ERROR_STATUS: u16 = 400;

pub(crate) fn run(arguments: &GetArguments, logging: &Logging) -> Result<Exit, Failure> {
    let planned = plan::plan(arguments)?;
    if arguments.tls.insecure {
        warn_of_insecure();
    }
    // One thread sends the requests in the order of the URLs, so that the first connection is that
    // of the first URL.
    serve::block_on(Some(NonZeroUsize::MIN), fetch_and_report(arguments, planned, logging))
}

async fn fetch_and_report(
    arguments: &GetArguments,
    planned: Vec<Planned>,
    logging: &Logging,
) -> Result<Exit, Failure> {
    let client = client::build(arguments)?;
    let prints_content = plan::prints_content(arguments);
    let output = &arguments.output;
    let rules = Rules {
        max_time: arguments.connection.max_time,
        content_bytes_max: output.max_filesize,
        fail: output.fail,
        include: output.include || arguments.request.head,
    };
    // A bar would be drawn between the lines of the content.
    let is_quiet = prints_content && io::stdout().is_terminal();
    let mut progress = (!is_quiet).then(|| Progress::new(logging));
    let requests = fetch::fetch_all(&client, planned, rules, &mut progress).await?;
    drop(progress);
    let exit = exit(&requests, output.fail);
    if prints_content {
        print_errors(&requests, output.fail);
        return Ok(exit);
    }
    let report = Report::new(requests);
    let mut stdout = Output::stdout();
    if output.json {
        stdout.json(&report)?;
    } else {
        picture::print(&report, output.trace, &mut stdout)?;
    }
    stdout.flush()?;
    Ok(exit)
}

fn exit(requests: &[RequestReport], fail: bool) -> Exit {
    let is_fine = |request: &RequestReport| {
        request.is_answered() && !(fail && request.status >= Some(ERROR_STATUS))
    };
    if requests.iter().all(is_fine) { Exit::Fine } else { Exit::No }
}

/// Prints the error of the only request on standard error, because standard output has its content.
fn print_errors(requests: &[RequestReport], fail: bool) {
    for request in requests {
        let status = request.status.filter(|status| fail && *status >= ERROR_STATUS);
        let refused = status.map(|status| format!("{}: the status is {status}", request.url));
        if let Some(error) = request.error.clone().or(refused) {
            // Fails if standard error is closed.
            let _ = writeln!(io::stderr().lock(), "{error}");
        }
    }
}

fn warn_of_insecure() {
    // Fails if standard error is closed.
    let _ = writeln!(
        io::stderr().lock(),
        "WARNING: --insecure accepts every certificate. Anyone between you and the server can read\n\
         and change the requests and the responses."
    );
}
