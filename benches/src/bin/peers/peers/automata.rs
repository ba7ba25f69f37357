//! Frozen automata over reversed names. One walk meets the name and all wildcards above it.

use super::suffixes::{Backwards, Reversing, Walk, sorted_keys};
use super::{Built, Refusal};
use crate::sets::{Depth, NameSet};

// ------------------------------------------------------------------------------ fst

impl Backwards for fst::Map<Vec<u8>> {
    #[inline]
    fn find(&self, name: &[u8], depth: Depth) -> Option<u32> {
        let fst = self.as_fst();
        let mut walk = Walk::default();
        let mut node = fst.root();
        let mut output = fst::raw::Output::zero();
        for (at, byte) in name.iter().enumerate() {
            let Some(transition) = node.find_input(*byte) else { break };
            let transition = node.transition(transition);
            output = output.cat(transition.out);
            node = fst.node(transition.addr);
            if node.is_final() {
                let number = output.cat(node.final_output()).value();
                walk.meet(name, at + 1, u32::try_from(number).ok()?);
            }
        }
        walk.answer(name, depth)
    }
}

pub(super) fn fst(set: &NameSet) -> Result<Built, Refusal> {
    let keys = sorted_keys(set).into_iter().map(|(key, number)| (key, u64::from(number)));
    let mut map = fst::Map::from_iter(keys).map_err(Refusal::new)?.into_fst().into_inner();
    map.shrink_to_fit();
    Ok(Reversing::built(set, fst::Map::new(map).map_err(Refusal::new)?))
}

// ------------------------------------------------------------------------------ yada

impl Backwards for yada::DoubleArray<Vec<u8>> {
    #[inline]
    fn find(&self, name: &[u8], depth: Depth) -> Option<u32> {
        let mut walk = Walk::default();
        for (number, len) in self.common_prefix_search(name) {
            walk.meet(name, len, number);
        }
        walk.answer(name, depth)
    }
}

pub(super) fn yada(set: &NameSet) -> Result<Built, Refusal> {
    let mut array =
        yada::builder::DoubleArrayBuilder::build(&sorted_keys(set)).map_err(Refusal::new)?;
    array.shrink_to_fit();
    Ok(Reversing::built(set, yada::DoubleArray::new(array).map_err(Refusal::new)?))
}

// ------------------------------------------------------------------------------ crawdad

impl Backwards for crawdad::Trie {
    #[inline]
    fn find(&self, name: &[u8], depth: Depth) -> Option<u32> {
        let mut walk = Walk::default();
        for (number, len) in self.common_prefix_search(name.iter().copied().map(char::from)) {
            walk.meet(name, len, number);
        }
        walk.answer(name, depth)
    }
}

pub(super) fn crawdad(set: &NameSet) -> Result<Built, Refusal> {
    let keys = sorted_keys(set);
    let records = keys
        .iter()
        .filter_map(|(key, number)| std::str::from_utf8(key).ok().map(|key| (key, *number)));
    let trie = crawdad::Trie::from_records(records).map_err(Refusal::new)?;
    Ok(Reversing::built(set, trie))
}
