//! The traits of an instruction set and of the work that runs on one.

use crate::packed::Scan;

/// An instruction set that reads names. A value is the proof that the machine has it.
pub(crate) trait Simd: Copy {
    /// The bytes of a window, in the registers that the instruction set works on.
    type Window: Copy;
    /// The codes of a window or of a part of one, in the same registers.
    type Codes: Copy;

    /// Reads the last 32 bytes of `bytes`, or all of them if there are fewer, right-aligned.
    fn window(self, bytes: &[u8]) -> Self::Window;

    /// Folds the case and packs the window.
    fn codes(self, window: Self::Window) -> Self::Codes;

    /// Keeps the codes of the last `len` bytes, at most [`TAIL_CODES`](crate::packed::TAIL_CODES).
    /// For `len` 31 it keeps none.
    fn suffix(self, codes: Self::Codes, len: usize) -> Self::Codes;

    /// Sets the bits of `mark`, all among the twelve lowest.
    fn marked(self, codes: Self::Codes, mark: u32) -> Self::Codes;

    /// Returns the codes as words.
    fn words(self, codes: Self::Codes) -> [u64; 3];

    /// Returns 1 if these words are the first 24 bytes of `slot`, and 0 otherwise.
    fn is_key(self, codes: Self::Codes, slot: &[u8; 32]) -> u32;

    /// Marks the dots.
    fn dots(self, window: Self::Window) -> u32;

    /// Marks the hyphens.
    fn hyphens(self, window: Self::Window) -> u32;

    /// Marks the bytes that are not allowed in a name, and every byte left of the name.
    fn bad(self, window: Self::Window) -> u32;

    /// Returns whether some byte shares its code with another byte, apart from the two cases of a
    /// letter. A byte that is neither ambiguous nor allowed in a name has a code that no name
    /// contains.
    fn is_ambiguous(self, window: Self::Window) -> bool;

    /// Returns the codes and masks of the last 32 bytes of `bytes`.
    #[inline(always)]
    fn scan(self, bytes: &[u8]) -> Scan {
        let window = self.window(bytes);
        Scan {
            words: self.words(self.codes(window)),
            dots: self.dots(window),
            hyphens: self.hyphens(window),
            bad: self.bad(window),
        }
    }
}

/// Work that is compiled once for each instruction set and runs on the best one available.
///
/// Implementations are `inline(always)`, so that everything they call is compiled for the
/// instruction set as well.
///
/// `Input` is separate from `self` for speed. The function with the instruction set's features
/// cannot be inlined into its caller. Two arguments of at most two words each are passed in
/// registers, but one struct of three words goes through memory.
pub(crate) trait Kernel<Input> {
    /// The result of the work.
    type Output;

    /// Does the work.
    fn run(self, input: Input, simd: impl Simd) -> Self::Output;
}
