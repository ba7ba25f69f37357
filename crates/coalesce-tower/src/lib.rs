//! wip
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)
)]

mod answer;
mod attach;
#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "axum-server")]
mod axum_server;
mod body;
mod connection;
mod decide;
mod future;
mod gateway;
#[cfg(feature = "hyper")]
mod hyper;
mod judge;
mod layer;
pub mod limits;
#[cfg(feature = "listener")]
mod listener;
mod target;
mod virtual_host;

pub use answer::MisdirectedContent;
pub use attach::Attached;
#[cfg(feature = "axum-server")]
pub use axum_server::AxumServerAcceptor;
pub use body::{AnswerBody, AnswerContent, ResponseBody};
pub use connection::ConnectionInfo;
pub use decide::{Decide, Undecided};
pub use future::ResponseFuture;
#[cfg(feature = "hyper")]
pub use future::WrappedFuture;
pub use gateway::{Forwarded, GatewayFieldError, GatewayFields, TrustedGateways};
#[cfg(feature = "hyper")]
pub use hyper::ConnectionService;
pub use layer::{Coalesce, CoalesceLayer};
#[cfg(feature = "listener")]
pub use listener::{Accepted, Listener};
pub use virtual_host::{NoVirtualHost, VirtualHost};
