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

/// Accepts TLS connections as a [`HandshakeTable`] says.
///
/// An acceptor keeps the table it was made with. A server that swaps tables makes a new acceptor
/// from the new one; handshakes that have begun end under the old one, and say so in their facts.
#[derive(Clone, Debug)]
pub struct Acceptor {
    table: Arc<HandshakeTable>,
    handshake_timeout: Duration,
}

impl Acceptor {
    /// An acceptor that allows a handshake [`HANDSHAKE_TIMEOUT`].
    pub fn new(table: Arc<HandshakeTable>) -> Self {
        Self { table, handshake_timeout: HANDSHAKE_TIMEOUT }
    }

    /// The same acceptor with another limit for a whole handshake, from the first byte read to the
    /// last.
    #[must_use]
    pub fn with_handshake_timeout(mut self, handshake_timeout: Duration) -> Self {
        self.handshake_timeout = handshake_timeout;
        self
    }

    /// The table.
    pub fn table(&self) -> &Arc<HandshakeTable> {
        &self.table
    }

    /// Makes one handshake. A refused client is sent its alert, and `io` is closed.
    ///
    /// # Errors
    /// [`AcceptError`].
    ///
    /// # Panics
    /// Outside a tokio runtime with its timer enabled.
    pub async fn accept<T>(&self, io: T) -> Result<(TlsStream<T>, HandshakeFacts), AcceptError>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let error = match timeout(self.handshake_timeout, self.handshake(io)).await {
            Ok(Ok(accepted)) => return Ok(accepted),
            Ok(Err(Failed { kind, farewell })) => {
                // The client learns why, or it does not: the reason that the caller gets is the
                // same.
                if let Some(farewell) = farewell {
                    let _ = timeout(CLOSE_TIMEOUT, farewell.say()).await;
                }
                AcceptError { kind }
            }
            Err(_elapsed) => AcceptError { kind: Kind::TimedOut(self.handshake_timeout) },
        };
        // The table has logged its own refusal.
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
            // For a ClientHello that rustls cannot read it has an alert of its own, which is on its
            // way already.
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

/// A handshake that has come to nothing, and what is left to do about it.
struct Failed<T> {
    kind: Kind,
    farewell: Option<Farewell<T>>,
}

impl<T> Failed<T> {
    fn new(kind: Kind, io: Option<T>, alert: Option<[u8; 7]>) -> Self {
        Self { kind, farewell: io.map(|io| Farewell { io, alert }) }
    }
}

struct Farewell<T> {
    io: T,
    alert: Option<[u8; 7]>,
}

impl<T: AsyncWrite + Unpin> Farewell<T> {
    async fn say(mut self) -> io::Result<()> {
        if let Some(alert) = self.alert {
            self.io.write_all(&alert).await?;
        }
        // A client sends nothing between its ClientHello and the server's answer (early data was
        // never offered to it), so that no unread bytes turn this end into a reset that would
        // overtake the alert.
        self.io.shutdown().await
    }
}

/// Why a connection was not accepted.
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
    /// Why the table refused the ClientHello, if that is the reason.
    pub fn refused(&self) -> Option<&HandshakeRefused> {
        match &self.kind {
            Kind::Refused(refused) => Some(refused),
            _ => None,
        }
    }

    /// What rustls found wrong with the handshake, if that is the reason: an unreadable
    /// ClientHello, no version in common, no client certificate.
    pub fn tls_error(&self) -> Option<&rustls::Error> {
        match &self.kind {
            Kind::Tls(error) => Some(error),
            _ => None,
        }
    }

    /// Whether the handshake took too long.
    pub fn is_timeout(&self) -> bool {
        matches!(self.kind, Kind::TimedOut(_))
    }

    /// Whether the connection failed underneath the handshake, or ended in the middle of it.
    pub fn is_io(&self) -> bool {
        matches!(self.kind, Kind::Io(_))
    }
}

/// tokio-rustls wraps what rustls says.
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
