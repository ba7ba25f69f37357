//! What only the finished tables can show.

mod overlaps;
mod own_connections;

pub(super) use overlaps::find as find_overlaps;
pub(crate) use own_connections::example_request;
pub(super) use own_connections::{own_connections, own_connections_by_address};
