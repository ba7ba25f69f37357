//! The TLS policy of one coalescing group, as one value.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use coalesce_core::{ClientCertificates, HandshakeRules};
use rustls::crypto::CryptoProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use x509_parser::prelude::{ASN1Time, CertificateRevocationList, FromDer, X509Certificate};

/// The requirements that every handshake of one coalescing group must meet.
///
/// The group is the security boundary: a request reaches a virtual host only under the policy of
/// its group (step 6 of [`decide`](coalesce_core::decide())). Two policies are equal if they
/// require the same of every client; the content of CA files counts, not their paths. Groups with
/// equal policies are one group, unless their [`isolation`](Self::isolation) differs.
///
/// # Examples
/// ```
/// use coalesce_tls::{TlsPolicy, TlsVersion};
///
/// let policy = TlsPolicy::default().with_minimum_version(TlsVersion::Tls13);
/// assert_ne!(policy, TlsPolicy::default());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsPolicy {
    /// The rule for client certificates. [`ClientAuth::None`] by default.
    pub client_auth: ClientAuth,
    /// The lowest version allowed. [`TlsVersion::Tls12`] by default.
    pub minimum_version: TlsVersion,
    /// The highest version allowed. [`TlsVersion::Tls13`] by default.
    pub maximum_version: TlsVersion,
    /// The cipher suites allowed. All suites of the provider by default.
    pub cipher_suites: CipherSuites,
    /// The ALPN protocols (RFC 7301), most preferred first. Only `h2` by default; an empty list
    /// turns the negotiation off.
    ///
    /// A client that offers only other protocols is refused with `no_application_protocol`. A
    /// client that offers no protocol is not refused. The server can ask the finished connection
    /// and close it, because RFC 9113 §3.2 requires that `h2` is negotiated.
    pub alpn: Vec<Vec<u8>>,
    /// The names of the listeners of the group. An empty set, the default, means all listeners.
    pub listeners: BTreeSet<String>,
    /// A label that separates this group from others with the same rules. None by default.
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

impl HandshakeRules for TlsPolicy {
    fn client_certificates(&self) -> ClientCertificates {
        match self.client_auth {
            ClientAuth::None => ClientCertificates::NotAsked,
            ClientAuth::Optional(_) | ClientAuth::Required(_) => ClientCertificates::Asked,
        }
    }
}

impl TlsPolicy {
    /// Sets the rule for client certificates.
    #[must_use]
    pub fn with_client_auth(mut self, client_auth: ClientAuth) -> Self {
        self.client_auth = client_auth;
        self
    }

    /// Sets the lowest version allowed.
    #[must_use]
    pub fn with_minimum_version(mut self, minimum_version: TlsVersion) -> Self {
        self.minimum_version = minimum_version;
        self
    }

    /// Sets the highest version allowed.
    #[must_use]
    pub fn with_maximum_version(mut self, maximum_version: TlsVersion) -> Self {
        self.maximum_version = maximum_version;
        self
    }

    /// Sets the cipher suites allowed.
    #[must_use]
    pub fn with_cipher_suites(mut self, cipher_suites: CipherSuites) -> Self {
        self.cipher_suites = cipher_suites;
        self
    }

    /// Sets the ALPN protocols, most preferred first.
    #[must_use]
    pub fn with_alpn(mut self, alpn: Vec<Vec<u8>>) -> Self {
        self.alpn = alpn;
        self
    }

    /// Sets the names of the listeners of the group.
    #[must_use]
    pub fn with_listeners(mut self, listeners: BTreeSet<String>) -> Self {
        self.listeners = listeners;
        self
    }

    /// Sets the label that separates this group from others with the same rules.
    #[must_use]
    pub fn with_isolation(mut self, isolation: Option<String>) -> Self {
        self.isolation = isolation;
        self
    }

    /// Returns the versions from the lowest to the highest, or none if the lowest is above the
    /// highest.
    pub(crate) fn versions(&self) -> Vec<&'static SupportedProtocolVersion> {
        let range = self.minimum_version..=self.maximum_version;
        let known = [(TlsVersion::Tls13, &TLS13), (TlsVersion::Tls12, &TLS12)];
        let chosen = known.into_iter().filter(|(version, _)| range.contains(version));
        chosen.map(|(_, supported)| supported).collect()
    }
}

