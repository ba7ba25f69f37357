//! The TLS policy of one coalescing group, as one value.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use x509_parser::prelude::{ASN1Time, CertificateRevocationList, FromDer, X509Certificate};

/// What a handshake of one coalescing group must meet.
///
/// Every virtual host of the group is reached under this policy and no other: the group is the
/// security boundary (step 6 of [`decide`](coalesce_core::decide())). Two policies are equal when
/// they ask the same of every client: by what is in the files they were made of, not by where those
/// are. Groups whose policies are equal are one, unless [`isolation`](Self::isolation) says no.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsPolicy {
    /// Whether clients must show a certificate. [`ClientAuth::None`] by default.
    pub client_auth: ClientAuth,
    /// The lowest version that is negotiated. [`TlsVersion::Tls12`] by default.
    pub minimum_version: TlsVersion,
    /// The highest version that is negotiated. [`TlsVersion::Tls13`] by default.
    pub maximum_version: TlsVersion,
    /// The cipher suites that are negotiated. All of the provider's by default.
    pub cipher_suites: CipherSuites,
    /// The protocols that are negotiated (RFC 7301), most preferred first. `h2` alone by default;
    /// none turns the negotiation off.
    ///
    /// A client that offers only others is refused with `no_application_protocol`. One that offers
    /// none at all is not: whether it may go on is for the server to say, which can ask the
    /// finished connection (RFC 9113 §3.2 wants `h2` negotiated, not assumed).
    pub alpn: Vec<Vec<u8>>,
    /// The names of the listeners that the group is on. None by default, which means all of them.
    pub listeners: BTreeSet<String>,
    /// What keeps this group apart from others whose rules are the same; nothing by default.
    pub isolation: Option<String>,
}

impl Default for TlsPolicy {
    fn default() -> Self {
        Self {
            client_auth: ClientAuth::None,
            minimum_version: TlsVersion::Tls12,
            maximum_version: TlsVersion::Tls13,
            cipher_suites: CipherSuites::default(),
            alpn: vec![b"h2".to_vec()],
            listeners: BTreeSet::new(),
            isolation: None,
        }
    }
}

impl TlsPolicy {
    /// The versions from the lowest to the highest; none when the two are crossed.
    pub(crate) fn versions(&self) -> Vec<&'static SupportedProtocolVersion> {
        let range = self.minimum_version..=self.maximum_version;
        let known = [(TlsVersion::Tls13, &TLS13), (TlsVersion::Tls12, &TLS12)];
        let chosen = known.into_iter().filter(|(version, _)| range.contains(version));
        chosen.map(|(_, supported)| supported).collect()
    }
}

/// Whether the clients of a group must show a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAuth {
    /// None is asked for.
    None,
    /// One is asked for. A client that shows none is let in without; one that shows a certificate
    /// which these rules do not accept is not let in.
    Optional(ClientRules),
    /// Every client must show one that these rules accept.
    Required(ClientRules),
}

impl ClientAuth {
    /// What certificates are judged by, if any are asked for.
    pub const fn rules(&self) -> Option<&ClientRules> {
        match self {
            Self::None => None,
            Self::Optional(rules) | Self::Required(rules) => Some(rules),
        }
    }
}

/// What client certificates are judged by: the CAs that may have issued them, and the certificates
/// that these have revoked.
///
/// With revocation lists, every certificate of a chain below its CA must be on none, and its issuer
/// must have one that is in date: what cannot be looked up is refused (RFC 5280 §6.3). Without,
/// nothing is revoked. Cloning is cheap.
#[derive(Clone)]
pub struct ClientRules {
    rules: Arc<Rules>,
}

struct Rules {
    /// Sorted, each once, so that equal sets are equal.
    cas: Vec<CertificateDer<'static>>,
    revocation_lists: Vec<CertificateRevocationListDer<'static>>,
    roots: Arc<RootCertStore>,
}

