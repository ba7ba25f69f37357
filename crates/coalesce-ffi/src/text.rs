//! Text in a buffer of the caller.

use core::fmt;
use core::mem::MaybeUninit;

/// Writes text with a NUL at its end into a buffer, as `snprintf` does: the text is cut where the
/// buffer ends, and the length is that of the whole text.
#[derive(Debug)]
pub(crate) struct Text<'a> {
    /// The part of the buffer that is not written yet.
    rest: &'a mut [MaybeUninit<u8>],
    len: usize,
}

impl<'a> Text<'a> {
    pub(crate) const fn new(buffer: &'a mut [MaybeUninit<u8>]) -> Self {
        Self { rest: buffer, len: 0 }
    }

    /// Ends the text and returns its length without the NUL.
    pub(crate) fn finish(self) -> usize {
        if let Some(end) = self.rest.first_mut() {
            end.write(0);
        }
        self.len
    }

    /// Returns how many bytes of `text` fit in front of the NUL without cutting a character.
    fn room(&self, text: &str) -> usize {
        let mut room = self.rest.len().saturating_sub(1).min(text.len());
        while !text.is_char_boundary(room) {
            room = room.saturating_sub(1);
        }
        room
    }
}

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.room(text);
        let rest = core::mem::take(&mut self.rest);
        let (now, mut later) = rest.split_at_mut_checked(room).ok_or(fmt::Error)?;
        for (place, byte) in now.iter_mut().zip(text.as_bytes()) {
            place.write(*byte);
        }
        // A text that was cut ends there, even if a shorter piece would still fit.
        if room < text.len() {
            later = later.get_mut(..1.min(later.len())).unwrap_or_default();
        }
        self.rest = later;
        self.len = self.len.saturating_add(text.len());
        Ok(())
    }
}
