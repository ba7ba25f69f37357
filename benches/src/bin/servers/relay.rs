//! A relay between h2load and a server. It counts TLS records.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::Result;

/// The type in the header of every protected record (RFC 8446 §5.1).
const APPLICATION_DATA: u8 = 23;
/// The bytes that protection adds: the record's true type and the tag (RFC 8446 §5.2, with
/// AES-GCM).
const OVERHEAD_BYTES: u64 = 1 + 16;

/// The records of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Records {
    /// The number of protected records.
    pub(crate) count: u64,
    /// The bytes that they protect.
    pub(crate) bytes: u64,
}

/// Finds the records in a stream of bytes that arrives in pieces.
#[derive(Debug, Default)]
struct Counter {
    records: Records,
    /// The record header: one byte of type, two of version, two of length (RFC 8446 §5.1).
    header: Vec<u8>,
    /// The rest of the current record.
    left: usize,
}

impl Counter {
    fn see(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let now = self.left.min(bytes.len());
                self.left -= now;
                bytes = &bytes[now..];
                continue;
            }
            self.header.push(bytes[0]);
            bytes = &bytes[1..];
            if let [kind, _, _, high, low] = &self.header[..] {
                let len = u16::from_be_bytes([*high, *low]);
                if *kind == APPLICATION_DATA {
                    self.records.count += 1;
                    self.records.bytes += u64::from(len).saturating_sub(OVERHEAD_BYTES);
                }
                self.left = usize::from(len);
                self.header.clear();
            }
        }
    }
}

/// The records in both directions, of all connections that have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) from_server: Records,
    pub(crate) from_client: Records,
}

/// Accepts `connections` and forwards their bytes. Runs `load` against its address, and then
/// returns the counts.
pub(crate) fn count(
    server: SocketAddr,
    connections: usize,
    load: impl FnOnce(SocketAddr) -> Result<()>,
) -> Result<Counted> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let counted = Arc::new(Mutex::new(Counted::default()));
    let total = counted.clone();
    // The thread ends with the last connection. If the load fails first, it ends with the program.
    let relay = thread::spawn(move || -> Result<()> {
        let mut ends = Vec::new();
        for _ in 0..connections {
            let (client, _) = listener.accept()?;
            let server = TcpStream::connect(server)?;
            client.set_nodelay(true)?;
            server.set_nodelay(true)?;
            let (to_server, to_client) = (server.try_clone()?, client.try_clone()?);
            let (up, down) = (total.clone(), total.clone());
            ends.push(thread::spawn(move || {
                let seen = pass(client, to_server);
                let mut total = up.lock().unwrap_or_else(PoisonError::into_inner);
                total.from_client.add(seen);
            }));
            ends.push(thread::spawn(move || {
                let seen = pass(server, to_client);
                let mut total = down.lock().unwrap_or_else(PoisonError::into_inner);
                total.from_server.add(seen);
            }));
        }
        for end in ends {
            end.join().map_err(|_| anyhow::anyhow!("a relay thread panicked"))?;
        }
        Ok(())
    });
    load(address)?;
    relay.join().map_err(|_| anyhow::anyhow!("the relay panicked"))??;
    let counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(*counted)
}

impl Records {
    const fn add(&mut self, other: Self) {
        self.count += other.count;
        self.bytes += other.bytes;
    }
}

/// Forwards bytes until the stream ends.
fn pass(mut from: TcpStream, mut to: TcpStream) -> Records {
    let mut counter = Counter::default();
    let mut buffer = vec![0; 1 << 16];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        let bytes = &buffer[..len];
        counter.see(bytes);
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    // The other end may have closed first.
    let _ = to.shutdown(Shutdown::Write);
    counter.records
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, len: u16) -> Vec<u8> {
        let [high, low] = len.to_be_bytes();
        [vec![kind, 3, 3, high, low], vec![0xaa; usize::from(len)]].concat()
    }

    /// Returns a handshake record, then protected records of 100, 0 and 1000 bytes.
    fn stream() -> Vec<u8> {
        [record(22, 300), record(23, 117), record(20, 1), record(23, 17), record(23, 1017)].concat()
    }

    #[test]
    fn protected_records_are_counted_for_any_pieces() {
        let right = Records { count: 3, bytes: 1100 };
        for size in [1, 2, 3, 5, 7, 64, 5000] {
            let mut counter = Counter::default();
            for piece in stream().chunks(size) {
                counter.see(piece);
            }
            assert_eq!(counter.records, right, "pieces of {size}");
        }
    }

    #[test]
    fn relay_forwards_unchanged_and_counts_both_directions() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = server.local_addr().unwrap();
        let echo = thread::spawn(move || {
            let (mut socket, _) = server.accept().unwrap();
            let mut read = vec![0; stream().len()];
            socket.read_exact(&mut read).unwrap();
            socket.write_all(&read).unwrap();
            socket.write_all(&record(23, 50)).unwrap();
        });
        let counted = count(address, 1, |relay| {
            let mut socket = TcpStream::connect(relay)?;
            socket.write_all(&stream())?;
            let mut read = Vec::new();
            socket.read_to_end(&mut read)?;
            assert_eq!(read, [stream(), record(23, 50)].concat());
            Ok(())
        });
        echo.join().unwrap();
        let counted = counted.unwrap();
        assert_eq!(counted.from_client, Records { count: 3, bytes: 1100 });
        assert_eq!(counted.from_server, Records { count: 4, bytes: 1133 });
    }
}
