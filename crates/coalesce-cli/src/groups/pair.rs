//! Pairs of hosts: may a connection for one carry requests for the other?

use std::fmt;

use coalesce_core::{Authority, Host, Misdirected};
use coalesce_site::{SiteGroup, SiteListener};
use serde::Serialize;

use crate::config::Site;
use crate::groups::difference::{self, Difference};
use crate::groups::judge;

/// The answer for one pair on one listener.
#[derive(Debug, Serialize)]
pub(super) struct Pair<'a> {
    pub(super) listener: &'a str,
    /// The host that the connection was made for.
    pub(super) connection: &'a str,
    pub(super) request: &'a str,
    pub(super) shares: bool,
    /// The reason why not: the code of a 421, or of a failed handshake.
    pub(super) reason: Option<&'static str>,
    /// The differences of the two groups, if the groups are the reason.
    pub(super) because: Vec<Difference>,
}

/// Returns the answer for every pair of two different hosts, on every listener.
pub(super) fn pairs<'a>(site: &'a Site, hosts: &'a [String]) -> impl Iterator<Item = Pair<'a>> {
    let pairs = hosts.iter().flat_map(move |from| {
        hosts.iter().filter(move |to| *to != from).map(move |to| (from.as_str(), to.as_str()))
    });
    pairs.flat_map(move |(from, to)| {
        site.listeners().iter().map(move |listener| pair(site, listener, from, to))
    })
}

fn pair<'a>(site: &'a Site, listener: &'a SiteListener, from: &'a str, to: &'a str) -> Pair<'a> {
    let mut pair = Pair {
        listener: listener.name(),
        connection: from,
        request: to,
        shares: false,
        reason: None,
        because: Vec::new(),
    };
    let client = judge::client_for(site, from);
    let Some(facts) = client.and_then(|client| judge::handshake(listener, &client)) else {
        pair.reason = Some("unrecognized_name");
        return pair;
    };
    // The text is a valid host, but too long for a name.
    let Some(other) = judge::client_for(site, to) else {
        pair.reason = Some(Misdirected::UnknownAuthority.code());
        return pair;
    };
    let authority = judge::authority(listener, &other);
    pair.reason = judge::refused(site, &site.connection(&facts), &authority);
    pair.shares = pair.reason.is_none();
    let groups = site.group(facts.group()).zip(group_of(site, to));
    if let Some((one, other)) = groups.filter(|_| pair.reason == Some(Misdirected::Group.code())) {
        pair.because = difference::between(one, other);
    }
    pair
}

fn group_of<'a>(site: &'a Site, name: &str) -> Option<&'a SiteGroup> {
    let authority = Authority::parse(name.as_bytes()).ok()?;
    let host: Host<'_> = authority.host();
    site.group(site.authorities().lookup(&host)?.group)
}

impl fmt::Display for Pair<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connection, request, listener, .. } = self;
        write!(f, "{connection} -> {request} (listener {listener}): ")?;
        match self.reason {
            None => f.write_str("may share")?,
            Some(reason) => write!(f, "may not, {reason}")?,
        }
        for Difference { field, values: [one, other] } in &self.because {
            write!(f, "\n  {field:<18}  {one} / {other}")?;
        }
        Ok(())
    }
}
