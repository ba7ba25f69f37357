//! The arguments of a decision, as a C caller would make them.

use std::marker::PhantomData;
use std::mem::size_of;
use std::ptr;

use arbitrary::{Arbitrary, Result, Unstructured};
use coalesce_ffi::codes::{
    COALESCE_CLIENT_NOT_ASKED, COALESCE_CLIENT_VERIFIED, COALESCE_CLIENTS_NOT_ASKED,
    COALESCE_CLIENTS_OPTIONAL, COALESCE_SCHEME_HTTP, COALESCE_SCHEME_HTTPS,
    COALESCE_STRUCT_SIZE_MAX, COALESCE_TRUSTED_GATEWAY,
};
use coalesce_ffi::{
    Bytes, Connection, HandshakeFacts, HandshakePolicy, Identifiers, Request as CRequest,
};

use crate::generate::seldom;
use crate::model::{Facts, Method, Observe, Request, Transport};

/// Returns any number.
pub(super) fn number<T: for<'a> Arbitrary<'a>>(u: &mut Unstructured<'_>) -> Result<T> {
    u.arbitrary()
}

/// A struct in an allocation of as many bytes as its `size` says, so that `AddressSanitizer` finds
/// a read behind them.
pub(super) struct Sized<T> {
    words: Vec<u64>,
    size: usize,
    value: PhantomData<T>,
}

impl<T: Copy> Sized<T> {
    /// Most structs have their own size.
    pub(super) fn generate(u: &mut Unstructured<'_>, value: T) -> Result<Self> {
        let (own, mut tail) = (size_of::<T>(), Vec::new());
        let mut size = own;
        if seldom(u, 16)? {
            size = usize::from(number::<u16>(u)?) % (COALESCE_STRUCT_SIZE_MAX + 64);
            if u.arbitrary()? && size > own {
                tail = u.bytes(1)?.to_vec();
            }
        }
        let mut words = vec![0_u64; size.div_ceil(8).max(1)];
        let bytes = ptr::from_ref(&value).cast::<u8>();
        // SAFETY: both are at least as long, and the words are a new allocation.
        unsafe { ptr::copy_nonoverlapping(bytes, words.as_mut_ptr().cast(), own.min(size)) };
        words[0] = size as u64;
        if let [byte] = tail[..] {
            // SAFETY: the last byte of the struct.
            unsafe { words.as_mut_ptr().cast::<u8>().add(size - 1).write(byte) };
        }
        Ok(Self { words, size, value: PhantomData })
    }

    pub(super) fn has_known_size(&self) -> bool {
        (size_of::<T>()..=COALESCE_STRUCT_SIZE_MAX).contains(&self.size)
    }

    /// Whether the library reads it: its size is known, and its unknown fields are 0.
    fn is_valid(&self) -> bool {
        // SAFETY: the words have at least `size` bytes.
        let bytes =
            unsafe { std::slice::from_raw_parts(self.words.as_ptr().cast::<u8>(), self.size) };
        self.has_known_size() && bytes[size_of::<T>()..].iter().all(|byte| *byte == 0)
    }

    pub(super) fn value(&self) -> T {
        assert!(self.has_known_size());
        // SAFETY: there are enough bytes, and they were a value.
        unsafe { self.words.as_ptr().cast::<T>().read() }
    }

    fn as_ptr(&self) -> *const T {
        self.words.as_ptr().cast()
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut T {
        self.words.as_mut_ptr().cast()
    }
}

/// `coalesce_connection`, as the header has it.
#[derive(Clone, Copy)]
#[repr(C)]
struct CConnection<'a> {
    size: usize,
    scheme: u32,
    trust: u32,
    group: u32,
    reserved: u32,
    policy: *const HandshakePolicy,
    met: *const HandshakeFacts,
    presented: *const Identifiers,
    server_name: Bytes<'a>,
    ports: *const u16,
    ports_len: usize,
}

const _: () = assert!(size_of::<CConnection<'_>>() == size_of::<Connection<'_>>());

/// The arguments of one call, with all that they point to.
pub(super) struct Arguments<'a> {
    connection: Sized<CConnection<'a>>,
    request: Sized<CRequest<'a>>,
    /// What the connection points to.
    _handshake: (Sized<HandshakePolicy>, Sized<HandshakeFacts>),
    /// The call must succeed.
    pub(super) valid: bool,
    /// A call without a request must succeed.
    pub(super) valid_connection: bool,
    /// The handshake met its policy.
    pub(super) met: bool,
}

