//! TLS handshakes over tokio.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, StartHandshake};

use crate::choice::{HandshakeChoice, HandshakeRefused};
use crate::facts::HandshakeFacts;
use crate::failure::HandshakeFailure;
use crate::first_bytes::FirstBytes;
use crate::hello_names::{ClientHelloNames, UnreadHello};
use crate::limits::{CLOSE_TIMEOUT, HANDSHAKE_TIMEOUT};
use crate::table::HandshakeTable;

/// Accepts TLS connections by the choices of a [`HandshakeTable`].
///
/// An acceptor keeps its table. To use another table, make a new acceptor. Handshakes that have
/// begun finish under the old table, and their facts are those of the old table.
///
/// # Examples
/// ```
/// use coalesce_tls::Acceptor;
///
/// /// Serves one connection.
/// async fn serve(acceptor: &Acceptor, socket: tokio::net::TcpStream) {
///     match acceptor.accept(socket).await {
///         Ok((_stream, facts)) => {
///             let connection = facts.connection(443);
///             println!("group {}", connection.group());
///         }
///         Err(error) if error.is_timeout() => println!("the client was too slow"),
///         Err(error) => println!("{error}"),
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Acceptor {
    table: Arc<HandshakeTable>,
    handshake_timeout: Duration,
}

impl Acceptor {
    /// Makes an acceptor with the limit [`HANDSHAKE_TIMEOUT`] for each handshake.
    pub fn new(table: Arc<HandshakeTable>) -> Self {
        Self { table, handshake_timeout: HANDSHAKE_TIMEOUT }
    }

    /// Sets the limit for a whole handshake, from the first byte read to the last.
    #[must_use]
    pub fn with_handshake_timeout(mut self, handshake_timeout: Duration) -> Self {
        self.handshake_timeout = handshake_timeout;
        self
    }

    /// Returns the table.
    pub fn table(&self) -> &Arc<HandshakeTable> {
        &self.table
    }

    /// Makes one handshake. If it fails, sends the client its alert and closes `io`.
    ///
    /// # Errors
    /// Returns [`AcceptError`].
    ///
    /// # Panics
    /// Panics outside a tokio runtime with its timer enabled.
    pub async fn accept<T>(&self, io: T) -> Result<(TlsStream<T>, HandshakeFacts), AcceptError>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        // Declared outside the future, because a timeout drops the future.
        let mut hello = None;
        let handshake = self.handshake(io, &mut hello);
        let kind = match timeout(self.handshake_timeout, handshake).await {
            Ok(Ok(accepted)) => return Ok(accepted),
            Ok(Err(Failed { kind, closing })) => {
                // An alert that cannot be sent does not change the reason for the caller.
                if let Some(closing) = closing {
                    let _ = timeout(CLOSE_TIMEOUT, closing.run()).await;
                }
                kind
            }
            Err(_elapsed) => Kind::TimedOut(self.handshake_timeout),
        };
        let error = AcceptError { kind, hello };
        // The table logs its refusals itself.
        if error.refused().is_none() {
            tracing::debug!(server_name = error.server_name(), "{error}");
        }
        Err(error)
    }

    async fn handshake<T>(
        &self,
        io: T,
        names: &mut Option<ClientHelloNames>,
    ) -> Result<(TlsStream<T>, HandshakeFacts), Failed<T>>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let start = client_hello(io, names).await?;
        let chosen = {
            let hello = start.client_hello();
            *names = Some(ClientHelloNames::from_hello(&hello));
            self.table.choose(&hello)
        };
        let HandshakeChoice { config, facts } = match chosen {
            Ok(choice) => choice,
            Err(refused) => {
                let alert = refused.alert_record();
                return Err(Failed::new(Kind::Refused(refused), Some(start.io), Some(alert)));
            }
        };
        match start.into_stream(config).into_fallible().await {
            Ok(stream) => Ok((stream, facts)),
            Err((error, io)) => Err(Failed::new(error.into(), Some(io), None)),
        }
    }
}

/// Reads the ClientHello. If rustls refuses it, sets `names` to the names in its first bytes.
async fn client_hello<T>(
    io: T,
    names: &mut Option<ClientHelloNames>,
) -> Result<StartHandshake<T>, Failed<T>>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let acceptor = rustls::server::Acceptor::default();
    let mut hello = LazyConfigAcceptor::new(acceptor, FirstBytes::new(io));
    let error = match (&mut hello).await {
        Ok(StartHandshake { accepted, io, .. }) => {
            return Ok(StartHandshake::from_parts(accepted, io.into_inner()));
        }
        Err(error) => error,
    };
    let io = hello.take_io();
    let mut kind = Kind::from(error);
    if let (Kind::Tls { failure, .. }, Some(io)) = (&mut kind, &io) {
        if let Some(spoken) = HandshakeFailure::from_first_bytes(io.bytes()) {
            *failure = spoken;
        } else if let Some(hello) = UnreadHello::read(io.bytes()) {
            // rustls reports a missing extension of TLS 1.2 before it looks at the version.
            if hello.is_too_old() {
                *failure = HandshakeFailure::NoVersion;
            }
            *names = Some(hello.names);
        }
    }
    // rustls has sent its own alert.
    Err(Failed::new(kind, io.map(FirstBytes::into_inner), None))
}

