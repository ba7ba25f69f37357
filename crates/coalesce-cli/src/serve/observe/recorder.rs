//! Counts and logs the decisions on one connection. No answer carries any of this.

use std::sync::Arc;

use coalesce_core::{
    Authority, DnsName, Host, Malformed, MalformedAnswer, Misdirected, RequestTarget, ServedAs,
    Step, Verdict,
};
use coalesce_http::log::{LogDecision, LoggedAuthority, named_authority};

use crate::serve::observe::access_log::{AccessLog, ConnectionLog, RefusalRecord};
use crate::serve::observe::events::{Refusal, RefusalKind};
use crate::serve::observe::meters::{GroupMeters, MALFORMED, MISDIRECTED, Meters};

/// The outputs to which a server reports.
#[derive(Clone, Debug)]
pub(crate) struct Observers {
    pub(in crate::serve) meters: Arc<Meters>,
    pub(in crate::serve) access_log: Option<AccessLog>,
    /// True if the meters have a reader.
    pub(in crate::serve) counts: bool,
}

impl Default for Observers {
    /// Returns meters without a reader, unless a recorder was installed before, and no access log.
    fn default() -> Self {
        Self { meters: Arc::new(Meters::new()), access_log: None, counts: false }
    }
}

/// The recorder of one connection.
#[derive(Debug)]
pub(in crate::serve) struct Recorder {
    /// The meters of the group that the handshake chose.
    pub(in crate::serve) meters: Arc<GroupMeters>,
    /// The server name of the handshake, in lower case, without a trailing dot.
    pub(in crate::serve) server_name: Option<String>,
    pub(in crate::serve) access_log: Option<Arc<ConnectionLog>>,
    /// True if answers are counted.
    pub(in crate::serve) counts: bool,
}

impl Recorder {
    /// Records a verdict. Calls `hint` for a sentence if the request is logged.
    #[inline]
    pub(in crate::serve) fn record(
        &self,
        target: &RequestTarget<'_>,
        verdict: &Verdict,
        hint: impl FnOnce(Misdirected) -> Option<String>,
    ) {
        match verdict {
            Verdict::Serve(proof) => {
                match proof.served_as() {
                    ServedAs::VirtualHost(_) => self.meters.served(self.is_coalesced(target)),
                    // No policy of the configuration hands tunnels over.
                    ServedAs::Unlisted | ServedAs::Tunnel => self.meters.unlisted(),
                }
                if let Some(reason) = proof.observed() {
                    self.observed(target, reason, hint);
                }
            }
            Verdict::Misdirected(reason) => self.misdirected(target, *reason, hint),
            Verdict::Malformed(reason) => self.malformed(target, *reason),
        }
    }

    /// Returns true if the request names another host than the server name. Without a server name,
    /// the intended host of the connection is unknown.
    fn is_coalesced(&self, target: &RequestTarget<'_>) -> bool {
        let (Some(server_name), Some(authority)) = (&self.server_name, named_authority(target))
        else {
            return false;
        };
        // Fast path: most requests spell the name as the ClientHello did.
        match authority.strip_prefix(server_name.as_bytes()) {
            Some([] | [b':', ..]) => false,
            _ => names_another(server_name, authority),
        }
    }

    #[cold]
    fn misdirected(
        &self,
        target: &RequestTarget<'_>,
        reason: Misdirected,
        hint: impl FnOnce(Misdirected) -> Option<String>,
    ) {
        let refused = Refused { status: Some(MISDIRECTED_STATUS), ..reason.into() };
        let decision = self.meters.misdirected(reason);
        self.log(RefusalKind::Misdirected, target, refused, decision, || hint(reason));
        self.refused(target, MISDIRECTED, refused);
    }

