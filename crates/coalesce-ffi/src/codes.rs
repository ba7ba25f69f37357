//! The numbers of the interface. `reasons` has those of the reasons.

/// The version of the interface that this header describes. `coalesce_abi_version` returns that of
/// the library. A change that an old caller would notice makes a new version.
pub const COALESCE_ABI_VERSION: u32 = 1;

/// The result of a function that can fail: one of the `COALESCE_` codes below.
/// `coalesce_result_text` returns its meaning.
pub type ResultCode = u32;

/// Success.
pub const COALESCE_OK: u32 = 0;
/// A pointer that must not be `NULL`, or `NULL` data with a length.
pub const COALESCE_NULL_ARGUMENT: u32 = 1;
/// The `size` of a struct is smaller than its first version or larger than
/// `COALESCE_STRUCT_SIZE_MAX`, or a field that this library does not know is not 0.
pub const COALESCE_STRUCT_SIZE: u32 = 2;
/// An enumeration, number or length outside of its range, or a misaligned pointer.
pub const COALESCE_INVALID_VALUE: u32 = 3;
/// Text that is not a name pattern, a host or an identifier.
pub const COALESCE_INVALID_NAME: u32 = 4;
/// Bytes that are not one certificate in DER with subject alternative names.
pub const COALESCE_INVALID_CERTIFICATE: u32 = 5;
/// Bytes that are not a compiled table or a compiled identifier set of this version.
pub const COALESCE_INVALID_TABLE: u32 = 6;
/// Two entries with one name.
pub const COALESCE_DUPLICATE_NAME: u32 = 7;
/// A group that was not added before.
pub const COALESCE_UNKNOWN_GROUP: u32 = 8;
/// A group that was added before with other policies, or whose number
/// `coalesce_table_builder_group_for` has given away.
pub const COALESCE_GROUP_CONFLICT: u32 = 9;
/// More names, groups or bytes than the library takes.
pub const COALESCE_TOO_LARGE: u32 = 10;
/// Names with colliding hashes under every seed. Only names that were chosen to collide do that.
pub const COALESCE_INSEPARABLE_NAMES: u32 = 11;

/// The largest `size` of a struct. It is many times the largest struct of this version, and small
/// enough that a `size` that was never set is nearly always larger.
pub const COALESCE_STRUCT_SIZE_MAX: usize = 1024;

/// The largest number of ports of one listener. The decision compares them one after the other.
pub const COALESCE_PORTS_MAX: usize = 1024;

/// The bytes that `coalesce_table_init` needs. Larger than a table is today, so that it can grow.
pub const COALESCE_TABLE_STORAGE: usize = 512;
/// The bytes that `coalesce_identifiers_init` needs.
pub const COALESCE_IDENTIFIERS_STORAGE: usize = 512;
/// The alignment of the memory for both: that of `uint64_t`.
pub const COALESCE_STORAGE_ALIGNMENT: usize = 8;

/// A connection in no group. Every host is refused on it, and no table has this group.
pub const COALESCE_GROUP_NONE: u32 = u32::MAX;

/// `coalesce_group_policy.coalesce`: every authority that the certificate covers and whose virtual
/// host is in the group of the connection (RFC 9113 section 9.1.1).
pub const COALESCE_BY_CERTIFICATE_AND_GROUP: u32 = 0;
/// `coalesce_group_policy.coalesce`: as before, and the host must equal the server name. A TLS
/// connection without a server name serves only addresses.
pub const COALESCE_STRICT_SERVER_NAME: u32 = 1;
/// `coalesce_group_policy.coalesce`: one connection, one host. A connection without a server name
/// serves not even addresses.
pub const COALESCE_NEVER: u32 = 2;

/// `coalesce_group_policy.unknown_authority`: an authority without an entry gets a 421.
pub const COALESCE_UNKNOWN_MISDIRECTED: u32 = 0;
/// `coalesce_group_policy.unknown_authority`: the application gets it as `COALESCE_AS_UNLISTED`, to
/// answer with a 404.
pub const COALESCE_UNKNOWN_TO_APPLICATION: u32 = 1;

