//! The built binary, with real files: what it prints, and how it exits.

mod admin;
mod agreement;
mod certificates;
mod client;
mod compile;
mod compiled_site;
mod config_errors;
mod crowds;
mod documents;
mod explain;
mod files;
mod gateway_api;
mod groups;
mod handshakes;
mod live;
mod logs;
mod matching;
mod observability;
mod operator;
mod origins;
mod policies;
mod serve;
mod tables;
mod upstream;
mod usage;
mod world;
