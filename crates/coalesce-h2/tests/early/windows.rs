//! Flow control: the server sends no more than was granted, and loses no window.

use coalesce_h2::Builder;

use super::client::{
    DATA, END_HEADERS, HEADER_TABLE_SIZE, HEADERS, INITIAL_WINDOW_SIZE, PING, PRIORITY_FLAG, Raw,
    WINDOW, frame, get, get_path, request,
};
use super::server::{BODY_421, PLENTY, connect};

/// `PROTOCOL_ERROR`, `FLOW_CONTROL_ERROR` and `REFUSED_STREAM` (RFC 9113 §7).
const PROTOCOL_ERROR: u32 = 0x1;
const FLOW_CONTROL_ERROR: u32 = 0x3;
const REFUSED_STREAM: u32 = 0x7;

/// Requests a body of this many bytes, which the stream's window covers.
async fn ask_for(raw: &mut Raw, stream: u32, len: usize) {
    let get = request(stream, &get_path("api.test", &format!("/{len}")));
    let grant = raw.grant(stream, 1 << 30);
    raw.send(&[get, grant].concat()).await;
}

/// Attack: a client grants window only when all of it is used, so it waits for the last byte.
#[tokio::test]
async fn last_byte_of_a_window_is_used() {
    const LEN: usize = 5 << 20;
    for refused_before in [0, 1, 100] {
        let (_server, mut raw) = connect(Builder::new(), PLENTY).await;
        let mut stream = 1;
        for _ in 0..refused_before {
            raw.send(&request(stream, &get("cdn.test"))).await;
            assert!(raw.answer(stream).await.is_early());
            stream += 2;
        }
        ask_for(&mut raw, stream, LEN).await;
        while raw.next().await.is_some() && !raw.answers[&stream].ended {
            if raw.window == 0 {
                let grant = raw.grant(0, WINDOW);
                raw.send(&grant).await;
            }
        }
        assert_eq!(raw.answers[&stream].content.len(), LEN);
        // After the reserve was returned, the first refusal is late and the next is early again.
        for early in [false, true] {
            stream += 2;
            let grant = raw.grant(0, PLENTY);
            raw.send(&[grant, request(stream, &get("cdn.test"))].concat()).await;
            assert_eq!(raw.answer(stream).await.is_early(), early);
        }
    }
}

/// Attack: the client ends early answers for good while the engine holds window. The engine then
/// returns the window to `h2`.
#[tokio::test]
async fn window_is_returned_when_early_answers_end() {
    // The last SETTINGS frame is too long to be read.
    let cases =
        [vec![(HEADER_TABLE_SIZE, 100)], vec![(INITIAL_WINDOW_SIZE, 30)], vec![(0x4000, 1); 200]];
    for (nth, case) in cases.iter().enumerate() {
        let (_server, mut raw) = connect(Builder::new(), PLENTY).await;
        raw.send(&request(1, &get("cdn.test"))).await;
        assert!(raw.answer(1).await.is_early());
        let settings = raw.settings(case);
        raw.send(&settings).await;
        raw.send(&request(5, &get("cdn.test"))).await;
        let grant = raw.grant(5, 100);
        raw.send(&grant).await;
        let answer = raw.answer(5).await;
        assert_eq!((answer.is_early(), &*answer.content), (false, BODY_421), "{nth}");
        let all = usize::try_from(raw.window).unwrap();
        ask_for(&mut raw, 7, all).await;
        assert_eq!(raw.answer(7).await.content.len(), all, "{nth}");
    }
}

