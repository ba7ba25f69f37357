//! Checks that sessions are resumed only under their server name, in their group and in their
//! table.

use std::sync::{Arc, OnceLock};

use coalesce_tls::{
    Acceptor, ClientAuth, ClientRules, HandshakeTableBuilder, PresentedNames, SessionStores,
    TicketerFactory, TlsPolicy, TlsVersion,
};
use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue,
    Tls13ClientSessionValue,
};
use rustls::crypto::ring::Ticketer;
use rustls::server::ProducesTickets;
use rustls::{CertificateError, ClientConfig, Error as TlsError, HandshakeKind, NamedGroup};
use rustls_pki_types::ServerName;

use crate::common::{
    A, B, Ca, EACH_VERSION, Identity, Versions, acceptor, builder, client, meet, pattern,
};

/// Returns the ways to keep sessions: in memory, in tickets with one key for each group, and in
/// tickets of a careless factory that uses one key for all groups.
fn factories() -> [Option<TicketerFactory>; 3] {
    [None, Some(Arc::new(Ticketer::new)), Some(Arc::new(one_for_all))]
}

fn one_for_all() -> Result<Arc<dyn ProducesTickets>, TlsError> {
    static TICKETER: OnceLock<Result<Arc<dyn ProducesTickets>, TlsError>> = OnceLock::new();
    TICKETER.get_or_init(Ticketer::new).clone()
}

/// A client's session memory that ignores server names: it offers any session to any server.
#[derive(Debug)]
struct AnyName(ClientSessionMemoryCache);

impl AnyName {
    fn name() -> ServerName<'static> {
        ServerName::try_from("any.test").unwrap()
    }
}

impl ClientSessionStore for AnyName {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(Self::name(), group);
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.kx_hint(&Self::name())
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.0.set_tls12_session(Self::name(), value);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.tls12_session(&Self::name())
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.0.remove_tls12_session(&Self::name());
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(Self::name(), value);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(&Self::name())
    }
}

fn resuming(ca: &Ca, versions: Versions, identity: Option<&Identity>) -> Arc<ClientConfig> {
    let mut config = client(ca, versions, identity);
    config.resumption = Resumption::store(Arc::new(AnyName(ClientSessionMemoryCache::new(8))));
    Arc::new(config)
}

struct World {
    server_ca: Ca,
    client_ca: Ca,
    identity: Identity,
}

impl World {
    fn new() -> Self {
        let client_ca = Ca::new("client ca");
        let identity = client_ca.issue(&["client.test"]);
        Self { server_ca: Ca::new("server ca"), client_ca, identity }
    }

    /// Group `A` asks for no certificate, group `B` for a client certificate.
    fn groups(&self, ticketer: Option<TicketerFactory>) -> HandshakeTableBuilder {
        let mut builder = builder();
        if let Some(factory) = ticketer {
            builder.ticketer(factory);
        }
        let mut private = TlsPolicy::default();
        private.client_auth = ClientAuth::Required(self.client_ca.rules([]));
        builder.group(A, TlsPolicy::default()).unwrap().group(B, private).unwrap();
        builder
    }

    /// Names `a` and `b` are in group `A`, `c` is in `B`. Names `a` and `c` share a certificate,
    /// `b` has another one.
    fn acceptor(&self, ticketer: Option<TicketerFactory>) -> Acceptor {
        let mut builder = self.groups(ticketer);
        let first = self.server_ca.issue(&["a.example.test", "c.example.test"]);
        let second = self.server_ca.issue(&["b.example.test"]);
        let first = builder.certificate(first.chain, first.key).unwrap();
        let second = builder.certificate(second.chain, second.key).unwrap();
        builder.server_name(pattern("a.example.test"), A, first).unwrap();
        builder.server_name(pattern("b.example.test"), A, second).unwrap();
        builder.server_name(pattern("c.example.test"), B, first).unwrap();
        acceptor(&builder)
    }
}

async fn kind(acceptor: &Acceptor, config: &Arc<ClientConfig>, name: &str) -> HandshakeKind {
    let (seen, served) = meet(acceptor, config, name).await;
    let (seen, served) = (seen.unwrap(), served.unwrap());
    assert_eq!(seen.kind, served.kind);
    served.kind
}

