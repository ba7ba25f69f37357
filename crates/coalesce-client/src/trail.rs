//! The trail of a response: which connection carried it, and why the others did not.

use std::fmt;
use std::net::SocketAddr;

use coalesce_pool::{CandidateId, Eligibility, Grounds, Protocol};

use crate::route::{CandidateInfo, Judged, Route};

/// The way of a request to its connection: each connection that the client looked at, with the
/// reason why it was used or not.
///
/// The client puts a trail into the extensions of each response, and into most errors.
/// `Display` writes one line for each step.
///
/// # Examples
/// ```
/// use coalesce_client::{ResponseBody, Trail};
///
/// fn print(response: &http::Response<ResponseBody>) {
///     if let Some(trail) = response.extensions().get::<Trail>() {
///         println!("{:?} carried it because of {:?}", trail.peer(), trail.grounds());
///         println!("{trail}");
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Trail {
    route: Route,
}

impl Trail {
    /// Makes the trail of a request that has an answer, or none.
    pub(crate) fn new(route: Route) -> Self {
        Self { route }
    }

    /// Returns the number of the connection that carried the request last. Numbers are unique in a
    /// client. `None` if the request was never sent.
    pub fn connection(&self) -> Option<u64> {
        self.route.trail.carrier().map(|(connection, _)| connection.get())
    }

    /// Returns the address of the other end of that connection: the server, or the proxy.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.carrier()?.made.map(|(peer, _)| peer)
    }

    /// Returns the protocol of that connection.
    pub fn protocol(&self) -> Option<Protocol> {
        self.carrier()?.made.map(|(_, protocol)| protocol)
    }

    /// Returns the origin that the connection was made for, such as `https://a.example`.
    pub fn made_for(&self) -> Option<String> {
        Some(self.carrier()?.key.origin.to_string())
    }

    /// Returns the reason why the connection was allowed to carry the request.
    pub fn grounds(&self) -> Option<Grounds> {
        self.route.trail.carrier().map(|(_, grounds)| grounds)
    }

    /// Returns whether the connection was made for another origin.
    pub fn is_coalesced(&self) -> bool {
        self.grounds().is_some_and(|grounds| grounds != Grounds::SameOrigin)
    }

    /// Returns the number of connections that answered 421 before the answer.
    pub fn misdirected(&self) -> usize {
        let is_421 = |step: &&coalesce_pool::TrailStep| {
            matches!(step, coalesce_pool::TrailStep::Misdirected { .. })
        };
        self.route.trail.steps().iter().filter(is_421).count()
    }

    /// Returns the steps, the first one first.
    ///
    /// # Allocation
    /// The list.
    pub fn steps(&self) -> Vec<TrailStep<'_>> {
        let step = |step| TrailStep { step, route: &self.route };
        self.route.trail.steps().iter().map(step).collect()
    }

    /// Returns the trail as the pool recorded it, with its numbers.
    pub const fn pool(&self) -> &coalesce_pool::Trail {
        &self.route.trail
    }

    fn carrier(&self) -> Option<&CandidateInfo> {
        let (connection, _) = self.route.trail.carrier()?;
        self.route.find(CandidateId::Connection(connection))
    }
}

impl fmt::Display for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.steps().iter().enumerate() {
            let line_break = if number == 0 { "" } else { "\n" };
            write!(f, "{line_break}{step}")?;
        }
        match self.route.trail.left_out() {
            0 => Ok(()),
            more => write!(f, "\nand {more} more steps"),
        }
    }
}

/// A step of a [`Trail`]. `Display` writes a sentence about it.
///
/// # Examples
/// ```
/// use coalesce_client::Trail;
///
/// fn refused_by_address(trail: &Trail) -> bool {
///     trail.steps().iter().any(|step| step.code() == "address")
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TrailStep<'a> {
    step: &'a coalesce_pool::TrailStep,
    route: &'a Route,
}

impl TrailStep<'_> {
    /// Returns the code of the step, which never changes: that of an [`Eligibility`] or of
    /// [`Grounds`], or `misdirected`, `unprocessed` or `lost`.
    pub fn code(&self) -> &'static str {
        match self.step {
            coalesce_pool::TrailStep::Judged { result, .. } => result.code(),
            coalesce_pool::TrailStep::Sent { grounds, .. } => grounds.code(),
            coalesce_pool::TrailStep::Misdirected { .. } => "misdirected",
            coalesce_pool::TrailStep::Unprocessed { .. } => "unprocessed",
            coalesce_pool::TrailStep::Lost { .. } => "lost",
            _ => "other",
        }
    }

    /// Returns the number of the connection. `None` for an attempt to make one.
    pub fn connection(&self) -> Option<u64> {
        connection_number(self.step.candidate())
    }
}

