//! The verifier of rustls: its notes during a handshake, and its second run for another host of an
//! open connection.
//!
//! No other file calls or implements the verifier's API, which changes with the next version of
//! rustls.

use std::cell::RefCell;
use std::error::Error as StdError;
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use coalesce_core::{BuildError, Host, IdentifierSet};
use coalesce_pool::{LeafDigest, TlsFacts, Verification, VerifierKind};
use coalesce_tls::{PresentedNames, ValidityPeriod};
use ring::digest::{SHA256, digest};
use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::connect::PeerTls;

/// Returned by your verifier for a chain that is valid, but not among those pinned for the host.
///
/// The trail of a request then says `pin`, and not `certificate`.
///
/// # Examples
/// ```
/// use std::sync::Arc;
///
/// use coalesce_client::PinMismatch;
/// use coalesce_client::rustls::{CertificateError, Error, OtherError};
///
/// /// The last lines of `verify_server_cert`.
/// fn check_pin(pinned: bool) -> Result<(), Error> {
///     let error = CertificateError::Other(OtherError(Arc::new(PinMismatch)));
///     if pinned { Ok(()) } else { Err(Error::InvalidCertificate(error)) }
/// }
/// assert!(check_pin(false).is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "an error without further facts")]
pub struct PinMismatch;

impl fmt::Display for PinMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the host is pinned to other certificates")
    }
}

impl StdError for PinMismatch {}

/// Returned by your verifier for a chain that is valid, but lacks a proof of transparency.
///
/// Use it as [`PinMismatch`]. The trail of a request then says `transparency`.
///
/// # Examples
/// ```
/// use coalesce_client::TransparencyMissing;
///
/// assert_eq!(TransparencyMissing.to_string(), "a required proof of transparency is missing");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "an error without further facts")]
pub struct TransparencyMissing;

impl fmt::Display for TransparencyMissing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a required proof of transparency is missing")
    }
}

impl StdError for TransparencyMissing {}

