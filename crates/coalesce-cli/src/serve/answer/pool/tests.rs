//! The order of events in a pool, whose connections are made up.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::serve::answer::pool::{Connect, Lease, Pool, PooledConnection, Wanted};
use crate::serve::limits::{UPSTREAM_IDLE_MAX, UPSTREAM_IDLE_TIMEOUT};
use crate::serve::shares::{ClientId, Share, Shares};

#[derive(Clone, Debug)]
struct FakeConnection {
    capacity: usize,
    is_open: Arc<AtomicBool>,
    _permit: Arc<Share>,
}

impl PooledConnection for FakeConnection {
    fn capacity(&self) -> usize {
        self.capacity
    }

    fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    fn poll_released(&self, _: &mut Context<'_>) -> Poll<bool> {
        Poll::Ready(self.is_open())
    }
}

/// An upstream that answers attempts to connect as the test lets it.
#[derive(Clone, Debug)]
struct FakeUpstream {
    /// The expected number of requests of a connection.
    expected: usize,
    /// The real number; with `None`, attempts to connect fail.
    capacity: Option<usize>,
    attempts: Arc<AtomicUsize>,
    /// One permit lets one attempt end.
    gate: Arc<Semaphore>,
    made: Arc<Mutex<Vec<FakeConnection>>>,
    permits: Shares,
}

impl FakeUpstream {
    fn new(expected: usize, capacity: Option<usize>) -> Self {
        let (attempts, made) = (Arc::default(), Arc::default());
        Self {
            expected,
            capacity,
            attempts,
            gate: Arc::new(Semaphore::new(0)),
            made,
            permits: Shares::new(10_000),
        }
    }

    fn attempts(&self) -> usize {
        self.attempts.load(Ordering::Relaxed)
    }

    fn let_attempts_end(&self, count: usize) {
        self.gate.add_permits(count);
    }
}

impl Connect for FakeUpstream {
    type Connection = FakeConnection;
    type Error = &'static str;
    type Permit = Share;

    fn expected_capacity(&self) -> usize {
        self.expected
    }

    fn permit(&self, client: ClientId) -> Result<Share, &'static str> {
        self.permits.take(client).ok_or("full")
    }

    async fn connect(&self, permit: Share) -> Result<FakeConnection, &'static str> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        self.gate.acquire().await.unwrap().forget();
        let capacity = self.capacity.ok_or("dead")?;
        let connection =
            FakeConnection { capacity, is_open: Arc::new(true.into()), _permit: Arc::new(permit) };
        self.made.lock().unwrap().push(connection.clone());
        Ok(connection)
    }

    fn cut_off(&self) -> &'static str {
        "cut off"
    }
}

type Leased = Result<Lease<FakeUpstream>, &'static str>;

async fn lease(pool: &Pool<FakeUpstream>, wanted: Wanted) -> Leased {
    pool.lease(wanted, ClientId::next()).await
}

/// Starts this many requests, and returns once all of them wait.
async fn start(pool: &Arc<Pool<FakeUpstream>>, count: usize) -> JoinSet<Leased> {
    let mut requests = JoinSet::new();
    for _ in 0..count {
        let pool = pool.clone();
        requests.spawn(async move { lease(&pool, Wanted::Any).await });
    }
    settle().await;
    requests
}

/// Lets every task run until it waits: there is one thread, and it takes turns.
async fn settle() {
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
}

fn pool(upstream: &FakeUpstream) -> Arc<Pool<FakeUpstream>> {
    Arc::new(Pool::new(upstream.clone()))
}

#[tokio::test]
async fn dead_upstream_fails_all_waiting_requests_by_one_attempt() {
    let upstream = FakeUpstream::new(100, None);
    let requests = start(&pool(&upstream), 14).await;
    assert_eq!(upstream.attempts(), 1);
    upstream.let_attempts_end(1);
    let results = requests.join_all().await;
    assert_eq!((results.len(), upstream.attempts()), (14, 1));
    assert!(results.iter().all(|result| matches!(result, Err("dead"))), "{results:?}");
}

#[tokio::test]
async fn attempts_for_connections_of_one_request_run_at_the_same_time() {
    let upstream = FakeUpstream::new(1, None);
    let requests = start(&pool(&upstream), 14).await;
    assert_eq!(upstream.attempts(), 14);
    upstream.let_attempts_end(14);
    assert!(requests.join_all().await.iter().all(Result::is_err));
}

#[tokio::test]
async fn pool_grows_when_the_room_of_its_connections_is_taken() {
    let upstream = FakeUpstream::new(2, Some(2));
    upstream.let_attempts_end(100);
    let pool = pool(&upstream);
    let mut held = Vec::new();
    for connections in [1, 1, 2, 2, 3] {
        held.push(lease(&pool, Wanted::Any).await.unwrap());
        assert_eq!(upstream.attempts(), connections);
    }
    drop(held);
    let reused = lease(&pool, Wanted::Any).await.unwrap();
    assert_eq!((upstream.attempts(), reused.is_reused), (3, true));
    let fresh = lease(&pool, Wanted::Fresh).await.unwrap();
    assert_eq!((upstream.attempts(), fresh.is_reused), (4, false));
}