impl ClientRules {
    /// Rules of these CAs and revocation lists, whose order does not matter.
    ///
    /// # Errors
    /// [`ClientRulesError`]. That there is no CA is one: it must not pass for "no certificate
    /// needed" (CVE-2026-27586).
    pub fn new(
        cas: impl IntoIterator<Item = CertificateDer<'static>>,
        revocation_lists: impl IntoIterator<Item = CertificateRevocationListDer<'static>>,
    ) -> Result<Self, ClientRulesError> {
        let cas: Vec<_> = cas.into_iter().collect();
        let lists: Vec<_> = revocation_lists.into_iter().collect();
        let mut roots = RootCertStore::empty();
        for (at, ca) in cas.iter().enumerate() {
            let number = at.saturating_add(1);
            roots.add(ca.clone()).map_err(|error| ClientRulesError::Ca { number, error })?;
        }
        if roots.is_empty() {
            return Err(ClientRulesError::NoCa);
        }
        for (at, list) in lists.iter().enumerate() {
            let number = at.saturating_add(1);
            check_revocation_list(list)
                .map_err(|error| ClientRulesError::RevocationList { number, error })?;
        }
        let mut rules = Rules { cas, revocation_lists: lists, roots: Arc::new(roots) };
        rules.cas.sort_unstable_by(|a, b| a.as_ref().cmp(b.as_ref()));
        rules.cas.dedup();
        rules.revocation_lists.sort_unstable_by(|a, b| a.as_ref().cmp(b.as_ref()));
        rules.revocation_lists.dedup();
        Ok(Self { rules: Arc::new(rules) })
    }

    /// The CAs, each once.
    pub fn cas(&self) -> &[CertificateDer<'static>] {
        &self.rules.cas
    }

    /// The revocation lists, each once.
    pub fn revocation_lists(&self) -> &[CertificateRevocationListDer<'static>] {
        &self.rules.revocation_lists
    }

    /// The CAs for people: subject and serial number.
    pub fn describe_cas(&self) -> Vec<String> {
        let read = |ca: &CertificateDer<'static>| {
            let (_, ca) = X509Certificate::from_der(ca).ok()?;
            Some(format!("{} ({})", ca.subject(), ca.raw_serial_as_string()))
        };
        self.cas().iter().filter_map(read).collect()
    }

    /// The revocation lists for people: issuer, how many they revoke, and until when.
    pub fn describe_revocation_lists(&self) -> Vec<String> {
        let read = |list: &CertificateRevocationListDer<'static>| {
            let (_, list) = CertificateRevocationList::from_der(list).ok()?;
            let revoked = list.iter_revoked_certificates().count();
            let until = list.next_update().map(|until| format!(", in date until {until}"));
            Some(format!("{} ({revoked} revoked{})", list.issuer(), until.unwrap_or_default()))
        };
        self.revocation_lists().iter().filter_map(read).collect()
    }

    /// Returns warnings for the operator about revocation lists: a CA without a list, and a list
    /// that is out of date. The verifier refuses every certificate that such a CA has issued. There
    /// are no warnings if there are no lists.
    pub fn warnings(&self) -> Vec<String> {
        let read = |list: &CertificateRevocationListDer<'static>| {
            let (_, list) = CertificateRevocationList::from_der(list).ok()?;
            let until = list.next_update();
            let late = until.is_some_and(|until| until < ASN1Time::now());
            let late = until.filter(|_| late).map(|until| until.to_string());
            Some((list.issuer().as_raw().to_vec(), list.issuer().to_string(), late))
        };
        let lists: Vec<_> = self.revocation_lists().iter().filter_map(read).collect();
        let stale = lists.iter().filter_map(|(_, issuer, late)| {
            let until = late.as_ref()?;
            Some(format!(
                "the revocation list of {issuer:?} is out of date since {until}; what this CA has \
                 issued is refused"
            ))
        });
        let mut warnings: Vec<String> = stale.collect();
        for ca in self.cas().iter().filter(|_| !lists.is_empty()) {
            let Ok((_, ca)) = X509Certificate::from_der(ca) else { continue };
            if !lists.iter().any(|(issuer, ..)| issuer == ca.subject().as_raw()) {
                let subject = ca.subject().to_string();
                warnings.push(format!(
                    "no revocation list of {subject:?} is among them; what this CA has issued is \
                     refused"
                ));
            }
        }
        warnings
    }

    /// The CAs as rustls takes them.
    pub fn roots(&self) -> &Arc<RootCertStore> {
        &self.rules.roots
    }
}

