//! A connection to the server under test.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, HandshakeKind, ProtocolVersion};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::exchange::Exchange;
use super::raw_name::{RawName, Renaming};
use crate::outcome::Ended;

/// How many octets are read at a time: what a record of TLS holds (RFC 8446 §5.1).
const READ_SIZE: usize = 16_384;

type Stream = TlsStream<Renaming<TcpStream>>;

/// How a connection begins.
#[derive(Clone, Debug)]
pub(crate) struct Opening<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) config: ClientConfig,
    /// The server name of the ClientHello, if any.
    pub(crate) server_name: Option<&'a str>,
    pub(crate) raw_name: Option<Arc<RawName>>,
    pub(crate) huffman: bool,
    pub(crate) patience: Duration,
}

/// What the handshake came to.
#[derive(Clone, Debug)]
pub(crate) struct Negotiated {
    pub(crate) version: Option<ProtocolVersion>,
    pub(crate) resumed: bool,
}

/// A connection that speaks HTTP/2.
pub(crate) struct Connection {
    pub(crate) exchange: Exchange,
    pub(crate) negotiated: Negotiated,
    reader: ReadHalf<Stream>,
    writer: WriteHalf<Stream>,
    /// Where reading puts octets.
    buffer: Vec<u8>,
    /// Octets that were written to TLS may not be on the socket yet.
    unflushed: bool,
    ended: Option<Ended>,
}

impl Connection {
    /// Connects, makes the handshake, and queues the preface.
    pub(crate) async fn open(opening: Opening<'_>) -> Result<Self, Ended> {
        let patience = opening.patience;
        let socket = timeout(patience, TcpStream::connect(opening.address));
        let socket = socket.await.map_err(|_| Ended::TimedOut)?;
        let socket = socket.map_err(|error| Ended::Unreachable(error.to_string()))?;
        // Where the system refuses it, frames go out a little later.
        let _ = socket.set_nodelay(true);
        let huffman = opening.huffman;
        let stream = timeout(patience, handshake(opening, socket));
        let stream = stream.await.map_err(|_| Ended::TimedOut)??;
        let (_, tls) = stream.get_ref();
        if tls.alpn_protocol() != Some(b"h2") {
            let name = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
            return Err(Ended::Protocol(tls.alpn_protocol().map(name)));
        }
        let negotiated = Negotiated {
            version: tls.protocol_version(),
            resumed: tls.handshake_kind() == Some(HandshakeKind::Resumed),
        };
        let (reader, writer) = tokio::io::split(stream);
        let exchange = Exchange::new(huffman);
        Ok(Self {
            exchange,
            negotiated,
            reader,
            writer,
            buffer: vec![0; READ_SIZE],
            unflushed: false,
            ended: None,
        })
    }

    /// Reads and writes until everything is written and `holds`; false if that takes too long.
    pub(crate) async fn until(
        &mut self,
        patience: Duration,
        holds: impl Fn(&Exchange) -> bool,
    ) -> Result<bool, Ended> {
        let deadline = Instant::now() + patience;
        loop {
            let is_written = self.exchange.outgoing().is_empty() && !self.unflushed;
            let holds_now = holds(&self.exchange);
            if holds_now && is_written {
                return Ok(true);
            }
            if let Some(ended) = &self.ended {
                return if holds_now { Ok(true) } else { Err(ended.clone()) };
            }
            if !self.turn(deadline, is_written).await {
                return Ok(holds(&self.exchange));
            }
        }
    }

    /// Reads or writes once; false if neither was possible before the deadline.
    async fn turn(&mut self, deadline: Instant, is_written: bool) -> bool {
        let outgoing = self.exchange.outgoing();
        let write = async {
            if outgoing.is_empty() {
                self.writer.flush().await.map(|()| 0)
            } else {
                self.writer.write(outgoing).await
            }
        };
        tokio::select! {
            read = self.reader.read(&mut self.buffer) => {
                let received = match read {
                    Ok(0) => Err(Ended::Closed),
                    Ok(length) => Ok(self.buffer.get(..length).unwrap_or_default()),
                    Err(error) => Err(ended(&error)),
                };
                let taken = received.and_then(|octets| {
                    self.exchange.receive(octets).map_err(|_| Ended::Undecodable)
                });
                self.ended = taken.err();
            }
            written = write, if !is_written => match written {
                Ok(0) => self.unflushed = false,
                Ok(length) => {
                    self.unflushed = true;
                    self.exchange.outgoing().drain(..length);
                }
                Err(error) => self.ended = Some(ended(&error)),
            },
            () = sleep_until(deadline) => return false,
        }
        true
    }

    /// Says goodbye and closes the connection, without waiting for the server.
    pub(crate) async fn close(mut self, patience: Duration) {
        self.exchange.goodbye();
        // The server may have closed it before.
        let _ = self.until(patience, |_| true).await;
        let _ = timeout(patience, self.writer.shutdown()).await;
    }
}

async fn handshake(opening: Opening<'_>, socket: TcpStream) -> Result<Stream, Ended> {
    let mut config = opening.config;
    config.enable_sni = opening.server_name.is_some();
    let name = match (&opening.raw_name, opening.server_name) {
        (Some(raw), _) => raw.server_name(),
        (None, Some(name)) => ServerName::try_from(name.to_owned()).ok(),
        // rustls needs one, and does not send it.
        (None, None) => ServerName::try_from("unnamed.invalid").ok(),
    };
    let name = name.ok_or_else(|| Ended::Tls("the server name cannot be sent".into()))?;
    let socket = Renaming { socket, name: opening.raw_name };
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, socket).await.map_err(|error| ended(&error))
}

/// Returns why reading or the handshake failed.
fn ended(error: &io::Error) -> Ended {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(alert)) => {
            Ended::Tls(in_snake_case(&format!("{alert:?}")))
        }
        Some(error) => Ended::Tls(error.to_string()),
        None => Ended::Closed,
    }
}

/// Returns the name of an alert as RFC 8446 §6 writes it, from the name that rustls has for it.
fn in_snake_case(name: &str) -> String {
    let mut snake = String::new();
    let mut after_capital = true;
    for letter in name.chars() {
        let is_capital = letter.is_ascii_uppercase();
        if is_capital && !after_capital {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
        after_capital = is_capital;
    }
    snake.replace("recognised", "recognized")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alert_has_the_name_of_the_rfc() {
        let alert = rustls::AlertDescription::CertificateRequired;
        let inner = rustls::Error::AlertReceived(alert);
        let error = io::Error::new(io::ErrorKind::InvalidData, inner);
        assert_eq!(ended(&error), Ended::Tls("certificate_required".into()));
        assert_eq!(in_snake_case("UnknownCA"), "unknown_ca");
        assert_eq!(in_snake_case("UnrecognisedName"), "unrecognized_name");
        assert_eq!(ended(&io::ErrorKind::ConnectionReset.into()), Ended::Closed);
    }
}
