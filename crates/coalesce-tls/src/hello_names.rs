//! The names in a ClientHello, for the log of a failed handshake.

use rustls::server::ClientHello;

use crate::limits::{LOGGED_PROTOCOLS_LEN_MAX, LOGGED_SERVER_NAME_LEN_MAX};

/// The names in a ClientHello, escaped and shortened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ClientHelloNames {
    pub(crate) server_name: Option<String>,
    /// The ALPN protocols, separated by commas.
    pub(crate) protocols: Option<String>,
}

impl ClientHelloNames {
    pub(crate) fn from_hello(hello: &ClientHello<'_>) -> Self {
        let server_name = hello.server_name().map(|name| escaped_name(name.as_bytes()));
        Self { server_name, protocols: hello.alpn().map(escaped_protocols) }
    }
}

/// A ClientHello that rustls refuses before it returns the names, for example that of a client
/// older than TLS 1.2.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnreadHello {
    pub(crate) names: ClientHelloNames,
    /// The highest version that the client offers.
    version: u16,
}

/// The version number of TLS 1.2 (RFC 5246 §6.2.1).
const TLS12: u16 = 0x0303;

impl UnreadHello {
    /// Reads the first bytes of a connection, as far as they are a ClientHello. rustls decides the
    /// handshake. The result is only for the log, so this function checks little.
    pub(crate) fn read(records: &[u8]) -> Option<Self> {
        let message = message(records);
        let mut message = Bytes(&message);
        // The type of a ClientHello, and its length.
        message.number(1).filter(|kind| *kind == 1)?;
        message.number(3)?;
        let mut hello = Self {
            version: u16::try_from(message.number(2)?).ok()?,
            names: ClientHelloNames { server_name: None, protocols: None },
        };
        // Skip the random, the session, the cipher suites and the compression methods.
        message.take(32)?;
        message.vector(1)?;
        message.vector(2)?;
        message.vector(1)?;
        let Some(mut extensions) = message.vector(2) else { return Some(hello) };
        while let (Some(kind), Some(data)) = (extensions.number(2), extensions.vector(2)) {
            hello.read_extension(kind, data);
        }
        Some(hello)
    }

    /// Reads an extension: the server name (RFC 6066 §3), ALPN (RFC 7301 §3.1) or the supported
    /// versions (RFC 8446 §4.2.1).
    fn read_extension(&mut self, kind: usize, mut data: Bytes<'_>) {
        match kind {
            0 => {
                let mut names = data.vector(2).unwrap_or_default();
                // The only type of name that exists.
                if names.number(1) == Some(0) {
                    let name = names.vector(2);
                    self.names.server_name = name.map(|name| escaped_name(name.0));
                }
            }
            16 => {
                let mut names = data.vector(2).unwrap_or_default();
                let names = std::iter::from_fn(|| names.vector(1).map(|name| name.0));
                self.names.protocols = Some(escaped_protocols(names));
            }
            43 => {
                let mut versions = data.vector(1).unwrap_or_default();
                while let Some(version) = versions.number(2) {
                    // Reserved numbers (RFC 8701) count as new versions, because only new clients
                    // send them.
                    self.version = self.version.max(u16::try_from(version).unwrap_or(0));
                }
            }
            _ => {}
        }
    }

    /// Returns whether rustls supports none of the versions that the client offers.
    pub(crate) fn is_too_old(&self) -> bool {
        self.version < TLS12
    }
}

/// Joins the contents of the handshake records at the start of `records`.
fn message(records: &[u8]) -> Vec<u8> {
    let mut records = Bytes(records);
    let mut message = Vec::with_capacity(records.0.len());
    // The type of a handshake record, its version and its length (RFC 8446 §5.1).
    while records.number(1) == Some(22) && records.number(2).is_some() {
        let Some(content) = records.vector(2) else { break };
        message.extend_from_slice(content.0);
    }
    message
}

