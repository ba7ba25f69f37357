//! The layer in real servers, under real clients.

mod common;
mod http1;
mod http2;
