//! Connections to upstreams, over HTTP/1.1 and over HTTP/2 without TLS.

mod connector;
mod content;
mod error;
mod http1;
mod http2;
mod tcp;
mod upload;

pub(super) use connector::Connector;
pub(super) use content::AnswerContent;
pub(super) use error::{SendFailure, UpstreamError};
pub(super) use upload::Upload;
