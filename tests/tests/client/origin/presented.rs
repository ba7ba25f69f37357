//! The choice of a certificate by the server name.

use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::script::Script;

#[derive(Debug)]
pub(super) struct ByServerName(Vec<(Vec<String>, Arc<CertifiedKey>)>);

impl ByServerName {
    pub(super) fn new(script: &Script) -> Self {
        let certified = script.identities.iter().map(|(names, (chain, key))| {
            let certified =
                CertifiedKey::from_der(chain.clone(), key.clone_key(), &default_provider());
            (names.clone(), Arc::new(certified.expect("the key of the certificate")))
        });
        Self(certified.collect())
    }
}

impl ResolvesServerCert for ByServerName {
    /// Returns the first certificate where no name covers the server name, as servers do.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let wanted = hello.server_name()?;
        let parent = wanted.split_once('.').map_or("", |(_, parent)| parent);
        let covers = |name: &String| {
            name == wanted || name.strip_prefix("*.").is_some_and(|it| it == parent)
        };
        let found = self.0.iter().find(|(names, _)| names.iter().any(covers));
        found.or(self.0.first()).map(|(_, certified)| Arc::clone(certified))
    }
}
