//! What is counted and logged of the decisions on one connection. Nothing of it is in any answer.

use std::sync::Arc;

use coalesce_core::{
    Authority, DnsName, Host, HostField, Malformed, MalformedAnswer, Misdirected, RequestTarget,
    ServedAs, Verdict,
};

use crate::serve::access_log::{Refused, Source};
use crate::serve::meters::{GroupMeters, Log, MALFORMED, MISDIRECTED};

/// Counts and logs, for one connection.
#[derive(Debug)]
pub(super) struct Noting {
    /// Those of the group that the handshake chose.
    pub(super) meters: Arc<GroupMeters>,
    /// As the handshake knows it: in lower case, without a trailing dot.
    pub(super) server_name: Option<String>,
    /// Where there is an access log.
    pub(super) source: Option<Arc<Source>>,
}

impl Noting {
    #[inline]
    pub(super) fn note(&self, target: &RequestTarget<'_>, verdict: &Verdict) {
        match verdict {
            Verdict::Serve(proof) => {
                match proof.served_as() {
                    ServedAs::VirtualHost(_) => self.meters.served(self.is_coalesced(target)),
                    // No policy of the configuration hands tunnels over.
                    ServedAs::Unlisted | ServedAs::Tunnel => self.meters.unlisted(),
                }
                if let Some(reason) = proof.observed() {
                    self.observed(target, reason);
                }
            }
            Verdict::Misdirected(reason) => self.misdirected(target, *reason),
            Verdict::Malformed(reason) => self.malformed(target, *reason),
        }
    }

    /// Whether the request names another host than the server name. Without a server name nobody
    /// can tell whom the connection was made for.
    fn is_coalesced(&self, target: &RequestTarget<'_>) -> bool {
        let (Some(server_name), Some(authority)) = (&self.server_name, authority(target)) else {
            return false;
        };
        // Most requests name it in the way the ClientHello did.
        match authority.strip_prefix(server_name.as_bytes()) {
            Some([] | [b':', ..]) => false,
            _ => names_another(server_name, authority),
        }
    }

    #[cold]
    fn misdirected(&self, target: &RequestTarget<'_>, reason: Misdirected) {
        const STATUS: u16 = 421;
        if let Log::This { unlogged_before } = self.meters.misdirected(reason) {
            tracing::info!(
                reason = reason.code(),
                step = reason.step().number(),
                rule = reason.rule(),
                group = self.meters.name,
                server_name = self.server_name,
                authority = printable(target),
                status = STATUS,
                unlogged_before,
                "misdirected"
            );
        }
        self.access(target, MISDIRECTED, reason.code(), reason.step().number(), Some(STATUS));
    }

    /// What would be misdirected, but for the group being observed only.
    #[cold]
    fn observed(&self, target: &RequestTarget<'_>, reason: Misdirected) {
        if let Log::This { unlogged_before } = self.meters.observed(reason) {
            tracing::info!(
                reason = reason.code(),
                step = reason.step().number(),
                rule = reason.rule(),
                group = self.meters.name,
                server_name = self.server_name,
                authority = printable(target),
                unlogged_before,
                "observed"
            );
        }
    }

    #[cold]
    fn malformed(&self, target: &RequestTarget<'_>, reason: Malformed) {
        let status = match reason.answer() {
            answer @ (MalformedAnswer::BadRequest | MalformedAnswer::MethodNotAllowed) => {
                Some(answer.status())
            }
            _ => None,
        };
        if let Log::This { unlogged_before } = self.meters.malformed(reason) {
            tracing::info!(
                reason = reason.code(),
                step = reason.step().number(),
                rule = reason.rule(),
                group = self.meters.name,
                server_name = self.server_name,
                authority = printable(target),
                detail = %reason,
                status,
                unlogged_before,
                "malformed"
            );
        }
        self.access(target, MALFORMED, reason.code(), reason.step().number(), status);
    }

    fn access(
        &self,
        target: &RequestTarget<'_>,
        verdict: &'static str,
        reason: &'static str,
        step: u8,
        status: Option<u16>,
    ) {
        let Some(source) = &self.source else { return };
        let authority = printable(target);
        source.refused(&Refused { authority: &authority, verdict, reason, step, status });
    }
}

/// What the request named.
fn authority<'a>(target: &RequestTarget<'a>) -> Option<&'a [u8]> {
    match (target.authority, target.host) {
        (Some(bytes), _) | (None, HostField::One(bytes)) => Some(bytes),
        _ => None,
    }
}

/// What the request named, printable and of bounded length.
fn printable(target: &RequestTarget<'_>) -> String {
    authority(target).map(shortened).unwrap_or_default()
}

/// As much of `authority` as could be served, printable.
pub(super) fn shortened(authority: &[u8]) -> String {
    /// Longer than any name with a port.
    const LOGGED_BYTES_MAX: usize = 300;
    authority.get(..LOGGED_BYTES_MAX).unwrap_or(authority).escape_ascii().to_string()
}

/// Whether the host of `authority` is another one than `server_name`, by the one comparison there
/// is.
#[inline(never)]
fn names_another(server_name: &str, authority: &[u8]) -> bool {
    let Ok(authority) = Authority::parse(authority) else { return true };
    let Ok(server_name) = DnsName::parse(server_name.as_bytes()) else { return true };
    authority.host() != Host::Name(server_name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::meters::Meters;

    #[test]
    fn a_request_is_coalesced_when_it_names_another_host_than_the_server_name() {
        let cases = [
            ("a.test", false),
            ("a.test:443", false),
            ("A.Test", false),
            ("a.test.", false),
            ("a.test.:443", false),
            ("a.test.b.test", true),
            ("a.testb", true),
            ("b.test", true),
            ("192.0.2.1", true),
        ];
        let noting = |server_name: Option<&str>| Noting {
            meters: Arc::new(Meters::new().group("g")),
            server_name: server_name.map(str::to_owned),
            source: None,
        };
        for (authority, coalesced) in cases {
            let target = RequestTarget::https(authority.as_bytes());
            assert_eq!(noting(Some("a.test")).is_coalesced(&target), coalesced, "{authority}");
            assert!(!noting(None).is_coalesced(&target), "{authority}");
            let host = HostField::One(authority.as_bytes());
            let target = RequestTarget { authority: None, host, ..target };
            assert_eq!(noting(Some("a.test")).is_coalesced(&target), coalesced, "{authority}");
        }
    }

    #[test]
    fn what_a_stranger_sent_is_printed_short_and_plain() {
        assert_eq!(shortened(b"a\n\xff\"b"), "a\\n\\xff\\\"b");
        assert_eq!(shortened(&b"a".repeat(40_000)).len(), 300);
    }
}