#[tokio::test]
async fn session_under_the_same_name_is_resumed_with_its_facts() {
    let world = World::new();
    for (versions, factory) in every_way() {
        let acceptor = world.acceptor(factory);
        for name in ["a.example.test", "b.example.test", "c.example.test"] {
            let config = resuming(&world.server_ca, versions, Some(&world.identity));
            let (_, first) = meet(&acceptor, &config, name).await;
            let first = first.unwrap();
            assert_eq!(first.kind, HandshakeKind::Full);
            let (seen, again) = meet(&acceptor, &config, name).await;
            let (seen, again) = (seen.unwrap(), again.unwrap());
            assert_eq!(again.kind, HandshakeKind::Resumed, "{versions:?} {name}");
            assert_eq!(again.facts.group(), first.facts.group());
            assert_eq!(again.facts.certificate(), first.facts.certificate());
            assert_eq!(again.client_certificate, first.client_certificate);
            // The client remembers this certificate from the first handshake.
            let presented = PresentedNames::read_der(&seen.certificate).unwrap();
            assert_eq!(again.facts.presented().names(), presented.names());
        }
    }
}

#[tokio::test]
async fn session_is_not_resumed_under_another_name() {
    let world = World::new();
    for (versions, factory) in every_way() {
        let acceptor = world.acceptor(factory);
        let names = ["a.example.test", "b.example.test", "c.example.test"];
        for from in names {
            for to in names.into_iter().filter(|to| *to != from) {
                let config = resuming(&world.server_ca, versions, Some(&world.identity));
                assert_eq!(kind(&acceptor, &config, from).await, HandshakeKind::Full);
                let found = kind(&acceptor, &config, to).await;
                assert_eq!(found, HandshakeKind::Full, "{versions:?} {from} to {to}");
            }
        }
        // A session made without a certificate does not resume under a name that requires one.
        let config = resuming(&world.server_ca, versions, None);
        assert_eq!(kind(&acceptor, &config, "a.example.test").await, HandshakeKind::Full);
        let (seen, served) = meet(&acceptor, &config, "c.example.test").await;
        assert!(seen.is_err());
        assert_eq!(served.unwrap_err().tls_error(), Some(&TlsError::NoCertificatesPresented));
    }
}

/// The attack: a client makes a session while a name asks for no client certificate. The name moves
/// to a group that asks for one; it is the same name, so rustls notices nothing. The client then
/// resumes the session.
#[tokio::test]
async fn session_is_not_resumed_after_its_name_changes_group() {
    let world = World::new();
    let own = world.server_ca.issue(&["a.example.test"]);
    for (versions, factory) in every_way() {
        let [before, after] = [A, B].map(|group| {
            let mut builder = world.groups(factory.clone());
            let own = own.clone();
            let own = builder.certificate(own.chain, own.key).unwrap();
            builder.server_name(pattern("a.example.test"), group, own).unwrap();
            acceptor(&builder)
        });
        let config = resuming(&world.server_ca, versions, None);
        assert_eq!(kind(&before, &config, "a.example.test").await, HandshakeKind::Full);
        assert_eq!(kind(&before, &config, "a.example.test").await, HandshakeKind::Resumed);
        let (seen, served) = meet(&after, &config, "a.example.test").await;
        assert!(seen.is_err(), "{versions:?}");
        assert_eq!(served.unwrap_err().tls_error(), Some(&TlsError::NoCertificatesPresented));

        let config = resuming(&world.server_ca, versions, Some(&world.identity));
        assert_eq!(kind(&before, &config, "a.example.test").await, HandshakeKind::Full);
        let (_, served) = meet(&after, &config, "a.example.test").await;
        let served = served.unwrap();
        assert_eq!(served.kind, HandshakeKind::Full, "{versions:?}");
        assert_eq!(served.client_certificate.as_ref(), Some(&world.identity.chain[0]));
    }
}

/// Reloads of a running server: tables with the same session stores, in which `a` is in group `B`.
struct Reloads<'a> {
    world: &'a World,
    sessions: SessionStores,
    factory: Option<TicketerFactory>,
    own: Identity,
}