/// The rule of a group for client certificates.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use coalesce_core::{ClientCertificates, HandshakeRules};
/// use coalesce_tls::{ClientAuth, ClientRules, TlsPolicy, client_cas_from_pem};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (chain_pem, key_pem) = pem()?;
/// let cas = client_cas_from_pem(chain_pem.as_bytes())?;
/// let required = ClientAuth::Required(ClientRules::new(cas, [])?);
/// let policy = TlsPolicy::default().with_client_auth(required);
/// assert_eq!(policy.client_certificates(), ClientCertificates::Asked);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAuth {
    /// The server asks for no certificate.
    None,
    /// The server asks for a certificate. It accepts a client without one, and refuses a client
    /// whose certificate these rules do not accept.
    Optional(ClientRules),
    /// Every client must present a certificate that these rules accept.
    Required(ClientRules),
}

impl ClientAuth {
    /// Returns the rules for certificates, if the server asks for one.
    pub const fn rules(&self) -> Option<&ClientRules> {
        match self {
            Self::None => None,
            Self::Optional(rules) | Self::Required(rules) => Some(rules),
        }
    }
}

/// The rules that accept or refuse client certificates: CAs and revocation lists.
///
/// If there are revocation lists, every issuer in a chain must have a current list, and no
/// certificate of the chain may be on it. A certificate with unknown status is refused (RFC 5280
/// §6.3). If there are no lists, no certificate is revoked. Cloning is cheap.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use coalesce_tls::{ClientRules, client_cas_from_pem};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (chain_pem, key_pem) = pem()?;
/// let cas = client_cas_from_pem(chain_pem.as_bytes())?;
/// let rules = ClientRules::new(cas, [])?;
/// assert_eq!(rules.cas().len(), 1);
/// assert!(rules.warnings().is_empty());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ClientRules {
    rules: Arc<Rules>,
}

struct Rules {
    /// Sorted and without duplicates, so that equal sets compare equal.
    cas: Vec<CertificateDer<'static>>,
    revocation_lists: Vec<CertificateRevocationListDer<'static>>,
    roots: Arc<RootCertStore>,
}

impl ClientRules {
    /// Makes rules from CAs and revocation lists. Their order does not matter.
    ///
    /// # Errors
    /// Returns [`ClientRulesError`]. An empty set of CAs is an error, because it must not mean "no
    /// certificate needed" (CVE-2026-27586).
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

    /// Returns the CAs, without duplicates.
    pub fn cas(&self) -> &[CertificateDer<'static>] {
        &self.rules.cas
    }

    /// Returns the revocation lists, without duplicates.
    pub fn revocation_lists(&self) -> &[CertificateRevocationListDer<'static>] {
        &self.rules.revocation_lists
    }

    /// Describes the CAs for the operator: subject and serial number.
    pub fn describe_cas(&self) -> Vec<String> {
        let read = |ca: &CertificateDer<'static>| {
            let (_, ca) = X509Certificate::from_der(ca).ok()?;
            Some(format!("{} ({})", ca.subject(), ca.raw_serial_as_string()))
        };
        self.cas().iter().filter_map(read).collect()
    }

    /// Describes the revocation lists for the operator: issuer, number of revoked certificates, and
    /// the end of validity.
    pub fn describe_revocation_lists(&self) -> Vec<String> {
        let read = |list: &CertificateRevocationListDer<'static>| {
            let (_, list) = CertificateRevocationList::from_der(list).ok()?;
            let revoked = list.iter_revoked_certificates().count();
            let until = list.next_update().map(|until| format!(", in date until {until}"));
            Some(format!("{} ({revoked} revoked{})", list.issuer(), until.unwrap_or_default()))
        };
        self.revocation_lists().iter().filter_map(read).collect()
    }

    /// Returns warnings for the operator about revocation lists: a CA without a list, and an
    /// outdated list. The verifier refuses every certificate that such a CA issued. If there are no
    /// lists, there are no warnings.
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
                "the revocation list of {issuer:?} is out of date since {until}; every certificate \
                 that this CA issued is refused"
            ))
        });
        let mut warnings: Vec<String> = stale.collect();
        for ca in self.cas().iter().filter(|_| !lists.is_empty()) {
            let Ok((_, ca)) = X509Certificate::from_der(ca) else { continue };
            if !lists.iter().any(|(issuer, ..)| issuer == ca.subject().as_raw()) {
                let subject = ca.subject().to_string();
                warnings.push(format!(
                    "there is no revocation list of {subject:?}; every certificate that this CA \
                     issued is refused"
                ));
            }
        }
        warnings
    }

    /// Returns the CAs in the form that rustls uses.
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

