//! The trail of a response: which connection carried it, and why the others did not.

/// The way of a request to its connection.
#[derive(Clone, Debug)]
pub struct Trail {}
