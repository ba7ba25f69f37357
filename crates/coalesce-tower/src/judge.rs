//! One request: from what is known of it to a proof or a refusal, and the reason to the log.

use coalesce_core::{
    Authoritative, HostField, Malformed, MalformedAnswer, Misdirected, RequestTarget, Verdict,
};
use http::{HeaderValue, Request};

use crate::answer::{Answers, MisdirectedContent, Refusal};
use crate::connection::ConnectionInfo;
use crate::decide::{Decide, Undecided};
use crate::gateway::{Forwarding, GatewayFieldError};
use crate::target::{Formless, Head, settle_host, target_of};

/// What all connections share: how to decide, and what to answer.
#[derive(Debug)]
pub(crate) struct Rules<D> {
    pub(crate) decide: D,
    pub(crate) content: MisdirectedContent,
    pub(crate) allow: HeaderValue,
    pub(crate) forwarding: Option<Forwarding>,
    pub(crate) answers: Answers,
}

impl<D> Rules<D> {
    pub(crate) fn new(decide: D) -> Self {
        let content = MisdirectedContent::default();
        // RFC 9110 §9.1: what every general-purpose server supports.
        let allow = HeaderValue::from_static("GET, HEAD");
        let answers = Answers::new(&content, allow.clone());
        Self { decide, content, allow, forwarding: None, answers }
    }

    /// These rules after a change.
    pub(crate) fn changed(&self, change: impl FnOnce(&mut Self)) -> Self
    where
        D: Clone,
    {
        let Self { decide, content, allow, forwarding, answers } = self;
        let mut rules = Self {
            decide: decide.clone(),
            content: content.clone(),
            allow: allow.clone(),
            forwarding: forwarding.clone(),
            answers: answers.clone(),
        };
        change(&mut rules);
        rules.answers = Answers::new(&rules.content, rules.allow.clone());
        rules
    }
}

impl<D: Decide> Rules<D> {
    /// Decides a request on its connection, and makes `Host` say what was decided.
    pub(crate) fn judge<B>(
        &self,
        info: &ConnectionInfo,
        request: &mut Request<B>,
    ) -> Result<Authoritative, Refusal> {
        let proof = self.decide(info, Head::of(request))?;
        settle_host(request);
        Ok(proof)
    }

    fn decide(&self, info: &ConnectionInfo, request: Head<'_>) -> Result<Authoritative, Refusal> {
        let target = target_of(request).map_err(log_formless)?;
        let forwarded = match &self.forwarding {
            None => None,
            Some(forwarding) => forwarding
                .connection(info, request.headers)
                .transpose()
                .map_err(|error| log_gateway(&error))?,
        };
        let undecided = Undecided { info, forwarded: forwarded.as_ref(), target };
        match self.decide.decide(&undecided) {
            Verdict::Serve(proof) => Ok(proof),
            Verdict::Misdirected(reason) => Err(log_misdirected(&target, reason)),
            Verdict::Malformed(reason) => Err(log_malformed(&target, reason)),
        }
    }
}

// The reason of each refusal is for the operator, and in no answer.

#[cold]
fn log_misdirected(target: &RequestTarget<'_>, reason: Misdirected) -> Refusal {
    tracing::info!(
        reason = reason.code(),
        step = reason.step().number(),
        rule = reason.rule(),
        authority = %named(target),
        status = 421,
        "misdirected"
    );
    Refusal::Misdirected
}

#[cold]
fn log_malformed(target: &RequestTarget<'_>, reason: Malformed) -> Refusal {
    tracing::info!(
        reason = reason.code(),
        step = reason.step().number(),
        rule = reason.rule(),
        authority = %named(target),
        detail = %reason,
        "malformed"
    );
    // A service cannot reset a stream. RFC 9113 §8.1.1 allows an answer instead, and the status is
    // the one that HTTP/1.1 has for it.
    match reason.answer() {
        MalformedAnswer::MethodNotAllowed => Refusal::MethodNotAllowed,
        _ => Refusal::BadRequest,
    }
}

#[cold]
fn log_formless(formless: Formless) -> Refusal {
    let (reason, rule) = formless.code_and_rule();
    tracing::info!(reason, rule, "malformed");
    Refusal::BadRequest
}

#[cold]
fn log_gateway(error: &GatewayFieldError) -> Refusal {
    tracing::warn!(reason = "gateway_field", rule = "RFC 9110 §7.4", %error, "malformed");
    Refusal::BadRequest
}

/// What the request named, printable and of bounded length.
fn named<'a>(target: &RequestTarget<'a>) -> std::slice::EscapeAscii<'a> {
    /// Longer than any name that could be served.
    const LOGGED_BYTES_MAX: usize = 300;
    let bytes = match (target.authority, target.host) {
        (Some(bytes), _) | (None, HostField::One(bytes)) => bytes,
        _ => b"",
    };
    bytes.get(..LOGGED_BYTES_MAX).unwrap_or(bytes).escape_ascii()
}
