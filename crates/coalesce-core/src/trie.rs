//! A label trie in one byte string: a map from patterns to numbers.
//!
//! A node is a suffix of labels. Exact names and wildcards of both kinds are stored at the node of
//! the name that they are written with. A trie answers with the most specific pattern for a name,
//! and lists the patterns below a suffix in order. A lookup does not walk from the root: a perfect
//! hash of the path finds the node directly. It goes further up only if the name itself is missing.
//!
//! | module | contents |
//! | --- | --- |
//! | [`name_trie`] | the trie as users see it, and as tables and sets use it |
//! | [`format`](mod@format) | the specification of the image, with worked examples |
//! | [`header`] | the header of an image, as lookups read it |
//! | [`hash`] | hashing of packed names |
//! | [`find`] | lookups in both layouts |
//! | [`lookup`] | lookups of authority fields |
//! | [`fast`], [`compact`] | the two layouts |
//! | [`validate`], [`checksum`] | the checks on an image that was not built in this process |
//! | [`list`], [`stored`] | names in order, and names as an image stores them |
//! | [`batch`] | many lookups at once |
//! | `entries`, `perfect`, `write`, `build` | collecting and sorting; placing; writing; all of these together |
//!
//! Modules import from each other and never from this file.

#![allow(
    clippy::cast_possible_truncation,
    reason = "an image counts in u32; other casts cut a word into its parts on purpose"
)]

mod batch;
#[cfg(feature = "alloc")]
mod build;
#[cfg(feature = "alloc")]
mod build_error;
mod bytes;
mod checksum;
mod compact;
#[cfg(feature = "alloc")]
mod entries;
mod error;
mod fast;
mod find;
mod format;
mod hash;
mod header;
mod list;
mod lookup;
mod name_trie;
#[cfg(feature = "alloc")]
mod perfect;
mod steps;
mod stored;
mod validate;
#[cfg(feature = "alloc")]
mod write;

#[cfg(feature = "alloc")]
pub(crate) use build::{identifiers as write_identifiers, table as write_table};
#[cfg(feature = "alloc")]
pub use build_error::{BuildError, Duplicate, Progress, Stage};
#[cfg(feature = "alloc")]
pub(crate) use entries::Entries;
pub use error::FormatError;
pub(crate) use format::Kind;
pub use format::Layout;
pub use list::StoredPattern;
pub use name_trie::NameTrie;
#[cfg(feature = "alloc")]
pub use name_trie::NameTrieBuilder;
pub(crate) use name_trie::TrieRef;
