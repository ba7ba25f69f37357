//! The errors on which the engine loses sync, and those on which it does not.

use super::super::block_reader::BLOCK_LEN_MAX;
use super::super::frame::{
    CONTINUATION, END_HEADERS, HEADER_LEN, HEADERS, PADDED, PRIORITY, PUSH_PROMISE,
};
use super::super::integer::push_integer;
use super::super::stream_notes::SyncState;
use super::super::{Engine, Shared};
use super::client::{Client, Layout, block_frames, frame};
use super::encoder::{Headers, INCREMENTAL, PLAIN, USUAL, headers};
use super::harness;
use super::support::{Outcome, Pass, read_all};

fn inspect(bytes: &[u8]) -> (Outcome, Shared<Engine<Pass>>) {
    harness::inspect(&[bytes]);
    read_all(bytes)
}

fn host_only(host: &[u8]) -> Headers {
    headers([(":method", b"GET"), (":scheme", b"https"), ("host", host)])
}

/// Makes a client with a note for stream 1, and its bytes so far.
fn client() -> Client {
    let mut client = Client::default();
    client.headers(1, &host_only(b"a.test"), USUAL);
    client
}

/// Asserts that later streams are neither changed nor noted.
fn assert_lost_sync(client: &mut Client, sync_state: SyncState) {
    client.headers(9, &host_only(b"b.test"), USUAL);
    let (outcome, engine) = inspect(&client.bytes);
    assert!(outcome.lost_sync);
    assert_eq!(outcome.bytes, client.bytes);
    assert_eq!(outcome.targets.len(), 1);
    assert_eq!(engine.lock().sync_state(1), SyncState::InSync);
    assert_eq!(engine.lock().sync_state(3), sync_state);
    assert_eq!(engine.lock().sync_state(9), sync_state);
}

#[test]
fn invalid_frames_lose_sync() {
    let end = END_HEADERS;
    let strays: &[&[Vec<u8>]] = &[
        &[frame(CONTINUATION, end, 3, &[0x82])],
        &[frame(PUSH_PROMISE, end, 3, &[0, 0, 0, 2])],
        &[frame(HEADERS, 0, 3, &[0x82]), frame(0, 0, 3, b"data")],
        &[frame(HEADERS, 0, 3, &[0x82]), frame(CONTINUATION, end, 5, &[])],
        &[frame(HEADERS, 0, 3, &[0x82]), frame(HEADERS, end, 3, &[])],
        &[frame(HEADERS, end | PADDED, 3, &[])],
        &[frame(HEADERS, end | PADDED, 3, &[2, 0])],
        &[frame(HEADERS, end | PRIORITY, 3, &[0, 0, 0, 0])],
        &[frame(HEADERS, end | PRIORITY | PADDED, 3, &[1, 0, 0, 0, 0, 0])],
        // An HPACK error.
        &[frame(HEADERS, end, 3, &[0x80])],
    ];
    for stray in strays {
        let mut client = client();
        for frame in *stray {
            client.frame(frame);
        }
        assert_lost_sync(&mut client, SyncState::LostSync);
    }
}

/// `h2` does not decode the block of a stream that depends on itself, and continues.
#[test]
fn stream_that_depends_on_itself_is_misleading() {
    let mut client = client();
    let payload = [0x80, 0, 0, 3, 0, 0x82];
    client.frame(&frame(HEADERS, END_HEADERS | PRIORITY, 3, &payload));
    assert_lost_sync(&mut client, SyncState::Misleading);
}

#[test]
fn reserved_bit_of_a_stream_identifier_is_ignored() {
    let mut client = client();
    client.frame(&frame(HEADERS, 0, 0x8000_0003, &[0x82]));
    client.frame(&frame(CONTINUATION, END_HEADERS, 3, &[0x87, 0x66, 0x01, b'x']));
    let (outcome, _) = inspect(&client.bytes);
    assert!(!outcome.lost_sync);
    assert_eq!(outcome.targets[1].stream_id, 3);
}

#[test]
fn block_of_the_longest_length_is_read_and_a_longer_one_is_not() {
    for (beyond, lost_sync) in [(0, false), (1, true)] {
        let mut client = client();
        let mut block = client.encoder.block(&host_only(b"b.test"), USUAL);
        // A literal without indexing fills the block; its length takes four octets.
        block.extend([0x00, 0x01, b'x']);
        let value_len = BLOCK_LEN_MAX + beyond - 3 * HEADER_LEN - block.len() - 4;
        push_integer(value_len, 0x7f, 0x00, &mut block);
        block.resize(block.len() + value_len, b'v');
        let layout = Layout { cuts: vec![30_000, 30_000], ..Layout::default() };
        let frames = block_frames(3, &block, &layout);
        assert_eq!(frames.len(), BLOCK_LEN_MAX + beyond);
        client.frame(&frames);
        let (outcome, engine) = inspect(&client.bytes);
        assert_eq!(outcome.lost_sync, lost_sync);
        assert_eq!(outcome.bytes, client.bytes);
        assert_eq!(outcome.targets.len(), if lost_sync { 1 } else { 2 });
        assert_eq!(
            engine.lock().sync_state(3),
            if lost_sync { SyncState::LostSync } else { SyncState::InSync }
        );
    }
}

#[test]
fn frame_announced_too_long_is_not_buffered() {
    // The frame header announces more than the engine buffers, so the frame passes at once.
    let mut client = client();
    let mut announcement = frame(HEADERS, END_HEADERS, 3, &[]);
    announcement[0] = 1;
    client.frame(&announcement);
    let (outcome, _) = inspect(&client.bytes);
    assert!(outcome.lost_sync);
    assert_eq!(outcome.bytes, client.bytes);
}

#[test]
fn lost_sync_with_placeholders_in_the_table_is_misleading() {
    let mut client = client();
    client.headers(3, &headers([(":authority", b"a b")]), USUAL);
    let before = client.bytes.len();
    client.frame(&frame(CONTINUATION, 0, 3, &[]));
    client.headers(5, &headers([(":authority", b"a b")]), USUAL);
    let (outcome, engine) = inspect(&client.bytes);
    assert!(outcome.lost_sync);
    assert!(outcome.bytes.ends_with(&client.bytes[before..]));
    assert_eq!(engine.lock().sync_state(3), SyncState::InSync);
    assert_eq!(engine.lock().sync_state(5), SyncState::Misleading);

    // A placeholder outside of the table is not misleading, nor is a value without a placeholder.
    for (authority, style) in [(&b"a b"[..], PLAIN), (b"", USUAL), (b"", INCREMENTAL)] {
        let mut client = self::client();
        client.headers(3, &headers([(":authority", authority)]), style);
        client.frame(&frame(CONTINUATION, 0, 3, &[]));
        let (_, engine) = inspect(&client.bytes);
        assert_eq!(engine.lock().sync_state(5), SyncState::LostSync);
    }
}

#[test]
fn end_of_the_connection_releases_buffered_bytes() {
    let mut client = client();
    let before = client.bytes.len();
    client.headers(3, &host_only(b"b\0"), USUAL);
    for end in before..client.bytes.len() {
        let bytes = &client.bytes[..end];
        let (outcome, _) = inspect(bytes);
        assert_eq!(outcome.bytes, bytes);
        assert_eq!(outcome.targets.len(), 1);
    }
}