/// Returns the name under which TLS verifies the host.
pub(crate) fn server_name(host: &Host<'_>) -> Option<ServerName<'static>> {
    match host {
        Host::Ip(address) => Some(ServerName::IpAddress((*address).into())),
        Host::Name(name) => ServerName::try_from(name.to_buf().to_string()).ok(),
        _ => None,
    }
}

/// Runs the verifier on the chain of a connection, for another host.
pub(crate) fn verify(
    verifier: &dyn ServerCertVerifier,
    tls: &PeerTls,
    host: &Host<'_>,
) -> Verification {
    let Some(name) = server_name(host) else { return Verification::Rejected };
    let Some((leaf, intermediates)) = tls.chain.split_first() else {
        return Verification::Rejected;
    };
    let now = UnixTime::now();
    match verifier.verify_server_cert(leaf, intermediates, &name, &tls.ocsp, now) {
        Ok(_) => Verification::Accepted,
        Err(error) => rejection(&error),
    }
}

fn rejection(error: &rustls::Error) -> Verification {
    let (rustls::Error::InvalidCertificate(CertificateError::Other(other))
    | rustls::Error::Other(other)) = error
    else {
        return Verification::Rejected;
    };
    if other.0.is::<PinMismatch>() {
        Verification::PinMismatch
    } else if other.0.is::<TransparencyMissing>() {
        Verification::TransparencyMissing
    } else {
        Verification::Rejected
    }
}

/// Reads the names of a leaf.
///
/// What if this crate cannot read the leaf, although the verifier accepted it? Then there are no
/// names and the verifier counts as opaque, so the connection serves its own origin alone.
///
/// # Errors
/// Returns the error of an empty set of names, which has none.
pub(crate) fn presented(leaf: &[u8]) -> Result<(Arc<IdentifierSet>, VerifierKind), BuildError> {
    match PresentedNames::read_der(leaf) {
        Ok(names) => Ok((Arc::clone(names.identifiers()), VerifierKind::Rerunnable)),
        Err(error) => {
            tracing::debug!(%error, "certificate not readable: the connection is not shared");
            Ok((Arc::new(IdentifierSet::build([])?), VerifierKind::Opaque))
        }
    }
}

/// Returns the facts of a handshake. `now` is the pool's time.
pub(crate) fn tls_facts(tls: &PeerTls, now: Duration) -> TlsFacts {
    let leaf = tls.chain.first().map(AsRef::as_ref).unwrap_or_default();
    let names = Arc::clone(&tls.names);
    let mut facts = TlsFacts::new(names, leaf_digest(leaf), expires_at(&tls.chain, now));
    facts.verifier = tls.verifier;
    facts.check = tls.check;
    facts.client_certificate_sent = tls.client_certificate_sent;
    facts.evidence = tls.evidence;
    facts
}

fn leaf_digest(leaf: &[u8]) -> LeafDigest {
    let hash = digest(&SHA256, leaf);
    LeafDigest::new(hash.as_ref().try_into().unwrap_or_default())
}

/// Returns the earliest end of validity in the chain on the pool's clock. A chain with an
/// unreadable certificate has ended.
fn expires_at(chain: &[CertificateDer<'_>], now: Duration) -> Duration {
    let ends = chain.iter().map(|der| Some(ValidityPeriod::read_der(der)?.not_after()));
    let Some(earliest) = ends.min().flatten() else { return Duration::ZERO };
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // The last second belongs to the period (RFC 5280 §4.1.2.5).
    let end = u64::try_from(earliest.unix_seconds()).map_or(0, |it| it.saturating_add(1));
    match Duration::from_secs(end).checked_sub(since) {
        Some(left) => now.saturating_add(left),
        None => Duration::ZERO,
    }
}

/// The events of one handshake that rustls shows only to the verifier and to the resolver of client
/// certificates.
#[derive(Debug, Default)]
pub(crate) struct HandshakeNotes {
    /// The stapled OCSP response.
    pub(crate) ocsp: Vec<u8>,
    /// Whether a client certificate was sent.
    pub(crate) client_certificate_sent: bool,
}

thread_local! {
    /// The notes of the handshake that this thread polls. The verifier is shared by all handshakes
    /// of a configuration, because rustls resumes a session only under the same verifier object.
    static POLLED: RefCell<Option<HandshakeNotes>> = const { RefCell::new(None) };
}

impl HandshakeNotes {
    /// Runs one poll of a handshake, and collects what happens in it.
    pub(crate) fn collect<T>(&mut self, poll: impl FnOnce() -> T) -> T {
        let outer = POLLED.replace(Some(mem::take(self)));
        let restore = Restore { outer, notes: self };
        let result = poll();
        drop(restore);
        result
    }
}

/// Ends a poll, after a panic too.
struct Restore<'a> {
    outer: Option<HandshakeNotes>,
    notes: &'a mut HandshakeNotes,
}

impl Drop for Restore<'_> {
    fn drop(&mut self) {
        *self.notes = POLLED.replace(self.outer.take()).unwrap_or_default();
    }
}

fn note(change: impl FnOnce(&mut HandshakeNotes)) {
    POLLED.with_borrow_mut(|notes| notes.as_mut().map(change));
}

/// A verifier that notes the stapled OCSP response, and asks another verifier.
#[derive(Debug)]
pub(crate) struct NotingVerifier(pub(crate) Arc<dyn ServerCertVerifier>);

impl ServerCertVerifier for NotingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        note(|notes| notes.ocsp = ocsp_response.to_vec());
        self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.0.requires_raw_public_keys()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        self.0.root_hint_subjects()
    }
}

/// A verifier that accepts every chain. Signatures of the handshake must still be right.
#[derive(Debug)]
pub(crate) struct NoVerification(pub(crate) Arc<CryptoProvider>);

impl ServerCertVerifier for NoVerification {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// A resolver of client certificates that notes when one is sent, and asks another resolver.
#[derive(Debug)]
pub(crate) struct NotingResolver(pub(crate) Arc<dyn ResolvesClientCert>);

impl ResolvesClientCert for NotingResolver {
    fn resolve(
        &self,
        root_hint_subjects: &[&[u8]],
        sigschemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        let found = self.0.resolve(root_hint_subjects, sigschemes)?;
        // Without a common signature scheme, rustls sends an empty certificate message.
        if found.key.choose_scheme(sigschemes).is_some() {
            note(|notes| notes.client_certificate_sent = true);
        }
        Some(found)
    }

    fn only_raw_public_keys(&self) -> bool {
        self.0.only_raw_public_keys()
    }

    fn has_certs(&self) -> bool {
        self.0.has_certs()
    }
}

/// A resolver without client certificates.
#[derive(Debug)]
pub(crate) struct NoClientCertificate {}

impl ResolvesClientCert for NoClientCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}
