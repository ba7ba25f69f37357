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

/// A listener, by the number its owner gave it. Two tables that use the same id mean the same
/// listener by it, as with [`GroupId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerId(u32);

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
id!(ListenerId);

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
    /// Whether a request that is found misdirected is answered so.
    pub enforcement: Enforcement,
    /// The group whose connections these names are served on. With it, this is no group of its own:
    /// it is a set of names of that group with a [`coalesce`](Self::coalesce) of their own, and its
    /// other policies count for nothing, since those of a connection are its group's.
    ///
    /// Only ids below 2^16 can be named here.
    pub within: Option<GroupId>,
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
    /// The application is handed the request as
    /// [`ServedAs::Unlisted`](crate::ServedAs::Unlisted), for a 404 of its own.
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
    /// [`ServedAs::Tunnel`](crate::ServedAs::Tunnel), since a proxy never answers 421
    /// (RFC 9110 §15.5.20).
    Any,
}

/// Whether a request that is found misdirected is answered 421.
///
/// Observing is for bringing the rules to a server that has had none: everything is decided, and
/// what would be refused is served all the same where that is safe, as the virtual host that it
/// names. The proof says so ([`Authoritative::observed`](crate::Authoritative::observed)), for
/// somebody to count.
///
/// | found | while observing |
/// | --- | --- |
/// | another scheme, port, certificate, listener or server name | served |
/// | another group, both observing and asking for no client certificates | served |
/// | another group otherwise | 421 |
/// | an authority of nobody | 421, or as [`UnknownAuthority`] says: there is nobody to serve it |
/// | malformed | refused |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Enforcement {
    /// It is.
    #[default]
    Enforce,
    /// It is served where that is safe.
    ///
    /// # Security
    /// What the handshakes of the group ask of their clients must be told truly: no request passes
    /// from one group to another where either asks for certificates.
    Observe(ClientCertificates),
}

/// Whether the handshakes of a group ask for client certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "they do or they do not")]
pub enum ClientCertificates {
    /// They do not: every client is let in.
    NotAsked,
    /// They do, whether a client must have one or may.
    Asked,
}

impl GroupPolicy {
    /// One word for a table image: two bits for each policy, one that says whether this is within a
    /// group, and the group's id in the upper half. `None` for an id that has no room there.
    #[cfg(feature = "alloc")]
    pub(crate) fn to_bits(self) -> Option<u32> {
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
        let enforcement = match self.enforcement {
            Enforcement::Enforce => 0,
            Enforcement::Observe(ClientCertificates::NotAsked) => 1,
            Enforcement::Observe(ClientCertificates::Asked) => 2,
        };
        let within = match self.within {
            None => 0,
            Some(group) => WITHIN | u32::from(u16::try_from(group.get()).ok()?) << 16,
        };
        Some(coalesce | unknown << 2 | connect << 4 | enforcement << 6 | within)
    }

    /// The inverse of `to_bits`; `None` for bits it never makes.
    #[inline]
    pub(crate) fn from_bits(bits: u32) -> Option<Self> {
        // The default, which is what most groups have.
        if bits == 0 { Some(Self::default()) } else { Self::from_other_bits(bits) }
    }

    #[inline(never)]
    fn from_other_bits(bits: u32) -> Option<Self> {
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
        let connect = match bits >> 4 & 3 {
            0 => ConnectPolicy::Refuse,
            1 => ConnectPolicy::Extended,
            2 => ConnectPolicy::Any,
            _ => return None,
        };
        let enforcement = match bits >> 6 & 3 {
            0 => Enforcement::Enforce,
            1 => Enforcement::Observe(ClientCertificates::NotAsked),
            2 => Enforcement::Observe(ClientCertificates::Asked),
            _ => return None,
        };
        let within = match bits >> 8 {
            0 => None,
            _ if bits >> 8 & 0xff == 1 => Some(GroupId::new(bits >> 16)),
            _ => return None,
        };
        Some(Self { coalesce, unknown_authority, connect, enforcement, within })
    }
}

/// The bit that says that a group is within another.
#[cfg(feature = "alloc")]
const WITHIN: u32 = 1 << 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_read_as_they_were_written_or_not_at_all() {
        for bits in (0..1 << 10).chain((0..32).map(|bit| 1 << bit)).chain([0xffff_0100, u32::MAX]) {
            let read = GroupPolicy::from_bits(bits);
            #[cfg(feature = "alloc")]
            assert!(read.is_none_or(|policy| policy.to_bits() == Some(bits)), "{bits:x}");
            let known = [bits & 3, bits >> 4 & 3, bits >> 6 & 3].iter().all(|part| *part < 3)
                && bits >> 2 & 3 < 2
                && (bits >> 8 == 0 || bits >> 8 & 0xff == 1);
            assert_eq!(read.is_some(), known, "{bits:x}");
        }
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn an_id_that_has_no_room_is_no_id() {
        let within = |id| GroupPolicy { within: Some(GroupId::new(id)), ..GroupPolicy::default() };
        assert!(within(0xffff).to_bits().is_some());
        assert_eq!(within(0x1_0000).to_bits(), None);
    }
}
