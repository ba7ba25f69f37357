//! Decides one request: makes its target, asks for the verdict, logs the reason of a refusal.

use coalesce_core::{
    Authoritative, Malformed, Misdirected, RefusalHint, RequestTarget, Scheme, Verdict,
};
use coalesce_http::target::TargetError;
use coalesce_http::{Answers, Decide, Refusal, log};
use http::Request;

use crate::connection::ConnectionInfo;
use crate::decide::Undecided;
use crate::gateway::{Forwarding, GatewayFieldError, strip};
use crate::lines::{refusal_limit, say};
use crate::target::{Head, settle_host, settle_scheme, target_by_gateway, target_of};

/// What all connections share: how to decide, and what to answer.
#[derive(Debug)]
pub(crate) struct Rules<D> {
    pub(crate) decide: D,
    pub(crate) forwarding: Option<Forwarding>,
    /// Whether fields in which a client could pass for a gateway are removed.
    pub(crate) strips_claims: bool,
    pub(crate) answers: Answers,
}

impl<D> Rules<D> {
    pub(crate) fn new(decide: D) -> Self {
        Self { decide, forwarding: None, strips_claims: false, answers: Answers::default() }
    }

    /// These rules after a change.
    pub(crate) fn changed(&self, change: impl FnOnce(&mut Self)) -> Self
    where
        D: Clone,
    {
        let Self { decide, forwarding, strips_claims, answers } = self;
        let mut rules = Self {
            decide: decide.clone(),
            forwarding: forwarding.clone(),
            strips_claims: *strips_claims,
            answers: answers.clone(),
        };
        change(&mut rules);
        rules
    }
}

impl<D: for<'a> Decide<Undecided<'a>>> Rules<D> {
    /// Decides a request on its connection, and sets its target and `Host` to the decided
    /// authority.
    pub(crate) fn judge<B>(
        &self,
        info: &ConnectionInfo,
        request: &mut Request<B>,
    ) -> Result<Authoritative, Refusal> {
        let (proof, scheme) = self.decide(info, Head::of(request))?;
        if let Some(scheme) = scheme {
            settle_scheme(request, scheme);
        }
        settle_host(request);
        if self.strips_claims {
            self.strip_claims(info, request);
        }
        Ok(proof)
    }

    #[inline(never)]
    fn strip_claims<B>(&self, info: &ConnectionInfo, request: &mut Request<B>) {
        let forwarding = self.forwarding.as_ref();
        if !forwarding.is_some_and(|forwarding| forwarding.gateways.are_at(info.peer())) {
            strip(request.headers_mut(), forwarding.map(|forwarding| &forwarding.fields));
        }
    }

    /// Returns the proof, and the scheme of the client if a gateway named it.
    fn decide(
        &self,
        info: &ConnectionInfo,
        request: Head<'_>,
    ) -> Result<(Authoritative, Option<Scheme>), Refusal> {
        let forwarded = match &self.forwarding {
            None => None,
            Some(forwarding) => forwarding
                .connection(info, request.headers)
                .transpose()
                .map_err(|error| log_gateway(&error))?,
        };
        let target = match &forwarded {
            None => target_of(request),
            Some(_) => target_by_gateway(request, info.connection().scheme()),
        };
        let target = target.map_err(log_target_error)?;
        let undecided = Undecided { info, forwarded: forwarded.as_ref(), target };
        match self.decide.decide(&undecided) {
            Verdict::Serve(proof) => Ok((proof, forwarded.map(|client| client.scheme()))),
            Verdict::Misdirected(reason) => Err(self.log_misdirected(&undecided, reason)),
            Verdict::Malformed(reason) => Err(log_malformed(&target, reason)),
        }
    }

    #[cold]
    fn log_misdirected(&self, request: &Undecided<'_>, reason: Misdirected) -> Refusal {
        log::misdirected(request.target(), reason, |reason| {
            let hint = self.decide.hint(request, reason);
            // A closure makes no hints.
            hint.or_else(|| Some(RefusalHint::new(request.connection(), reason)?.to_string()))
        });
        Refusal::Misdirected
    }
}

// The reason of each refusal is for the operator, and in no answer.

#[cold]
fn log_malformed(target: &RequestTarget<'_>, reason: Malformed) -> Refusal {
    log::malformed(target, reason);
    // A service cannot reset a stream. RFC 9113 §8.1.1 allows an answer instead, and the status is
    // the one that HTTP/1.1 has for it.
    Refusal::from_malformed(reason.answer()).unwrap_or(Refusal::BadRequest)
}

#[cold]
fn log_target_error(error: TargetError) -> Refusal {
    log::target_error(error, None);
    Refusal::BadRequest
}

#[cold]
fn log_gateway(error: &GatewayFieldError) -> Refusal {
    say(refusal_limit!(), |unlogged| {
        let (reason, rule) = ("gateway_field", "RFC 9110 §7.4");
        tracing::warn!(reason, rule, %error, unlogged, "malformed");
    });
    Refusal::BadRequest
}
