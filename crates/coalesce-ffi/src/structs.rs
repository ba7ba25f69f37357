//! The structs of the interface. Each begins with its size, so that later versions can add fields.

#![allow(unsafe_code, reason = "the pointers of `Connection` are private to this module")]

use core::marker::PhantomData;
use core::ptr;

use crate::fault::Fault;
use crate::handles::Identifiers;
use crate::pointers::{Bytes, In, sized_structs};

/// The policies of a group. A struct of zeros, except for `size`, has the default policies.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
#[allow(clippy::exhaustive_structs, reason = "a C caller fills in every field")]
pub struct GroupPolicy {
    /// The size of this struct.
    pub size: usize,
    /// `COALESCE_BY_CERTIFICATE_AND_GROUP`, `COALESCE_STRICT_SERVER_NAME` or `COALESCE_NEVER`.
    pub coalesce: u32,
    /// `COALESCE_UNKNOWN_MISDIRECTED` or `COALESCE_UNKNOWN_TO_APPLICATION`.
    pub unknown_authority: u32,
    /// `COALESCE_CONNECT_REFUSE`, `COALESCE_CONNECT_EXTENDED` or `COALESCE_CONNECT_ANY`.
    pub connect: u32,
    /// `COALESCE_ENFORCE` or `COALESCE_OBSERVE`.
    pub enforcement: u32,
    /// `COALESCE_CLIENTS_NOT_ASKED`, `COALESCE_CLIENTS_OPTIONAL` or `COALESCE_CLIENTS_REQUIRED`:
    /// what the handshakes of this group do. 0 is unknown and counts as asked, which serves less
    /// while the group is observed.
    pub client_certificates: u32,
}

/// What the TLS policy of a server block demands of a handshake. Equal demands are one group.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
#[allow(clippy::exhaustive_structs, reason = "a C caller fills in every field")]
pub struct HandshakePolicy {
    /// The size of this struct.
    pub size: usize,
    /// `COALESCE_CLIENTS_NOT_ASKED`, `COALESCE_CLIENTS_OPTIONAL` or `COALESCE_CLIENTS_REQUIRED`.
    pub client_certificates: u32,
    /// The lowest TLS version, from 0x0301 to 0x0304, or 0 for any.
    pub tls_version_min: u32,
    /// Your number of the set of client CAs, for example a hash of the file. 0 is no set.
    pub client_ca: u64,
    /// Your number of everything else that must be equal: cipher suites, ALPN, listener.
    pub other: u64,
}

/// What the handshake of a connection met.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
#[allow(clippy::exhaustive_structs, reason = "a C caller fills in every field")]
pub struct HandshakeFacts {
    /// The size of this struct.
    pub size: usize,
    /// `COALESCE_CLIENT_UNKNOWN`, `COALESCE_CLIENT_NOT_ASKED`, `COALESCE_CLIENT_ASKED_NONE_GIVEN`
    /// or `COALESCE_CLIENT_VERIFIED`.
    pub client_certificate: u32,
    /// The negotiated TLS version, from 0x0301 to 0x0304. 0 is unknown and meets no minimum.
    pub tls_version: u32,
    /// Your number of the set of CAs that the client certificate was verified with. 0 is unknown
    /// and meets no demand.
    pub client_ca: u64,
    /// Your number of everything else, which must equal that of the policy.
    pub other: u64,
}

/// An entry of a table.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
#[allow(clippy::exhaustive_structs, reason = "a C caller reads every field")]
pub struct Entry {
    /// The size of this struct. Set it before the call.
    pub size: usize,
    /// The number of the virtual host.
    pub virtual_host: u32,
    /// The number of the group.
    pub group: u32,
}

/// The facts of a connection.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Connection<'a> {
    /// The size of this struct.
    pub size: usize,
    /// `COALESCE_SCHEME_HTTP` or `COALESCE_SCHEME_HTTPS`.
    pub scheme: u32,
    /// `COALESCE_OWN_CERTIFICATE` or `COALESCE_TRUSTED_GATEWAY`.
    pub trust: u32,
    /// The group of the server block that the handshake chose, or `COALESCE_GROUP_NONE`.
    pub group: u32,
    /// 0.
    pub reserved: u32,
    /// The policy of that server block. `NULL` only for `http` and for trusted gateways.
    policy: *const HandshakePolicy,
    /// What the handshake met. If it does not meet `policy`, the connection is in no group. `NULL`
    /// only if `policy` is `NULL`.
    met: *const HandshakeFacts,
    /// The identifiers of the certificate that this connection presented. `NULL` covers no host;
    /// `http` and trusted gateways need none.
    presented: *const Identifiers,
    /// The server name of the ClientHello, absent if it had none. Bytes that are not a name count
    /// as absent.
    pub server_name: Bytes<'a>,
    /// The ports that the listener answers for: the public ones, if a port map is in front.
    ports: *const u16,
    /// The number of `ports`, from 1 to `COALESCE_PORTS_MAX`.
    ports_len: usize,
    borrow: PhantomData<&'a ()>,
}

