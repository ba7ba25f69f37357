//! Macros that implement the traits of a borrowed type and of its owned type.

/// Implements `TryFrom` of bytes and of text for a borrowed type, with its `parse`.
macro_rules! borrowed_form {
    ($borrowed:ident, $error:ty) => {
        impl<'a> TryFrom<&'a [u8]> for $borrowed<'a> {
            type Error = $error;

            fn try_from(bytes: &'a [u8]) -> Result<Self, $error> {
                Self::parse(bytes)
            }
        }

        impl<'a> TryFrom<&'a str> for $borrowed<'a> {
            type Error = $error;

            fn try_from(text: &'a str) -> Result<Self, $error> {
                Self::parse(text.as_bytes())
            }
        }
    };
}

/// Implements the traits of an owned type with the borrowed type that its method `$view` returns.
///
/// Owned values therefore compare, hash and print exactly as borrowed ones do, and every way to
/// make one goes through the same parser.
#[cfg(feature = "alloc")]
macro_rules! owned_form {
    ($owned:ident, $borrowed:ident, $view:ident, $error:ty) => {
        impl<'a> From<&'a $owned> for $borrowed<'a> {
            fn from(owned: &'a $owned) -> Self {
                owned.$view()
            }
        }

        impl TryFrom<&[u8]> for $owned {
            type Error = $error;

            fn try_from(bytes: &[u8]) -> Result<Self, $error> {
                $borrowed::parse(bytes).map(Self::from)
            }
        }

        impl TryFrom<&str> for $owned {
            type Error = $error;

            fn try_from(text: &str) -> Result<Self, $error> {
                Self::try_from(text.as_bytes())
            }
        }

        impl core::str::FromStr for $owned {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, $error> {
                Self::try_from(text)
            }
        }

        impl PartialEq for $owned {
            fn eq(&self, other: &Self) -> bool {
                self.$view() == other.$view()
            }
        }

        impl Eq for $owned {}

        impl PartialEq<$borrowed<'_>> for $owned {
            fn eq(&self, other: &$borrowed<'_>) -> bool {
                self.$view() == *other
            }
        }

        impl PartialEq<$owned> for $borrowed<'_> {
            fn eq(&self, other: &$owned) -> bool {
                *self == other.$view()
            }
        }

        impl PartialOrd for $owned {
            fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $owned {
            fn cmp(&self, other: &Self) -> core::cmp::Ordering {
                self.$view().cmp(&other.$view())
            }
        }

        impl core::hash::Hash for $owned {
            fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
                self.$view().hash(state);
            }
        }

        impl core::fmt::Display for $owned {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                self.$view().fmt(f)
            }
        }

        impl core::fmt::Debug for $owned {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Debug::fmt(&self.$view(), f)
            }
        }
    };
}

pub(crate) use borrowed_form;
#[cfg(feature = "alloc")]
pub(crate) use owned_form;
