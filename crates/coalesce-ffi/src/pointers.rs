//! Pointers from C: the one module that follows them.
//!
//! A C caller promises what the header says of each pointer, and no check can replace that promise.
//! Each type of this module is one kind of pointer. A value of it is made from a pointer of C,
//! which is unsafe, or from a reference. The promise is then an invariant of the type, and reading
//! it is safe.
#![allow(unsafe_code, reason = "this module follows the pointers of C, and nothing else does")]

use core::ffi::{c_char, c_void};
use core::fmt;
use core::marker::PhantomData;
use core::mem::{MaybeUninit, size_of};
use core::ptr;
use core::slice;

use crate::codes::COALESCE_STRUCT_SIZE_MAX;
use crate::fault::Fault;

/// A struct that begins with its size in bytes, as its caller knows it.
///
/// # Safety
/// The type is `repr(C)`, its first field is a `usize`, and every pattern of bytes is a value.
pub(crate) unsafe trait SizedStruct: Copy {}

/// Implements `SizedStruct`. A type without a first field `size: usize` does not compile. Its other
/// fields must be numbers and the pointers of this module.
macro_rules! sized_structs {
    ($($sized:ty),* $(,)?) => {$(
        #[allow(unsafe_code, reason = "this macro checks the form, and its users the fields")]
        // SAFETY: the assertion below checks the first field. Numbers and pointers take every
        // pattern of bytes.
        unsafe impl $crate::pointers::SizedStruct for $sized {}

        const _: () = {
            let _: fn(&$sized) -> usize = |value| value.size;
            assert!(core::mem::offset_of!($sized, size) == 0);
        };
    )*};
}

pub(crate) use sized_structs;

/// A pointer to a value that the function reads. It may be `NULL`.
///
/// Invariant: `NULL`, or readable for `'a` while no code writes there. A sized struct is readable
/// for as many bytes as its `size` says.
pub(crate) struct In<'a, T>(*const T, PhantomData<&'a T>);

/// A pointer to a place that the function writes. It may be `NULL`.
///
/// Invariant: `NULL`, or writable for `'a` while no other code reads or writes there. A sized
/// struct is writable for as many bytes as its `size` says, and its `size` is readable.
pub(crate) struct Out<'a, T>(*mut T, PhantomData<&'a mut T>);

/// Borrowed bytes. If `data` is `NULL`, the value is absent and `len` must be 0. Otherwise the
/// value is present, and it may be empty.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Bytes<'a> {
    /// The first byte, or `NULL`.
    data: *const u8,
    /// The number of bytes.
    len: usize,
    borrow: PhantomData<&'a [u8]>,
}

impl<T> Clone for In<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for In<'_, T> {}

impl<'a, T> In<'a, T> {
    /// Returns the value, or `None` for `NULL`. For handles and numbers, which have no size to
    /// check.
    pub(crate) fn get(self) -> Option<&'a T> {
        // SAFETY: by the invariant of `In`, the pointer is `NULL` or a `T` is readable there.
        unsafe { self.0.as_ref() }
    }

    /// Takes a pointer of C.
    ///
    /// # Safety
    /// The pointer is `NULL`, or readable for `'a` while no code writes there. If `T` begins with
    /// its size, that many bytes are readable, even if they are fewer than those of `T`.
    pub(crate) const unsafe fn from_raw(pointer: *const T) -> Self {
        Self(pointer, PhantomData)
    }

    /// Returns whether the pointer is `NULL`.
    pub(crate) const fn is_null(self) -> bool {
        self.0.is_null()
    }

    fn checked(self) -> Result<*const T, Fault> {
        if self.0.is_null() {
            return Err(Fault::NullArgument);
        }
        if self.0.is_aligned() { Ok(self.0) } else { Err(Fault::InvalidValue) }
    }

    /// Returns the `len` values that begin here. `NULL` is an empty list if `len` is 0.
    ///
    /// # Safety
    /// The pointer is `NULL`, or `len` values are readable from it on for `'a`.
    pub(crate) unsafe fn list(self, len: usize) -> Result<&'a [T], Fault> {
        if self.is_null() && len == 0 {
            return Ok(&[]);
        }
        let first = self.checked()?;
        let bytes = size_of::<T>().checked_mul(len).ok_or(Fault::InvalidValue)?;
        if isize::try_from(bytes).is_err() {
            return Err(Fault::InvalidValue);
        }
        // SAFETY: the pointer is neither `NULL` nor misaligned; the caller promises `len` readable
        // values, to which no code writes by the invariant of `In`; they take at most `isize::MAX`
        // bytes. If `len` is 0, any such pointer is valid.
        Ok(unsafe { slice::from_raw_parts(first, len) })
    }
}

