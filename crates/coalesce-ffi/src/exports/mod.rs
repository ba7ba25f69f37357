//! The functions of the interface. Each takes the pointers of its caller; everything it does is in
//! the other modules.
//!
//! `Option<&T>` and `Option<Box<T>>` are pointers that may be `NULL`; the standard library
//! guarantees that for functions that C calls.
#![allow(unsafe_code, reason = "C finds a function by its unmangled name, and passes pointers")]
#![allow(clippy::missing_safety_doc, reason = "the header says once what a caller promises")]

#[cfg(feature = "std")]
pub(crate) mod build;
pub(crate) mod decisions;
pub(crate) mod storage;
pub(crate) mod tables;
pub(crate) mod texts;