impl Reloads<'_> {
    fn table(&self, client_auth: ClientAuth) -> Acceptor {
        self.with(client_auth, &self.own)
    }

    fn with(&self, client_auth: ClientAuth, own: &Identity) -> Acceptor {
        let mut builder = builder();
        if let Some(factory) = &self.factory {
            builder.ticketer(factory.clone());
        }
        let mut policy = TlsPolicy::default();
        policy.client_auth = client_auth;
        builder.sessions(&self.sessions).group(B, policy).unwrap();
        let own = own.clone();
        let own = builder.certificate(own.chain, own.key).unwrap();
        builder.server_name(pattern("a.example.test"), B, own).unwrap();
        acceptor(&builder)
    }

    fn client(&self, versions: Versions, identity: Option<&Identity>) -> Arc<ClientConfig> {
        resuming(&self.world.server_ca, versions, identity)
    }
}

fn reloads(world: &World) -> impl Iterator<Item = (Versions, Reloads<'_>)> {
    every_way().map(|(versions, factory)| {
        let own = world.server_ca.issue(&["a.example.test"]);
        (versions, Reloads { world, sessions: SessionStores::new(), factory, own })
    })
}

/// If nothing changes for a session, a reload does not cost its client a full handshake.
#[tokio::test]
async fn session_is_resumed_after_a_reload_without_changes() {
    const NAME: &str = "a.example.test";
    let world = World::new();
    for (versions, reloads) in reloads(&world) {
        let config = reloads.client(versions, Some(&world.identity));
        let rules = || ClientAuth::Required(world.client_ca.rules([]));
        let before = reloads.table(rules());
        assert_eq!(kind(&before, &config, NAME).await, HandshakeKind::Full);
        let after = reloads.table(rules());
        drop(before);
        assert_eq!(kind(&after, &config, NAME).await, HandshakeKind::Resumed, "{versions:?}");
    }
}

/// The change, the rules before, the rules after, the client, and the error that it gets.
type Case<'a> = (&'a str, ClientAuth, ClientAuth, Option<&'a Identity>, Option<TlsError>);

/// The attack: a client makes a session while the rules of a group are lax. The rules are tightened
/// under the same id and the same name, and the client resumes the session. Each rule is tightened
/// separately.
#[tokio::test]
async fn session_is_not_resumed_after_client_rules_tighten() {
    const NAME: &str = "a.example.test";
    const IN_DATE: i32 = 2999;
    let world = World::new();
    let (ca, other) = (&world.client_ca, Ca::new("other ca"));
    let [known, revoked] = [6, 7].map(|number| ca.issue_numbered(number));
    let of_other = other.issue(&["client.test"]);
    let both = || ClientRules::new([ca.certificate(), other.certificate()], []).unwrap();
    let empty = || ca.rules([ca.revoked(&[], IN_DATE)]);
    let listed = || ca.rules([ca.revoked(&[7], IN_DATE)]);
    let unknown = CertificateError::UnknownIssuer;
    let invalid = TlsError::InvalidCertificate;
    let cases: [Case<'_>; 6] = [
        (
            "a certificate becomes required",
            ClientAuth::None,
            ClientAuth::Required(ca.rules([])),
            None,
            Some(TlsError::NoCertificatesPresented),
        ),
        (
            "an optional certificate becomes required",
            ClientAuth::Optional(ca.rules([])),
            ClientAuth::Required(ca.rules([])),
            None,
            Some(TlsError::NoCertificatesPresented),
        ),
        (
            "a CA is removed",
            ClientAuth::Required(both()),
            ClientAuth::Required(ca.rules([])),
            Some(&of_other),
            Some(invalid(unknown)),
        ),
        (
            "the certificate is revoked",
            ClientAuth::Required(empty()),
            ClientAuth::Required(listed()),
            Some(&revoked),
            Some(invalid(CertificateError::Revoked)),
        ),
        (
            "another certificate is revoked",
            ClientAuth::Required(empty()),
            ClientAuth::Required(listed()),
            Some(&known),
            None,
        ),
        (
            "a CA that issued another certificate is removed",
            ClientAuth::Required(both()),
            ClientAuth::Required(ca.rules([])),
            Some(&known),
            None,
        ),
    ];
    for (versions, reloads) in reloads(&world) {
        for (what, lax, strict, identity, refused) in &cases {
            let config = reloads.client(versions, *identity);
            let before = reloads.table(lax.clone());
            assert_eq!(kind(&before, &config, NAME).await, HandshakeKind::Full, "{what}");
            assert_eq!(kind(&before, &config, NAME).await, HandshakeKind::Resumed, "{what}");
            // The earlier table still exists, so connections that began under it continue.
            let after = reloads.table(strict.clone());
            let (_, served) = meet(&after, &config, NAME).await;
            match (served, refused) {
                // The new rules judge the client and accept it.
                (Ok(served), None) => assert_eq!(served.kind, HandshakeKind::Full, "{what}"),
                (Err(error), Some(refused)) => {
                    assert_eq!(error.tls_error(), Some(refused), "{versions:?}: {what}");
                }
                (served, _) => panic!("{versions:?}: {what}: {served:?}"),
            }
        }
    }
}