/// Attack: a block makes the transport lose sync, and with it the frame boundaries, while a body
/// that needs all of the window is being sent.
#[tokio::test]
async fn window_is_returned_when_sync_is_lost() {
    // The stream depends on itself, so `h2` resets it.
    let losing_sync = frame(HEADERS, END_HEADERS | PRIORITY_FLAG, 5, &[0, 0, 0, 5, 0, 0x82]);
    let ping = frame(PING, 0, 0, b"two cuts");
    // In one write with a part of the next frame, and octet by octet.
    for len in [losing_sync.len() + 12, 1] {
        let (_server, mut raw) = connect(Builder::new(), PLENTY).await;
        raw.send(&request(1, &get("cdn.test"))).await;
        assert!(raw.answer(1).await.is_early());
        let all = usize::try_from(raw.window).unwrap();
        ask_for(&mut raw, 3, all).await;
        for piece in [&*losing_sync, &ping].concat().chunks(len) {
            raw.send(piece).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(raw.answer(5).await.reset, Some(PROTOCOL_ERROR));
        assert_eq!(raw.answer(3).await.content.len(), all);
    }
}

/// Attack: SETTINGS that forbid an answer come after its request, and are acknowledged before the
/// answer is written.
#[tokio::test]
async fn answers_that_new_settings_forbid_are_not_sent() {
    for setting in [(INITIAL_WINDOW_SIZE, 0), (INITIAL_WINDOW_SIZE, 30), (HEADER_TABLE_SIZE, 0)] {
        let (server, mut raw) = connect(Builder::new(), PLENTY).await;
        let two = [request(1, &get("cdn.test")), request(3, &get("cdn.test"))].concat();
        let settings = raw.settings(&[setting]);
        raw.send(&[two, settings].concat()).await;
        raw.settle().await;
        for stream in [1, 3] {
            assert_eq!(raw.answers[&stream].reset, Some(REFUSED_STREAM));
            assert_eq!(raw.answers[&stream].fields, []);
        }
        raw.send(&request(5, &get("cdn.test"))).await;
        let grant = raw.grant(5, 100);
        raw.send(&grant).await;
        let answer = raw.answer(5).await;
        assert_eq!((answer.is_early(), answer.status()), (false, Some("421")));
        assert_eq!(server.decided(), ["cdn.test"; 3]);
    }
}

/// Attack: SETTINGS enlarge a window, and a request comes before the acknowledgement. The client
/// may count by the old value until then.
#[tokio::test]
async fn enlarged_window_waits_for_its_acknowledgement() {
    let (_server, mut raw) = connect(Builder::new(), PLENTY).await;
    let none = raw.settings(&[(INITIAL_WINDOW_SIZE, 0)]);
    raw.send(&none).await;
    raw.settle().await;
    // Enough to write that the acknowledgement has to wait.
    let mut bytes = Vec::new();
    for stream in (1..=17).step_by(2) {
        bytes.extend(request(stream, &get_path("api.test", "/100000")));
        bytes.extend(raw.grant(stream, 100_000));
    }
    raw.send(&bytes).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let settings = raw.settings(&[(INITIAL_WINDOW_SIZE, 65_535)]);
    raw.send(&[settings, request(19, &get("cdn.test"))].concat()).await;
    assert_eq!(raw.answer(19).await.content, BODY_421);
}

/// RFC 7541 §4.2: an encoder that must shrink its table signals this in the next block. The
/// transport, whose blocks use no table, must not send a block before that one.
#[tokio::test]
async fn table_that_shrinks_is_signalled_before_other_blocks() {
    for (sizes, early) in [
        (&[8_192, 4_096][..], true),
        (&[1 << 20, 1 << 19], true),
        (&[4_095], false),
        (&[8_192, 4_095], false),
        (&[0, 4_096], false),
    ] {
        let (_server, mut raw) = connect(Builder::new(), PLENTY).await;
        let mut stream = 1;
        for &size in sizes {
            let settings = raw.settings(&[(HEADER_TABLE_SIZE, size)]);
            raw.send(&settings).await;
            raw.settle().await;
            // `h2` uses the offered table size.
            raw.send(&request(stream, &get("api.test"))).await;
            assert_eq!(raw.answer(stream).await.status(), Some("200"));
            stream += 2;
        }
        raw.send(&request(stream, &get("cdn.test"))).await;
        assert_eq!(raw.answer(stream).await.is_early(), early);
    }
}

/// Attack: window beyond the maximum (RFC 9113 §6.9.1), in one grant, in two, and with the reserve.
#[tokio::test]
async fn window_beyond_the_maximum_is_an_error() {
    const MAX: u32 = (1 << 31) - 1;
    for grants in [&[MAX][..], &[MAX - WINDOW + 1], &[MAX - WINDOW, 1], &[1 << 30, 1 << 30]] {
        let (_server, mut raw) = connect(Builder::new(), 0).await;
        for &grant in grants {
            let grant = raw.grant(0, grant);
            raw.send(&grant).await;
        }
        assert_eq!(raw.goaway().await, FLOW_CONTROL_ERROR, "{grants:?}");
    }
    let (_server, mut raw) = connect(Builder::new(), MAX - WINDOW).await;
    ask_for(&mut raw, 1, 1 << 20).await;
    assert_eq!(raw.answer(1).await.content.len(), 1 << 20);
    let grant = raw.grant(0, 1 << 20);
    raw.send(&grant).await;
    raw.settle().await;
    assert_eq!(raw.gone, None);
    let grant = raw.grant(0, 1);
    raw.send(&grant).await;
    assert_eq!(raw.goaway().await, FLOW_CONTROL_ERROR);
}

/// Attack: thousands of refusals among megabytes, from clients that return window at once, late, or
/// only at the end of their window.
#[tokio::test]
async fn refusals_by_thousands_among_megabytes_keep_the_windows() {
    for first_grant in [0, PLENTY] {
        for threshold in [1, 32_768, 65_535] {
            let (server, mut raw) = connect(Builder::new(), first_grant).await;
            let early = mix(&mut raw, threshold).await;
            assert_eq!(server.served().len(), 50);
            // The more window the bodies use, the less is left for early answers.
            let wanted = if first_grant == PLENTY { 500 } else { 1 };
            assert!(early >= wanted, "{first_grant}, {threshold}: {early} early answers");
        }
    }
}

/// Requests 50 bodies and 500 refusals, and returns window once `threshold` is used. Returns the
/// number of early refusals.
async fn mix(raw: &mut Raw, threshold: i64) -> usize {
    const LAST: u32 = 2 * 550;
    let whole = raw.window;
    let (mut early, mut next, mut open) = (0, 1, Vec::new());
    while next < LAST || !open.is_empty() {
        while next < LAST && open.len() < 100 {
            let is_body = next / 2 % 11 == 0;
            let block = if is_body { get_path("api.test", "/20000") } else { get("cdn.test") };
            raw.send(&request(next, &block)).await;
            open.push((next, is_body));
            next += 2;
        }
        raw.next().await.expect("the connection lives");
        if whole - raw.window >= threshold {
            let used = u32::try_from(whole - raw.window).unwrap();
            let grant = raw.grant(0, used);
            raw.send(&grant).await;
        }
        open.retain(|&(stream, is_body)| {
            let Some(answer) = raw.answers.get(&stream).filter(|answer| answer.ended) else {
                return true;
            };
            if is_body {
                assert_eq!(answer.content.len(), 20_000);
            } else {
                assert_eq!((answer.status(), &*answer.content), (Some("421"), BODY_421));
            }
            early += usize::from(answer.is_early());
            false
        });
    }
    early
}

/// Attack: refusals from a client that never gives anything back.
#[tokio::test]
async fn refusals_never_take_more_than_was_granted() {
    for first_grant in [1, 100, 1_000, 100_000] {
        let (_server, mut raw) = connect(Builder::new(), first_grant).await;
        let answers = usize::try_from(raw.window).unwrap() / BODY_421.len();
        let mut stream = 1;
        for _ in 0..answers {
            raw.send(&request(stream, &get("cdn.test"))).await;
            assert_eq!(raw.answer(stream).await.content, BODY_421);
            stream += 2;
        }
        raw.send(&request(stream, &get("cdn.test"))).await;
        raw.settle().await;
        assert!(!raw.answers[&stream].ended);
        assert_eq!(raw.window, 0, "what there is is sent");
        let grant = raw.grant(0, 31);
        raw.send(&grant).await;
        assert_eq!(raw.answer(stream).await.content, BODY_421);
    }
}

/// Attack: the last of a window is needed while the client is in the middle of a frame, so the
/// grant has no place before `h2` has read the rest of the frame.
#[tokio::test]
async fn unfinished_frame_does_not_delay_the_last_window() {
    let (_server, mut raw) = connect(Builder::new(), PLENTY).await;
    raw.send(&request(1, &get("cdn.test"))).await;
    assert!(raw.answer(1).await.is_early());
    let all = raw.window;
    ask_for(&mut raw, 3, usize::try_from(all).unwrap()).await;
    let upload = frame(HEADERS, END_HEADERS, 5, &get("api.test"));
    let content = frame(DATA, 0, 5, &[b'x'; 16_384]);
    raw.send(&[&upload, &content[..100]].concat()).await;
    // The reserve cannot be returned now, and `h2` uses up its window.
    raw.until(|raw| raw.window < all / 4).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    // Each read ends within a frame.
    for part in [&content[100..], &content[..100]].concat().chunks(10_000) {
        raw.send(part).await;
        tokio::task::yield_now().await;
    }
    raw.answer(3).await;
    assert_eq!(raw.window, 0);
}
