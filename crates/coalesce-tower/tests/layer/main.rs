//! The layer in real servers, under real clients.

mod axum;
mod common;
mod extended_connect;
mod extensions;
mod gateway;
mod http1;
mod http2;
mod limits;
mod listener;
mod tonic;
