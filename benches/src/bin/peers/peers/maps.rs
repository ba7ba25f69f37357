//! Hash maps with owned names as keys.

use std::collections::HashMap;
use std::hash::BuildHasher;

use super::suffixes::{Exact, Stripping};
use super::{Built, Refusal};
use crate::sets::{NameSet, Pattern};

type Std<S> = HashMap<Box<[u8]>, u32, S>;
type Brown<S> = hashbrown::HashMap<Box<[u8]>, u32, S>;

/// Maps of names, and of wildcards by suffix.
struct Maps<M> {
    exact: M,
    wildcards: M,
}

impl<S: BuildHasher> Exact for Maps<Std<S>> {
    #[inline]
    fn exact(&self, name: &[u8]) -> Option<u32> {
        self.exact.get(name).copied()
    }

    #[inline]
    fn wildcard(&self, suffix: &[u8]) -> Option<u32> {
        self.wildcards.get(suffix).copied()
    }
}

impl<S: BuildHasher> Exact for Maps<Brown<S>> {
    #[inline]
    fn exact(&self, name: &[u8]) -> Option<u32> {
        self.exact.get(name).copied()
    }

    #[inline]
    fn wildcard(&self, suffix: &[u8]) -> Option<u32> {
        self.wildcards.get(suffix).copied()
    }
}

fn build<M: Default + Extend<(Box<[u8]>, u32)> + 'static>(set: &NameSet) -> Built
where
    Maps<M>: Exact,
{
    let mut maps = Maps { exact: M::default(), wildcards: M::default() };
    let exact = |(number, pattern)| match pattern {
        Pattern::Exact(name) => Some((Box::from(name), number)),
        Pattern::Wildcard(_) => None,
    };
    let wildcard = |(number, pattern)| match pattern {
        Pattern::Wildcard(suffix) => Some((Box::from(suffix), number)),
        Pattern::Exact(_) => None,
    };
    maps.exact.extend(set.iter().filter_map(exact));
    maps.wildcards.extend(set.iter().filter_map(wildcard));
    Stripping::built(set, maps)
}

macro_rules! builders {
    ($($name:ident: $map:ty;)+) => {
        $(
            pub(super) fn $name(set: &NameSet) -> Result<Built, Refusal> {
                Ok(build::<$map>(set))
            }
        )+
    };
}

builders! {
    std_siphash: Std<std::hash::RandomState>;
    std_ahash: Std<ahash::RandomState>;
    std_foldhash: Std<foldhash::fast::RandomState>;
    std_fx: Std<rustc_hash::FxBuildHasher>;
    hashbrown_foldhash: Brown<foldhash::fast::RandomState>;
}
