//! The answer: the handshake first, then the decision, by the code that serves.

use coalesce_core::{Verdict, decide};
use coalesce_tls::{HandshakeFacts, HandshakeRefused, client_verifier};
use rustls_pki_types::UnixTime;

use crate::config::{Group, Listener, Site, crypto_provider};
use crate::explain::question::{ClientIdentity, Question};

/// What becomes of the connection, and of the request on it.
#[derive(Debug)]
pub(crate) enum Explanation {
    /// There is no connection.
    Refused(HandshakeRefusal),
    /// There is one, and the request gets this.
    Decided {
        /// The connection.
        facts: HandshakeFacts,
        /// The decision.
        verdict: Verdict,
    },
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) struct HandshakeRefusal {
    /// A stable name.
    pub(crate) code: &'static str,
    pub(crate) rule: &'static str,
    /// The same in words.
    pub(crate) text: String,
}

impl Explanation {
    pub(crate) const fn is_served(&self) -> bool {
        matches!(self, Self::Decided { verdict: Verdict::Serve(_), .. })
    }
}

/// Answers as a connection to `listener` would.
pub(crate) fn explain(site: &Site, listener: &Listener, question: &Question) -> Explanation {
    let facts = match listener.handshakes.choose_by_name(question.server_name.as_deref()) {
        Ok(choice) => choice.facts,
        Err(refused) => return Explanation::Refused(unrecognized_name(&refused)),
    };
    if let Some(group) = site.group(facts.group())
        && let Err(refusal) = client_accepted(group, &question.client)
    {
        return Explanation::Refused(refusal);
    }
    let ports = listener.ports_when_configured();
    let connection = listener.connection(&facts, ports);
    let verdict = decide(site.table.as_ref(), &connection, &question.target());
    Explanation::Decided { facts, verdict }
}

fn unrecognized_name(refused: &HandshakeRefused) -> HandshakeRefusal {
    HandshakeRefusal { code: "unrecognized_name", rule: "RFC 6066 §3", text: refused.to_string() }
}

/// Whether the handshake of `group` accepts the client, by the verifier that serves.
fn client_accepted(group: &Group, client: &ClientIdentity) -> Result<(), HandshakeRefusal> {
    let chain = match client {
        ClientIdentity::Accepted => return Ok(()),
        ClientIdentity::Certificate(chain) => chain.as_slice(),
        ClientIdentity::WithoutCertificate => &[],
    };
    let invalid = |text: String| HandshakeRefusal {
        code: "client_certificate_invalid",
        rule: "RFC 8446 §4.4.2.4, RFC 5280 §6",
        text,
    };
    let verifier = client_verifier(&group.tls.client_auth, &crypto_provider());
    let Some(verifier) = verifier.map_err(|error| invalid(error.to_string()))? else {
        return Ok(());
    };
    let Some((own, intermediates)) = chain.split_first() else {
        if !verifier.client_auth_mandatory() {
            return Ok(());
        }
        return Err(HandshakeRefusal {
            code: "client_certificate_required",
            rule: "RFC 8446 §4.4.2.4",
            text: format!("group {:?} demands a client certificate", group.name),
        });
    };
    verifier
        .verify_client_cert(own, intermediates, UnixTime::now())
        .map(drop)
        .map_err(|error| invalid(error.to_string()))
}
