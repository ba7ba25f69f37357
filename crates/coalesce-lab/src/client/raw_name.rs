//! Server names that rustls would not send: IP addresses, names with a trailing dot, any octets.
//!
//! rustls sends a placeholder of the same length. The socket replaces it on the way out, and the
//! hash functions replace it in the transcript, so both sides of the handshake hash the same
//! octets. TLS 1.2 with a client certificate does not work, because rustls signs the transcript
//! itself there.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll};

use rustls::crypto::{CipherSuiteCommon, CryptoProvider, hash, ring};
use rustls::{SupportedCipherSuite, Tls12CipherSuite, Tls13CipherSuite};
use rustls_pki_types::{DnsName, ServerName};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The octets of a server name, and what rustls sends in their place.
#[derive(Debug)]
pub(crate) struct RawName {
    /// The name's type, its length and the placeholder (RFC 6066 §3).
    placeholder: Vec<u8>,
    /// The same with the name.
    name: Vec<u8>,
}

/// The octets before the name in its extension: the type, and the length in two.
const PREFIX: usize = 3;

/// Placeholders have a dot after so many octets, because a label has at most 63 (RFC 1035 §2.3.4).
const LABEL: usize = 60;

impl RawName {
    /// Returns the name if rustls would not send it as it is.
    pub(crate) fn new(name: &str) -> Option<Self> {
        let is_plain = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit();
        let is_plain = name.bytes().all(|octet| is_plain(octet) || b"-.".contains(&octet));
        if is_plain && !name.ends_with('.') && DnsName::try_from(name).is_ok() {
            return None;
        }
        let placeholder: Vec<u8> = (1..=name.len()).map(|at| Self::octet(at, name.len())).collect();
        let length = u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes();
        let with_prefix = |octets: &[u8]| [&[0], &length[..], octets].concat();
        Some(Self { placeholder: with_prefix(&placeholder), name: with_prefix(name.as_bytes()) })
    }

    /// Returns an octet of the placeholder of a name with `length` octets.
    fn octet(at: usize, length: usize) -> u8 {
        if at.is_multiple_of(LABEL) && at < length { b'.' } else { b'q' }
    }

    /// Returns the name that rustls is given.
    pub(crate) fn server_name(&self) -> Option<ServerName<'static>> {
        let placeholder = self.placeholder.get(PREFIX..)?.to_vec();
        ServerName::try_from(String::from_utf8(placeholder).ok()?).ok()
    }

    /// Replaces the placeholder in a message that has it.
    fn put_into<'a>(&self, octets: &'a [u8]) -> Cow<'a, [u8]> {
        let length = self.placeholder.len();
        let Some(at) = octets.windows(length).position(|window| window == self.placeholder) else {
            return Cow::Borrowed(octets);
        };
        let (before, rest) = octets.split_at(at);
        let (_, after) = rest.split_at(length);
        Cow::Owned([before, &self.name, after].concat())
    }

    /// Returns the cryptography whose transcripts have this name. Because rustls asks for static
    /// references, each name's provider stays in memory; there is one for each name.
    pub(crate) fn provider(self: &Arc<Self>) -> Arc<CryptoProvider> {
        static PROVIDERS: LazyLock<Mutex<BTreeMap<Vec<u8>, Arc<CryptoProvider>>>> =
            LazyLock::new(Mutex::default);
        let make = || Arc::new(self.new_provider());
        match PROVIDERS.lock() {
            Ok(mut known) => known.entry(self.name.clone()).or_insert_with(make).clone(),
            Err(_) => make(),
        }
    }

    fn new_provider(self: &Arc<Self>) -> CryptoProvider {
        let mut provider = ring::default_provider();
        provider.cipher_suites =
            provider.cipher_suites.iter().map(|one| self.suite(*one)).collect();
        provider
    }

    fn suite(self: &Arc<Self>, suite: SupportedCipherSuite) -> SupportedCipherSuite {
        let common = |common: &CipherSuiteCommon| CipherSuiteCommon {
            suite: common.suite,
            hash_provider: Box::leak(Box::new(Hash {
                inner: common.hash_provider,
                name: Arc::clone(self),
            })),
            confidentiality_limit: common.confidentiality_limit,
        };
        match suite {
            SupportedCipherSuite::Tls12(suite) => {
                SupportedCipherSuite::Tls12(Box::leak(Box::new(Tls12CipherSuite {
                    common: common(&suite.common),
                    prf_provider: suite.prf_provider,
                    kx: suite.kx,
                    sign: suite.sign,
                    aead_alg: suite.aead_alg,
                })))
            }
            SupportedCipherSuite::Tls13(suite) => {
                SupportedCipherSuite::Tls13(Box::leak(Box::new(Tls13CipherSuite {
                    common: common(&suite.common),
                    hkdf_provider: suite.hkdf_provider,
                    aead_alg: suite.aead_alg,
                    quic: suite.quic,
                })))
            }
        }
    }
}

