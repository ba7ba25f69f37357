//! Shared code of the measurements in this crate. Criterion benchmarks in `benches/` measure the
//! adapter, the layer, the choice by server name, lookups and the decision. The program `peers`
//! compares lookups with other libraries, `servers` measures whole servers, `page_loads` compares
//! HTTP clients, and `layer` makes requests whose instructions callgrind counts.
#![expect(clippy::cast_precision_loss, reason = "measured figures are rounded anyway")]
#![allow(clippy::exhaustive_structs, reason = "the crate is not published")]

pub mod bare;
pub mod client;
pub mod command_line;
pub mod machine;
pub mod progress;
pub mod random;
pub mod records;
pub mod servers;
pub mod statistics;
pub mod table;
