//! The progress, the duplicates and the errors of building.

use core::fmt;

use crate::limits::{ENTRIES_MAX, GROUPS_MAX, IDENTIFIERS_MAX};

/// The number of seeds to try before building fails with [`BuildError::Inseparable`].
pub(super) const SEEDS_MAX: u32 = 64;

/// The progress of building.
///
/// # Examples
/// ```
/// use coalesce_core::{NamePattern, NameTrie, Stage};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut builder = NameTrie::builder();
/// builder.insert(&NamePattern::parse(b"a.test")?, 1)?;
/// let mut stages = Vec::new();
/// builder.build_with(&mut |progress| stages.push(progress.stage))?;
/// assert!(stages.contains(&Stage::Writing));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Progress {
    /// The current stage.
    pub stage: Stage,
    /// The number of steps done in this stage.
    pub done: usize,
    /// The number of all steps in this stage.
    pub of: usize,
}

/// The stages of building, in their order.
///
/// # Examples
/// ```
/// use coalesce_core::Stage;
///
/// assert!(Stage::Sorting < Stage::Writing);
/// assert_eq!(Stage::Placing.as_str(), "placing");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Puts the names into order.
    Sorting,
    /// Finds a slot for each name.
    Placing,
    /// Writes the blocks of a compact table.
    Sharing,
    /// Writes the slots.
    Writing,
}

impl Stage {
    /// Returns the stage's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sorting => "sorting",
            Self::Placing => "placing",
            Self::Sharing => "sharing",
            Self::Writing => "writing",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Two entries with the same pattern. Entries are numbered in the order of adding.
///
/// # Examples
/// ```
/// use coalesce_core::{NamePattern, NameTrie};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut builder = NameTrie::builder();
/// builder.insert(&NamePattern::parse(b"a.test")?, 1)?;
/// builder.insert(&NamePattern::parse(b"A.test")?, 2)?;
/// let duplicate = builder.duplicates()[0];
/// assert_eq!((duplicate.earlier, duplicate.later, duplicate.conflicting), (0, 1, true));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Duplicate {
    /// The earlier entry.
    pub earlier: u32,
    /// The later entry.
    pub later: u32,
    /// Whether the two entries have different values.
    pub conflicting: bool,
}

/// The reason why a table or an identifier set cannot be built.
///
/// # Examples
/// ```
/// use coalesce_core::{BuildError, NamePattern, NameTrie};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut builder = NameTrie::builder();
/// builder.insert(&NamePattern::parse(b"a.test")?, 1)?;
/// builder.insert(&NamePattern::parse(b"A.test")?, 2)?;
/// let error = builder.build().unwrap_err();
/// assert_eq!(error, BuildError::Duplicate { earlier: 0, later: 1 });
/// assert_eq!(error.to_string(), "entries 0 and 1 have the same name");
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BuildError {
    /// Two entries have the same pattern. Entries are numbered in the order of adding.
    Duplicate {
        /// The earlier entry.
        earlier: u32,
        /// The later entry.
        later: u32,
    },
    /// An entry names a group that was not added before it.
    UnknownGroup {
        /// The group's number.
        group: u32,
    },
    /// The group was added before with other policies.
    GroupConflict {
        /// The group's number.
        group: u32,
    },
    /// The names have colliding hashes under every seed. Only names that were chosen to collide do
    /// that.
    Inseparable,
    /// More than [`ENTRIES_MAX`] entries, [`IDENTIFIERS_MAX`] identifiers, [`GROUPS_MAX`] groups,
    /// [`LONG_NAME_BYTES_MAX`](crate::limits::LONG_NAME_BYTES_MAX) bytes of long names, 4 GiB of
    /// names, or a table of 4 GiB.
    TooLarge,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate { earlier, later } => {
                write!(f, "entries {earlier} and {later} have the same name")
            }
            Self::UnknownGroup { group } => write!(f, "group {group} was not added"),
            Self::GroupConflict { group } => {
                write!(f, "group {group} was added before with other policies")
            }
            Self::Inseparable => {
                write!(f, "these names have colliding hashes under each of {SEEDS_MAX} seeds")
            }
            Self::TooLarge => write!(
                f,
                "too large; at most {ENTRIES_MAX} entries, {IDENTIFIERS_MAX} identifiers, \
                 {GROUPS_MAX} groups and 4 GiB of names and of table allowed"
            ),
        }
    }
}

impl core::error::Error for BuildError {}
