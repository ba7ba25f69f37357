//! The future of a connection.

use std::future::Future;
use std::pin::Pin;

/// The future of a connection. It ends with the connection.
pub(crate) type Running = Pin<Box<dyn Future<Output = Result<(), hyper::Error>> + Send>>;
