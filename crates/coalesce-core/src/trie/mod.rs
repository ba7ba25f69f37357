//! The name index behind authority tables and identifier sets: a trie of labels, read from the
//! right, in one byte image.
//!
//! Callers see [`NameIndex::find`] and nothing of the layout, so that the inside can change.

#[cfg(feature = "alloc")]
mod build;
mod format;

use core::cmp::Ordering;

#[cfg(feature = "alloc")]
pub use build::BuildError;
#[cfg(feature = "alloc")]
pub(crate) use build::IndexBuilder;
pub use format::ImageError;
pub(crate) use format::Kind;
use format::{Header, NONE, Node, binary_search};

use crate::host::Host;
use crate::name::{DnsName, Remaining};

/// A validated image over any storage, and the lookups on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NameIndex<S> {
    image: S,
    header: Header,
}

impl<S: AsRef<[u8]>> NameIndex<S> {
    /// Validates `image` once; every lookup after that is total.
    pub(crate) fn from_image(image: S, kind: Kind) -> Result<Self, ImageError> {
        let header = Header::validate(image.as_ref(), kind)?;
        Ok(Self { image, header })
    }

    pub(crate) fn as_image(&self) -> &[u8] {
        self.image.as_ref()
    }

    pub(crate) fn borrow(&self) -> NameIndex<&[u8]> {
        NameIndex { image: self.image.as_ref(), header: self.header }
    }

    pub(crate) const fn values(&self) -> usize {
        self.header.values()
    }

    pub(crate) fn entry(&self, index: u32) -> Option<(u32, u32)> {
        self.header.entry(self.image.as_ref(), index as usize)
    }

    pub(crate) fn group(&self, id: u32) -> Option<u32> {
        self.header.find_group(self.image.as_ref(), id)
    }

    /// The value of the most specific pattern that stands for `host`.
    pub(crate) fn find(&self, host: &Host<'_>) -> Option<u32> {
        let found = match host {
            Host::Name(name) => self.find_name(*name),
            Host::Ip(address) => self.header.find_address(self.image.as_ref(), *address),
            Host::Other(_) => return None,
        };
        found.or_else(|| some(self.header.catch_all))
    }

    /// One walk from the right: whatever a deeper node offers is more specific.
    fn find_name(&self, name: DnsName<'_>) -> Option<u32> {
        let image = self.image.as_ref();
        let mut node = Header::node(image, 0)?;
        let mut best = None;
        let mut labels = name.labels_from_right();
        loop {
            let here = match labels.remaining() {
                Remaining::Nothing => some(node.exact),
                Remaining::OneLabel => some(node.one_label).or_else(|| some(node.any_depth)),
                Remaining::Several => some(node.any_depth),
            };
            best = here.or(best);
            let Some(label) = labels.next() else { return best };
            match self.child(image, &node, label) {
                Some(child) => node = child,
                None => return best,
            }
        }
    }

    fn child(&self, image: &[u8], parent: &Node, label: &[u8]) -> Option<Node> {
        let node =
            |offset: usize| Header::node(image, (parent.first_child as usize).checked_add(offset)?);
        let found = binary_search(parent.children as usize, |offset| {
            Some(compare_folded(self.header.label(image, &node(offset)?)?, label))
        })?;
        node(found)
    }
}

/// Orders a canonical label against one in any case.
fn compare_folded(canonical: &[u8], label: &[u8]) -> Ordering {
    canonical.iter().copied().cmp(label.iter().map(u8::to_ascii_lowercase))
}

fn some(value: u32) -> Option<u32> {
    (value != NONE).then_some(value)
}
