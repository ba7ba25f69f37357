//! Answers a question by the code that serves.

use coalesce_core::{RequestTarget, Verdict, decide};
use coalesce_tls::{HandshakeFacts, client_verifier};
use rustls_pki_types::UnixTime;

use crate::explanation::{Explanation, Outcome, Refusal};
use crate::plan::SiteGroup;
use crate::question::{ClientIdentity, Question};
use crate::site_listener::SiteListener;
use crate::snapshot::Snapshot;

impl<T> Snapshot<T> {
    /// Answers as a connection would.
    pub(crate) fn explain(&self, question: &Question) -> Explanation {
        let facts = match self.handshake(question) {
            Ok(facts) => facts,
            Err(refusal) => {
                let outcome = Outcome::Refused(refusal);
                return Explanation { outcome, facts: None, host: None, group: None };
            }
        };
        let verdict = self.decide(&facts, &question.target());
        let id = match &verdict {
            Verdict::Serve(proof) => proof.virtual_host(),
            _ => None,
        };
        let host = id.and_then(|id| self.host(id)).map(|host| host.name().to_owned());
        let group = self.group_of(&facts).map(|group| group.name.clone());
        Explanation { outcome: Outcome::Decided(verdict), facts: Some(facts), host, group }
    }

    pub(crate) fn decide(&self, facts: &HandshakeFacts, target: &RequestTarget<'_>) -> Verdict {
        decide(&*self.tables.authorities, &self.tables.connection(facts), target)
    }

    /// Returns the listener that the connection comes to.
    pub(crate) fn listener_of(&self, question: &Question) -> Option<&SiteListener> {
        let mut listeners = self.tables.listeners.iter();
        match &question.listener {
            None => listeners.next(),
            Some(name) => {
                listeners.find(|listener| listener.is_named(name) || listener.name == *name)
            }
        }
    }

    /// Returns the group of the connection with these facts.
    pub(crate) fn group_of(&self, facts: &HandshakeFacts) -> Option<&SiteGroup> {
        let id = self.tables.place(Some(facts)).group;
        self.plan.groups.get(usize::try_from(id.get()).ok()?)
    }

    fn handshake(&self, question: &Question) -> Result<HandshakeFacts, Refusal> {
        let listener = self.listener_of(question);
        let listener = listener.ok_or_else(|| {
            Refusal::no_listener(question.listener.as_deref().unwrap_or_default())
        })?;
        let choice = listener.handshakes.choose_by_name(question.server_name.as_deref());
        let facts = choice.map_err(|refused| Refusal::by_server_name(&refused))?.facts;
        let (offered, known) = (&question.protocols, &facts.policy().alpn);
        // A client that offers none is not refused, nor is one if the site has none.
        let common = offered.iter().any(|name| known.contains(name));
        if !common && !offered.is_empty() && !known.is_empty() {
            return Err(Refusal::no_protocol());
        }
        match self.group_of(&facts) {
            Some(group) => self.client_accepted(group, &question.client).map(|()| facts),
            None => Ok(facts),
        }
    }

    /// Checks that the handshake of `group` accepts the client, by the verifier that serves.
    fn client_accepted(&self, group: &SiteGroup, client: &ClientIdentity) -> Result<(), Refusal> {
        let chain = match client {
            ClientIdentity::Accepted => return Ok(()),
            ClientIdentity::Certificate(chain) => chain.as_slice(),
            ClientIdentity::WithoutCertificate => &[],
        };
        let verifier = client_verifier(&group.tls.client_auth, &self.plan.cryptography.provider);
        let Some(verifier) = verifier.map_err(|error| Refusal::client_invalid(&error))? else {
            return Ok(());
        };
        let Some((own, intermediates)) = chain.split_first() else {
            let mandatory = verifier.client_auth_mandatory();
            return if mandatory { Err(Refusal::client_required(&group.name)) } else { Ok(()) };
        };
        verifier
            .verify_client_cert(own, intermediates, UnixTime::now())
            .map(drop)
            .map_err(|error| Refusal::client_invalid(&error))
    }
}
