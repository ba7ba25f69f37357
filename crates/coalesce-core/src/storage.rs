//! Types over any byte storage.

/// Declares a type over a storage `S`, which is a `Vec<u8>` where nothing else is said: what the
/// builders make. Without `alloc` there is no such default, so that turning it on changes no type.
macro_rules! over_bytes {
    ($(#[$meta:meta])* pub struct $name:ident<$storage:ident> { $($fields:tt)* }) => {
        #[cfg(feature = "alloc")]
        $(#[$meta])*
        pub struct $name<$storage = alloc::vec::Vec<u8>> { $($fields)* }

        #[cfg(not(feature = "alloc"))]
        $(#[$meta])*
        pub struct $name<$storage> { $($fields)* }
    };
}

pub(crate) use over_bytes;
