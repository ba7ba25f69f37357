//! The errors and warnings of a build, each with its subject and its field.

use std::error::Error;
use std::fmt;
use std::slice;
use std::sync::Arc;
use std::vec;

/// All reasons why a site cannot be built. There is at least one.
///
/// `Display` writes one reason a line.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use coalesce_site::Site;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let identity = identity()?;
/// let built = Site::builder().host("shop.test", identity, ()).build();
/// // The certificate is for other names.
/// for error in built.unwrap_err() {
///     println!("{}: {error}", error.subject());
/// }
/// # Ok(()) }
/// ```
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
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use coalesce_site::{Site, Subject};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let identity = identity()?;
/// let errors = Site::builder().host("shop.test", identity, ()).build().unwrap_err();
/// let error = errors.iter().next().ok_or("no error")?;
/// assert_eq!(error.subject(), &Subject::Host("shop.test".to_owned()));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct SiteError(Finding);

/// A sentence about a setting that the builder accepts, but that may be a mistake.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc_example.rs"));
/// use coalesce_site::SiteWarning;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let site = site()?;
/// for warning in site.warnings() {
///     let warning: SiteWarning = warning;
///     println!("{}: {warning}", warning.subject());
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct SiteWarning(Arc<Finding>);

/// The common part of errors and warnings.
#[derive(Debug)]
struct Finding {
    subject: Subject,
    field: &'static str,
    item: Option<String>,
    reason: Reason,
}

pub(crate) type Reason = Box<dyn Error + Send + Sync>;

macro_rules! accessors {
    ($name:ident, $what:literal) => {
        impl $name {
            #[doc = concat!("Returns the part of the site that the ", $what, " is about.")]
            pub fn subject(&self) -> &Subject {
                &self.0.subject
            }

            /// Returns the field: the name of the builder's method or argument.
            pub fn field(&self) -> &'static str {
                self.0.field
            }

            /// Returns the value that is meant, if the field has several, as the builder was given
            /// it.
            pub fn item(&self) -> Option<&str> {
                self.0.item.as_deref()
            }

            /// Returns the reason. It may be a [`NotCovered`](crate::NotCovered) or a
            /// [`TableMismatch`](crate::TableMismatch).
            pub fn reason(&self) -> &(dyn Error + Send + Sync + 'static) {
                &*self.0.reason
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}: {}: {}", self.subject(), self.field(), self.reason())
            }
        }
    };
}

accessors!(SiteError, "error");
accessors!(SiteWarning, "warning");

impl Error for SiteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The message already contains the reason.
        self.0.reason.source()
    }
}

/// The part of a site that an error or a warning is about.
///
/// # Examples
/// ```
/// use coalesce_site::Subject;
///
/// assert_eq!(Subject::Host("shop.test".to_owned()).to_string(), r#"host "shop.test""#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Subject {
    /// The site as a whole.
    Site,
    /// The listener with this name.
    Listener(String),
    /// The group with this name.
    Group(String),
    /// The host with this label.
    Host(String),
    /// The compiled table with this label.
    CompiledTable(String),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Site => f.write_str("site"),
            Self::Listener(name) => write!(f, "listener {name:?}"),
            Self::Group(name) => write!(f, "group {name:?}"),
            Self::Host(name) => write!(f, "host {name:?}"),
            Self::CompiledTable(name) => write!(f, "compiled table {name:?}"),
        }
    }
}

/// Collects errors and warnings, so that a builder reports all of them at once.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    errors: Vec<SiteError>,
    warnings: Vec<SiteWarning>,
}

/// A field of a part of the site, and one of its values.
#[derive(Clone, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) field: &'static str,
    pub(crate) item: Option<&'a str>,
}

impl Subject {
    pub(crate) fn field(&self, field: &'static str) -> Place<'_> {
        Place { subject: self, field, item: None }
    }

    pub(crate) fn item<'a>(&'a self, field: &'static str, item: &'a str) -> Place<'a> {
        Place { subject: self, field, item: Some(item) }
    }
}

impl Notes {
    pub(crate) fn error(&mut self, place: &Place<'_>, reason: impl Into<Reason>) {
        self.errors.push(SiteError(Finding::new(place, reason.into())));
    }

    pub(crate) fn warning(&mut self, place: &Place<'_>, reason: impl Into<Reason>) {
        self.warnings.push(SiteWarning(Arc::new(Finding::new(place, reason.into()))));
    }

    /// Returns the value, or records the error.
    pub(crate) fn take<T, E: Into<Reason>>(
        &mut self,
        place: &Place<'_>,
        result: Result<T, E>,
    ) -> Option<T> {
        result.map_err(|error| self.error(place, error)).ok()
    }

    /// Returns `value` and the warnings, unless there is an error.
    pub(crate) fn finish<T>(
        mut self,
        value: Option<T>,
    ) -> Result<(T, Vec<SiteWarning>), SiteErrors> {
        match value {
            Some(value) if self.errors.is_empty() => Ok((value, self.warnings)),
            _ => {
                debug_assert!(!self.errors.is_empty(), "a missing value has an error");
                if self.errors.is_empty() {
                    self.error(&Subject::Site.field("build"), "incomplete");
                }
                Err(SiteErrors { errors: self.errors })
            }
        }
    }

    /// Returns an error list with this error only.
    pub(crate) fn only(place: &Place<'_>, reason: impl Into<Reason>) -> SiteErrors {
        SiteErrors { errors: vec![SiteError(Finding::new(place, reason.into()))] }
    }
}

impl Finding {
    fn new(place: &Place<'_>, reason: Reason) -> Self {
        let Place { subject, field, item } = place;
        Self { subject: (*subject).clone(), field, item: item.map(str::to_owned), reason }
    }
}

/// The number of errors of one kind that a compiled table gets; the rest are counted.
const SHOWN_MAX: usize = 20;

/// Collects messages of one kind: the first ones, and the number of the others.
#[derive(Debug, Default)]
pub(crate) struct Several {
    shown: Vec<Reason>,
    more: usize,
}

impl Several {
    pub(crate) fn add<R: Into<Reason>>(&mut self, reason: impl FnOnce() -> R) {
        if self.shown.len() < SHOWN_MAX {
            self.shown.push(reason().into());
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    /// Calls `note` with each message, and with the number of the others.
    pub(crate) fn each(self, mut note: impl FnMut(Reason)) {
        self.shown.into_iter().for_each(&mut note);
        if self.more > 0 {
            note(format!("and {} more like these", self.more).into());
        }
    }
}
