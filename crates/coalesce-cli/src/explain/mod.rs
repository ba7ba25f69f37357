//! `coalesce explain`: what one request would get on one connection, and why.

mod explanation;
mod question;
mod report;

use std::io;

use crate::config::{Listener, Site};
use crate::explain::explanation::explain;
use crate::explain::question::QuestionLine;
use crate::terminal::batch;
use crate::terminal::exit::{Exit, Failure};
use crate::terminal::output::Output;

pub(crate) use question::{ClientIdentity, ExplainArguments, Question};

pub(crate) fn run(arguments: ExplainArguments) -> Result<Exit, Failure> {
    let site = Site::load(&arguments.config).map_err(Failure::configuration)?;
    site.log();
    let listener = choose_listener(&site, arguments.listener.as_deref())?;
    let mut output = Output::stdout();
    if arguments.batch {
        batch::run(io::stdin(), &mut output, |line: QuestionLine| {
            let question = Question::from_line(line)?;
            let explanation = explain(&site, listener, &question);
            Ok(report::json(&site, &explanation))
        })?;
        return Ok(Exit::Fine);
    }
    let json = arguments.json;
    let question = Question::from_arguments(arguments).map_err(Failure::usage)?;
    let explanation = explain(&site, listener, &question);
    if json {
        output.json(&report::json(&site, &explanation))?;
    } else {
        report::text(&site, listener, &question, &explanation, &mut output)?;
    }
    output.flush()?;
    Ok(if explanation.is_served() { Exit::Fine } else { Exit::No })
}

/// The reason code of one answer, for the demo.
pub(crate) fn reason(site: &Site, listener: &Listener, question: &Question) -> &'static str {
    report::json(site, &explain(site, listener, question)).reason
}

fn choose_listener<'a>(site: &'a Site, name: Option<&str>) -> Result<&'a Listener, Failure> {
    let names = || {
        let names: Vec<&str> =
            site.listeners.iter().map(|listener| listener.name.as_str()).collect();
        names.join(", ")
    };
    match (name, site.listeners.as_slice()) {
        (None, [only]) => Ok(only),
        (None, _) => Err(Failure::usage(format_args!(
            "there are several listeners; choose one with --listener ({})",
            names()
        ))),
        (Some(name), listeners) => {
            listeners.iter().find(|listener| listener.is_named(name)).ok_or_else(|| {
                Failure::usage(format_args!(
                    "--listener: there is no listener {name:?}; there is {}",
                    names()
                ))
            })
        }
    }
}
