//! The announced origins: when they are sent, and that they are true.

use coalesce_h2::Builder;
use tokio::io::duplex;

use super::raw::{ACK, GOAWAY, HEADERS, ORIGIN, PING, Raw, SETTINGS, STATUS_200, frame};
use super::server::{News, Trickle, origins, spawn, table};

/// Enough room in the pipe that neither end waits.
const ROOM: usize = 1 << 20;

const NAMES: [&str; 5] = ["a.test", "b.test", "*.wild.test", "other.test", "far.test.example"];

fn announcing(names: &[&str]) -> Builder {
    Builder::new().origin_set(origins(&table(names.iter().copied())))
}

#[tokio::test]
async fn set_follows_settings_before_all_other_frames() {
    for extended_connect in [false, true] {
        let mut builder = announcing(&NAMES);
        if extended_connect {
            builder = builder.announce_extended_connect();
        }
        let (near, far) = duplex(ROOM);
        spawn(builder, near, table(NAMES));
        let mut raw = Raw::new(far).await;
        let stream = raw.ask("a.test", "/").await;
        assert_eq!(raw.answer(stream).await, STATUS_200);
        raw.settle().await;
        let kinds: Vec<_> = raw.frames.iter().map(|frame| frame.kind).collect();
        assert_eq!(kinds[..2], [SETTINGS, ORIGIN]);
        assert!(!kinds[2..].contains(&ORIGIN), "the set is announced once");
        let expected = ["https://a.test", "https://b.test", "https://x.wild.test"];
        assert_eq!(raw.announced(), expected);
    }
}

/// Requests each announced name, which must be served. Each other name with an entry of its own
/// gets 421, and a host that only a wildcard covers may be served.
#[tokio::test]
async fn announced_origins_are_served() {
    let (near, far) = duplex(ROOM);
    spawn(announcing(&NAMES), near, table(NAMES));
    let mut raw = Raw::new(far).await;
    raw.settle().await;
    let announced = raw.announced();
    let asked = ["a.test", "b.test", "x.wild.test", "other.test", "far.test.example", "gone.test"];
    for name in asked {
        let stream = raw.ask(name, "/").await;
        let served = raw.answer(stream).await == STATUS_200;
        assert_eq!(served, announced.contains(&format!("https://{name}")), "{name}");
    }
    assert!(!announced.contains(&"https://y.wild.test".to_owned()));
    let stream = raw.ask("y.wild.test", "/").await;
    assert_eq!(raw.answer(stream).await, STATUS_200);
}

#[tokio::test]
async fn set_of_3000_names_is_split() {
    let names: Vec<String> = (0..3_000).map(|number| format!("n{number:04}.test")).collect();
    let table = table(names.iter().map(String::as_str));
    let builder = Builder::new().origin_set(origins(&table));
    for trickle in [false, true] {
        // Less room than the announcement needs.
        let (near, far) = duplex(5_000);
        if trickle {
            spawn(builder.clone(), Trickle { io: near, ready: true }, table.clone());
        } else {
            spawn(builder.clone(), near, table.clone());
        }
        let mut raw = Raw::new(far).await;
        raw.settle().await;
        let expected: Vec<_> = names.iter().map(|name| format!("https://{name}")).collect();
        assert_eq!(raw.announced(), expected);
        let lens = raw.frames.iter().filter(|frame| frame.kind == ORIGIN);
        let lens: Vec<_> = lens.map(|frame| frame.payload.len()).collect();
        // 20 bytes for each name.
        assert_eq!(lens, [16_380, 16_380, 16_380, 10_860]);
        let stream = raw.ask("n2999.test", "/").await;
        assert_eq!(raw.answer(stream).await, STATUS_200);
    }
}

