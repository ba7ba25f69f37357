//! A macro for types over any byte storage.

/// Declares a type over a storage `S`. With `alloc`, the default of `S` is `Vec<u8>`, the storage
/// that the builders return. Without `alloc` there is no default, so turning the feature on changes
/// no type.
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
