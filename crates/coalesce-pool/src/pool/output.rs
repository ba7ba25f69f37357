//! The outputs of a pool, and the values of its inputs.

use alloc::vec::Vec;
use core::fmt;

use coalesce_core::HostBuf;

use crate::endpoint::Endpoint;
use crate::key::PoolKey;
use crate::refusal::Refusal;
use crate::trail::{AttemptId, ConnectionId, RequestId, Trail};

/// The next thing that the client does for a [`Pool`](crate::Pool).
///
/// # Examples
/// See [`Pool`](crate::Pool).
///
/// ```
/// use coalesce_pool::Output;
///
/// fn needs_network(output: &Output) -> bool {
///     matches!(output, Output::Resolve { .. } | Output::Connect { .. } | Output::Send { .. })
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Output {
    /// Resolve the host of the origin, and call `handle_endpoints`.
    #[non_exhaustive]
    Resolve {
        /// The origin and the terms of its connections.
        key: PoolKey,
    },
    /// Make a connection, and call `handle_connected` or `handle_failed`.
    #[non_exhaustive]
    Connect {
        /// The attempt.
        attempt: AttemptId,
        /// The origin, and the terms.
        key: PoolKey,
        /// The endpoints so far, for the client's Happy Eyeballs. Empty for a proxy.
        endpoints: Vec<Endpoint>,
    },
    /// Give the attempt up, because no request needs it. Its result is not reported.
    #[non_exhaustive]
    Cancel {
        /// The attempt.
        attempt: AttemptId,
    },
    /// Run the verifier on the chain of the connection for another host, and call
    /// `handle_verified`.
    #[non_exhaustive]
    Verify {
        /// The connection.
        connection: ConnectionId,
        /// The host.
        host: HostBuf,
    },
    /// Send the request on the connection.
    #[non_exhaustive]
    Send {
        /// The request.
        request: RequestId,
        /// The connection.
        connection: ConnectionId,
    },
    /// Drop the 421 of the connection: the pool sends the request again, on another one.
    #[non_exhaustive]
    Discard {
        /// The request.
        request: RequestId,
        /// The connection.
        connection: ConnectionId,
        /// Whether to reset the stream with `CANCEL`.
        reset: bool,
    },
    /// Give the answer to the caller, then call `handle_done` when its stream has ended.
    #[non_exhaustive]
    Deliver {
        /// The request.
        request: RequestId,
        /// Why it was sent where it was sent.
        trail: Trail,
    },
    /// Tell the caller that there is no answer. The pool has forgotten the request.
    #[non_exhaustive]
    Fail {
        /// The request.
        request: RequestId,
        /// The reason.
        failure: Failure,
        /// The candidates that did not carry it.
        trail: Trail,
    },
    /// Close the connection with GOAWAY. The pool has forgotten the connection.
    #[non_exhaustive]
    Close {
        /// The connection.
        connection: ConnectionId,
    },
}

/// The reason why a request has no answer.
///
/// # Examples
/// ```
/// use coalesce_pool::Failure;
///
/// assert_eq!(Failure::NoAddress.code(), "no_address");
/// assert_eq!(Failure::Connect.to_string(), "no connection could be made");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// The host has no address for TCP.
    NoAddress,
    /// The attempt to connect failed.
    Connect,
    /// The connection or the stream ended before the answer.
    Lost,
    /// The server did not process the request, and it cannot be sent again.
    Unprocessed,
    /// The request could be sent again, but the budget of retries is spent.
    RetryBudget,
    /// Every connection for the origin refuses the request for this reason.
    Refused(Refusal),
    /// There are as many connections as the configuration allows, and all of them are in use.
    TooManyConnections,
    /// There are as many requests as the configuration allows.
    TooManyRequests,
}

impl Failure {
    /// Returns a stable name for logs, metrics and tools.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoAddress => "no_address",
            Self::Connect => "connect",
            Self::Lost => "lost",
            Self::Unprocessed => "unprocessed",
            Self::RetryBudget => "retry_budget",
            Self::Refused(refusal) => refusal.code(),
            Self::TooManyConnections => "too_many_connections",
            Self::TooManyRequests => "too_many_requests",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAddress => "the host has no address for TCP",
            Self::Connect => "no connection could be made",
            Self::Lost => "the stream ended before the answer",
            Self::Unprocessed => "the server did not process the request, which cannot be repeated",
            Self::RetryBudget => "too many requests were sent again in the last seconds",
            Self::Refused(refusal) => return refusal.fmt(f),
            Self::TooManyConnections => "all allowed connections are in use",
            Self::TooManyRequests => "as many requests as allowed are open",
        })
    }
}

impl core::error::Error for Failure {}

/// Whether more endpoints of a host follow.
///
/// # Examples
/// ```
/// use coalesce_pool::Progress;
///
/// assert_ne!(Progress::More, Progress::Last);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a resolution continues or has ended")]
pub enum Progress {
    /// More may follow, for example the AAAA records after the A records.
    More,
    /// The resolution has ended.
    Last,
}

/// The reason why a server did not process a request (RFC 9113 §8.7).
///
/// # Examples
/// ```
/// use coalesce_pool::Unprocessed;
///
/// assert_ne!(Unprocessed::NotSent, Unprocessed::Refused);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unprocessed {
    /// The request has not left the client's queue, and its body is whole.
    NotSent,
    /// The server reset the stream with `REFUSED_STREAM`, or its GOAWAY names a lower stream.
    Refused,
}

/// The server's SETTINGS, as far as the pool needs them.
///
/// # Examples
/// ```
/// use coalesce_pool::ServerSettings;
///
/// let mut settings = ServerSettings::default();
/// settings.streams_max = Some(100);
/// assert!(!settings.extended_connect);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerSettings {
    /// `SETTINGS_MAX_CONCURRENT_STREAMS`. `None` means no limit (RFC 9113 §6.5.2).
    pub streams_max: Option<u32>,
    /// `SETTINGS_ENABLE_CONNECT_PROTOCOL` (RFC 8441 §3).
    pub extended_connect: bool,
}
