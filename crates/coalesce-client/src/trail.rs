//! The trail of a response: which connection carried it, and why the others did not.

use crate::route::Route;

/// The way of a request to its connection.
#[derive(Clone, Debug)]
pub struct Trail {}

impl Trail {
    /// Makes the trail of a request that has an answer, or none.
    pub(crate) fn new(_route: Route) -> Self {
        Self {}
    }
}