impl fmt::Display for TrailStep<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let candidate = self.step.candidate();
        write!(f, "{}: ", Named(candidate, self.route.find(candidate)))?;
        match self.step {
            coalesce_pool::TrailStep::Judged { result, .. } => write_judged(*result, f),
            coalesce_pool::TrailStep::Sent { grounds, .. } => {
                write!(f, "sent, because {grounds} ({})", grounds.code())
            }
            coalesce_pool::TrailStep::Misdirected { .. } => f.write_str("answered 421"),
            coalesce_pool::TrailStep::Unprocessed { .. } => {
                f.write_str("did not process the request, which is sent again")
            }
            coalesce_pool::TrailStep::Lost { .. } => f.write_str("ended before the answer"),
            _ => f.write_str("another step"),
        }
    }
}

/// The judgement of each open connection for a URI, without a request.
///
/// [`Client::explain`](crate::Client::explain) makes it. `Display` writes one line for each
/// connection.
///
/// # Examples
/// ```
/// use coalesce_client::Client;
///
/// # async fn explain(client: Client) -> Result<(), coalesce_client::Error> {
/// for judged in client.explain("https://b.example/").await?.candidates() {
///     println!("{}: {}", judged.code(), judged);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Explanation {
    judged: Judged,
}

impl Explanation {
    pub(crate) const fn new(judged: Judged) -> Self {
        Self { judged }
    }

    /// Returns the connections and attempts, the oldest first.
    pub fn candidates(&self) -> impl Iterator<Item = ExplainedCandidate<'_>> {
        let candidates = self.judged.candidates.iter();
        candidates.map(|(id, info, result)| ExplainedCandidate { id: *id, info, result: *result })
    }

    /// Returns whether one of the connections may carry a request for the URI now.
    pub fn has_connection(&self) -> bool {
        self.candidates().any(|it| matches!(it.result, Eligibility::Eligible(_)))
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, candidate) in self.candidates().enumerate() {
            let line_break = if number == 0 { "" } else { "\n" };
            write!(f, "{line_break}{candidate}")?;
        }
        Ok(())
    }
}

/// A connection in an [`Explanation`], or an attempt to make one.
///
/// # Examples
/// See [`Explanation`].
///
/// ```
/// use coalesce_client::ExplainedCandidate;
///
/// fn is_on_this_machine(candidate: &ExplainedCandidate<'_>) -> bool {
///     candidate.peer().is_some_and(|peer| peer.ip().is_loopback())
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ExplainedCandidate<'a> {
    id: CandidateId,
    info: &'a CandidateInfo,
    result: Eligibility,
}

impl ExplainedCandidate<'_> {
    /// Returns the code of the result, which never changes.
    pub const fn code(&self) -> &'static str {
        self.result.code()
    }

    /// Returns the result.
    pub const fn result(&self) -> Eligibility {
        self.result
    }

    /// Returns the number of the connection. `None` for an attempt.
    pub fn connection(&self) -> Option<u64> {
        connection_number(self.id)
    }

    /// Returns the address of the other end. `None` for an attempt.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.info.made.map(|(peer, _)| peer)
    }
}

impl fmt::Display for ExplainedCandidate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", Named(self.id, Some(self.info)))?;
        write_judged(self.result, f)
    }
}

const fn connection_number(candidate: CandidateId) -> Option<u64> {
    match candidate {
        CandidateId::Connection(id) => Some(id.get()),
        _ => None,
    }
}

/// Writes a candidate: `connection 3 (192.0.2.1:443, HTTP/2, for https://a.example)`.
struct Named<'a>(CandidateId, Option<&'a CandidateInfo>);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            CandidateId::Connection(id) => write!(f, "connection {id}")?,
            CandidateId::Attempt(id) => write!(f, "attempt {id}")?,
            _ => f.write_str("candidate")?,
        }
        let Some(info) = self.1 else { return Ok(()) };
        f.write_str(" (")?;
        if let Some((peer, protocol)) = info.made {
            let protocol = if protocol == Protocol::Http2 { "HTTP/2" } else { "HTTP/1.1" };
            write!(f, "{peer}, {protocol}, ")?;
        }
        write!(f, "for {})", info.key.origin)
    }
}

fn write_judged(result: Eligibility, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match result {
        Eligibility::Eligible(grounds) => write!(f, "may carry it, because {grounds}")?,
        Eligibility::Refused(refusal) => write!(f, "may not carry it, because {refusal}")?,
        Eligibility::Unverified => f.write_str("its certificate must be verified for the host")?,
        _ => f.write_str("the addresses of the host are not known yet")?,
    }
    write!(f, " ({})", result.code())
}