impl<'a, T: SizedStruct> In<'a, T> {
    /// Returns the struct, whose `size` must be that of `T`, or larger with zeros behind `T`.
    ///
    /// Version 1 of the interface is the first, so a shorter struct is a fault. A caller that was
    /// compiled with a newer header may leave the fields that this library does not know at 0.
    pub(crate) fn read(self) -> Result<&'a T, Fault> {
        let pointer = self.checked()?;
        // SAFETY: the pointer is neither `NULL` nor misaligned, and by the invariant of `In` at
        // least the first field is readable, a `usize` by the contract of `SizedStruct`.
        let size = unsafe { pointer.cast::<usize>().read() };
        let beyond = unknown_bytes::<T>(size)?;
        // SAFETY: `size` bytes are readable by the invariant of `In`. `size` is at least that of
        // `T`, so the sum is inside of them or one past their end.
        let tail = unsafe { slice::from_raw_parts(pointer.add(1).cast::<u8>(), beyond) };
        if tail.iter().any(|byte| *byte != 0) {
            return Err(Fault::StructSize);
        }
        // SAFETY: the pointer is neither `NULL` nor misaligned, `size_of::<T>()` bytes are readable
        // and no code writes there for `'a`; every pattern of bytes is a `T`.
        Ok(unsafe { &*pointer })
    }
}

/// Returns the number of bytes that a struct of `size` bytes has behind those of `T`.
fn unknown_bytes<T>(size: usize) -> Result<usize, Fault> {
    if size > COALESCE_STRUCT_SIZE_MAX {
        return Err(Fault::StructSize);
    }
    size.checked_sub(size_of::<T>()).ok_or(Fault::StructSize)
}

impl<'a, T> Out<'a, T> {
    /// Takes a pointer of C.
    ///
    /// # Safety
    /// The pointer is `NULL`, or writable for `'a` while no other code reads or writes there. If
    /// `T` begins with its size, that size is readable and that many bytes are writable, even if
    /// they are fewer than those of `T`.
    pub(crate) const unsafe fn from_raw(pointer: *mut T) -> Self {
        Self(pointer, PhantomData)
    }

    fn checked(&self) -> Result<*mut T, Fault> {
        if self.0.is_null() {
            return Err(Fault::NullArgument);
        }
        if self.0.is_aligned() { Ok(self.0) } else { Err(Fault::InvalidValue) }
    }

    /// Returns the place, whose present content does not matter.
    pub(crate) fn place(self) -> Result<&'a mut MaybeUninit<T>, Fault> {
        // SAFETY: the pointer is neither `NULL` nor misaligned. By the invariant of `Out` the place
        // is writable and no other code uses it for `'a`. `MaybeUninit` needs no valid content.
        self.checked().map(|place| unsafe { &mut *place.cast::<MaybeUninit<T>>() })
    }
}

impl<T> Out<'_, T> {
    /// Takes `len` bytes of C as the place of a value.
    ///
    /// # Safety
    /// The pointer is `NULL`, or `len` bytes are writable from it on, and no other code reads or
    /// writes there for the lifetime of the result.
    pub(crate) unsafe fn in_storage(storage: *mut c_void, len: usize) -> Result<Self, Fault> {
        if !storage.is_null() && len < size_of::<T>() {
            return Err(Fault::TooLarge);
        }
        // SAFETY: the storage is `NULL`, or the caller promises enough writable bytes.
        Ok(unsafe { Self::from_raw(storage.cast()) })
    }
}

