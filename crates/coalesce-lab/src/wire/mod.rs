//! What goes over the wire: frames and header blocks, written as they are asked for. Nothing is
//! checked on the way out, so a malformed request is as easy to send as a good one.

pub(crate) mod frame;
pub(crate) mod hpack;
pub(crate) mod huffman;
