//! Errors of the lab itself. What a server does is never an error, but an outcome.

use std::fmt;

/// A file that the lab cannot use, or a scenario that contradicts itself.
///
/// # Example
///
/// ```
/// let error = coalesce_lab::Scenarios::parse("my.toml", "kind = 1").unwrap_err();
/// assert!(error.to_string().starts_with("my.toml: "));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LabError(String);

impl LabError {
    pub(crate) fn new(place: impl fmt::Display, message: impl fmt::Display) -> Self {
        Self(format!("{place}: {message}"))
    }
}

impl fmt::Display for LabError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LabError {}
