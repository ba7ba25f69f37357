//! TCP connects that race (RFC 8305).

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::eyeballs::{Race, Step};

/// The errors of a race, each with its address.
pub(crate) type Failed = Vec<(SocketAddr, io::Error)>;

/// Connects to the first of the addresses that accepts, and returns the real peer with it.
pub(crate) async fn connect(
    addresses: Vec<SocketAddr>,
    delay: Duration,
) -> Result<(TcpStream, SocketAddr), Failed> {
    race(addresses, delay, connect_one).await
}

async fn connect_one(address: SocketAddr) -> io::Result<(TcpStream, SocketAddr)> {
    let stream = TcpStream::connect(address).await?;
    // Nagle's algorithm holds back a request behind an unacknowledged one.
    stream.set_nodelay(true)?;
    let peer = stream.peer_addr()?;
    Ok((stream, peer))
}

/// Runs a race with `connect`. Dropping the set at the end cancels the losers.
async fn race<T, F>(
    addresses: Vec<SocketAddr>,
    delay: Duration,
    connect: impl Fn(SocketAddr) -> F,
) -> Result<T, Failed>
where
    T: Send + 'static,
    F: Future<Output = io::Result<T>> + Send + 'static,
{
    // One address needs no task.
    if let [address] = *addresses {
        return connect(address).await.map_err(|error| vec![(address, error)]);
    }
    let start = Instant::now();
    let mut race = Race::new(addresses, delay);
    let mut running = JoinSet::new();
    let mut failed = Failed::new();
    loop {
        let until = match race.step(start.elapsed()) {
            Step::Connect(address) => {
                let connecting = connect(address);
                running.spawn(async move { (address, connecting.await) });
                continue;
            }
            Step::Wait { until } => until,
            Step::Exhausted => return Err(failed),
        };
        let timer = async {
            // A delay of `Duration::MAX` is beyond the clock.
            match until.and_then(|until| start.checked_add(until)) {
                Some(until) => sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(result) = running.join_next() => match result {
                Ok((_, Ok(connected))) => return Ok(connected),
                Ok((address, Err(error))) => {
                    failed.push((address, error));
                    race.failed(start.elapsed());
                }
                // The runtime shuts down.
                Err(_) => race.failed(start.elapsed()),
            },
            () = timer => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// An outcome of a connect: its time in milliseconds, and whether it succeeds.
    type Outcome = (u64, bool);

    /// Counts the connects that were dropped before their end.
    struct Pending(Arc<AtomicUsize>, bool);
    impl Drop for Pending {
        fn drop(&mut self) {
            if !self.1 {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    /// Runs a race in virtual time: address `n` has outcome `n`. Returns the winner, the time in
    /// milliseconds, and the number of cancelled connects.
    async fn run(outcomes: &'static [Outcome]) -> (Result<usize, Vec<String>>, u128, usize) {
        let addresses =
            (0..).take(outcomes.len()).map(|n| SocketAddr::from(([192, 0, 2, 1], n))).collect();
        let cancelled = Arc::new(AtomicUsize::new(0));
        let start = Instant::now();
        let counter = Arc::clone(&cancelled);
        let won = race(addresses, Duration::from_millis(250), move |address| {
            let pending = Pending(Arc::clone(&counter), false);
            async move {
                let mut pending = pending;
                let number = usize::from(address.port());
                let (time, succeeds) = outcomes[number];
                tokio::time::sleep(Duration::from_millis(time)).await;
                pending.1 = true;
                if succeeds { Ok(number) } else { Err(io::ErrorKind::ConnectionRefused.into()) }
            }
        })
        .await;
        let time = start.elapsed().as_millis();
        let won = won.map_err(|failed| failed.iter().map(|it| it.0.to_string()).collect());
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        (won, time, cancelled.load(Ordering::SeqCst))
    }

    const DEAD: Outcome = (1_000_000, false);

    #[tokio::test(start_paused = true)]
    async fn dead_address_costs_one_delay_and_is_cancelled() {
        assert_eq!(run(&[DEAD, (20, true)]).await, (Ok(1), 270, 1));
        assert_eq!(run(&[DEAD, DEAD, (20, true)]).await, (Ok(2), 520, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn longest_delay_tries_the_next_address_only_after_a_failure() {
        let addresses = (0..2).map(|n| SocketAddr::from(([192, 0, 2, 1], n))).collect();
        let won = race(addresses, Duration::MAX, async |address| {
            tokio::time::sleep(Duration::from_millis(5)).await;
            if address.port() == 1 { Ok(1) } else { Err(io::ErrorKind::ConnectionRefused.into()) }
        });
        assert_eq!(won.await.ok(), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn refused_address_costs_only_its_own_time() {
        assert_eq!(run(&[(5, false), (20, true)]).await, (Ok(1), 25, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_first_address_may_still_win() {
        assert_eq!(run(&[(300, true), (200, true)]).await, (Ok(0), 300, 1));
        assert_eq!(run(&[(300, true), (20, true)]).await, (Ok(1), 270, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn every_failed_address_is_reported() {
        let all = ["192.0.2.1:0", "192.0.2.1:1"].map(str::to_owned).to_vec();
        assert_eq!(run(&[(5, false), (7, false)]).await, (Err(all), 12, 0));
        let one = vec!["192.0.2.1:0".to_owned()];
        assert_eq!(run(&[(5, false)]).await, (Err(one), 5, 0));
        assert_eq!(run(&[]).await, (Err(vec![]), 0, 0));
    }

    #[tokio::test]
    async fn connected_socket_sends_small_segments_at_once() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stream, peer) = connect(vec![address], Duration::ZERO).await.unwrap();
        assert!(stream.nodelay().unwrap());
        assert_eq!(peer, address);
    }
}