/// A failed handshake, and the connection to close if rustls returned it.
struct Failed<T> {
    kind: Kind,
    closing: Option<Closing<T>>,
}

impl<T> Failed<T> {
    fn new(kind: Kind, io: Option<T>, alert: Option<[u8; 7]>) -> Self {
        Self { kind, closing: io.map(|io| Closing { io, alert }) }
    }
}

/// A connection to close after its alert.
struct Closing<T> {
    io: T,
    alert: Option<[u8; 7]>,
}

impl<T: AsyncWrite + Unpin> Closing<T> {
    async fn run(mut self) -> io::Result<()> {
        if let Some(alert) = self.alert {
            self.io.write_all(&alert).await?;
        }
        // Unread bytes would turn this close into a reset, which may overtake the alert. There are
        // none, because the server never offers early data: a client sends nothing between its
        // ClientHello and the server's answer.
        self.io.shutdown().await
    }
}

/// The reason why a connection was not accepted.
///
/// # Examples
/// ```
/// use coalesce_tls::AcceptError;
///
/// fn line(error: &AcceptError) -> String {
///     let name = error.server_name().unwrap_or("none");
///     let protocols = error.protocols().unwrap_or("none");
///     format!("{}: {error}; server name: {name}, ALPN: {protocols}", error.failure().code())
/// }
/// ```
#[derive(Debug)]
pub struct AcceptError {
    kind: Kind,
    hello: Option<ClientHelloNames>,
}

#[derive(Debug)]
enum Kind {
    Refused(HandshakeRefused),
    TimedOut(Duration),
    Tls {
        error: rustls::Error,
        /// The meaning of the error, or of the first bytes of the connection.
        failure: HandshakeFailure,
    },
    Io(io::Error),
}

impl AcceptError {
    /// Returns the reason for which the handshake failed, for logs and metrics.
    pub fn failure(&self) -> HandshakeFailure {
        match &self.kind {
            Kind::Refused(refused) => HandshakeFailure::from_refused(refused),
            Kind::TimedOut(_) => HandshakeFailure::TimedOut,
            Kind::Tls { failure, .. } => *failure,
            Kind::Io(_) => HandshakeFailure::Lost,
        }
    }

    /// Returns the refusal, if the table refused the ClientHello.
    pub fn refused(&self) -> Option<&HandshakeRefused> {
        match &self.kind {
            Kind::Refused(refused) => Some(refused),
            _ => None,
        }
    }

    /// Returns the error of rustls, if the handshake failed in rustls: an unreadable ClientHello,
    /// no common version, no client certificate.
    pub fn tls_error(&self) -> Option<&rustls::Error> {
        match &self.kind {
            Kind::Tls { error, .. } => Some(error),
            _ => None,
        }
    }

    /// Returns whether the handshake took too long.
    pub fn is_timeout(&self) -> bool {
        matches!(self.kind, Kind::TimedOut(_))
    }

    /// Returns whether the connection failed or ended during the handshake.
    pub fn is_io(&self) -> bool {
        matches!(self.kind, Kind::Io(_))
    }

    /// Returns whether the ClientHello was read before the handshake failed.
    pub fn has_client_hello(&self) -> bool {
        self.hello.is_some()
    }

    /// Returns the server name of the ClientHello, escaped.
    pub fn server_name(&self) -> Option<&str> {
        self.hello.as_ref().and_then(|hello| hello.server_name.as_deref())
    }

    /// Returns the ALPN protocols of the ClientHello, escaped and separated by commas. The text has
    /// at most [`LOGGED_PROTOCOLS_LEN_MAX`](crate::limits::LOGGED_PROTOCOLS_LEN_MAX) bytes.
    pub fn protocols(&self) -> Option<&str> {
        self.hello.as_ref().and_then(|hello| hello.protocols.as_deref())
    }
}

/// Unwraps an error of rustls, which tokio-rustls puts inside an [`io::Error`].
impl From<io::Error> for Kind {
    fn from(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(error) => {
                Self::Tls { error: error.clone(), failure: HandshakeFailure::from_tls(error) }
            }
            None => Self::Io(error),
        }
    }
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Refused(refused) => refused.fmt(f),
            Kind::TimedOut(limit) => {
                write!(f, "TLS handshake not complete after {} s", limit.as_secs_f64())
            }
            Kind::Tls { failure: HandshakeFailure::PlainHttp, .. } => {
                f.write_str("the client speaks HTTP without TLS; TLS expected")
            }
            Kind::Tls { failure: HandshakeFailure::ProxyHeader, .. } => {
                f.write_str("the connection begins with a PROXY protocol header; TLS expected")
            }
            Kind::Tls { error, .. } => write!(f, "TLS handshake failed: {error}"),
            Kind::Io(error) => write!(f, "connection lost during the TLS handshake: {error}"),
        }
    }
}

impl std::error::Error for AcceptError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            Kind::Refused(_) | Kind::TimedOut(_) => None,
            Kind::Tls { error, .. } => Some(error),
            Kind::Io(error) => Some(error),
        }
    }
}