/// Reads a list in the same way as the verifier.
pub(crate) fn check_revocation_list(
    list: &CertificateRevocationListDer<'_>,
) -> Result<(), webpki::Error> {
    webpki::OwnedCertRevocationList::from_der(list).map(drop)
}

/// An error in the rules for client certificates.
///
/// # Examples
/// ```
/// use coalesce_tls::{ClientRules, ClientRulesError};
///
/// // An empty set of CAs does not mean that no certificate is needed.
/// assert_eq!(ClientRules::new([], []).unwrap_err(), ClientRulesError::NoCa);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ClientRulesError {
    /// The set of CAs is empty.
    NoCa,
    /// A certificate that cannot be a trust anchor.
    #[non_exhaustive]
    Ca {
        /// Its position in the list, counted from 1.
        number: usize,
        /// The error of the library that reads it.
        error: rustls::Error,
    },
    /// A revocation list that cannot be used.
    #[non_exhaustive]
    RevocationList {
        /// Its position in the list, counted from 1.
        number: usize,
        /// The error of the library that reads it.
        error: webpki::Error,
    },
}

impl fmt::Display for ClientRulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCa => f.write_str("no CA for client certificates; at least one expected"),
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
///
/// # Examples
/// ```
/// use coalesce_tls::TlsVersion;
///
/// assert!(TlsVersion::Tls12 < TlsVersion::Tls13);
/// ```
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

/// Returns the IANA name of a cipher suite, or its number if rustls has no name for it.
///
/// # Examples
/// ```
/// use coalesce_tls::{cipher_suite_name, rustls::CipherSuite};
///
/// let name = cipher_suite_name(CipherSuite::TLS13_AES_128_GCM_SHA256);
/// assert_eq!(name, "TLS_AES_128_GCM_SHA256");
/// ```
pub fn cipher_suite_name(suite: CipherSuite) -> String {
    match suite.as_str() {
        // rustls marks the suites of TLS 1.3 with its own prefix.
        Some(name) => name.replacen("TLS13_", "TLS_", 1),
        None => format!("0x{:04x}", u16::from(suite)),
    }
}

/// The cipher suites that a group allows. Their order has no effect: the client's preference
/// counts.
///
/// # Examples
/// ```
/// use coalesce_tls::{CipherSuites, TlsPolicy, rustls::CipherSuite};
///
/// let suites = CipherSuites::only([CipherSuite::TLS13_AES_256_GCM_SHA384]);
/// let policy = TlsPolicy::default().with_cipher_suites(suites);
/// assert_eq!(policy.cipher_suites.named().map(Iterator::count), Some(1));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CipherSuites {
    /// The numbers of the allowed suites. `None` means all.
    only: Option<BTreeSet<u16>>,
}

impl CipherSuites {
    /// Allows only these suites.
    pub fn only(suites: impl IntoIterator<Item = CipherSuite>) -> Self {
        Self { only: Some(suites.into_iter().map(u16::from).collect()) }
    }

    /// Returns the named suites, ordered by number, or `None` if all are allowed.
    pub fn named(&self) -> Option<impl Iterator<Item = CipherSuite> + use<'_>> {
        self.only.as_ref().map(|suites| suites.iter().copied().map(CipherSuite::from))
    }

    /// Returns the provider reduced to these suites.
    ///
    /// # Errors
    /// The first suite that the provider does not have.
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
