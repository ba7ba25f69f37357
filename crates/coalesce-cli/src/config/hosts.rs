//! Virtual hosts, with their certificates.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coalesce_core::{Host, NamePattern, PresentedIdentifier};
use coalesce_tls::{HandshakeTableBuilder, HandshakeTableError, PresentedNames};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use toml::Spanned;

use crate::config::answer::{self, Answer};
use crate::config::groups::Groups;
use crate::config::load::Context;
use crate::config::model::{Profile, VirtualHostEntry};
use crate::config::source::{Faults, Source};
use crate::config::{crypto_provider, files};
use crate::text::some_of;

/// A virtual host on its way into the site.
#[derive(Debug)]
pub(crate) struct HostDraft {
    pub(crate) name: Spanned<String>,
    pub(crate) names: Vec<Spanned<String>>,
    /// By number; `None` where that was a fault.
    pub(crate) group: Option<usize>,
    pub(crate) certificate: Option<usize>,
    pub(crate) answer: Option<Answer>,
}

/// A certificate that can be shown.
#[derive(Debug)]
pub(crate) struct Certificate {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    pub(crate) shown: Arc<Shown>,
}

/// What a client sees of a certificate.
#[derive(Debug)]
pub(crate) struct Shown {
    /// The file, as it was found.
    path: PathBuf,
    presented: PresentedNames,
}

/// How much of what a pattern stands for a certificate covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coverage {
    /// All of it.
    Whole,
    /// The pattern stands for more names than any certificate can cover.
    OpenEnded,
}

/// Every certificate, read once however many virtual hosts show it.
#[derive(Debug, Default)]
pub(crate) struct Certificates {
    pub(crate) read: Vec<Certificate>,
    /// By the paths of chain and key; `None` for one whose fault was named already.
    known: BTreeMap<(PathBuf, PathBuf), Option<usize>>,
}

/// What reading gives beside the drafts.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) faults: Faults,
    pub(crate) warnings: Faults,
}

/// Reads every `[[virtual_host]]`.
pub(crate) fn read(
    entries: Vec<Spanned<VirtualHostEntry>>,
    groups: &mut Groups<'_>,
    certificates: &mut Certificates,
    context: Context<'_>,
    notes: &mut Notes,
) -> Vec<HostDraft> {
    let source = context.source;
    let mut drafts: Vec<HostDraft> = Vec::with_capacity(entries.len());
    for entry in entries {
        let mut entry = entry.into_inner();
        let same = |earlier: &&HostDraft| earlier.name.get_ref() == entry.name.get_ref();
        if let Some(earlier) = drafts.iter().find(same) {
            let line = source.line_number(earlier.name.span().start);
            let message = format!("already the name of the one in line {line}");
            notes.faults.add(entry.name.span(), message);
        }
        let group = groups.of_host(&mut entry, notes);
        let certificate = certificates.read(&entry, source, notes);
        let answer = answer::read(&entry.answer, source.folder(), &mut notes.faults);
        if entry.names.get_ref().is_empty() {
            notes.faults.add(entry.names.span(), "no name; at least one expected");
        }
        let shown = certificate.and_then(|number| certificates.read.get(number));
        let mut names = entry.names.into_inner();
        if context.profile == Some(Profile::GatewayApi) {
            names.iter_mut().for_each(any_depth);
        }
        for name in &names {
            check_name(name, shown, notes);
        }
        drafts.push(HostDraft { name: entry.name, names, group, certificate, answer });
    }
    drafts
}

/// Takes the `*.` of a name as the Gateway API does, for any depth.
fn any_depth(name: &mut Spanned<String>) {
    if name.get_ref().starts_with("*.") {
        name.get_mut().insert(0, '*');
    }
}

impl Certificates {
    fn read(
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
            Some(Certificate { chain, key, shown: Arc::new(Shown { path, presented }) })
        });
        let presented = certificate.iter().map(|certificate| &certificate.shown.presented);
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

/// Checks one of a virtual host's names: that it is a name, and that the virtual host's own
/// certificate covers it. One that is not covered would be answered 421 on the very connection
/// that was made for it.
fn check_name(name: &Spanned<String>, certificate: Option<&Certificate>, notes: &mut Notes) {
    let text = name.get_ref().as_str();
    let pattern = NamePattern::parse(text.as_bytes());
    let Some(pattern) = notes.faults.take(name.span(), pattern) else { return };
    let Some(certificate) = certificate else { return };
    match certificate.shown.covers(&pattern, &text) {
        Ok(Coverage::Whole) => {}
        Ok(Coverage::OpenEnded) => notes.warnings.add(
            name.span(),
            format!(
                "{text:?} stands for more names than a certificate can cover; those that it does \
                 not cover are answered 421 on every connection"
            ),
        ),
        Err(not_covered) => notes.faults.add(name.span(), not_covered),
    }
}

impl Shown {
    /// The file, as it was found.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The names that it presents.
    pub(crate) fn presented(&self) -> &PresentedNames {
        &self.presented
    }

    /// Whether `pattern`, written in this way, is covered; if not, the error says what is.
    pub(crate) fn covers(
        &self,
        pattern: &NamePattern<'_>,
        written: &dyn fmt::Display,
    ) -> Result<Coverage, String> {
        let covered = match pattern {
            NamePattern::Exact(name) => self.presented.covering(&Host::Name(*name)).is_some(),
            NamePattern::Ip(address) => self.presented.covering(&Host::Ip(*address)).is_some(),
            NamePattern::OneLabel(parent) => {
                let wildcard = PresentedIdentifier::Wildcard(*parent);
                self.presented.identifiers().number(&wildcard).is_some()
            }
            _ => return Ok(Coverage::OpenEnded),
        };
        if covered {
            return Ok(Coverage::Whole);
        }
        let path = self.path.display();
        Err(format!(
            "\"{written}\" is not covered by {path}, which presents {}; it would be answered 421 on its \
             own connections (see: coalesce match --certificate {path} {})",
            some_of(self.presented.names()),
            example(pattern),
        ))
    }
}

/// A host that `pattern` stands for.
fn example(pattern: &NamePattern<'_>) -> String {
    match pattern {
        NamePattern::OneLabel(parent) => format!("x.{parent}"),
        pattern => pattern.to_string(),
    }
}
