//! Handshakes that the client does not complete.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use super::server::{A, C, M, Target, served};
use coalesce_tests::raw::Raw;
use coalesce_tests::tls::{self, client_hello};

/// The memory that the allocator may keep: see [`super::floods`].
const GROWTH: u64 = 2 << 20;

/// Sends these bytes. The server may close the connection before the last one.
fn say(socket: &mut TcpStream, octets: &[u8]) {
    let _ = socket.write_all(octets);
    let _ = socket.shutdown(Shutdown::Write);
}

/// Reads the server's bytes to the end of the connection.
fn all(mut socket: TcpStream) -> Vec<u8> {
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut answer = Vec::new();
    match socket.read_to_end(&mut answer) {
        Ok(_) => {}
        // The server resets a connection that has unread bytes.
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
    }
    answer
}

/// Attack: the client stops after each byte of the ClientHello, in each version. After the last
/// byte, the server has sent its flight and waits for a Finished that never comes.
#[test]
fn client_hello_cut_at_any_byte_ends_the_connection() {
    let target = Target::start();
    target.under_within(GROWTH, || {
        for versions in tls::EACH {
            let hello = client_hello(tls::config(&target.world, versions, None), A);
            for len in 0..=hello.len() {
                let mut socket = target.server.connect();
                say(&mut socket, &hello[..len]);
                // No bytes, an alert, or the flight that answers a whole ClientHello.
                let answer = all(socket);
                assert!(answer.is_empty() || len == hello.len(), "{len}: {answer:?}");
            }
        }
    });
}

/// Attack: a client resets hundreds of connections after the server's flight. The server keeps
/// nothing for them.
#[test]
fn dropped_handshakes_leak_nothing() {
    let target = Target::start();
    let attack = |times| {
        for _ in 0..times {
            for versions in tls::EACH {
                let hello = client_hello(tls::config(&target.world, versions, None), A);
                let mut socket = target.server.connect();
                socket.write_all(&hello).unwrap();
                socket.read_exact(&mut [0; 5]).unwrap();
                // The kernel sends a reset because the client left bytes unread.
                drop(socket);
            }
        }
    };
    target.under(|| attack(30));
    target.under_within(GROWTH, || attack(300));
}

/// Attack: bytes that are not TLS. The server closes the connection, with or without an alert.
#[test]
fn garbage_instead_of_tls_ends_the_connection() {
    let target = Target::start();
    let hello = client_hello(tls::config(&target.world, tls::BOTH, None), A);
    let mut flipped = hello.clone();
    // A ServerHello instead of a ClientHello.
    flipped[5] = 2;
    let cases: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\nhost: a.example.test\r\n\r\n",
        coalesce_tests::raw::PREFACE,
        &[0; 16_000],
        &[0xff; 16_000],
        &[0x16, 3, 1, 0, 4, 1, 0, 0, 0],
        &flipped,
    ];
    target.under_within(GROWTH, || {
        for bytes in cases.into_iter().cycle().take(300) {
            let mut socket = target.server.connect();
            say(&mut socket, bytes);
            let answer = all(socket);
            let alert = matches!(answer[..], [0x15, 3, _, 0, 2, 2, _]);
            let what = bytes.get(..9).unwrap_or(bytes);
            assert!(alert || answer.is_empty(), "{what:?}: {answer:?}");
        }
    });
}

/// CVE-2026-32305. Attack: the ClientHello comes in records of one byte. A server that looks for
/// the server name in the first record only finds none, and takes weaker rules. Here the server
/// name, group and certificate are those of a ClientHello in one record: `m` requires a client
/// certificate.
#[test]
fn client_hello_in_records_of_one_byte_gets_the_rules_of_its_host() {
    let target = Target::start();
    let refused = |versions, name: &str, identity| {
        let config = Arc::new(tls::config(&target.world, versions, identity));
        let mut connection = tls::connection(config, name);
        let mut hello = Vec::new();
        connection.write_tls(&mut hello).unwrap();
        let pieces =
            hello[5..].iter().flat_map(|octet| [hello[0], hello[1], hello[2], 0, 1, *octet]);
        let mut socket = target.server.connect();
        socket.write_all(&pieces.collect::<Vec<u8>>()).unwrap();
        while connection.is_handshaking() {
            if connection.complete_io(&mut socket).is_err() {
                return true;
            }
        }
        let mut raw = Raw::over(rustls::StreamOwned::new(connection, socket));
        raw.begin(&[]);
        raw.ask(name).status != Some(200)
    };
    target.under(|| {
        for versions in tls::EACH {
            assert!(refused(versions, M, None));
            assert!(!refused(versions, M, Some("client")));
            assert!(!refused(versions, A, None));
            assert!(!refused(versions, C, None));
        }
        assert_eq!(target.connect(A).ask(A), served());
    });
}
