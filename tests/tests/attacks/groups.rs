//! Attempts to cross from one group into another with a ticket or a certificate.

use std::sync::Arc;

use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue,
    Tls13ClientSessionValue,
};
use rustls::{ClientConfig, HandshakeKind, NamedGroup};
use rustls_pki_types::ServerName;

use super::server::{A, M, N, Target, misdirected, served};
use coalesce_tests::raw::{Answer, Raw};
use coalesce_tests::tls::{self, Versions};

/// A client's session store that ignores server names: it offers any session to any server.
#[derive(Debug)]
struct AnyName(ClientSessionMemoryCache);

fn any_name() -> ServerName<'static> {
    ServerName::try_from("any.test").unwrap()
}

impl ClientSessionStore for AnyName {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(any_name(), group);
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.kx_hint(&any_name())
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.0.set_tls12_session(any_name(), value);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.tls12_session(&any_name())
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.0.remove_tls12_session(&any_name());
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(any_name(), value);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(&any_name())
    }
}

fn resuming(target: &Target, versions: Versions, identity: Option<&str>) -> Arc<ClientConfig> {
    let mut config = tls::config(&target.world, versions, identity);
    config.resumption = Resumption::store(Arc::new(AnyName(ClientSessionMemoryCache::new(8))));
    Arc::new(config)
}

/// Connects under `name` and returns the answer for each of `hosts`; no answers if the server
/// refuses the handshake.
fn visit(
    target: &Target,
    config: &Arc<ClientConfig>,
    name: &str,
    hosts: &[&str],
) -> (Option<HandshakeKind>, Vec<Answer>) {
    let mut socket = target.server.connect();
    let mut connection = tls::connection(config.clone(), name);
    while connection.is_handshaking() {
        if connection.complete_io(&mut socket).is_err() {
            return (None, Vec::new());
        }
    }
    let kind = connection.handshake_kind();
    let mut raw = Raw::over(rustls::StreamOwned::new(connection, socket));
    raw.begin(&[]);
    let answers = hosts.iter().map(|host| raw.ask(host));
    (kind, answers.filter(|answer| answer.ended).collect())
}

fn served_by(name: &str) -> Answer {
    Answer { content: format!("vhost={name}\n").into_bytes(), ..served() }
}

/// CVE-2014-3616, CVE-2022-21654, CVE-2025-23419, CVE-2025-23048, CVE-2025-68121. Attack: a client
/// gets a session in a group that requires no certificate, or with a certificate of another CA. It
/// offers the session under the name of a host that requires one. The server does not resume it: it
/// requests a certificate, and the client has none that the host accepts.
#[test]
fn ticket_of_another_group_is_not_resumed() {
    let target = Target::start();
    target.under(|| {
        for versions in tls::EACH {
            for (identity, from, to) in [
                (None, A, M),
                (None, A, N),
                (Some("client"), A, N),
                (Some("client"), M, N),
                (Some("other"), N, M),
            ] {
                let config = resuming(&target, versions, identity);
                let (kind, answers) = visit(&target, &config, from, &[from]);
                assert_eq!(kind, Some(HandshakeKind::Full));
                assert_eq!(answers.len(), 1, "{identity:?} {from}");
                let (kind, answers) = visit(&target, &config, to, &[to]);
                assert_ne!(kind, Some(HandshakeKind::Resumed), "{identity:?} {from} to {to}");
                assert!(answers.is_empty(), "{identity:?} {from} to {to}: {answers:?}");
            }
            // In its own group, the ticket is resumed and serves the same hosts as before.
            let config = resuming(&target, versions, Some("client"));
            let (kind, answers) = visit(&target, &config, M, &[M, N, A]);
            assert_eq!(kind, Some(HandshakeKind::Full));
            assert_eq!(answers, [served_by("m"), misdirected(), misdirected()]);
            let (kind, again) = visit(&target, &config, M, &[M, N, A]);
            assert_eq!((kind, again), (Some(HandshakeKind::Resumed), answers));
        }
    });
}

/// Attack: a client's certificate was accepted in one group. On the same connection the client
/// requests a host of another group, which the server's certificate covers too. That group requires
/// certificates of another CA, or none.
#[test]
fn client_certificate_counts_in_its_own_group_only() {
    let target = Target::start();
    target.under(|| {
        for versions in tls::EACH {
            for (identity, own, name, other) in [("client", M, "m", N), ("other", N, "n", M)] {
                let config = Arc::new(tls::config(&target.world, versions, Some(identity)));
                let (_, answers) = visit(&target, &config, own, &[own, other, A, own]);
                let all = [served_by(name), misdirected(), misdirected(), served_by(name)];
                assert_eq!(answers, all, "{identity}");
                // Nor if the server did not request it.
                let (_, answers) = visit(&target, &config, A, &[A, own, other]);
                assert_eq!(answers, [served(), misdirected(), misdirected()], "{identity}");
                // A certificate of the wrong CA.
                let (_, answers) = visit(&target, &config, other, &[other]);
                assert!(answers.is_empty(), "{identity}: {answers:?}");
            }
        }
    });
}
