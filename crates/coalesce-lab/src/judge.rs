//! The verdict of a scenario, from the observed outcomes.

use crate::client::connection::Negotiated;
use crate::outcome::{Accepted, Ended, Outcome};
use crate::record::{Record, RequestRecord};
use crate::scenario::{Scenario, Survival};
use crate::verdict::Verdict;

/// The outcomes of a connection.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    /// The outcome of each request.
    pub(crate) outcomes: Vec<Outcome>,
    /// Why the connection ended before the requests had outcomes.
    pub(crate) lost: Option<Ended>,
    /// The outcome of the ordinary request at the end.
    pub(crate) bystander: Option<Outcome>,
    pub(crate) negotiated: Option<Negotiated>,
}

/// So many groups of equal outcomes are in a line in the order of their requests.
const GROUPS_IN_ORDER: usize = 8;

/// Returns the record of a scenario, or of one that is not for this server.
pub(crate) fn judge(scenario: &Scenario, marked: bool, observed: Option<Observed>) -> Record {
    let mut record = Record {
        id: scenario.id().to_owned(),
        kind: scenario.kind().to_owned(),
        summary: scenario.summary().to_owned(),
        rfc: scenario.rfc().to_vec(),
        verdict: None,
        outcome: "not for this server".to_owned(),
        requests: Vec::new(),
        bystander: None,
        tls: None,
        resumed: false,
        unreachable: false,
    };
    let Some(observed) = observed else { return record };
    let mut worst = Verdict::FirstChoice;
    for (request, outcome) in scenario.planned().into_iter().zip(&observed.outcomes) {
        let accepted = scenario.accepted(request);
        let verdict = Verdict::of_request(outcome, accepted, marked, scenario.own_hosts_only);
        worst = worst.max(verdict);
        add(&mut record.requests, outcome, accepted, verdict);
    }
    record.outcome = in_one_line(&record.requests);
    let is_lost = is_lost(scenario, &observed);
    record.bystander = bystander(scenario, &observed);
    if is_lost {
        if worst.is_fine() {
            worst = Verdict::ConnectionLost;
        }
        let last = record.bystander.as_deref().unwrap_or("none");
        record.outcome = format!("{} [bystander: {last}]", record.outcome);
    }
    record.verdict = Some(worst);
    record.unreachable = matches!(observed.lost, Some(Ended::Unreachable(_)));
    if let Some(negotiated) = observed.negotiated {
        record.tls = negotiated.version.and_then(|version| version.as_str().map(str::to_owned));
        record.resumed = negotiated.resumed;
    }
    record
}

/// True if the connection did not survive, and should have.
fn is_lost(scenario: &Scenario, observed: &Observed) -> bool {
    let must_live = match scenario.connection {
        Survival::MustLiveOnceAnswered => observed.lost.is_none(),
        Survival::MustLive => true,
        Survival::MayEnd => false,
    };
    let lives = match (&observed.lost, &observed.bystander) {
        (Some(_), _) => false,
        (None, Some(outcome)) => {
            matches!(outcome, Outcome::Answer { status: 200..=499, .. })
        }
        // None is asked for.
        (None, None) => true,
    };
    must_live && !lives
}

fn bystander(scenario: &Scenario, observed: &Observed) -> Option<String> {
    let lost = observed.lost.as_ref().filter(|_| scenario.has_bystander());
    observed.bystander.as_ref().map(ToString::to_string).or(lost.map(ToString::to_string))
}

/// Adds the outcome of a request to those before it.
fn add(
    requests: &mut Vec<RequestRecord>,
    outcome: &Outcome,
    accepted: &[Accepted],
    verdict: Verdict,
) {
    let outcome = outcome.to_string();
    let accepts: Vec<_> = accepted.iter().map(|one| one.text().to_owned()).collect();
    match requests.last_mut() {
        Some(last) if last.outcome == outcome && last.accepts == accepts => last.times += 1,
        _ => {
            requests.push(RequestRecord { outcome, times: 1, accepts, verdict: Some(verdict) });
        }
    }
}

/// Returns all outcomes: in the order of the requests, or, if that is too long, each one once.
fn in_one_line(requests: &[RequestRecord]) -> String {
    let mut groups: Vec<(&str, usize)> = Vec::new();
    for request in requests {
        match groups.last_mut() {
            Some((outcome, times)) if *outcome == request.outcome => *times += request.times,
            _ => groups.push((&request.outcome, request.times)),
        }
    }
    if groups.len() > GROUPS_IN_ORDER {
        let mut sums: Vec<(&str, usize)> = Vec::new();
        for (outcome, times) in groups {
            match sums.iter_mut().find(|(known, _)| *known == outcome) {
                Some((_, sum)) => *sum += times,
                None => sums.push((outcome, times)),
            }
        }
        groups = sums;
    }
    let group = |(outcome, times): &(&str, usize)| match times {
        1 => (*outcome).to_owned(),
        times => format!("{times} x {outcome}"),
    };
    groups.iter().map(group).collect::<Vec<_>>().join(", ")
}