/// `coalesce_group_policy.connect`: every `CONNECT` gets a 405.
pub const COALESCE_CONNECT_REFUSE: u32 = 0;
/// `coalesce_group_policy.connect`: extended `CONNECT` (RFC 8441) is decided like any other
/// request.
pub const COALESCE_CONNECT_EXTENDED: u32 = 1;
/// `coalesce_group_policy.connect`: plain `CONNECT` too, as `COALESCE_AS_TUNNEL`, for a proxy.
pub const COALESCE_CONNECT_ANY: u32 = 2;

/// `coalesce_group_policy.enforcement`: a misdirected request is refused.
pub const COALESCE_ENFORCE: u32 = 0;
/// `coalesce_group_policy.enforcement`: a misdirected request is served where that is safe, and
/// `coalesce_verdict.observed` has the reason.
pub const COALESCE_OBSERVE: u32 = 1;

/// The handshake asks no client for a certificate.
pub const COALESCE_CLIENTS_NOT_ASKED: u32 = 1;
/// The handshake asks for a client certificate, and accepts a client without one.
pub const COALESCE_CLIENTS_OPTIONAL: u32 = 2;
/// The handshake refuses a client without a certificate.
pub const COALESCE_CLIENTS_REQUIRED: u32 = 3;

/// `coalesce_handshake_facts.client_certificate`: not known. Meets `COALESCE_CLIENTS_NOT_ASKED`
/// alone.
pub const COALESCE_CLIENT_UNKNOWN: u32 = 0;
/// `coalesce_handshake_facts.client_certificate`: the handshake asked for none.
pub const COALESCE_CLIENT_NOT_ASKED: u32 = 1;
/// `coalesce_handshake_facts.client_certificate`: the handshake asked, and the client gave none.
pub const COALESCE_CLIENT_ASKED_NONE_GIVEN: u32 = 2;
/// `coalesce_handshake_facts.client_certificate`: the certificate of the client was verified.
pub const COALESCE_CLIENT_VERIFIED: u32 = 3;

/// `coalesce_connection.scheme`: in the clear.
pub const COALESCE_SCHEME_HTTP: u32 = 1;
/// `coalesce_connection.scheme`: over TLS.
pub const COALESCE_SCHEME_HTTPS: u32 = 2;

/// `coalesce_connection.trust`: the connection proves its hosts by its own certificate.
pub const COALESCE_OWN_CERTIFICATE: u32 = 0;
/// `coalesce_connection.trust`: a gateway that checks the certificate itself, so the certificate
/// step is skipped (RFC 9110 section 7.4). Anyone who can open such a connection can name any host
/// of its group.
pub const COALESCE_TRUSTED_GATEWAY: u32 = 1;

/// `coalesce_request.method`: any method except `CONNECT`.
pub const COALESCE_METHOD_ORDINARY: u32 = 0;
/// `coalesce_request.method`: `CONNECT` for a tunnel (RFC 9113 section 8.5).
pub const COALESCE_METHOD_CONNECT: u32 = 1;
/// `coalesce_request.method`: `CONNECT` with `:protocol` (RFC 8441 section 4).
pub const COALESCE_METHOD_EXTENDED_CONNECT: u32 = 2;

/// `coalesce_verdict.outcome`: the server serves the request.
pub const COALESCE_SERVE: u32 = 1;
/// `coalesce_verdict.outcome`: the request gets a 421, and the connection stays open.
pub const COALESCE_MISDIRECTED: u32 = 2;
/// `coalesce_verdict.outcome`: the request gets the status of the verdict.
pub const COALESCE_MALFORMED: u32 = 3;

/// `coalesce_verdict.served_as`: as the virtual host of the verdict.
pub const COALESCE_AS_VIRTUAL_HOST: u32 = 1;
/// `coalesce_verdict.served_as`: an authority without an entry. The connection proves nothing about
/// it, so answer 404.
pub const COALESCE_AS_UNLISTED: u32 = 2;
/// `coalesce_verdict.served_as`: a tunnel for a proxy to open.
pub const COALESCE_AS_TUNNEL: u32 = 3;