/// Bytes that a parser consumes.
#[derive(Clone, Copy, Default)]
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    /// Takes a number of `len` bytes.
    fn number(&mut self, len: usize) -> Option<usize> {
        let bytes = self.take(len)?;
        Some(bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    /// Takes a vector whose length has `len` bytes. If the vector is cut off, takes the rest.
    fn vector(&mut self, len: usize) -> Option<Self> {
        let len = self.number(len)?;
        self.take(len.min(self.0.len())).map(Self)
    }
}

fn escaped_name(name: &[u8]) -> String {
    let name = name.get(..LOGGED_SERVER_NAME_LEN_MAX).unwrap_or(name);
    name.escape_ascii().to_string()
}

/// Joins protocols, up to the number of bytes in a log line.
fn escaped_protocols<'a>(protocols: impl Iterator<Item = &'a [u8]>) -> String {
    let mut all = String::new();
    for protocol in protocols {
        if !all.is_empty() {
            all.push(',');
        }
        for byte in protocol {
            match byte {
                // A comma inside a name must not look like the next name.
                b',' => all.push_str("\\x2c"),
                byte => all.extend(byte.escape_ascii().map(char::from)),
            }
        }
        if all.len() > LOGGED_PROTOCOLS_LEN_MAX {
            all.truncate(LOGGED_PROTOCOLS_LEN_MAX);
            break;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a vector whose length has `len` bytes.
    fn vector(len: usize, content: &[u8]) -> Vec<u8> {
        let size = content.len().to_be_bytes();
        [&size[size.len() - len..], content].concat()
    }

    fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &vector(2, content)].concat()
    }

    /// Returns a ClientHello of this version with these extensions, in one record.
    fn hello(version: u16, extensions: &[Vec<u8>]) -> Vec<u8> {
        let body = [
            version.to_be_bytes().to_vec(),
            vec![7; 32],
            vector(1, &[]),
            vector(2, &[0, 47]),
            vector(1, &[0]),
            vector(2, &extensions.concat()),
        ];
        let message = [vec![1], vector(3, &body.concat())].concat();
        [vec![22, 3, 1], vector(2, &message)].concat()
    }

    fn named(version: u16) -> Vec<u8> {
        let name = [vec![0], vector(2, b"a.test")].concat();
        let protocols = [vector(1, b"h2"), vector(1, b"http/1.1")].concat();
        let extensions = [extension(0, &vector(2, &name)), extension(16, &vector(2, &protocols))];
        hello(version, &extensions)
    }

    #[test]
    fn unread_hello_has_version_and_names() {
        let read = UnreadHello::read(&named(0x0302)).unwrap();
        assert!(read.is_too_old());
        assert_eq!(read.names.server_name.as_deref(), Some("a.test"));
        assert_eq!(read.names.protocols.as_deref(), Some("h2,http/1.1"));
        assert!(!UnreadHello::read(&named(0x0303)).unwrap().is_too_old());
        let versions = extension(43, &vector(1, &[3, 4, 3, 3]));
        assert!(!UnreadHello::read(&hello(0x0301, &[versions])).unwrap().is_too_old());
    }

    #[test]
    fn unread_hello_in_many_records_gives_the_same_names() {
        let whole = named(0x0302);
        let content = whole.get(5..).unwrap();
        let records = content.chunks(7).map(|part| [vec![22, 3, 1], vector(2, part)].concat());
        let records: Vec<Vec<u8>> = records.collect();
        assert_eq!(UnreadHello::read(&records.concat()), UnreadHello::read(&whole));
    }

    #[test]
    fn truncated_hello_does_not_panic() {
        let whole = named(0x0302);
        for len in 0..whole.len() {
            let read = UnreadHello::read(&whole[..len]);
            assert!(read.is_none_or(|read| read.is_too_old()), "{len}");
        }
        assert_eq!(UnreadHello::read(b"GET / HTTP/1.1\r\n"), None);
        assert_eq!(UnreadHello::read(&[22, 3, 1, 0, 4, 2, 0, 0, 0]), None);
    }

    #[test]
    fn names_are_escaped_and_short() {
        let names: [&[u8]; 3] = [b"h2", b"a,b\n\xff", b"http/1.1"];
        assert_eq!(escaped_protocols(names.into_iter()), r"h2,a\x2cb\n\xff,http/1.1");
        let many = std::iter::repeat_n(&b"protocol"[..], 1_000);
        assert_eq!(escaped_protocols(many).len(), LOGGED_PROTOCOLS_LEN_MAX);
        assert_eq!(escaped_protocols(std::iter::empty()), "");
        assert_eq!(escaped_name(b"a\r\nb"), r"a\r\nb");
        assert_eq!(escaped_name(&[b'a'; 1_000]).len(), LOGGED_SERVER_NAME_LEN_MAX);
    }
}
