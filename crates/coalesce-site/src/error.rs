//! Why a site cannot be built: every reason, each with its host or group and its field.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::slice;
use std::vec;

/// Every reason why a site cannot be built. There is at least one.
///
/// `Display` writes one reason a line.
#[derive(Debug)]
pub struct SiteErrors {
    errors: Vec<SiteError>,
}

impl SiteErrors {
    /// Returns the reasons, in the order of the builder.
    pub fn iter(&self) -> slice::Iter<'_, SiteError> {
        self.errors.iter()
    }
}

impl<'a> IntoIterator for &'a SiteErrors {
    type Item = &'a SiteError;
    type IntoIter = slice::Iter<'a, SiteError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for SiteErrors {
    type Item = SiteError;
    type IntoIter = vec::IntoIter<SiteError>;

    fn into_iter(self) -> Self::IntoIter {
        self.errors.into_iter()
    }
}

impl fmt::Display for SiteErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, error) in self.errors.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl Error for SiteErrors {}

/// One reason why a site cannot be built.
#[derive(Debug)]
pub struct SiteError {
    subject: Subject,
    field: &'static str,
    reason: Reason,
}

pub(crate) type Reason = Box<dyn Error + Send + Sync>;

impl SiteError {
    /// Returns the host or the group that the error is about.
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Returns the field of it: the name of the builder's method or argument.
    pub const fn field(&self) -> &'static str {
        self.field
    }
}

impl fmt::Display for SiteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.subject, self.field, self.reason)
    }
}

impl Error for SiteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The message has the reason already.
        self.reason.source()
    }
}

/// The part of a site that an error is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Subject {
    /// The site as a whole.
    Site,
    /// The group with this name.
    Group(String),
    /// The host with this name.
    Host(String),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Site => f.write_str("site"),
            Self::Group(name) => write!(f, "group {name:?}"),
            Self::Host(name) => write!(f, "host {name:?}"),
        }
    }
}

/// Collects reasons, so that a builder reports all of them at once.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    errors: Vec<SiteError>,
}

impl Faults {
    pub(crate) fn add(&mut self, subject: Subject, field: &'static str, reason: impl Into<Reason>) {
        self.errors.push(SiteError { subject, field, reason: reason.into() });
    }

    /// Returns the value, or notes the error.
    pub(crate) fn take<T, E: Into<Reason>>(
        &mut self,
        subject: &Subject,
        field: &'static str,
        result: Result<T, E>,
    ) -> Option<T> {
        result.map_err(|error| self.add(subject.clone(), field, error)).ok()
    }

    /// Returns `value` unless there is a reason against it.
    pub(crate) fn none_for<T>(self, value: Option<T>) -> Result<T, SiteErrors> {
        match value {
            Some(value) if self.errors.is_empty() => Ok(value),
            _ => Err(self.into_errors()),
        }
    }

    /// Returns one error as all there are.
    pub(crate) fn only(
        subject: Subject,
        field: &'static str,
        reason: impl Into<Reason>,
    ) -> SiteErrors {
        let mut faults = Self::default();
        faults.add(subject, field, reason);
        faults.into_errors()
    }

    fn into_errors(mut self) -> SiteErrors {
        debug_assert!(!self.errors.is_empty(), "nothing is missing without a reason");
        if self.errors.is_empty() {
            self.add(Subject::Site, "build", "incomplete");
        }
        SiteErrors { errors: self.errors }
    }
}

/// A file that cannot be read, or does not hold what it should.
#[derive(Debug)]
pub(crate) struct FileError {
    pub(crate) path: PathBuf,
    pub(crate) reason: Reason,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

impl Error for FileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.reason.source()
    }
}