/// Versions and cipher suites are part of the policy too.
#[tokio::test]
async fn session_is_not_resumed_after_its_versions_change() {
    const NAME: &str = "a.example.test";
    let world = World::new();
    let own = world.server_ca.issue(&[NAME]);
    for factory in factories() {
        let sessions = SessionStores::new();
        let table = |minimum| {
            let mut builder = builder();
            if let Some(factory) = &factory {
                builder.ticketer(factory.clone());
            }
            let mut policy = TlsPolicy::default();
            policy.minimum_version = minimum;
            builder.sessions(&sessions).group(A, policy).unwrap();
            let own = own.clone();
            let own = builder.certificate(own.chain, own.key).unwrap();
            builder.server_name(pattern(NAME), A, own).unwrap();
            acceptor(&builder)
        };
        let (before, after) = (table(TlsVersion::Tls12), table(TlsVersion::Tls13));
        let [old, new] = EACH_VERSION.map(|versions| resuming(&world.server_ca, versions, None));
        for config in [&old, &new] {
            assert_eq!(kind(&before, config, NAME).await, HandshakeKind::Full);
            assert_eq!(kind(&before, config, NAME).await, HandshakeKind::Resumed);
        }
        assert!(meet(&after, &old, NAME).await.1.is_err());
        assert_eq!(kind(&after, &new, NAME).await, HandshakeKind::Full);
    }
}

/// A resumed handshake carries no certificate, so its facts must be those of the certificate in the
/// first handshake.
#[tokio::test]
async fn session_is_not_resumed_under_another_certificate() {
    const NAME: &str = "a.example.test";
    let world = World::new();
    let rotated = world.server_ca.issue(&[NAME, "b.example.test"]);
    for (versions, reloads) in reloads(&world) {
        let config = reloads.client(versions, None);
        let before = reloads.table(ClientAuth::None);
        assert_eq!(kind(&before, &config, NAME).await, HandshakeKind::Full);
        let after = reloads.with(ClientAuth::None, &rotated);
        let (seen, served) = meet(&after, &config, NAME).await;
        assert_eq!(seen.unwrap().certificate, rotated.chain[0]);
        let served = served.unwrap();
        assert_eq!(served.kind, HandshakeKind::Full, "{versions:?}");
        assert_eq!(served.facts.presented().names().len(), 2);
    }
}

/// A new table without the session stores of an earlier one starts without sessions.
#[tokio::test]
async fn session_is_not_resumed_in_an_unrelated_table() {
    let world = World::new();
    let own = world.server_ca.issue(&["a.example.test"]);
    for (versions, factory) in every_way() {
        let mut builder = world.groups(factory);
        let own = own.clone();
        let own = builder.certificate(own.chain, own.key).unwrap();
        builder.server_name(pattern("a.example.test"), B, own).unwrap();
        let (before, after) = (acceptor(&builder), acceptor(&builder));
        let config = resuming(&world.server_ca, versions, Some(&world.identity));
        assert_eq!(kind(&before, &config, "a.example.test").await, HandshakeKind::Full);
        assert_eq!(kind(&after, &config, "a.example.test").await, HandshakeKind::Full);
        assert_eq!(kind(&after, &config, "a.example.test").await, HandshakeKind::Resumed);
    }
}

fn every_way() -> impl Iterator<Item = (Versions, Option<TicketerFactory>)> {
    EACH_VERSION
        .into_iter()
        .flat_map(|versions| factories().into_iter().map(move |factory| (versions, factory)))
}
