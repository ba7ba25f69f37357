//! Formats that are given in place of PEM, and what converts them.

use std::fmt;

/// A format of certificates and keys that is not PEM text.
///
/// # Examples
/// ```
/// use coalesce_tls::{FileFormat, PemError, certificates_from_pem};
///
/// let utf_16: Vec<u8> = "-----BEGIN".encode_utf16().flat_map(u16::to_le_bytes).collect();
/// let Err(PemError::NotPem { format, .. }) = certificates_from_pem(&utf_16) else { panic!() };
/// assert_eq!(format, FileFormat::Utf16);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileFormat {
    /// One certificate or key in DER.
    Der,
    /// A PKCS #12 archive of certificates and keys (RFC 7292): `.p12`, `.pfx`.
    Pkcs12,
    /// A PKCS #7 bundle of certificates in DER (RFC 5652): `.p7b`.
    Pkcs7,
    /// A key store of Java.
    JavaKeyStore,
    /// Text in UTF-16, as some editors and shells of Windows write it.
    Utf16,
}

/// The bytes of the object identifier 1.2.840.113549.1.7, without the number in its arc that says
/// which kind of PKCS #7 content this is.
const PKCS7_ARC: [u8; 10] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07];

impl FileFormat {
    /// Returns the format of a file that is not PEM, if the file starts as one of these does.
    pub(crate) fn detect(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xff, 0xfe, ..]
            | [0xfe, 0xff, ..]
            | [b'-', 0, b'-', 0, ..]
            | [0, b'-', 0, b'-', ..] => Some(Self::Utf16),
            [0xfe, 0xed, 0xfe, 0xed, ..] => Some(Self::JavaKeyStore),
            // The tag of a SEQUENCE, which is the digit 0 in text: its length shows which it is.
            [0x30, rest @ ..] => Self::of_sequence(rest),
            _ => None,
        }
    }

    /// Takes what follows the tag of a SEQUENCE.
    fn of_sequence(bytes: &[u8]) -> Option<Self> {
        let (len, content) = bytes.split_first()?;
        let content = match *len {
            // The length, or its form that an end marker closes.
            0..=0x80 => content,
            // The number of the bytes that hold the length: no file takes more than four.
            0x81..=0x84 => content.get(usize::from(*len & 0x7f)..)?,
            _ => return None,
        };
        if content.starts_with(&PKCS7_ARC) {
            return Some(Self::Pkcs7);
        }
        // RFC 7292 §4: version 3, then the content, which is PKCS #7 as well.
        if let Some(archive) = content.strip_prefix(&[0x02, 0x01, 0x03])
            && archive.windows(PKCS7_ARC.len()).take(LENGTH_LEN_MAX).any(|it| it == PKCS7_ARC)
        {
            return Some(Self::Pkcs12);
        }
        // A certificate starts with a SEQUENCE, a key with the number of its version.
        matches!(content, [0x30 | 0x02, ..]).then_some(Self::Der)
    }
}

/// The longest header of a DER value before the object identifier in it: a tag and five bytes.
const LENGTH_LEN_MAX: usize = 6;

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Der => "a certificate or key in DER",
            Self::Pkcs12 => "a PKCS #12 file",
            Self::Pkcs7 => "a PKCS #7 file",
            Self::JavaKeyStore => "a key store of Java",
            Self::Utf16 => "UTF-16 text",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_their_first_bytes() {
        let pkcs12 = b"\x30\x82\x0a\x00\x02\x01\x03\x30\x82\x09\xc6\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0";
        let pkcs7 = b"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0";
        let cases: [(&[u8], Option<FileFormat>); 14] = [
            (pkcs12, Some(FileFormat::Pkcs12)),
            (pkcs7, Some(FileFormat::Pkcs7)),
            (b"\x30\x82\x01\x00\x30\x82", Some(FileFormat::Der)),
            (b"\x30\x31\x02\x01\x00", Some(FileFormat::Der)),
            (b"\x30\x82\x01\x00\x02\x01\x03\x30\x0d", Some(FileFormat::Der)),
            (b"\xfe\xed\xfe\xed\0\0\0\x02", Some(FileFormat::JavaKeyStore)),
            (b"\xff\xfe-\0-\0", Some(FileFormat::Utf16)),
            (b"\xfe\xff\0-\0-", Some(FileFormat::Utf16)),
            (b"-\0-\0-\0", Some(FileFormat::Utf16)),
            (b"\0-\0-\0-", Some(FileFormat::Utf16)),
            (b"0123", None),
            (b"0", None),
            (b"-----BEGIN CERTIFICATE-----", None),
            (b"", None),
        ];
        for (bytes, format) in cases {
            assert_eq!(FileFormat::detect(bytes), format, "{}", bytes.escape_ascii());
        }
    }
}
