//! A site behind real listeners, with real clients.

mod certificates;
mod compiled;
mod dispatch;
mod errors;
mod groups;
mod listeners;
mod origins;
mod reload;
mod support;
mod tools;
