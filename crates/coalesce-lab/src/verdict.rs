//! The judgement of a scenario.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::outcome::{Accepted, Outcome};

/// How well a server did in a scenario, from best to worst.
///
/// # Example
///
/// ```
/// use coalesce_lab::Verdict;
///
/// assert!(Verdict::Acceptable.is_fine() && !Verdict::Neither.is_fine());
/// assert!(Verdict::FirstChoice < Verdict::ServedWrongly);
/// assert_eq!(Verdict::ConnectionLost.to_string(), "connection lost");
/// ```
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Verdict {
    /// Each request had the outcome that the scenario prefers.
    FirstChoice,
    /// A request had another outcome that the RFCs allow.
    Acceptable,
    /// A request had an outcome that the scenario does not accept.
    Neither,
    /// Each request had an accepted outcome, but the connection did not survive.
    ConnectionLost,
    /// The server served content that it must not serve on this connection.
    ServedWrongly,
}

impl Verdict {
    /// All verdicts, from best to worst.
    pub const ALL: [Self; 5] = [
        Self::FirstChoice,
        Self::Acceptable,
        Self::Neither,
        Self::ConnectionLost,
        Self::ServedWrongly,
    ];

    /// Returns true unless the server did something that no RFC allows.
    pub fn is_fine(self) -> bool {
        self <= Self::Acceptable
    }

    /// Judges one request. Where `own_hosts_only`, no content is on the wrong connection, so the
    /// wrong answer is not a leak.
    pub(crate) fn of_request(
        outcome: &Outcome,
        accepted: &[Accepted],
        marked: bool,
        own_hosts_only: bool,
    ) -> Self {
        match accepted.iter().position(|accepted| accepted.accepts(outcome, marked)) {
            Some(0) => Self::FirstChoice,
            Some(_) => Self::Acceptable,
            None if outcome.is_served() && !own_hosts_only => Self::ServedWrongly,
            None => Self::Neither,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::FirstChoice => "first choice",
            Self::Acceptable => "acceptable",
            Self::Neither => "neither",
            Self::ConnectionLost => "connection lost",
            Self::ServedWrongly => "served wrongly",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_is_judged_by_the_place_of_its_outcome() {
        let accepted = ["421", "400"].map(|text| Accepted::try_from(text.to_owned()).unwrap());
        let judge = |status, own_hosts_only| {
            let outcome = Outcome::Answer { status, host: None };
            Verdict::of_request(&outcome, &accepted, true, own_hosts_only)
        };
        assert_eq!(judge(421, false), Verdict::FirstChoice);
        assert_eq!(judge(400, false), Verdict::Acceptable);
        assert_eq!(judge(404, false), Verdict::Neither);
        assert_eq!(judge(200, false), Verdict::ServedWrongly);
        assert_eq!(judge(200, true), Verdict::Neither);
    }
}
