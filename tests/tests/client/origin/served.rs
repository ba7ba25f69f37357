//! A connection of a server, as both protocols see it: its script and its log.

use std::sync::Arc;

use tokio_rustls::TlsAcceptor;

use super::log::SharedLog;
use super::script::{Answer, Request, Script};

/// A server, as its connections share it.
pub(super) struct Shared {
    pub(super) script: Script,
    pub(super) tls: TlsAcceptor,
    pub(super) log: SharedLog,
}

/// A connection of a server.
pub(super) struct Served {
    pub(super) shared: Arc<Shared>,
    pub(super) number: usize,
    pub(super) server_name: String,
}

impl Served {
    pub(super) fn script(&self) -> &Script {
        &self.shared.script
    }

    pub(super) fn reset(&self, stream: u32, code: u32) {
        self.shared.log.change(|log| log.resets.push((self.number, stream, code)));
    }

    /// Logs a request. Returns its host and its answer.
    pub(super) fn request(
        &self,
        [method, authority, path]: [String; 3],
        content: usize,
        open: usize,
    ) -> (String, Answer) {
        let host = short(&authority);
        let request = self.shared.log.change(|log| {
            let before = log.requests.iter().filter(|it| it.host == host).count();
            let (connection, server_name) = (self.number, self.server_name.clone());
            log.requests.push(Request {
                connection,
                server_name,
                method,
                host: host.clone(),
                path,
                content,
                before,
                open,
            });
            log.requests.last().expect("just pushed").clone()
        });
        (host, (self.shared.script.answers)(&request))
    }
}

/// Returns the name without port and without the suffix that all names share.
pub(super) fn short(name: &str) -> String {
    let host = name.rsplit_once(':').map_or(name, |(host, _)| host);
    host.strip_suffix(".example.test").unwrap_or(host).to_owned()
}
