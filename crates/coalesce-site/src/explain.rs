//! Answers a question by the code that serves, and says what else may help.

use coalesce_core::{Authority, Host, Misdirected, RequestTarget, Scheme, Verdict, decide};
use coalesce_tls::{ClientAuth, HandshakeFacts, client_verifier};
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

    fn listener_of(&self, question: &Question) -> Option<&SiteListener> {
        let mut listeners = self.tables.listeners.iter();
        match &question.listener {
            None => listeners.next(),
            Some(name) => {
                listeners.find(|listener| listener.is_named(name) || listener.name == *name)
            }
        }
    }

    fn group_of(&self, facts: &HandshakeFacts) -> Option<&SiteGroup> {
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

    /// Returns what may help somebody whose request is answered 421.
    pub(crate) fn hints(&self, question: &Question, explanation: &Explanation) -> Vec<String> {
        let (Outcome::Decided(Verdict::Misdirected(reason)), Some(facts), Some(listener)) =
            (explanation.outcome(), explanation.facts(), self.listener_of(question))
        else {
            return Vec::new();
        };
        let named = question.authority().or(question.hosts().first().map(String::as_str));
        let Some(Ok(authority)) = named.map(|named| Authority::parse(named.as_bytes())) else {
            return Vec::new();
        };
        match reason {
            Misdirected::Port => port_hint(listener, &authority),
            Misdirected::Group => {
                let entry = self.tables.authorities.lookup(&authority.host());
                let of_host = entry.and_then(|entry| self.host(entry.virtual_host)).map(|host| {
                    format!("virtual host {} is in group {}", host.name(), host.group())
                });
                let own = self.own_connection(question, &authority, facts);
                of_host.into_iter().chain(own).collect()
            }
            Misdirected::Certificate | Misdirected::ServerName => {
                self.own_connection(question, &authority, facts).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Returns what a client that tries again on a connection of its own gets.
    fn own_connection(
        &self,
        question: &Question,
        authority: &Authority<'_>,
        facts: &HandshakeFacts,
    ) -> Option<String> {
        let mut again = Question::new().with_authority(authority.to_string());
        again.listener.clone_from(&question.listener);
        if let Host::Name(name) = authority.host() {
            again = again.with_server_name(name.to_string());
        }
        let own = self.explain(&again);
        let own_facts = own.facts()?;
        if own_facts.group() == facts.group() && own_facts.certificate() == facts.certificate() {
            return None;
        }
        let (host, group) = (own.host()?, self.group_of(own_facts)?);
        let demand = match group.tls.client_auth {
            ClientAuth::Required(_) => ", which demands a client certificate",
            ClientAuth::Optional(_) => ", which asks for a client certificate",
            _ => "",
        };
        let name = &group.name;
        Some(format!(
            "on a connection of its own it is served, by virtual host {host} in group {name}{demand}"
        ))
    }
}

fn port_hint(listener: &SiteListener, authority: &Authority<'_>) -> Vec<String> {
    if listener.ports_are_chosen {
        let hint = "the listener's port is chosen when it starts; its 'ports' may list others";
        return vec![hint.to_owned()];
    }
    let ports = listener.ports.as_slice();
    let texts: Vec<String> = ports.iter().map(ToString::to_string).collect();
    let known = format!("listener {} answers for port {}", listener.name, texts.join(", "));
    let (None, Some(port)) = (authority.port(), ports.first()) else {
        return vec![known];
    };
    let default = Scheme::Https.default_port();
    let meant = format!("without a port the authority means {default}");
    vec![format!("{known}; {meant}: did you mean {}:{port}?", authority.host())]
}