#[tokio::test]
async fn idle_connection_is_told_new_origins() {
    let (near, far) = duplex(ROOM);
    let tell = spawn(announcing(&NAMES), near, table(NAMES));
    let mut raw = Raw::new(far).await;
    raw.settle().await;
    let before = raw.announced();
    // `b` is removed. `c` and two names of another group are added.
    tell.send(News::Table(table(["a.test", "c.test", "other.test", "other2.test"]))).unwrap();
    // The frame arrives without a request.
    let frame = raw.next().await;
    assert_eq!(frame.origins(), ["https://c.test"]);
    let stream = raw.ask("c.test", "/").await;
    assert_eq!(raw.answer(stream).await, STATUS_200);
    // `b` is back, and announced again for clients that got a 421 for it.
    tell.send(News::Table(table(NAMES))).unwrap();
    assert_eq!(raw.next_announced().await, ["https://b.test", "https://x.wild.test"]);
    assert_eq!(before, ["https://a.test", "https://b.test", "https://x.wild.test"]);
    // The same table adds no origin.
    tell.send(News::Table(table(NAMES))).unwrap();
    let said = raw.announced().len();
    raw.settle().await;
    assert_eq!(raw.announced().len(), said);
}

/// Header blocks of several frames, while origins are always waiting.
#[tokio::test]
async fn no_frame_comes_within_a_header_block() {
    for (trickle, rounds) in [(false, 5), (true, 2)] {
        // Less room than one header block needs, so most writes are partial.
        let (near, far) = duplex(3_000);
        let tell = if trickle {
            spawn(announcing(&NAMES), Trickle { io: near, ready: true }, table(NAMES))
        } else {
            spawn(announcing(&NAMES), near, table(NAMES))
        };
        let mut raw = Raw::new(far).await;
        let mut blocks = 0;
        for round in 0..rounds {
            let streams = [raw.ask("a.test", "/fields").await, raw.ask("b.test", "/fields").await];
            let names: Vec<String> = (0..200).map(|n| format!("n{round}-{n}.test")).collect();
            let all = NAMES.into_iter().chain(names.iter().map(String::as_str));
            tell.send(News::Table(table(all))).unwrap();
            // `next` checks the order of the frames.
            for stream in streams {
                if !raw.frames.iter().any(|it| it.kind == HEADERS && it.stream == stream) {
                    raw.answer(stream).await;
                }
            }
            let expected = 3 + (round + 1) * names.len();
            while raw.announced().len() < expected {
                raw.next().await;
            }
            blocks += raw.frames.iter().filter(|frame| frame.kind == 0x9).count();
        }
        assert!(blocks > 10, "some header blocks have several frames");
        raw.settle().await;
        assert_eq!(raw.announced().len(), 3 + rounds * 200);
    }
}

#[tokio::test]
async fn nothing_is_announced_by_default() {
    let (near, far) = duplex(ROOM);
    let tell = spawn(Builder::new(), near, table(NAMES));
    let mut raw = Raw::new(far).await;
    raw.settle().await;
    assert!(raw.announced().is_empty());
    // The first announcement may arrive later.
    tell.send(News::Table(table(NAMES))).unwrap();
    assert_eq!(raw.next_announced().await.len(), 3);
}

#[tokio::test]
async fn nothing_is_announced_after_goaway() {
    let (near, far) = duplex(ROOM);
    let tell = spawn(announcing(&NAMES), near, table(NAMES));
    let mut raw = Raw::new(far).await;
    raw.settle().await;
    tell.send(News::Shutdown).unwrap();
    tell.send(News::Table(table(["a.test", "new.test"]))).unwrap();
    while raw.next().await.kind != GOAWAY {}
    // The PING with which `h2` checks that the client has read the GOAWAY.
    let asked = raw.next().await;
    assert_eq!((asked.kind, asked.flags), (PING, 0));
    raw.send(&frame(PING, ACK, 0, &asked.payload)).await;
    let rest = raw.end().await;
    assert!(!rest.windows(8).any(|octets| octets == b"new.test"));
    assert!(!raw.announced().contains(&"https://new.test".to_owned()));
}
