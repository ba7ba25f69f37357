//! Reads names 32 bytes at a time, on the best instruction set that the machine has.
//!
//! | module | contents |
//! | --- | --- |
//! | [`kernel`] | the traits [`Simd`], an instruction set, and [`Kernel`], work that runs on one |
//! | [`portable`](mod@portable) | [`Simd`] in words of eight bytes, for every machine |
//! | `avx2` | [`Simd`] in AVX2; the crate's only `unsafe` |
//! | this one | the choice between them |
//!
//! Every instruction set gives the same answers. The build script sets the alias `coalesce_avx2`
//! where the AVX2 code is compiled in.

#[cfg(coalesce_avx2)]
mod avx2;
mod kernel;
mod portable;

#[cfg(coalesce_avx2)]
use avx2::Avx2;
pub(crate) use kernel::{Kernel, Simd};
pub(crate) use portable::Portable;

use crate::packed::Scan;

/// The best instruction set that was detected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Detected {
    #[cfg(coalesce_avx2)]
    avx2: Option<Avx2>,
}

impl Detected {
    /// Detects the best instruction set. The standard library asks the processor once in the life
    /// of the process.
    #[inline(always)]
    pub(crate) fn detect() -> Self {
        Self {
            #[cfg(coalesce_avx2)]
            avx2: Avx2::detect(),
        }
    }

    /// Runs `kernel` on the detected instruction set.
    #[inline(always)]
    #[allow(clippy::unused_self, reason = "the struct is empty if there is nothing to detect")]
    pub(crate) fn dispatch<I, K: Kernel<I>>(self, kernel: K, input: I) -> K::Output {
        #[cfg(coalesce_avx2)]
        if let Some(avx2) = self.avx2 {
            return avx2.run(kernel, input);
        }
        portable(kernel, input)
    }
}

/// Runs `kernel` on the best instruction set.
#[inline(always)]
pub(crate) fn dispatch<I, K: Kernel<I>>(kernel: K, input: I) -> K::Output {
    Detected::detect().dispatch(kernel, input)
}

/// Runs `kernel` without any instruction set in particular.
///
/// Where AVX2 is compiled in too, this function is not inlined, so that its code does not separate
/// a caller from the AVX2 path.
#[cfg_attr(coalesce_avx2, inline(never))]
fn portable<I, K: Kernel<I>>(kernel: K, input: I) -> K::Output {
    kernel.run(input, Portable)
}

/// Runs [`Simd::scan`] on the best instruction set.
pub(crate) fn scan(bytes: &[u8]) -> Scan {
    struct Scanning;
    impl Kernel<&[u8]> for Scanning {
        type Output = Scan;
        #[inline(always)]
        fn run(self, bytes: &[u8], simd: impl Simd) -> Scan {
            simd.scan(bytes)
        }
    }
    dispatch(Scanning, bytes)
}

#[cfg(test)]
mod tests;