/// A hash function that puts the name into each message that has the placeholder.
struct Hash {
    inner: &'static dyn hash::Hash,
    name: Arc<RawName>,
}

impl hash::Hash for Hash {
    fn start(&self) -> Box<dyn hash::Context> {
        Box::new(Hashing { inner: self.inner.start(), name: Arc::clone(&self.name) })
    }

    fn hash(&self, data: &[u8]) -> hash::Output {
        self.inner.hash(&self.name.put_into(data))
    }

    fn output_len(&self) -> usize {
        self.inner.output_len()
    }

    fn algorithm(&self) -> hash::HashAlgorithm {
        self.inner.algorithm()
    }
}

struct Hashing {
    inner: Box<dyn hash::Context>,
    name: Arc<RawName>,
}

impl hash::Context for Hashing {
    fn fork_finish(&self) -> hash::Output {
        self.inner.fork_finish()
    }

    fn fork(&self) -> Box<dyn hash::Context> {
        Box::new(Self { inner: self.inner.fork(), name: Arc::clone(&self.name) })
    }

    fn finish(self: Box<Self>) -> hash::Output {
        self.inner.finish()
    }

    fn update(&mut self, data: &[u8]) {
        self.inner.update(&self.name.put_into(data));
    }
}

/// A socket that puts the name into the octets written. Only the ClientHello has the placeholder,
/// and rustls writes it whole.
///
/// Writing never fails: a server that takes nothing more may have said why, and reading finds that
/// before the end of the connection.
#[derive(Debug)]
pub(crate) struct Renaming<S> {
    pub(crate) socket: S,
    pub(crate) name: Option<Arc<RawName>>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Renaming<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Renaming<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let name = self.name.clone();
        let octets = name.as_ref().map_or(Cow::Borrowed(octets), |name| name.put_into(octets));
        let written = Pin::new(&mut self.socket).poll_write(context, &octets);
        written.map(|written| Ok(written.unwrap_or(octets.len())))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_that_rustls_sends_as_it_is_needs_no_placeholder() {
        for name in ["a.example.test", "xn--bcher-kva.example.test"] {
            assert!(RawName::new(name).is_none(), "{name}");
        }
        for name in ["127.0.0.1", "::1", "A.example.test", "a.example.test.", "a b", ""] {
            assert!(RawName::new(name).is_some(), "{name}");
        }
    }

    #[test]
    fn placeholder_is_a_name_of_the_same_length() {
        for length in [1, 59, 60, 61, 120, 121, 200] {
            let name = "!".repeat(length);
            let raw = RawName::new(&name).unwrap();
            let server_name = raw.server_name().unwrap_or_else(|| panic!("{length}"));
            let sent = server_name.to_str().into_owned();
            let length = [0, 0, u8::try_from(length).unwrap()];
            let hello = [b"before", &length[..], sent.as_bytes(), b"after"].concat();
            let expected = [b"before", &length[..], name.as_bytes(), b"after"].concat();
            assert_eq!(raw.put_into(&hello), expected);
        }
    }
}
