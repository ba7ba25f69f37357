//! Carries packets between two devices after a delay.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use coalesce_benches::random::Random;
use tun_rs::SyncDevice;

use crate::namespaces::PACKET_BYTES_MAX;

/// A link with a round-trip time. Its threads end with the process.
pub(crate) struct Link {
    settings: Arc<Settings>,
}

#[derive(Debug, Default)]
struct Settings {
    /// Half of a round trip, in microseconds.
    delay: AtomicU64,
    /// The packets of a hundred that get lost.
    loss: AtomicU32,
    bytes: AtomicU64,
}

/// A packet, and the time at which it arrives.
type Flying = (Instant, Vec<u8>);

impl Link {
    /// Starts to carry packets in both directions.
    pub(crate) fn start(client: Arc<SyncDevice>, server: Arc<SyncDevice>) -> Self {
        let settings = Arc::new(Settings::default());
        for (seed, (from, to)) in (1..).zip([(client.clone(), server.clone()), (server, client)]) {
            let (sender, receiver) = mpsc::channel();
            let (settings, late) = (settings.clone(), to.clone());
            thread::spawn(move || take(&from, &to, &sender, &settings, Random::new(seed)));
            thread::spawn(move || deliver(&late, &receiver));
        }
        Self { settings }
    }

    /// Sets the round-trip time and the percentage of lost packets, from now on.
    pub(crate) fn set(&self, round_trip: Duration, loss: u32) {
        let half = u64::try_from(round_trip.as_micros() / 2).unwrap_or(u64::MAX);
        self.settings.delay.store(half, Ordering::Relaxed);
        self.settings.loss.store(loss, Ordering::Relaxed);
    }

    /// Returns the bytes since the last call, those of both directions.
    pub(crate) fn take_bytes(&self) -> u64 {
        self.settings.bytes.swap(0, Ordering::Relaxed)
    }
}

/// Takes packets from a device. Without a delay it passes them on at once.
fn take(
    from: &SyncDevice,
    to: &SyncDevice,
    sender: &Sender<Flying>,
    settings: &Settings,
    mut random: Random,
) {
    let mut buffer = [0; PACKET_BYTES_MAX as usize];
    while let Ok(len) = from.recv(&mut buffer) {
        let now = Instant::now();
        settings.bytes.fetch_add(len as u64, Ordering::Relaxed);
        let loss = settings.loss.load(Ordering::Relaxed) as usize;
        if loss > 0 && random.chance(loss) {
            continue;
        }
        let delay = settings.delay.load(Ordering::Relaxed);
        let packet = &buffer[..len];
        if delay == 0 {
            // A full device loses the packet, as a full queue of a router would.
            let _ = to.send(packet);
        } else if sender.send((now + Duration::from_micros(delay), packet.to_vec())).is_err() {
            return;
        }
    }
}

/// Delivers packets when they are due. All have the same delay, so they stay in order.
fn deliver(to: &SyncDevice, receiver: &Receiver<Flying>) {
    while let Ok((due, packet)) = receiver.recv() {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let _ = to.send(&packet);
    }
}
