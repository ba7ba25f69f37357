//! Early answers under attack: a server of the public API, against raw frames and against `h2`.

mod client;
mod forms;
mod order;
mod peers;
mod server;
mod streams;
mod windows;
