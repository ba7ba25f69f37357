//! Every limit of the crate, each with its source.

use std::time::Duration;

/// The longest TLS handshake message, in bytes, that rustls puts together from its records: the
/// length field allows 2^24 - 1 (RFC 8446 §4), rustls refuses anything above this, as server and as
/// client.
const HANDSHAKE_MESSAGE_LEN_MAX: usize = 0xffff;

/// The longest ClientHello, in bytes, over however many records it comes. rustls enforces it, and
/// a test of this crate checks that it still does.
pub const CLIENT_HELLO_LEN_MAX: usize = HANDSHAKE_MESSAGE_LEN_MAX;

/// The longest certificate, in DER bytes, that is read.
pub const CERTIFICATE_LEN_MAX: usize = HANDSHAKE_MESSAGE_LEN_MAX;

/// The longest certificate chain, in DER bytes. The chain travels in one handshake message, so a
/// client built on rustls could not read a longer one; OpenSSL's clients stop at 102,400 bytes.
pub const CHAIN_LEN_MAX: usize = HANDSHAKE_MESSAGE_LEN_MAX;

/// The largest number of subject alternative names in one certificate, ignored ones included. Far
/// above what public CAs issue (some hundreds), and what fits [`CERTIFICATE_LEN_MAX`] with names of
/// four bytes.
pub const SUBJECT_ALT_NAMES_MAX: usize = 10_000;

/// The longest ALPN protocol name, in bytes (RFC 7301 §3.1).
pub const PROTOCOL_NAME_LEN_MAX: usize = 255;

/// How many sessions each group keeps in memory for resumption, where no tickets are made; the
/// oldest gives way. A TLS 1.3 handshake stores two, since each can be resumed once (RFC 8446
/// §C.4). A session takes some hundreds of bytes, and the client's chain besides in a group that
/// requires client certificates: at most 64 KiB each, 64 MiB for a group.
pub const SESSIONS_PER_GROUP: usize = 1024;

/// How long a handshake may take unless the caller says otherwise. A first flight that is lost
/// three times in a row still arrives: the initial retransmission timeout is one second and doubles
/// each time (RFC 6298 §2, §5.5), which makes seven.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a failed connection may take to accept its alert and its end.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
