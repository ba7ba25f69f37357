//! Clients that do not read, and clients that close their sending direction.

use std::io::ErrorKind;
use std::time::Duration;

use super::server::{A, B, C, LARGE, Target, eventually, misdirected, served};
use coalesce_tests::raw::{
    DATA, END_STREAM, INITIAL_WINDOW_SIZE, Raw, frame, get, get_path, post, window_update,
};

/// The socket counts as full after a write has waited this long.
const FULL: Duration = Duration::from_millis(500);

/// Attack: a client sends misdirected requests and never reads, until the server reads no more.
/// Their answers wait outside of streams. The waiting bytes of one connection are bounded by 64 KiB
/// of early answers, 250 streams, and one or two TLS records. Ten clients take ten times as much.
#[test]
fn client_that_never_reads_is_soon_not_read() {
    let target = Target::start();
    let before = target.memory();
    target.under(|| {
        let silent: Vec<Raw> = (0..10)
            .map(|_| {
                let mut raw = target.connect(A);
                raw.socket().set_write_timeout(Some(FULL)).unwrap();
                let mut asked = 0_usize;
                let error = loop {
                    // One served request among the others, so the refusal limit does not end the
                    // connection.
                    let hosts = [C; 100].into_iter().chain([A]);
                    let streams: Vec<u8> = hosts.flat_map(|host| get(raw.stream(), host)).collect();
                    match raw.try_send(&streams) {
                        Ok(()) => asked += 100,
                        Err(error) => break error,
                    }
                    // The answers to a million requests are far more than both sockets' buffers
                    // hold.
                    assert!(asked < 1_000_000, "the server reads without a limit");
                };
                // The server stopped reading, or closed the connection: it limits the answers to
                // streams beyond the announced number.
                let kinds =
                    [ErrorKind::WouldBlock, ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
                assert!(kinds.contains(&error.kind()), "{error}");
                raw
            })
            .collect();
        let held = target.memory().saturating_sub(before);
        assert!(held < 10 << 20, "{held} bytes for ten clients");
        drop(silent);
    });
}

/// Attack: a client grants the largest windows, requests 200 large files, and does not read. Each
/// answer holds 64 KiB in `h2`, 64 KiB in the piece that waits for room, and 128 KiB where the file
/// is read. The allocator may keep half as much again.
#[test]
fn files_are_not_read_ahead_for_a_client_that_never_reads() {
    const FILES: usize = 200;
    let target = Target::start();
    let before = target.memory();
    target.under(|| {
        let mut raw = target.connect(A);
        let files: Vec<u8> = (0..FILES).flat_map(|_| get_path(raw.stream(), B, "/large")).collect();
        raw.send(&files);
        // The memory has stopped growing if two measurements in a row are equal.
        let mut last = 0;
        eventually("the answers wait", || {
            std::thread::sleep(FULL);
            std::mem::replace(&mut last, target.memory()) == last
        });
        let held = target.memory().saturating_sub(before);
        assert!(held < (FILES as u64) * (384 << 10), "{held} bytes for {FILES} of {LARGE}");
        drop(raw);
    });
}

/// Attack: a client grants no window, so no answer can be sent, and then grants one byte at a time.
/// Every answer arrives whole, and other connections are not delayed.
#[test]
fn answers_wait_for_a_window_and_arrive_byte_by_byte() {
    let target = Target::start();
    target.under_within(2 << 20, || {
        let mut raw = target.silent(A);
        raw.begin(&[(INITIAL_WINDOW_SIZE, 0)]);
        let streams: Vec<(u32, &str)> =
            (0..200).map(|nth| (raw.stream(), if nth % 2 == 0 { A } else { C })).collect();
        let asked: Vec<u8> = streams.iter().flat_map(|(stream, host)| get(*stream, host)).collect();
        raw.send(&asked);
        raw.settle();
        assert!(raw.answers.values().all(|answer| answer.content.is_empty() && !answer.ended));
        for _ in 0..misdirected().content.len() {
            let octets = streams.iter().flat_map(|(stream, _)| window_update(*stream, 1));
            raw.send(&octets.collect::<Vec<u8>>());
            raw.settle();
        }
        for (stream, host) in streams {
            assert_eq!(raw.answer(stream), if host == A { served() } else { misdirected() });
        }
    });
}

/// Attack: a client closes its sending direction, of TLS and TCP or of TCP alone, during a request
/// or after one. The connection ends, and the server processes no partial request.
#[test]
fn half_closed_connection_is_closed() {
    let target = Target::start();
    target.under(|| {
        for close_notify in [true, false] {
            for half in
                [&b""[..], &get(1, A)[..12], &[post(1, A), frame(DATA, 0, 1, b"x")].concat()]
            {
                let mut raw = target.connect(A);
                raw.send(half);
                raw.shut(close_notify);
                raw.end();
                let served = raw.answers.values().find(|answer| answer.status.is_some());
                assert_eq!(served, None, "half a request");
            }
            // A whole request may be answered, and then in full.
            let mut raw = target.connect(A);
            raw.send(&get(1, A));
            raw.send(&[post(3, A), frame(DATA, END_STREAM, 3, b"x")].concat());
            raw.shut(close_notify);
            raw.end();
            for answer in raw.answers.values().filter(|answer| answer.ended) {
                assert_eq!(*answer, served());
            }
        }
    });
}

/// Attack: many clients close their sending direction and keep the other one open forever. The
/// server does not wait for them.
#[test]
fn half_closed_connections_do_not_pile_up() {
    let target = Target::start();
    let mut kept = Vec::new();
    target.under(|| {
        for _ in 0..100 {
            let mut raw = target.connect(A);
            raw.send(&get(1, A));
            raw.shut(false);
            kept.push(raw);
        }
    });
    assert_eq!(kept.len(), 100);
}
