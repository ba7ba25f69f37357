//! A label trie in one byte string: patterns → numbers.
//!
//! A node is a suffix of labels, and exact names and wildcards of both kinds are kept at the node
//! that they are written with. A trie answers with the most specific pattern for a name, and lists
//! the patterns below a suffix in order. A lookup does not walk from the root: a perfect hash of
//! the path leads straight to the node, and a lookup goes further up only for what is not there.
//!
//! | module | does |
//! | --- | --- |
//! | [`name_trie`] | the trie as users meet it, and as tables and sets use it |
//! | [`format`](mod@format) | the image, specified, with worked examples |
//! | [`header`] | its header, as lookups read it |
//! | [`hash`] | hashing of packed names |
//! | [`find`] | lookups, in both layouts |
//! | [`fast`], [`compact`] | the two layouts |
//! | [`validate`], [`checksum`] | the one pass over an image that was not built here |
//! | [`list`], [`stored`] | names in order, and as they stand in an image |
//! | [`batch`] | many lookups at once |
//! | `entries`, `perfect`, `write`, `build` | collecting and sorting; placing; writing; all of it |
//!
//! Nothing here imports from this file: each module imports from those that it rests on.

#![allow(
    clippy::cast_possible_truncation,
    reason = "an image counts in u32, and words are cut into what they are made of"
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
