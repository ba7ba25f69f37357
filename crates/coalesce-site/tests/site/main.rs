//! A site behind real listeners, asked by real clients.

mod dispatch;
mod errors;
mod groups;
mod reload;
mod support;
mod tools;
