//! Every limit of the crate, each with its source.

use std::time::Duration;

/// The longest TLS handshake message, in bytes, that rustls assembles from records. The length
/// field allows 2^24 - 1 (RFC 8446 §4); rustls refuses longer messages as server and as client.
const HANDSHAKE_MESSAGE_LEN_MAX: usize = 0xffff;

/// The longest ClientHello, in bytes, over all its records. rustls enforces this limit, and a test
/// of this crate checks that it does.
pub const CLIENT_HELLO_LEN_MAX: usize = HANDSHAKE_MESSAGE_LEN_MAX;

/// The longest certificate, in DER bytes, that this crate reads.
pub const CERTIFICATE_LEN_MAX: usize = HANDSHAKE_MESSAGE_LEN_MAX;

/// The longest certificate chain, in DER bytes. The chain is one handshake message, so rustls
/// clients cannot read a longer one. OpenSSL clients stop at 102,400 bytes.
pub const CHAIN_LEN_MAX: usize = HANDSHAKE_MESSAGE_LEN_MAX;

/// The largest number of subject alternative names in one certificate, ignored names included.
/// Public CAs issue some hundreds; this many names of four bytes fit in [`CERTIFICATE_LEN_MAX`].
pub const SUBJECT_ALT_NAMES_MAX: usize = 10_000;

/// The longest ALPN protocol name, in bytes (RFC 7301 §3.1).
pub const PROTOCOL_NAME_LEN_MAX: usize = 255;

/// The number of sessions that each group keeps in memory, if it makes no tickets; a new session
/// replaces the oldest. A TLS 1.3 handshake stores two, because a session can be resumed only once
/// (RFC 8446 §C.4). A session takes some hundreds of bytes. In a group that requires client
/// certificates it also holds the client's chain: at most 64 KiB each, 64 MiB for a group.
pub const SESSIONS_PER_GROUP: usize = 1024;

/// The default limit for a handshake. A first flight that is lost three times in a row still
/// arrives within seven seconds: the retransmission timeout starts at one second and doubles each
/// time (RFC 6298 §2, §5.5).
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The limit for sending the alert of a failed connection and closing it.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long before its end a certificate counts as [`EndsSoon`](crate::Validity::EndsSoon). ACME
/// clients renew when a third of the lifetime is left: 30 days of 90, and 15 of the 47 that the
/// CA/Browser Forum allows from 2029 on (ballot SC-081v3). With less than 14 days left a renewal
/// has failed.
pub const EXPIRY_WARNING: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// The share of the lifetime, as a divisor, for a certificate with a lifetime of less than 56 days.
/// It counts as ending soon in the last quarter. ACME clients renew in the last third, which begins
/// earlier.
pub(crate) const EXPIRY_WARNING_SHARE: i64 = 4;

/// The bytes of a server name that an error contains. A DNS name is shorter (RFC 1035 §2.3.4), but
/// the field can hold 64 KiB.
pub const LOGGED_SERVER_NAME_LEN_MAX: usize = 255;

/// The first bytes of a connection that are kept until its ClientHello is read, so that the log can
/// name a ClientHello that rustls refuses. A ClientHello with a post-quantum key share has about
/// 1,800 bytes. The ones that rustls refuses are older and shorter.
pub const FIRST_BYTES_MAX: usize = 2048;

/// The bytes of a ClientHello's ALPN protocols that an error contains. Clients offer two or three
/// short ones (`h2,http/1.1`), but a ClientHello can hold 64 KiB of them.
pub const LOGGED_PROTOCOLS_LEN_MAX: usize = 100;

/// The shortest RSA key that clients verify, in bits. The providers of rustls refuse shorter ones,
/// as NIST SP 800-131A and the CA/Browser Forum (Baseline Requirements §6.1.5) do.
pub const RSA_KEY_BITS_MIN: usize = 2048;