impl<'a> Arguments<'a> {
    pub(super) fn generate(
        u: &mut Unstructured<'_>,
        facts: &'a Facts,
        request: &'a Request,
        presented: Option<&'a Identifiers>,
    ) -> Result<Self> {
        let (policy, handshake, met) = handshake(u, facts)?;
        let (policy, handshake) = (Sized::generate(u, policy)?, Sized::generate(u, handshake)?);
        let mut made = connection(facts, presented);
        (made.policy, made.met) = (policy.as_ptr(), handshake.as_ptr());
        let mut valid = policy.is_valid() && handshake.is_valid() && !facts.ports.is_empty();
        if seldom(u, 24)? {
            let field = match u.int_in_range(0..=2)? {
                0 => &mut made.scheme,
                1 => &mut made.trust,
                _ => &mut made.reserved,
            };
            // Above the highest number of each.
            *field = number::<u32>(u)?.max(3);
            valid = false;
        }
        let made = Sized::generate(u, made)?;
        valid &= made.is_valid();
        let mut target = c_request(request);
        let mut valid_target = true;
        if seldom(u, 24)? {
            target.method = number::<u32>(u)?.max(3);
            valid_target = false;
        }
        let target = Sized::generate(u, target)?;
        Ok(Self {
            valid: valid && valid_target && target.is_valid(),
            valid_connection: valid,
            connection: made,
            request: target,
            _handshake: (policy, handshake),
            met,
        })
    }

    pub(super) fn connection(&self) -> *const Connection<'a> {
        self.connection.as_ptr().cast()
    }

    pub(super) fn request(&self) -> *const CRequest<'a> {
        self.request.as_ptr()
    }
}

/// Generates a policy, and facts that mostly meet it. Whether the handshake asked its client is as
/// in the model.
fn handshake(
    u: &mut Unstructured<'_>,
    facts: &Facts,
) -> Result<(HandshakePolicy, HandshakeFacts, bool)> {
    let asks = facts.extra.observe(facts.group) == Some(Observe::AsksForCertificates);
    let mut policy = HandshakePolicy {
        size: 0,
        client_certificates: COALESCE_CLIENTS_NOT_ASKED,
        tls_version_min: 0x0303,
        client_ca: 7,
        other: 5,
    };
    let mut met = HandshakeFacts {
        size: 0,
        client_certificate: COALESCE_CLIENT_NOT_ASKED,
        tls_version: 0x0304,
        client_ca: 7,
        other: 5,
    };
    if asks {
        policy.client_certificates = COALESCE_CLIENTS_OPTIONAL;
        met.client_certificate = COALESCE_CLIENT_VERIFIED;
    }
    let unmet = seldom(u, 8)?;
    match u.int_in_range(0..=3)? {
        _ if !unmet => {}
        0 => met.other = number::<u64>(u)? | 1 << 40,
        1 => met.tls_version = 0x0302,
        2 => met.tls_version = 0,
        _ if asks => met.client_ca = 0,
        _ => policy.client_certificates = COALESCE_CLIENTS_OPTIONAL,
    }
    Ok((policy, met, !unmet))
}

fn connection<'a>(facts: &'a Facts, presented: Option<&'a Identifiers>) -> CConnection<'a> {
    let (scheme, trust) = match facts.transport {
        Transport::Tls => (COALESCE_SCHEME_HTTPS, 0),
        Transport::Cleartext => (COALESCE_SCHEME_HTTP, 0),
        Transport::GatewayHttp => (COALESCE_SCHEME_HTTP, COALESCE_TRUSTED_GATEWAY),
        Transport::GatewayHttps => (COALESCE_SCHEME_HTTPS, COALESCE_TRUSTED_GATEWAY),
    };
    CConnection {
        size: 0,
        scheme,
        trust,
        group: facts.group,
        reserved: 0,
        policy: ptr::null(),
        met: ptr::null(),
        presented: presented.map_or(ptr::null(), ptr::from_ref),
        server_name: bytes(facts.server_name.as_ref().map(String::as_bytes)),
        ports: facts.ports.as_ptr(),
        ports_len: facts.ports.len(),
    }
}

fn c_request(request: &Request) -> CRequest<'_> {
    CRequest {
        size: 0,
        authority: bytes(request.authority.as_deref()),
        host: bytes(request.hosts.first().map(Vec::as_slice)),
        scheme: bytes(request.scheme.as_deref()),
        host_count: u32::try_from(request.hosts.len()).expect("few fields"),
        method: match request.method {
            Method::Ordinary => 0,
            Method::Connect => 1,
            Method::ExtendedConnect => 2,
        },
    }
}

fn bytes(value: Option<&[u8]>) -> Bytes<'_> {
    value.map_or(Bytes::ABSENT, Bytes::from)
}