impl<T: SizedStruct> Out<'_, T> {
    /// Returns the `size` that the caller set, if it is a possible one.
    pub(crate) fn size(&self) -> Result<usize, Fault> {
        let pointer = self.checked()?;
        // SAFETY: the pointer is neither `NULL` nor misaligned, and by the invariant of `Out` the
        // first field is readable, a `usize` by the contract of `SizedStruct`.
        let size = unsafe { pointer.cast::<usize>().read() };
        unknown_bytes::<T>(size).map(|_| size)
    }

    /// Writes the struct, and zeros into the fields that only the caller knows.
    pub(crate) fn write(&mut self, value: T) -> Result<(), Fault> {
        let beyond = unknown_bytes::<T>(self.size()?)?;
        let pointer = self.checked()?;
        // SAFETY: `size` bytes are writable by the invariant of `Out`, and `size` is
        // `size_of::<T>() + beyond`. The pointer is aligned for `T`.
        unsafe {
            pointer.write(value);
            pointer.add(1).cast::<u8>().write_bytes(0, beyond);
        }
        Ok(())
    }
}

impl Out<'_, c_char> {
    /// Returns the `len` bytes that begin here, for a text. `NULL` has room for nothing if `len`
    /// is 0.
    ///
    /// # Safety
    /// The pointer is `NULL`, or `len` bytes are writable from it on, and no other code uses them.
    pub(crate) unsafe fn text<'b>(self, len: usize) -> Result<&'b mut [MaybeUninit<u8>], Fault>
    where
        Self: 'b,
    {
        if self.0.is_null() && len == 0 {
            return Ok(&mut []);
        }
        let first = self.checked()?;
        if isize::try_from(len).is_err() {
            return Err(Fault::InvalidValue);
        }
        // SAFETY: the pointer is not `NULL`, bytes have no alignment, and the caller promises `len`
        // writable bytes that no other code uses. `MaybeUninit` needs no valid content.
        Ok(unsafe { slice::from_raw_parts_mut(first.cast::<MaybeUninit<u8>>(), len) })
    }
}

impl<'a> Bytes<'a> {
    /// Bytes that are absent.
    pub const ABSENT: Self = Self { data: ptr::null(), len: 0, borrow: PhantomData };

    /// Takes bytes of C.
    ///
    /// # Safety
    /// `data` is `NULL`, or `len` bytes are readable from it on for `'a`.
    pub const unsafe fn from_raw(data: *const u8, len: usize) -> Self {
        Self { data, len, borrow: PhantomData }
    }

    /// Returns the bytes, for a callback in Rust. `None` if they are absent.
    pub fn as_slice(self) -> Option<&'a [u8]> {
        self.get().ok().flatten()
    }

    /// Returns the bytes, or `None` if they are absent.
    pub(crate) fn get(self) -> Result<Option<&'a [u8]>, Fault> {
        // SAFETY: by the invariant of `Bytes`, `len` bytes are readable from `data` on.
        let bytes = unsafe { In::from_raw(self.data).list(self.len)? };
        Ok((!self.data.is_null()).then_some(bytes))
    }

    /// Returns the bytes, which must be present.
    pub(crate) fn present(self) -> Result<&'a [u8], Fault> {
        self.get()?.ok_or(Fault::NullArgument)
    }

    /// Returns the bytes for as long as the program runs.
    ///
    /// # Safety
    /// The bytes stay readable and unchanged for as long as the result is used.
    pub(crate) unsafe fn present_static(self) -> Result<&'static [u8], Fault> {
        // SAFETY: the caller promises the longer life of the bytes.
        let longer = unsafe { Bytes::from_raw(self.data, self.len) };
        longer.present()
    }
}

impl<'a> From<&'a [u8]> for Bytes<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        // The pointer of an empty slice is not `NULL`, so the bytes are present.
        Self { data: bytes.as_ptr(), len: bytes.len(), borrow: PhantomData }
    }
}

