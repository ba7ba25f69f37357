//! The error behind the failures of several requests.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use crate::connect::ConnectError;
use crate::error::BoxError;

/// An error that several requests share as their source.
#[derive(Clone, Debug)]
pub(super) struct Cause(Arc<BoxError>);

impl Cause {
    /// Returns whether an attempt to connect passed its time limit.
    pub(super) fn is_timeout(&self) -> bool {
        self.0.downcast_ref::<ConnectError>().is_some_and(ConnectError::is_timeout)
    }
}

impl From<BoxError> for Cause {
    fn from(error: BoxError) -> Self {
        Self(Arc::new(error))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Cause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}
