//! The task that an announcement wakes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use coalesce_core::RequestTarget;
use coalesce_h2::Builder;
use tokio::io::duplex;

use super::raw::Raw;
use super::server::{connection, origins, presented, table};

#[derive(Debug, Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// An announcement wakes the task of an idle connection, and the next poll sends it.
#[tokio::test]
async fn announcement_wakes_the_task_of_the_connection() {
    let (near, far) = duplex(1 << 16);
    let before = table(["a.test"]);
    let presented = presented();
    let judge = |target: &RequestTarget<'_>| {
        coalesce_core::decide(&before, &connection(&presented), target)
    };
    let builder = Builder::new().origin_set(origins(&before));
    let (server, mut raw) = tokio::join!(builder.handshake(near, judge), Raw::new(far));
    let mut server = server.unwrap();
    // The frames at the start of a connection.
    let counter = Arc::new(Counter::default());
    let waker = Waker::from(counter.clone());
    let mut context = Context::from_waker(&waker);
    for _ in 0..5 {
        assert!(matches!(server.poll_accept(&mut context), Poll::Pending));
    }
    while raw.next().await.kind != super::raw::ORIGIN {}

    let woken = counter.0.load(Ordering::SeqCst);
    server.announce(&origins(&before));
    assert_eq!(counter.0.load(Ordering::SeqCst), woken, "an unchanged set wakes no task");
    server.announce(&origins(&table(["a.test", "b.test"])));
    assert_eq!(counter.0.load(Ordering::SeqCst), woken + 1);
    assert!(matches!(server.poll_accept(&mut context), Poll::Pending));
    assert_eq!(raw.next_announced().await, ["https://b.test"]);
}
