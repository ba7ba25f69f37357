//! Clients that do not read, and clients that have said all they had to say.

use std::io::ErrorKind;
use std::time::Duration;

use super::server::{A, B, C, LARGE, Target, eventually, misdirected, served};
use coalesce_tests::raw::{
    DATA, END_STREAM, INITIAL_WINDOW_SIZE, Raw, frame, get, get_path, post, window_update,
};

/// Who asks until nothing more is taken has been told nothing for so long.
const FULL: Duration = Duration::from_millis(500);

/// Attack: a client asks and never reads, until the server takes nothing more from it: for a host
/// that is not here, whose answers have no stream to wait in. What waits for one connection is
/// bounded by 64 KiB of early answers, 250 streams, and a TLS record or two; so is what ten take.
#[test]
fn a_client_that_never_reads_is_soon_not_listened_to() {
    let target = Target::start();
    let before = target.memory();
    target.under(|| {
        let silent: Vec<Raw> = (0..10)
            .map(|_| {
                let mut raw = target.connect(A);
                raw.socket().set_write_timeout(Some(FULL)).unwrap();
                let mut asked = 0_usize;
                let error = loop {
                    // One that is served among them, so that the refusal limit is not what ends it.
                    let hosts = [C; 100].into_iter().chain([A]);
                    let streams: Vec<u8> = hosts.flat_map(|host| get(raw.stream(), host)).collect();
                    match raw.try_send(&streams) {
                        Ok(()) => asked += 100,
                        Err(error) => break error,
                    }
                    // Far more than the buffers of both sockets hold the answers of.
                    assert!(asked < 1_000_000, "everything is taken");
                };
                // Nothing more is read, or the server has gone away: its answers to streams beyond
                // those that it announced are numbered.
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

/// Attack: windows of any size are granted, 200 large files asked for, and nothing of them read.
/// Each answer holds 64 KiB in `h2`, as much in the piece that waits for room, and as much twice
/// where the file is read, not its file; the allocator may keep half as much again.
#[test]
fn files_wait_on_the_disk_for_a_client_that_never_reads() {
    const FILES: usize = 200;
    let target = Target::start();
    let before = target.memory();
    target.under(|| {
        let mut raw = target.connect(A);
        let files: Vec<u8> = (0..FILES).flat_map(|_| get_path(raw.stream(), B, "/large")).collect();
        raw.send(&files);
        // Two looks at the same: nothing grows any more.
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

/// Attack: no window is granted, so that no answer can be sent; then one octet at a time. Every
/// answer comes, whole, and others are not held up by it.
#[test]
fn answers_wait_for_a_window_and_come_octet_by_octet() {
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

/// A client that ends its own direction, of TLS and TCP or of TCP alone, within a request or behind
/// one, has no more to say: the connection ends, and no half of a request is served.
#[test]
fn a_connection_that_is_half_closed_is_closed() {
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
            // A whole one may be answered, and wholly.
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

/// The same from many clients at once, which then keep the other direction open for ever: the
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
