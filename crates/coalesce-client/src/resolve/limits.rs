//! The limits of a resolution.

use std::time::Duration;

/// The time for which an answer waits for the other family of addresses and for the HTTPS records
/// (RFC 8305 §3, "Resolution Delay").
pub(crate) const RESOLUTION_DELAY: Duration = Duration::from_millis(50);

/// The time for which a resolution waits for HTTPS records if all addresses are known. Some servers
/// never answer for a type that they do not know.
pub(crate) const HTTPS_WAIT: Duration = Duration::from_secs(1);

/// The most aliases that are followed (RFC 9460 §2.4.2 requires a limit). Chains of CNAME are often
/// limited to 8 as well.
pub(crate) const ALIASES_MAX: usize = 8;

/// The most HTTPS records of a host that are used. Published ones have one or two.
pub(crate) const SERVICES_MAX: usize = 8;

/// The most other hosts that the HTTPS records of a host may name. Each costs two queries.
pub(crate) const TARGETS_MAX: usize = 4;

/// The most endpoints of a host: the pool takes no more.
pub(crate) const ENDPOINTS_MAX: usize = coalesce_pool::limits::ENDPOINTS_MAX;

/// The most addresses of an answer that are used.
pub(crate) const ADDRESSES_PER_ANSWER_MAX: usize = ENDPOINTS_MAX;

/// The most suffixes of the system's search list that are tried. The C library had this limit.
pub(crate) const SEARCH_MAX: usize = 6;

/// The most answers that are remembered.
pub(crate) const CACHE_MAX: usize = 1024;

/// The longest time for which an answer is remembered, which RFC 8767 §4 leaves to the resolver.
pub(crate) const TTL_MAX: Duration = Duration::from_secs(60 * 60);

/// The longest time for which a negative answer is remembered. RFC 2308 §5 advises 1 to 3 hours for
/// servers; a client that is told of a new host should not wait that long.
pub(crate) const NEGATIVE_TTL_MAX: Duration = Duration::from_secs(5 * 60);

/// The longest time for which an answer is remembered if one of its queries failed. RFC 2308 §7
/// allows 5 minutes.
pub(crate) const FAILURE_TTL_MAX: Duration = Duration::from_secs(30);
