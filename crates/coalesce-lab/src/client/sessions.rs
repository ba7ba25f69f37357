//! A store that offers one server's session to another.

use std::sync::Mutex;

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls_pki_types::ServerName;

/// The newest session of a client, for every server name. An ordinary client has one for each name;
/// RFC 8446 §4.6.1 asks servers to refuse a session that is offered under another name.
#[derive(Debug, Default)]
pub(crate) struct NewestSession {
    tls12: Mutex<Option<Tls12ClientSessionValue>>,
    tls13: Mutex<Option<Tls13ClientSessionValue>>,
}

impl ClientSessionStore for NewestSession {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        if let Ok(mut newest) = self.tls12.lock() {
            *newest = Some(value);
        }
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.tls12.lock().ok()?.clone()
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        if let Ok(mut newest) = self.tls12.lock() {
            *newest = None;
        }
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        if let Ok(mut newest) = self.tls13.lock() {
            *newest = Some(value);
        }
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.tls13.lock().ok()?.take()
    }
}
