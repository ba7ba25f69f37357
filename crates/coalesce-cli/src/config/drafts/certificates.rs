//! The certificates that virtual hosts show, with their keys.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use coalesce_tls::{HandshakeTableBuilder, HandshakeTableError, PresentedNames};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::certificate::{ShownCertificate, crypto_provider};
use crate::config::entries::model::VirtualHostEntry;
use crate::config::entries::{Notes, Source};
use crate::config::files;

/// A certificate that can be shown.
#[derive(Debug)]
pub(crate) struct Certificate {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    pub(crate) shown: Arc<ShownCertificate>,
}

/// Every certificate, read once however many virtual hosts show it.
#[derive(Debug, Default)]
pub(crate) struct Certificates {
    pub(crate) read: Vec<Certificate>,
    /// By the paths of chain and key; `None` for one whose fault was named already.
    known: BTreeMap<(PathBuf, PathBuf), Option<usize>>,
}

impl Certificates {
    pub(crate) fn read(
        &mut self,
        entry: &VirtualHostEntry,
        source: &Source,
        notes: &mut Notes,
    ) -> Option<usize> {
        let Notes { faults, warnings, .. } = notes;
        let path = source.folder().join(entry.certificate.get_ref());
        let key_path = source.folder().join(entry.key.get_ref());
        let pair = (path.clone(), key_path.clone());
        if let Some(known) = self.known.get(&pair) {
            return *known;
        }
        let chain = faults.take(entry.certificate.span(), files::chain(&path));
        let key = faults.take(entry.key.span(), files::key(&key_path));
        let certificate = chain.zip(key).and_then(|(chain, key)| {
            let presented = usable(&chain, &key).map_err(|error| {
                let (at, path) = match error {
                    HandshakeTableError::Key(_) | HandshakeTableError::KeyMismatch => {
                        (entry.key.span(), &key_path)
                    }
                    _ => (entry.certificate.span(), &path),
                };
                faults.add(at, format!("{}: {error}", path.display()));
            });
            let presented = presented.ok()?;
            Some(Certificate {
                chain,
                key,
                shown: Arc::new(ShownCertificate::new(path, presented)),
            })
        });
        let presented = certificate.iter().map(|certificate| certificate.shown.presented());
        for ignored in presented.flat_map(PresentedNames::ignored) {
            let at = entry.certificate.span();
            warnings.add(at, format!("ignored in the certificate: {ignored}"));
        }
        let number = certificate.map(|certificate| {
            self.read.push(certificate);
            self.read.len() - 1
        });
        self.known.insert(pair, number);
        number
    }
}

/// Tries chain and key as a listener would, and gives the names.
fn usable(
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
) -> Result<PresentedNames, HandshakeTableError> {
    HandshakeTableBuilder::new(crypto_provider()).certificate(chain.to_vec(), key.clone_key())?;
    let leaf = chain.first().ok_or(HandshakeTableError::NoCertificate)?;
    PresentedNames::read_der(leaf).map_err(HandshakeTableError::Certificate)
}
