//! What a site decides with: its names, compiled or its own, and the handshakes of its ports.

mod compiled;
mod own_names;
mod ports;

pub(super) use compiled::{CompiledNames, Several, open as open_compiled};
pub(super) use own_names::authority_table;
pub(super) use ports::Ports;
