//! Many lookups at once.
//!
//! A lookup in a large table waits for memory three times: for a pilot, for a tag and for a slot.
//! The waits of different lookups do not depend on each other, but a processor does not look far
//! enough ahead to start the next lookup during a wait. A batch therefore goes through all of its
//! names three times. Each time it reads only what the next time needs. Then each lookup finds
//! everything in cache.

use core::hint::black_box;

use super::fast;
use super::hash::{Hash, Shape, key};
use super::header::Header;
use crate::authority::split_port;
use crate::name::without_trailing_dot;
use crate::packed::{TAIL_CODES, WINDOW, suffix};
use crate::simd::{Kernel, Simd};

/// The number of lookups that wait together. A core cannot have many more reads under way.
pub(crate) const BATCH_LEN: usize = 32;

/// Reads all that the lookups of the first [`BATCH_LEN`] of `authorities` will read.
pub(crate) fn prefetch(header: &Header, image: &[u8], authorities: &[&[u8]]) {
    if let Some(wildcard) = header.wildcard.filter(|_| !header.cached) {
        header.simd.dispatch(Prefetch { header, image, wildcard }, authorities);
    }
}

struct Prefetch<'a> {
    header: &'a Header,
    image: &'a [u8],
    wildcard: Shape,
}

impl Kernel<&[&[u8]]> for Prefetch<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self, authorities: &[&[u8]], simd: impl Simd) {
        let Self { header, image, wildcard } = self;
        let mut hashes = [[Hash(0); 2]; BATCH_LEN];
        let mut slots = [[0_u32; 2]; BATCH_LEN];
        // Hash the name and the wildcard above it. Long names are rare and left out.
        for (pair, authority) in hashes.iter_mut().zip(authorities) {
            let host = without_trailing_dot(split_port(authority).0);
            if host.len() > TAIL_CODES {
                continue;
            }
            let window = simd.window(host);
            let words = simd.words(simd.codes(window));
            // 31 for a name without a dot, as in `find_with`.
            let parent_len = (simd.dots(window).trailing_zeros() ^ 31) as usize % WINDOW;
            let above = key(suffix(words, parent_len), parent_len, wildcard);
            *pair =
                [key(words, host.len(), Shape::Exact), above].map(|key| header.hasher.hash(key));
        }
        let count = authorities.len().min(BATCH_LEN);
        // First pass: read the pilots, which give the slots.
        for (slots, pair) in slots.iter_mut().zip(hashes).take(count) {
            *slots = pair.map(|hash| fast::slot(header, image, hash).unwrap_or_default());
        }
        // `black_box` needs the result of the reads, or the compiler would remove them.
        let mut read = 0;
        // Second pass: read the tags.
        for (slots, pair) in slots.iter_mut().zip(hashes).take(count) {
            for (slot, hash) in slots.iter_mut().zip(pair) {
                // The first slot is in cache in any case.
                *slot = if fast::has_tag(header, image, *slot, hash) { *slot } else { 0 };
            }
        }
        // Third pass: read the slots.
        for slot in slots.iter().take(count).flatten() {
            let [word, ..] = fast::read(header, image, *slot).map_or([0; 3], |stored| stored.key);
            read ^= word;
        }
        black_box(read);
    }
}
