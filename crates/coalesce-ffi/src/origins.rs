//! The origin set of a connection.

use core::ffi::{c_int, c_void};
use core::fmt::Write as _;
use core::ops::ControlFlow;

use coalesce_core::Listing;
use coalesce_core::limits::NAME_LEN_MAX;

use crate::facts;
use crate::fault::Fault;
use crate::handles::Table;
use crate::pointers::{Bytes, In};
use crate::structs::Connection;

/// Receives one origin. The bytes are valid until the function returns. A result other than 0 ends
/// the list. The function must return: it must neither throw an exception nor jump away.
pub type OriginFn = Option<extern "C" fn(context: *mut c_void, origin: Bytes<'_>) -> c_int>;

/// The longest origin: a scheme, a name and the digits of a port.
const ORIGIN_LEN_MAX: usize = "https://".len() + NAME_LEN_MAX + ":65535".len();

/// Calls `origin` with each origin that the connection may announce.
pub(crate) fn list(
    table: Option<&Table>,
    connection: In<'_, Connection<'_>>,
    origin: OriginFn,
    context: *mut c_void,
) -> Result<(), Fault> {
    let (table, origin) = table.zip(origin).ok_or(Fault::NullArgument)?;
    let mut empty = None;
    let connection = facts::connection(connection.read()?, &mut empty)?;
    let mut ended = false;
    let listing = connection.origins(table.authorities(), |each| {
        let mut buffer = Buffer { bytes: [0; ORIGIN_LEN_MAX], len: 0 };
        // An origin that is too long does not exist, and none is announced half.
        if write!(buffer, "{each}").is_err() {
            return ControlFlow::Continue(());
        }
        ended = origin(context, Bytes::from(buffer.as_bytes())) != 0;
        if ended { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    match listing {
        Listing::Cut if !ended => Err(Fault::TooLarge),
        Listing::Whole | Listing::Cut => Ok(()),
    }
}

/// A buffer for one origin.
struct Buffer {
    bytes: [u8; ORIGIN_LEN_MAX],
    len: usize,
}

impl Buffer {
    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl core::fmt::Write for Buffer {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let end = self.len.checked_add(text.len()).ok_or(core::fmt::Error)?;
        let room = self.bytes.get_mut(self.len..end).ok_or(core::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
