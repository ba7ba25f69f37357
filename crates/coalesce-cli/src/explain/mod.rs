//! `coalesce explain`: what one request would get on one connection, and why.

mod question;
mod report;

use std::io;

use coalesce_site::{Question, SiteListener};

use crate::config::{Configuration, Site};
use crate::explain::question::{QuestionLine, from_arguments, from_line};
use crate::terminal::batch;
use crate::terminal::exit::{Exit, Failure};
use crate::terminal::output::Output;

pub(crate) use question::ExplainArguments;

pub(crate) fn run(arguments: ExplainArguments) -> Result<Exit, Failure> {
    let configuration = Configuration::load(&arguments.config).map_err(Failure::configuration)?;
    configuration.log();
    let site = &configuration.site;
    let listener = choose_listener(site, arguments.listener.as_deref())?;
    let mut output = Output::stdout();
    if arguments.batch {
        batch::run(io::stdin(), &mut output, |line: QuestionLine| {
            let question = from_line(line)?.on_listener(listener.name());
            Ok(report::json(site, &site.explain(&question)))
        })?;
        return Ok(Exit::Fine);
    }
    let json = arguments.json;
    let question = from_arguments(arguments).map_err(Failure::usage)?;
    let question = question.on_listener(listener.name());
    let explanation = site.explain(&question);
    if json {
        output.json(&report::json(site, &explanation))?;
    } else {
        report::text(site, listener, &question, &explanation, &mut output)?;
    }
    output.flush()?;
    Ok(if explanation.is_served() { Exit::Fine } else { Exit::No })
}

/// The reason code of one answer, for the demo.
pub(crate) fn reason(site: &Site, question: &Question) -> &'static str {
    report::json(site, &site.explain(question)).reason
}

fn choose_listener<'a>(site: &'a Site, name: Option<&str>) -> Result<&'a SiteListener, Failure> {
    let names = || {
        let names: Vec<&str> = site.listeners().iter().map(SiteListener::name).collect();
        names.join(", ")
    };
    match (name, site.listeners()) {
        (None, [only]) => Ok(only),
        (None, _) => Err(Failure::usage(format_args!(
            "there are several listeners; choose one with --listener ({})",
            names()
        ))),
        (Some(name), _) => site.listener(name).ok_or_else(|| {
            Failure::usage(format_args!(
                "--listener: there is no listener {name:?}; there is {}",
                names()
            ))
        }),
    }
}