impl<'a> Connection<'a> {
    /// Makes a connection with a scheme, a group and the ports of its listener, for callers in
    /// Rust.
    pub const fn new(scheme: u32, group: u32, ports: &'a [u16]) -> Self {
        Self {
            size: size_of::<Self>(),
            scheme,
            trust: 0,
            group,
            reserved: 0,
            policy: ptr::null(),
            met: ptr::null(),
            presented: ptr::null(),
            server_name: Bytes::ABSENT,
            ports: ports.as_ptr(),
            ports_len: ports.len(),
            borrow: PhantomData,
        }
    }

    /// Sets the policy of the server block, and what the handshake met.
    #[must_use]
    pub const fn with_handshake(
        mut self,
        policy: &'a HandshakePolicy,
        met: &'a HandshakeFacts,
    ) -> Self {
        self.policy = policy;
        self.met = met;
        self
    }

    /// Sets the identifiers of the certificate.
    #[must_use]
    pub const fn with_presented(mut self, presented: &'a Identifiers) -> Self {
        self.presented = presented;
        self
    }

    pub(crate) const fn policy(&self) -> In<'a, HandshakePolicy> {
        // SAFETY: the field is private. It comes from C, which promises a policy there, or from a
        // reference.
        unsafe { In::from_raw(self.policy) }
    }

    pub(crate) const fn met(&self) -> In<'a, HandshakeFacts> {
        // SAFETY: as for `policy`.
        unsafe { In::from_raw(self.met) }
    }

    pub(crate) fn presented(&self) -> Option<&'a Identifiers> {
        // SAFETY: as for `policy`.
        unsafe { In::from_raw(self.presented) }.get()
    }

    /// Returns the ports, which may be too many or none.
    pub(crate) fn ports(&self) -> Result<&'a [u16], Fault> {
        // SAFETY: both fields are private. They come from C, which promises `ports_len` readable
        // ports from `ports` on, or from one slice.
        unsafe { In::from_raw(self.ports).list(self.ports_len) }
    }
}

/// The target of a request.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
#[allow(clippy::exhaustive_structs, reason = "a C caller fills in every field")]
pub struct Request<'a> {
    /// The size of this struct.
    pub size: usize,
    /// `:authority`, or the authority of an absolute-form target of HTTP/1.1. Absent if the request
    /// has none.
    pub authority: Bytes<'a>,
    /// The `Host` field. Absent if the request has none.
    pub host: Bytes<'a>,
    /// `:scheme`. Absent if the request has none, as in HTTP/1.1.
    pub scheme: Bytes<'a>,
    /// The number of `Host` fields. More than 1 is malformed. With 0 or 1, `host` counts.
    pub host_count: u32,
    /// `COALESCE_METHOD_ORDINARY`, `COALESCE_METHOD_CONNECT` or `COALESCE_METHOD_EXTENDED_CONNECT`.
    pub method: u32,
}

/// The result of a decision.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
#[allow(clippy::exhaustive_structs, reason = "a C caller reads every field")]
pub struct Verdict {
    /// The size of this struct. Set it before the call.
    pub size: usize,
    /// `COALESCE_SERVE`, `COALESCE_MISDIRECTED` or `COALESCE_MALFORMED`. Never 0.
    pub outcome: u32,
    /// The status of the answer: 421, 400, 405 or 500. 0 if the request is served.
    pub status: u32,
    /// The reason, one of the `COALESCE_REASON_` numbers. 0 if the request is served.
    pub reason: u32,
    /// The step that settled it, from 1 to 8. 0 if nothing was decided.
    pub step: u32,
    /// `COALESCE_AS_VIRTUAL_HOST`, `COALESCE_AS_UNLISTED` or `COALESCE_AS_TUNNEL`. 0 if the request
    /// is not served.
    pub served_as: u32,
    /// The virtual host, if the request is served as one. Else 0.
    pub virtual_host: u32,
    /// The group that the connection was decided with: its own, or `COALESCE_GROUP_NONE`.
    pub group: u32,
    /// The reason for which the request would be refused if its group were not observed. Else 0.
    pub observed: u32,
}

sized_structs!(
    GroupPolicy,
    HandshakePolicy,
    HandshakeFacts,
    Entry,
    Connection<'_>,
    Request<'_>,
    Verdict
);
