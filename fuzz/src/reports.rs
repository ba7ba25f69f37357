//! The reports of a client's byte stream, for any bytes of the server in any pieces.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use coalesce_h2::client::{Observed, ServerReport, ServerReports};
use coalesce_h2::limits::UNREAD_ORIGIN_BYTES_MAX;
use tokio::io::{AsyncRead, ReadBuf};

const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const ORIGIN: u8 = 12;

/// A frame with one of these flags is ignored (RFC 8336 §2.1).
const RESERVED_FLAGS: u8 = 0xf;

/// RFC 9113 §4.2.
const PAYLOAD_LEN_MAX: usize = 16_384;

/// The reports of a connection, as far as the order in which they are read does not matter.
#[derive(Debug, Default, PartialEq, Eq)]
struct Summary {
    /// The limit of streams, and whether extended `CONNECT` is allowed.
    settings: Option<(Option<u32>, bool)>,
    /// The last stream and the error code.
    goaway: Option<(u32, u32)>,
    origins: Vec<Vec<u8>>,
}

/// Reads the bytes of a server through the reporting stream: at once, and in pieces whose lengths
/// the first byte decides. Both give the reports that a plain reading of the frames gives, and pass
/// all bytes on.
pub fn reports(data: &[u8]) {
    let Some((first, server)) = data.split_first() else { return };
    let expected = frames_of(server);
    let few = expected.origins.iter().map(|it| it.len().max(64)).sum::<usize>();
    let read_between = first & 0x80 != 0;
    for piece in [usize::MAX, usize::from(first & 0x7f).max(1)] {
        let found = read(server, piece, read_between);
        assert_eq!((&found.settings, &found.goaway), (&expected.settings, &expected.goaway));
        if few <= UNREAD_ORIGIN_BYTES_MAX {
            assert_eq!(found.origins, expected.origins);
        } else {
            assert!(is_subsequence(&found.origins, &expected.origins));
        }
    }
}

fn is_subsequence(some: &[Vec<u8>], all: &[Vec<u8>]) -> bool {
    let mut all = all.iter();
    some.iter().all(|one| all.any(|other| one == other))
}

/// Reads the frames again, written for clarity alone.
fn frames_of(mut bytes: &[u8]) -> Summary {
    let mut summary = Summary::default();
    let mut first = true;
    while let Some((header, rest)) = bytes.split_first_chunk::<9>() {
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = *header;
        let len = u32::from_be_bytes([0, l0, l1, l2]) as usize;
        let stream = u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]);
        let settings = kind == SETTINGS && flags & 1 == 0;
        if std::mem::take(&mut first) && !settings {
            break;
        }
        let Some((payload, rest)) = rest.split_at_checked(len) else { break };
        bytes = rest;
        if stream != 0 || len > PAYLOAD_LEN_MAX {
            continue;
        }
        match kind {
            SETTINGS if settings => {
                let (streams, extended) = summary.settings.get_or_insert_default();
                for setting in payload.chunks_exact(6) {
                    let value = u32::from_be_bytes(setting[2..].try_into().expect("four bytes"));
                    match setting[..2] {
                        [0, 3] => *streams = Some(value),
                        [0, 8] => *extended = value == 1,
                        _ => {}
                    }
                }
            }
            GOAWAY if len >= 8 => {
                let word = |at: usize| payload[at..at + 4].try_into().expect("four bytes");
                let last = u32::from_be_bytes(word(0)) & 0x7fff_ffff;
                summary.goaway = Some((last, u32::from_be_bytes(word(4))));
            }
            ORIGIN if flags & RESERVED_FLAGS == 0 => summary.origins.push(payload.to_vec()),
            _ => {}
        }
    }
    summary
}

/// Reads all bytes in pieces of this length, and the reports at the end or after each piece.
fn read(server: &[u8], piece: usize, read_between: bool) -> Summary {
    let (mut stream, mut reports) = Observed::new(server);
    let mut summary = Summary::default();
    let mut context = Context::from_waker(Waker::noop());
    let (mut passed, mut buffer) = (Vec::new(), vec![0; piece.min(server.len() + 1)]);
    loop {
        let mut buf = ReadBuf::new(&mut buffer);
        let result = Pin::new(&mut stream).poll_read(&mut context, &mut buf);
        assert!(matches!(result, Poll::Ready(Ok(()))));
        if buf.filled().is_empty() {
            break;
        }
        passed.extend_from_slice(buf.filled());
        if read_between {
            take(&mut reports, &mut summary);
        }
    }
    assert_eq!(passed, server);
    take(&mut reports, &mut summary);
    drop(stream);
    assert_eq!(reports.poll_next(&mut context), Poll::Ready(None));
    summary
}

/// Takes all reports that wait, which are bounded.
fn take(reports: &mut ServerReports, summary: &mut Summary) {
    let mut bytes = 0;
    while let Some(report) = reports.try_next() {
        match report {
            ServerReport::Settings(settings) => {
                let streams = settings.max_concurrent_streams();
                summary.settings = Some((streams, settings.extended_connect()));
            }
            ServerReport::GoAway(goaway) => {
                summary.goaway = Some((goaway.last_stream(), goaway.error_code()));
            }
            ServerReport::Origins(origins) => {
                bytes += origins.payload().len();
                assert!(origins.iter().map(|it| it.len() + 2).sum::<usize>() <= bytes);
                summary.origins.push(origins.payload().to_vec());
            }
            _ => {}
        }
    }
    assert!(bytes <= UNREAD_ORIGIN_BYTES_MAX);
}
