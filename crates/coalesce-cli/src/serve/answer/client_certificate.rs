//! The client certificate of a connection, as upstreams get it (RFC 9440).

use http::HeaderValue;
use rustls_pki_types::CertificateDer;

/// A client certificate that the handshake has verified, as field values.
#[derive(Debug)]
pub(in crate::serve) struct ClientCertificate {
    /// The value of `Client-Cert` (RFC 9440 §2.2).
    pub(super) leaf: HeaderValue,
    /// The value of `Client-Cert-Chain` (RFC 9440 §2.3), if the client sent more certificates.
    pub(super) chain: Option<HeaderValue>,
}

impl ClientCertificate {
    /// Makes the field values of the certificates that a client sent, its own first.
    pub(in crate::serve) fn new(certificates: &[CertificateDer<'_>]) -> Option<Self> {
        let (leaf, others) = certificates.split_first()?;
        let chain: Vec<String> = others.iter().map(|der| byte_sequence(der)).collect();
        let chain = (!chain.is_empty()).then(|| chain.join(", "));
        // Base64 and colons are bytes of a field value.
        Some(Self {
            leaf: HeaderValue::from_str(&byte_sequence(leaf)).ok()?,
            chain: chain.and_then(|chain| HeaderValue::from_str(&chain).ok()),
        })
    }
}

/// Writes bytes as a Byte Sequence of structured fields: Base64 between colons (RFC 9651 §3.3.5).
fn byte_sequence(bytes: &[u8]) -> String {
    const ALPHABET: [char; 64] = [
        'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P', 'Q', 'R',
        'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j',
        'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', '0', '1',
        '2', '3', '4', '5', '6', '7', '8', '9', '+', '/',
    ];
    let mut text = String::with_capacity(bytes.len().div_ceil(3).saturating_mul(4) + 2);
    text.push(':');
    for chunk in bytes.chunks(3) {
        let mut parts = chunk.iter().map(|byte| u32::from(*byte));
        let mut next = || parts.next().unwrap_or(0);
        let word = next() << 16 | next() << 8 | next();
        // One byte takes two digits, two take three, and padding fills up to four.
        for (digit, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let value = usize::try_from(word >> shift & 0x3F).unwrap_or_default();
            let digit = if digit <= chunk.len() { ALPHABET.get(value) } else { None };
            text.push(digit.copied().unwrap_or('='));
        }
    }
    text.push(':');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_sequence_is_padded_base64_between_colons() {
        // RFC 4648 §10.
        for (bytes, expected) in [
            ("", "::"),
            ("f", ":Zg==:"),
            ("fo", ":Zm8=:"),
            ("foo", ":Zm9v:"),
            ("foob", ":Zm9vYg==:"),
            ("fooba", ":Zm9vYmE=:"),
            ("foobar", ":Zm9vYmFy:"),
        ] {
            assert_eq!(byte_sequence(bytes.as_bytes()), expected);
        }
        assert_eq!(byte_sequence(&[0xFF, 0xFB, 0xFF, 0xFE]), "://v//g==:");
    }

    #[test]
    fn chain_has_the_certificates_after_the_first() {
        let der = |text: &'static str| CertificateDer::from(text.as_bytes());
        assert!(ClientCertificate::new(&[]).is_none());
        let one = ClientCertificate::new(&[der("foo")]).unwrap();
        assert_eq!((one.leaf.as_bytes(), one.chain), (&b":Zm9v:"[..], None));
        let three = ClientCertificate::new(&[der("foo"), der("f"), der("fo")]).unwrap();
        assert_eq!(three.chain.unwrap(), ":Zg==:, :Zm8=:");
    }
}
