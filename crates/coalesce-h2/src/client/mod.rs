//! The client's side: reports of the frames that `h2` and hyper hide from their users.
//!
//! A client that shares a connection among hosts must know when the server's SETTINGS came, how
//! many streams they allow, which streams a GOAWAY leaves unprocessed, and which origins the server
//! announces (RFC 8336). [`Observed`] is a byte stream between TLS and the HTTP/2 client. It reads
//! along, changes nothing, and reports these frames.
//!
//! ```text
//!  TLS ──► Observed ──► h2 or hyper ──► responses
//!             │
//!             └──► ServerReports: Settings, GoAway, Origins
//! ```
//!
//! # Examples
//! ```
//! use coalesce_h2::client::{Observed, ServerReport};
//! use tokio::io::{AsyncRead, AsyncWrite};
//!
//! /// Opens a connection and waits for the server's SETTINGS.
//! async fn connect<T>(tls: T) -> Result<Option<ServerReport>, coalesce_h2::h2::Error>
//! where
//!     T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
//! {
//!     let (stream, mut reports) = Observed::new(tls);
//!     let (_requests, connection) = coalesce_h2::h2::client::handshake(stream).await?;
//!     tokio::spawn(connection);
//!     Ok(reports.next().await)
//! }
//! ```

mod frame_reader;
mod observed;
mod reports;

pub use frame_reader::{GoAway, ServerSettings};
pub use observed::Observed;
pub use reports::{ReceivedOrigins, ServerReport, ServerReports};