impl PartialEq for ClientRules {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.rules, &other.rules)
            || self.cas() == other.cas() && self.revocation_lists() == other.revocation_lists()
    }
}

impl Eq for ClientRules {}

impl fmt::Debug for ClientRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRules")
            .field("cas", &self.cas().len())
            .field("revocation_lists", &self.revocation_lists().len())
            .finish()
    }
}

/// Reads a list as the verifier will.
pub(crate) fn check_revocation_list(
    list: &CertificateRevocationListDer<'_>,
) -> Result<(), webpki::Error> {
    webpki::OwnedCertRevocationList::from_der(list).map(drop)
}

/// Why client certificates cannot be judged.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ClientRulesError {
    /// Not a single CA.
    NoCa,
    /// A certificate that cannot be a trust anchor.
    Ca {
        /// Which one, counted from 1.
        number: usize,
        /// What is wrong with it.
        error: rustls::Error,
    },
    /// A revocation list that cannot be used.
    RevocationList {
        /// Which one, counted from 1.
        number: usize,
        /// What is wrong with it.
        error: webpki::Error,
    },
}

impl fmt::Display for ClientRulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCa => f.write_str("no CA to judge client certificates by; one expected"),
            Self::Ca { number, error } => {
                write!(f, "certificate {number} cannot be a trust anchor: {error}")
            }
            Self::RevocationList { number, error } => {
                write!(f, "revocation list {number} cannot be used: {error}")
            }
        }
    }
}

impl std::error::Error for ClientRulesError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoCa => None,
            Self::Ca { error, .. } => Some(error),
            Self::RevocationList { error, .. } => Some(error),
        }
    }
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        })
    }
}

/// The name that IANA's registry has for a cipher suite, or its number where it has none here.
pub fn cipher_suite_name(suite: CipherSuite) -> String {
    match suite.as_str() {
        // rustls tells the suites of TLS 1.3 apart by a prefix of its own.
        Some(name) => name.replacen("TLS13_", "TLS_", 1),
        None => format!("0x{:04x}", u16::from(suite)),
    }
}

/// Which cipher suites are negotiated; which of them is for the client to prefer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CipherSuites {
    /// By number, each once; `None` for all.
    only: Option<BTreeSet<u16>>,
}

impl CipherSuites {
    /// These and no others, whatever their order.
    pub fn only(suites: impl IntoIterator<Item = CipherSuite>) -> Self {
        Self { only: Some(suites.into_iter().map(u16::from).collect()) }
    }

    /// Those that were named, by number; `None` when all are negotiated.
    pub fn named(&self) -> Option<impl Iterator<Item = CipherSuite> + use<'_>> {
        self.only.as_ref().map(|suites| suites.iter().copied().map(CipherSuite::from))
    }

    /// The provider reduced to these suites.
    ///
    /// # Errors
    /// The first suite that it does not have.
    pub(crate) fn restrict(
        &self,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<CryptoProvider>, CipherSuite> {
        let Some(only) = &self.only else { return Ok(provider.clone()) };
        let mut reduced = CryptoProvider::clone(provider);
        reduced.cipher_suites.retain(|suite| only.contains(&u16::from(suite.suite())));
        let has = |number: u16| {
            reduced.cipher_suites.iter().any(|suite| u16::from(suite.suite()) == number)
        };
        match only.iter().find(|number| !has(**number)) {
            Some(missing) => Err(CipherSuite::from(*missing)),
            None => Ok(Arc::new(reduced)),
        }
    }
}
