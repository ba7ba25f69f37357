//! What a user may choose per coalescing group.

use core::fmt;

/// A virtual host, by the number its owner gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VirtualHostId(u32);

/// A coalescing group, by the number its owner gave it.
///
/// Two tables that use the same id promise the same TLS policy behind it: the decision compares
/// ids, never the policies themselves, so that a connection made under one snapshot can be judged
/// on the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(u32);

macro_rules! id {
    ($id:ident) => {
        impl $id {
            /// Wraps a number of the caller's choice.
            pub const fn new(id: u32) -> Self {
                Self(id)
            }

            /// The number.
            pub const fn get(self) -> u32 {
                self.0
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(VirtualHostId);
id!(GroupId);

/// The policies of one coalescing group; the default is what most servers want.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct GroupPolicy {
    /// Which authorities may share a connection of this group.
    pub coalesce: CoalescePolicy,
    /// What becomes of an authority that the table does not know.
    pub unknown_authority: UnknownAuthority,
    /// What becomes of `CONNECT`.
    pub connect: ConnectPolicy,
}

/// Which authorities may share one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CoalescePolicy {
    /// Every authority that the presented certificate covers and whose virtual host is in the
    /// connection's group (RFC 9113 §9.1.1).
    #[default]
    CertificateAndGroup,
    /// As above, and the host equals the server name. A TLS connection without a server name serves
    /// only IP literals, for which no client sends one (RFC 6066 §3); so does one from a trusted
    /// gateway that passes none on. In the clear there is nothing to compare.
    StrictServerName,
    /// One connection, one host: as above, and without a server name not even IP literals, so that
    /// hosts which clients reach by address do not belong in such a group.
    Never,
}

/// What becomes of an authority that the table does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnknownAuthority {
    /// 421, the same bytes as every other 421.
    #[default]
    Misdirected,
    /// The application is handed the request as [`Site::Unlisted`](crate::Site::Unlisted), for a
    /// 404 of its own.
    HandToApplication,
}

/// What becomes of `CONNECT`. Whatever is not allowed is refused with 405.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectPolicy {
    /// Every `CONNECT` is refused: an origin server is no proxy (RFC 9110 §9.3.6).
    #[default]
    Refuse,
    /// Extended `CONNECT` (RFC 8441) is decided like any request; the plain one is refused.
    Extended,
    /// Extended as above; the plain one is handed to the application as
    /// [`Site::Tunnel`](crate::Site::Tunnel), since a proxy never answers 421 (RFC 9110 §15.5.20).
    Any,
}

impl GroupPolicy {
    /// One word for a table image: two bits for each policy.
    #[cfg(feature = "alloc")]
    pub(crate) fn to_bits(self) -> u32 {
        let coalesce = match self.coalesce {
            CoalescePolicy::CertificateAndGroup => 0,
            CoalescePolicy::StrictServerName => 1,
            CoalescePolicy::Never => 2,
        };
        let unknown = match self.unknown_authority {
            UnknownAuthority::Misdirected => 0,
            UnknownAuthority::HandToApplication => 1,
        };
        let connect = match self.connect {
            ConnectPolicy::Refuse => 0,
            ConnectPolicy::Extended => 1,
            ConnectPolicy::Any => 2,
        };
        coalesce | unknown << 2 | connect << 4
    }

    /// The inverse of `to_bits`; `None` for bits it never makes.
    pub(crate) fn from_bits(bits: u32) -> Option<Self> {
        let coalesce = match bits & 3 {
            0 => CoalescePolicy::CertificateAndGroup,
            1 => CoalescePolicy::StrictServerName,
            2 => CoalescePolicy::Never,
            _ => return None,
        };
        let unknown_authority = match bits >> 2 & 3 {
            0 => UnknownAuthority::Misdirected,
            1 => UnknownAuthority::HandToApplication,
            _ => return None,
        };
        let connect = match bits >> 4 {
            0 => ConnectPolicy::Refuse,
            1 => ConnectPolicy::Extended,
            2 => ConnectPolicy::Any,
            _ => return None,
        };
        Some(Self { coalesce, unknown_authority, connect })
    }
}
