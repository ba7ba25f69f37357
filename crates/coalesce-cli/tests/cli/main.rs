//! The built binary, with real files: what it prints, and how it exits.

mod client;
mod config_errors;
mod explain;
mod matching;
mod serve;
mod upstream;
mod usage;
mod world;
