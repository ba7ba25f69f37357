//! Many lookups at once.
//!
//! A lookup in a large table waits for memory three times: for a pilot, for a tag and for a slot.
//! The waits of different lookups have nothing to do with each other, but one lookup after the
//! other is more than a processor sees at once. So a batch goes through all of its names three
//! times, each time reading only what the next time needs, and then looks each of them up where
//! everything is near.

use core::hint::black_box;

use super::fast;
use super::hash::{Hash, Shape, key};
use super::header::Header;
use crate::authority::split_port;
use crate::name::without_trailing_dot;
use crate::packed::{TAIL_CODES, WINDOW, suffix};
use crate::simd::{Kernel, Simd};

/// Lookups that wait together; a core has not many more reads under way.
pub(crate) const TOGETHER: usize = 32;

/// Reads what the lookups of `authorities`, of which the first [`TOGETHER`] count, will read.
pub(crate) fn bring_near(header: &Header, image: &[u8], authorities: &[&[u8]]) {
    if let Some(wildcard) = header.wildcard.filter(|_| !header.near) {
        header.simd.dispatch(BringNear { header, image, wildcard }, authorities);
    }
}

struct BringNear<'a> {
    header: &'a Header,
    image: &'a [u8],
    wildcard: Shape,
}

impl Kernel<&[&[u8]]> for BringNear<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self, authorities: &[&[u8]], simd: impl Simd) {
        let Self { header, image, wildcard } = self;
        let mut hashes = [[Hash(0); 2]; TOGETHER];
        let mut slots = [[0_u32; 2]; TOGETHER];
        for (pair, authority) in hashes.iter_mut().zip(authorities) {
            let host = without_trailing_dot(split_port(authority).0);
            if host.len() > TAIL_CODES {
                continue;
            }
            let window = simd.window(host);
            let words = simd.words(simd.codes(window));
            let parent_len = (simd.dots(window).trailing_zeros() ^ 31) as usize % WINDOW;
            let above = key(suffix(words, parent_len), parent_len, wildcard);
            *pair =
                [key(words, host.len(), Shape::Exact), above].map(|key| header.hasher.hash(key));
        }
        let count = authorities.len().min(TOGETHER);
        for (slots, pair) in slots.iter_mut().zip(hashes).take(count) {
            *slots = pair.map(|hash| fast::slot(header, image, hash).unwrap_or_default());
        }
        // What is read for its own sake must not look useless to the compiler.
        let mut read = 0;
        for (slots, pair) in slots.iter_mut().zip(hashes).take(count) {
            for (slot, hash) in slots.iter_mut().zip(pair) {
                // The first slot is near in any case.
                *slot = if fast::has_tag(header, image, *slot, hash) { *slot } else { 0 };
            }
        }
        for slot in slots.iter().take(count).flatten() {
            let [word, ..] = fast::read(header, image, *slot).map_or([0; 3], |stored| stored.key);
            read ^= word;
        }
        black_box(read);
    }
}