impl fmt::Debug for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bytes").field("data", &self.data).field("len", &self.len).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::structs::{Entry, HandshakeFacts};

    const SIZE: usize = size_of::<HandshakeFacts>();

    /// An allocation of the words of a struct, with `size` in front. Miri finds a read behind it.
    fn allocation(size: usize, words: usize) -> Vec<usize> {
        let mut made = vec![0; words];
        made[0] = size;
        made
    }

    fn read(memory: &[usize]) -> Result<u64, Fault> {
        // SAFETY: the memory has as many bytes as its first word says, or the size is a fault.
        let facts = unsafe { In::<HandshakeFacts>::from_raw(memory.as_ptr().cast()) };
        facts.read().map(|facts| facts.other)
    }

    #[test]
    fn struct_is_read_only_as_far_as_its_size_allows() {
        let word = size_of::<usize>();
        for size in 0..SIZE {
            let words = size.div_ceil(word).max(1);
            assert_eq!(read(&allocation(size, words)), Err(Fault::StructSize), "{size}");
        }
        for extra in 0..4 {
            let mut memory = allocation(SIZE + extra * word, SIZE / word + extra);
            assert_eq!(read(&memory), Ok(0));
            *memory.last_mut().unwrap() = 1;
            let expected = if extra == 0 { Ok(1) } else { Err(Fault::StructSize) };
            assert_eq!(read(&memory), expected);
        }
        let largest = COALESCE_STRUCT_SIZE_MAX;
        assert_eq!(read(&allocation(largest, largest / word)), Ok(0));
        assert_eq!(read(&allocation(largest + 1, 1)), Err(Fault::StructSize));
        assert_eq!(read(&allocation(usize::MAX, 1)), Err(Fault::StructSize));
    }

    #[test]
    fn null_and_misaligned_pointers_are_faults() {
        let memory = allocation(SIZE, SIZE / size_of::<usize>() + 1);
        // SAFETY: `NULL`; and inside of the allocation, with room for a struct behind it.
        let (null, odd) = unsafe {
            let odd = memory.as_ptr().cast::<HandshakeFacts>().byte_add(1);
            (In::<HandshakeFacts>::from_raw(ptr::null()), In::from_raw(odd))
        };
        assert_eq!(null.read().err(), Some(Fault::NullArgument));
        assert_eq!(odd.read().err(), Some(Fault::InvalidValue));
    }

    #[test]
    fn result_is_written_and_unknown_fields_become_zero() {
        let word = size_of::<usize>();
        let entry_words = size_of::<Entry>() / word;
        let mut memory = vec![usize::MAX; entry_words + 3];
        for size in [0, 1, word * entry_words - 1, COALESCE_STRUCT_SIZE_MAX + 1] {
            memory[0] = size;
            // SAFETY: the size is a fault, so nothing is written.
            let mut out = unsafe { Out::<Entry>::from_raw(memory.as_mut_ptr().cast()) };
            let entry = Entry { size, virtual_host: 1, group: 2 };
            assert_eq!(out.write(entry), Err(Fault::StructSize));
            assert!(memory[1..].iter().all(|word| *word == usize::MAX));
        }
        let size = word * (entry_words + 2);
        memory[0] = size;
        // SAFETY: the memory has one word more than its size says.
        let mut out = unsafe { Out::<Entry>::from_raw(memory.as_mut_ptr().cast()) };
        assert_eq!(out.write(Entry { size, virtual_host: 0, group: 0 }), Ok(()));
        assert_eq!(memory[0], size);
        assert!(memory[1..entry_words + 2].iter().all(|word| *word == 0));
        assert_eq!(memory.last(), Some(&usize::MAX));
    }

    #[test]
    fn absent_and_empty_bytes_differ() {
        assert_eq!(Bytes::ABSENT.get(), Ok(None));
        assert_eq!(Bytes::from(&b""[..]).get(), Ok(Some(&b""[..])));
        // SAFETY: nothing is read, because the length is a fault.
        let (missing, large) = unsafe {
            (Bytes::from_raw(ptr::null(), 1), Bytes::from_raw(b"x".as_ptr(), usize::MAX))
        };
        assert_eq!(missing.get(), Err(Fault::NullArgument));
        assert_eq!(large.get(), Err(Fault::InvalidValue));
    }
}
