//! A peer that does almost nothing: the lower limit of all figures.

use super::{Built, Lookup, Refusal};
use crate::sets::NameSet;

struct Null;

impl Lookup for Null {
    #[inline]
    fn find(&self, authority: &[u8]) -> Option<u32> {
        authority.first().map(|byte| u32::from(*byte))
    }
}

#[expect(clippy::unnecessary_wraps, reason = "all builders have the same type")]
pub(super) fn build(_: &NameSet) -> Result<Built, Refusal> {
    Ok(Built::new(Null))
}
