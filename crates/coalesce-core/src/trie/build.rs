//! Building images.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::fmt;

use super::format::{AddressKey, Kind, MAGIC, NONE, address_key};
use crate::limits::{ENTRIES_MAX, GROUPS_MAX, IDENTIFIERS_MAX};
use crate::name::DnsName;
use crate::pattern::NamePattern;

/// Collects patterns and writes one image. The same patterns and values in any order give the same
/// bytes: children, addresses and groups are kept sorted.
#[derive(Debug, Default)]
pub(crate) struct IndexBuilder {
    root: TreeNode,
    addresses: BTreeMap<AddressKey, u32>,
    catch_all: Option<u32>,
}

#[derive(Debug, Default)]
struct TreeNode {
    children: BTreeMap<Vec<u8>, TreeNode>,
    exact: Option<u32>,
    one_label: Option<u32>,
    any_depth: Option<u32>,
}

impl IndexBuilder {
    /// Adds `pattern`, unless it is there already: then its earlier value is returned.
    pub(crate) fn insert(&mut self, pattern: &NamePattern<'_>, value: u32) -> Result<(), u32> {
        let slot = match pattern {
            NamePattern::Exact(name) => &mut self.node(*name).exact,
            NamePattern::OneLabel(parent) => &mut self.node(*parent).one_label,
            NamePattern::AnyDepth(parent) => &mut self.node(*parent).any_depth,
            NamePattern::Ip(address) => {
                let earlier = *self.addresses.entry(address_key(*address)).or_insert(value);
                return if earlier == value { Ok(()) } else { Err(earlier) };
            }
            NamePattern::CatchAll => &mut self.catch_all,
        };
        if let Some(earlier) = *slot {
            return Err(earlier);
        }
        *slot = Some(value);
        Ok(())
    }

    fn node(&mut self, name: DnsName<'_>) -> &mut TreeNode {
        name.labels_from_right().fold(&mut self.root, |node, label| {
            node.children.entry(label.to_ascii_lowercase()).or_default()
        })
    }

    /// Writes the image. `entries` are a table's values; an identifier set gives their number only.
    pub(crate) fn write(
        &self,
        kind: Kind,
        values: usize,
        entries: &[(u32, u32)],
        groups: &BTreeMap<u32, u32>,
    ) -> Result<Vec<u8>, BuildError> {
        let mut nodes = Vec::new();
        let mut labels: Vec<u8> = Vec::new();
        let mut queue = VecDeque::from([(&b""[..], &self.root)]);
        let mut next_child = 1_u32;
        while let Some((label, node)) = queue.pop_front() {
            let children = narrow(node.children.len())?;
            let first_child = if children == 0 { 0 } else { next_child };
            next_child = next_child.checked_add(children).ok_or(BuildError::TooLarge)?;
            for word in [
                narrow(labels.len())?,
                narrow(label.len())?,
                first_child,
                children,
                node.exact.unwrap_or(NONE),
                node.one_label.unwrap_or(NONE),
                node.any_depth.unwrap_or(NONE),
            ] {
                nodes.extend_from_slice(&word.to_le_bytes());
            }
            labels.extend_from_slice(label);
            queue.extend(node.children.iter().map(|(label, child)| (label.as_slice(), child)));
        }

        let mut image = Vec::new();
        image.extend_from_slice(&MAGIC);
        for word in [
            kind.tag(),
            next_child,
            narrow(self.addresses.len())?,
            narrow(values)?,
            narrow(groups.len())?,
            narrow(labels.len())?,
            self.catch_all.unwrap_or(NONE),
        ] {
            image.extend_from_slice(&word.to_le_bytes());
        }
        image.append(&mut nodes);
        for ((family, octets), value) in &self.addresses {
            image.extend_from_slice(&family.to_le_bytes());
            image.extend_from_slice(octets);
            image.extend_from_slice(&value.to_le_bytes());
        }
        for (first, second) in entries.iter().copied().chain(groups.iter().map(|(a, b)| (*a, *b))) {
            image.extend_from_slice(&first.to_le_bytes());
            image.extend_from_slice(&second.to_le_bytes());
        }
        image.append(&mut labels);
        Ok(image)
    }
}

fn narrow(count: usize) -> Result<u32, BuildError> {
    u32::try_from(count).ok().filter(|count| *count != NONE).ok_or(BuildError::TooLarge)
}

/// Why a table or an identifier set cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// Two entries have the same pattern.
    Duplicate {
        /// The index of the earlier entry, in the order of adding.
        earlier: u32,
    },
    /// An entry names a group that was not added before it.
    UnknownGroup {
        /// The group's number.
        group: u32,
    },
    /// The group was added before, with other policies.
    GroupConflict {
        /// The group's number.
        group: u32,
    },
    /// More than [`ENTRIES_MAX`] entries, [`IDENTIFIERS_MAX`] identifiers, [`GROUPS_MAX`] groups,
    /// or an image of 4 GiB.
    TooLarge,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate { earlier } => write!(f, "the same name as entry {earlier}"),
            Self::UnknownGroup { group } => write!(f, "group {group} was not added"),
            Self::GroupConflict { group } => {
                write!(f, "group {group} was added before with other policies")
            }
            Self::TooLarge => write!(
                f,
                "too large; at most {ENTRIES_MAX} entries, {IDENTIFIERS_MAX} identifiers and \
                 {GROUPS_MAX} groups allowed"
            ),
        }
    }
}

impl core::error::Error for BuildError {}
