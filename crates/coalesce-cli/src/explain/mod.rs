//! `coalesce explain`: what one request would get on one connection, and why.

mod question;
mod report;

use coalesce_site::{Question, SiteListener};

use crate::config::{Configuration, Site};
use crate::explain::question::{FileAndUrl, QuestionLine, from_arguments, from_line};
use crate::explain::report::Asked;
use crate::terminal::batch;
use crate::terminal::exit::{Exit, Failure};
use crate::terminal::output::Output;

pub(crate) use question::ExplainArguments;

pub(crate) fn run(arguments: ExplainArguments) -> Result<Exit, Failure> {
    let FileAndUrl { config, url } =
        FileAndUrl::from_arguments(&arguments).map_err(Failure::usage)?;
    let configuration = Configuration::load(&config).map_err(Failure::configuration)?;
    configuration.log();
    let site = &configuration.site;
    let port = url.as_ref().map(|url| url.port);
    let listener = choose_listener(site, arguments.listener.as_deref(), port)?;
    let mut output = Output::stdout();
    if let Some(path) = &arguments.batch {
        batch::run(path, &mut output, |line: QuestionLine| {
            let question = from_line(line)?.on_listener(listener.name());
            Ok(report::json(site, &site.explain(&question)))
        })?;
        return Ok(Exit::Fine);
    }
    let json = arguments.json;
    let question = from_arguments(arguments, url).map_err(Failure::usage)?;
    let question = question.on_listener(listener.name());
    let explanation = site.explain(&question);
    let mut report = report::json(site, &explanation);
    report.hints = report::hints(site, &question, &explanation);
    if json {
        output.json(&report)?;
    } else {
        let origins = explanation.facts().map(|facts| site.announced_origins(facts));
        let asked = Asked { listener, question: &question, explanation: &explanation };
        report::text(&report, &asked, origins.as_ref(), &mut output)?;
    }
    output.flush()?;
    Ok(if explanation.is_served() { Exit::Fine } else { Exit::No })
}

/// Returns the reason code of one answer, for the demo.
pub(crate) fn reason(site: &Site, question: &Question) -> &'static str {
    report::json(site, &site.explain(question)).reason
}

/// Returns the listener with this name; without a name, the only listener, or the only one for the
/// port of the URL.
fn choose_listener<'a>(
    site: &'a Site,
    name: Option<&str>,
    port: Option<u16>,
) -> Result<&'a SiteListener, Failure> {
    let names = || {
        let names: Vec<&str> = site.listeners().iter().map(SiteListener::name).collect();
        names.join(", ")
    };
    let listeners = site.listeners();
    if let Some(name) = name {
        return site.listener(name).ok_or_else(|| {
            let names = names();
            Failure::usage(format_args!(
                "--listener: there is no listener {name:?}; there is {names}"
            ))
        });
    }
    if let [only] = listeners {
        return Ok(only);
    }
    let answers =
        |listener: &&SiteListener| port.is_some_and(|port| listener.ports().contains(port));
    let mut answering = listeners.iter().filter(answers);
    match (answering.next(), answering.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(Failure::usage(format_args!(
            "there are several listeners; choose one with --listener ({})",
            names()
        ))),
    }
}