    /// Records a request that would be misdirected if the group were not only observed.
    #[cold]
    fn observed(
        &self,
        target: &RequestTarget<'_>,
        reason: Misdirected,
        hint: impl FnOnce(Misdirected) -> Option<String>,
    ) {
        let decision = self.meters.observed(reason);
        self.log(RefusalKind::Observed, target, reason.into(), decision, || hint(reason));
    }

    #[cold]
    fn malformed(&self, target: &RequestTarget<'_>, reason: Malformed) {
        let status = match reason.answer() {
            answer @ (MalformedAnswer::BadRequest | MalformedAnswer::MethodNotAllowed) => {
                Some(answer.status())
            }
            _ => None,
        };
        let refused = Refused {
            code: reason.code(),
            step: reason.step(),
            rule: reason.rule(),
            detail: Some(reason),
            status,
        };
        let decision = self.meters.malformed(reason);
        self.log(RefusalKind::Malformed, target, refused, decision, || None);
        self.refused(target, MALFORMED, refused);
    }

    fn log(
        &self,
        kind: RefusalKind,
        target: &RequestTarget<'_>,
        refused: Refused,
        decision: LogDecision,
        hint: impl FnOnce() -> Option<String>,
    ) {
        let LogDecision::Log { unlogged_before } = decision else { return };
        let Refused { code, step, rule, detail, status } = refused;
        Refusal {
            kind,
            reason: code,
            step: step.number(),
            rule,
            group: &self.meters.name,
            server_name: self.server_name.as_deref(),
            authority: &LoggedAuthority::of_target(target).to_string(),
            detail,
            hint: hint().as_deref(),
            status,
            unlogged_before,
        }
        .log();
    }

    fn refused(&self, target: &RequestTarget<'_>, verdict: &'static str, refused: Refused) {
        self.meters.answered(refused.status);
        let Some(log) = &self.access_log else { return };
        let Refused { code: reason, step, status, .. } = refused;
        let authority = LoggedAuthority::of_target(target).to_string();
        let step = step.number();
        log.refused(&RefusalRecord { authority: &authority, verdict, reason, step, status });
    }
}

const MISDIRECTED_STATUS: u16 = 421;

/// A reason, and the fields that are recorded with it.
#[derive(Clone, Copy, Debug)]
struct Refused {
    code: &'static str,
    step: Step,
    rule: &'static str,
    /// The fault of a malformed request.
    detail: Option<Malformed>,
    /// `None` if the stream is reset, or if the group is only observed.
    status: Option<u16>,
}

impl From<Misdirected> for Refused {
    fn from(reason: Misdirected) -> Self {
        let (code, step, rule) = (reason.code(), reason.step(), reason.rule());
        Self { code, step, rule, detail: None, status: None }
    }
}

/// Returns true if `authority` has another host than `server_name`, by the comparison that the
/// decision uses.
#[inline(never)]
fn names_another(server_name: &str, authority: &[u8]) -> bool {
    let Ok(authority) = Authority::parse(authority) else { return true };
    let Ok(server_name) = DnsName::parse(server_name.as_bytes()) else { return true };
    authority.host() != Host::Name(server_name)
}

#[cfg(test)]
mod tests {
    use coalesce_core::HostField;

    use super::*;

    #[test]
    fn request_for_another_host_than_the_server_name_is_coalesced() {
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
        let recorder = |server_name: Option<&str>| Recorder {
            meters: Arc::new(Meters::new().group("g")),
            server_name: server_name.map(str::to_owned),
            access_log: None,
            counts: false,
        };
        for (authority, coalesced) in cases {
            let target = RequestTarget::https(authority.as_bytes());
            assert_eq!(recorder(Some("a.test")).is_coalesced(&target), coalesced, "{authority}");
            assert!(!recorder(None).is_coalesced(&target), "{authority}");
            let host = HostField::One(authority.as_bytes());
            let target = RequestTarget { authority: None, host, ..target };
            assert_eq!(recorder(Some("a.test")).is_coalesced(&target), coalesced, "{authority}");
        }
    }
}
