//! Handshakes over tokio.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::choice::{HandshakeChoice, HandshakeRefused};
use crate::facts::HandshakeFacts;
use crate::limits::{CLOSE_TIMEOUT, HANDSHAKE_TIMEOUT};
use crate::table::HandshakeTable;

/// Accepts TLS connections by the choices of a [`HandshakeTable`].
///
/// An acceptor keeps the table it was made with. To swap tables, make a new acceptor. Handshakes
/// that have begun finish under the old table, and their facts are those of the old table.
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
    /// [`AcceptError`].
    ///
    /// # Panics
    /// If it is not called inside a tokio runtime with its timer enabled.
    pub async fn accept<T>(&self, io: T) -> Result<(TlsStream<T>, HandshakeFacts), AcceptError>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let error = match timeout(self.handshake_timeout, self.handshake(io)).await {
            Ok(Ok(accepted)) => return Ok(accepted),
            Ok(Err(Failed { kind, closing })) => {
                // An alert that cannot be sent does not change the reason for the caller.
                if let Some(closing) = closing {
                    let _ = timeout(CLOSE_TIMEOUT, closing.run()).await;
                }
                AcceptError { kind }
            }
            Err(_elapsed) => AcceptError { kind: Kind::TimedOut(self.handshake_timeout) },
        };
        // The table logs its refusals itself.
        if error.refused().is_none() {
            tracing::debug!("{error}");
        }
        Err(error)
    }

    async fn handshake<T>(&self, io: T) -> Result<(TlsStream<T>, HandshakeFacts), Failed<T>>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let mut hello = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), io);
        let start = match (&mut hello).await {
            Ok(start) => start,
            // rustls has sent its own alert for a ClientHello that it cannot read.
            Err(error) => return Err(Failed::new(error.into(), hello.take_io(), None)),
        };
        let chosen = self.table.choose(&start.client_hello());
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
        // none: a client sends nothing between its ClientHello and the server's answer, because
        // the server never offers early data.
        self.io.shutdown().await
    }
}

/// Why a connection was not accepted.
///
/// # Examples
/// ```
/// use coalesce_tls::AcceptError;
///
/// fn label(error: &AcceptError) -> &'static str {
///     if let Some(refused) = error.refused() {
///         return refused.code();
///     }
///     match () {
///         () if error.is_timeout() => "timeout",
///         () if error.is_io() => "io",
///         () => "tls",
///     }
/// }
/// ```
#[derive(Debug)]
pub struct AcceptError {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Refused(HandshakeRefused),
    TimedOut(Duration),
    Tls(rustls::Error),
    Io(io::Error),
}

impl AcceptError {
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
            Kind::Tls(error) => Some(error),
            _ => None,
        }
    }

    /// True if the handshake took too long.
    pub fn is_timeout(&self) -> bool {
        matches!(self.kind, Kind::TimedOut(_))
    }

    /// True if the connection failed or ended during the handshake.
    pub fn is_io(&self) -> bool {
        matches!(self.kind, Kind::Io(_))
    }
}

/// Unwraps an error of rustls, which tokio-rustls puts inside an [`io::Error`].
impl From<io::Error> for Kind {
    fn from(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(error) => Self::Tls(error.clone()),
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
            Kind::Tls(error) => write!(f, "TLS handshake failed: {error}"),
            Kind::Io(error) => write!(f, "connection lost during the TLS handshake: {error}"),
        }
    }
}

impl std::error::Error for AcceptError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            Kind::Refused(_) | Kind::TimedOut(_) => None,
            Kind::Tls(error) => Some(error),
            Kind::Io(error) => Some(error),
        }
    }
}
