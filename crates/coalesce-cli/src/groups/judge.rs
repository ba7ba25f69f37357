//! Decides by the tables of a site: the handshake of a client, and a request on its connection.

use coalesce_core::{Misdirected, NamePattern, RequestTarget, ServerConnection, Verdict, decide};
use coalesce_site::{Question, SiteListener};
use coalesce_tls::HandshakeFacts;

use crate::config::Site;

/// The code of a 421, or of a malformed request; `None` if the request is served.
pub(super) type Refused = Option<&'static str>;

/// Returns the client that connects for a host of the name `text`. `None` if no host has this name.
///
/// A host one label below `**.a.test` may belong to `*.a.test`. The client then connects for a host
/// two labels below.
pub(super) fn client_for(site: &Site, text: &str) -> Option<Question> {
    let pattern = NamePattern::parse(text.as_bytes()).ok()?;
    let first = Question::for_pattern(&pattern)?;
    let NamePattern::AnyDepth(_) = pattern else { return Some(first) };
    let deeper = format!("**.{}", first.authority()?);
    let deeper = NamePattern::parse(deeper.as_bytes()).ok();
    let deeper = deeper.and_then(|pattern| Question::for_pattern(&pattern));
    let belongs = |question: &Question| {
        let host = NamePattern::parse(question.authority().unwrap_or_default().as_bytes());
        let Ok(NamePattern::Exact(name)) = host else { return false };
        let found = site.authorities().lookup_pattern(&coalesce_core::Host::Name(name));
        found.is_some_and(|(known, _)| known == pattern)
    };
    let deeper = deeper.filter(|deeper| !belongs(&first) && belongs(deeper));
    Some(deeper.unwrap_or(first))
}

/// Returns the facts of the handshake of `client`. `None` if the handshake is refused.
pub(super) fn handshake(listener: &SiteListener, client: &Question) -> Option<HandshakeFacts> {
    let choice = listener.handshakes().choose_by_name(client.server_name());
    choice.ok().map(|choice| choice.facts)
}

/// Returns the `:authority` that `client` sends, with a port that the listener answers for.
pub(super) fn authority(listener: &SiteListener, client: &Question) -> String {
    let host = client.authority().unwrap_or_default();
    match listener.ports().as_slice().first() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Returns the reason why a request for `authority` is not served on this connection.
pub(super) fn refused(site: &Site, connection: &ServerConnection<'_>, authority: &str) -> Refused {
    let target = RequestTarget::https(authority.as_bytes());
    match decide(&**site.authorities(), connection, &target) {
        // An observed group serves what its rules refuse. The report is about the rules.
        Verdict::Serve(proof) => proof.observed().map(Misdirected::code),
        Verdict::Misdirected(reason) => Some(reason.code()),
        Verdict::Malformed(reason) => Some(reason.code()),
    }
}
