//! A certificate as clients see it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coalesce_core::{Host, NamePattern, PresentedIdentifier};
use coalesce_tls::PresentedNames;
use rustls::crypto::CryptoProvider;

use crate::terminal::text::some_of;

/// What a client sees of a certificate.
#[derive(Debug)]
pub(crate) struct ShownCertificate {
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

impl ShownCertificate {
    pub(in crate::config) fn new(path: PathBuf, presented: PresentedNames) -> Self {
        Self { path, presented }
    }

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

/// The one provider of cryptography.
pub(crate) fn crypto_provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
