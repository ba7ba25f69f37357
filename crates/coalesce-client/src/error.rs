//! The error of a request.

use std::error::Error as StdError;
use std::fmt;

use coalesce_pool::Failure;

use crate::trail::Trail;

/// An error of any type.
///
/// # Examples
/// ```
/// use coalesce_client::BoxError;
///
/// let error: BoxError = std::io::Error::other("no file").into();
/// assert_eq!(error.to_string(), "no file");
/// ```
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// The reason why a request has no response.
///
/// `Display` writes one sentence; [`source`](StdError::source) has the cause, such as an error of
/// TLS or of the operating system.
///
/// # Examples
/// ```
/// use coalesce_client::{Client, ErrorKind, FixedResolver, TlsConfig};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let roots = coalesce_client::rustls::RootCertStore::empty();
/// # let tls = TlsConfig::opaque(
/// #     coalesce_client::rustls::ClientConfig::builder()
/// #         .with_root_certificates(roots)
/// #         .with_no_client_auth(),
/// # );
/// let client = Client::builder().tls(tls).resolver(FixedResolver::new()).build()?;
/// let error = client.get("ftp://a.example/").await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Request);
/// let error = client.get("https://unknown.example/").await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Resolve);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    /// The code of the pool's failure, if the pool gave the request up.
    failure: Option<Failure>,
    source: Option<BoxError>,
    trail: Option<Trail>,
}

/// The kind of an [`Error`].
///
/// # Examples
/// ```
/// use coalesce_client::ErrorKind;
///
/// fn may_help_to_ask_later(kind: ErrorKind) -> bool {
///     matches!(kind, ErrorKind::Connect | ErrorKind::Timeout | ErrorKind::Limit)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request cannot be sent as it is.
    Request,
    /// The settings of the client are incomplete.
    Settings,
    /// The host has no address.
    Resolve,
    /// No connection could be made.
    Connect,
    /// The connection or the stream ended too early.
    Connection,
    /// A time limit passed.
    Timeout,
    /// A limit of the client was reached.
    Limit,
}

impl ErrorKind {
    /// Returns a stable name for logs and metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Settings => "settings",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::Limit => "limit",
        }
    }
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, source: impl Into<BoxError>) -> Self {
        let source = Some(source.into());
        Self(Box::new(Inner { kind, failure: None, source, trail: None }))
    }

    /// Makes the error of a request that the pool gave up. `timed_out` means that the attempt to
    /// connect passed its time limit.
    pub(crate) fn failed(
        failure: Failure,
        timed_out: bool,
        source: Option<BoxError>,
        trail: Trail,
    ) -> Self {
        let kind = match failure {
            Failure::NoAddress => ErrorKind::Resolve,
            Failure::Connect if timed_out => ErrorKind::Timeout,
            Failure::Connect => ErrorKind::Connect,
            Failure::Refused(_) => ErrorKind::Request,
            Failure::TooManyConnections | Failure::TooManyRequests => ErrorKind::Limit,
            _ => ErrorKind::Connection,
        };
        Self(Box::new(Inner { kind, failure: Some(failure), source, trail: Some(trail) }))
    }

    /// Returns the kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the code of the reason: that of the pool's failure, or that of the kind.
    pub fn code(&self) -> &'static str {
        self.0.failure.map_or(self.0.kind.code(), Failure::code)
    }

    /// Returns the way of the request until its end. `None` if the pool never had the request.
    pub fn trail(&self) -> Option<&Trail> {
        self.0.trail.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(failure) = self.0.failure {
            return failure.fmt(f);
        }
        f.write_str(match self.0.kind {
            ErrorKind::Request => "the request cannot be sent",
            ErrorKind::Settings => "the settings of the client are incomplete",
            ErrorKind::Resolve => "the host has no address",
            ErrorKind::Connect => "no connection could be made",
            ErrorKind::Connection => "the connection ended too early",
            ErrorKind::Timeout => "there is no answer within the time limit",
            ErrorKind::Limit => "a limit of the client is reached",
        })
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|it| it as &(dyn StdError + 'static))
    }
}