#[tokio::test]
async fn connection_with_less_room_than_expected_starts_further_attempts() {
    let upstream = FakeUpstream::new(100, Some(2));
    let pool = pool(&upstream);
    let requests = start(&pool, 5).await;
    assert_eq!(upstream.attempts(), 1);
    upstream.let_attempts_end(1);
    settle().await;
    assert_eq!(upstream.attempts(), 3, "two of five have a connection, two wait, and one");
    upstream.let_attempts_end(2);
    assert!(requests.join_all().await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn attempt_that_hangs_does_not_hold_up_requests_that_find_room() {
    let upstream = FakeUpstream::new(1, Some(1));
    upstream.let_attempts_end(1);
    let pool = pool(&upstream);
    let first = lease(&pool, Wanted::Any).await.unwrap();
    let mut waiting = start(&pool, 1).await;
    assert_eq!(upstream.attempts(), 2);
    drop(first);
    let third = lease(&pool, Wanted::Any).await.unwrap();
    assert!(third.is_reused && waiting.try_join_next().is_none());
    upstream.let_attempts_end(1);
    assert!(waiting.join_next().await.unwrap().unwrap().is_ok());
}

#[tokio::test]
async fn connection_made_for_a_request_that_has_left_serves_the_next() {
    let upstream = FakeUpstream::new(1, Some(1));
    let pool = pool(&upstream);
    let mut waiting = start(&pool, 1).await;
    waiting.shutdown().await;
    upstream.let_attempts_end(1);
    settle().await;
    assert!(lease(&pool, Wanted::Any).await.unwrap().is_reused);
    assert_eq!(upstream.attempts(), 1);
}

#[tokio::test]
async fn connections_that_have_ended_or_must_not_be_used_again_are_forgotten() {
    let upstream = FakeUpstream::new(2, Some(2));
    upstream.let_attempts_end(100);
    let pool = pool(&upstream);
    let first = lease(&pool, Wanted::Any).await.unwrap();
    upstream.made.lock().unwrap()[0].is_open.store(false, Ordering::Relaxed);
    let mut other = lease(&pool, Wanted::Any).await.unwrap();
    assert_eq!(upstream.attempts(), 2);
    other.is_reusable = false;
    drop((first, other));
    let _third = lease(&pool, Wanted::Any).await.unwrap();
    assert_eq!(upstream.attempts(), 3);
}

/// How many of the connections that were made the pool still holds.
fn held(upstream: &FakeUpstream) -> usize {
    let made = upstream.made.lock().unwrap();
    // One handle is in the list.
    made.iter().filter(|connection| Arc::strong_count(&connection.is_open) > 1).count()
}

#[tokio::test(start_paused = true)]
async fn idle_connections_are_bounded_in_number_and_time() {
    let upstream = FakeUpstream::new(1, Some(1));
    upstream.let_attempts_end(1_000);
    let pool = pool(&upstream);
    let leases = start(&pool, 2 * UPSTREAM_IDLE_MAX).await.join_all().await;
    assert_eq!(held(&upstream), 2 * UPSTREAM_IDLE_MAX);
    drop(leases);
    assert_eq!(held(&upstream), UPSTREAM_IDLE_MAX);
    let busy = lease(&pool, Wanted::Any).await.unwrap();
    tokio::time::sleep(2 * UPSTREAM_IDLE_TIMEOUT + Duration::from_secs(1)).await;
    assert_eq!(held(&upstream), 1, "the one in use");
    drop(busy);
    tokio::time::sleep(2 * UPSTREAM_IDLE_TIMEOUT + Duration::from_secs(1)).await;
    assert_eq!(held(&upstream), 0);
}

#[tokio::test]
async fn request_without_a_permit_for_its_connection_is_told_and_others_are_served() {
    let upstream = FakeUpstream { permits: Shares::new(2), ..FakeUpstream::new(1, Some(1)) };
    upstream.let_attempts_end(100);
    let pool = pool(&upstream);
    let greedy = ClientId::next();
    let first = pool.lease(Wanted::Any, greedy).await.unwrap();
    assert_eq!(pool.lease(Wanted::Any, greedy).await.unwrap_err(), "full");
    let other = lease(&pool, Wanted::Any).await.unwrap();
    assert_eq!(lease(&pool, Wanted::Any).await.unwrap_err(), "full");
    drop((first, other));
    assert!(pool.lease(Wanted::Any, greedy).await.unwrap().is_reused);
}
