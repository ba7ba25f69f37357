//! Runs a pool through a load of a given size, for a count of its instructions.
//!
//! ```text
//! cargo run -p coalesce-pool --example cost -- queued 1000
//! ```

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use coalesce_core::{IdentifierSet, PresentedIdentifier};
use coalesce_pool::{
    AttemptId, ConnectionFacts, Endpoint, LeafDigest, Output, Pool, PoolConfig, PoolKey, Progress,
    Protocol, RequestFacts, RequestId, ServerSettings, TlsFacts, Verification,
};

type Error = Box<dyn std::error::Error>;

/// The loads, with the meaning of their size.
const LOADS: &str = "one-host (requests at once on one connection), queued (the same, 100 streams), \
                     covered (hosts on one connection), separate (hosts with a certificate each), \
                     idle (connections, beside 1,000 requests in turn)";

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let (Some(load), Some(size)) = (arguments.next(), arguments.next()) else {
        return Err(format!("usage: cost LOAD SIZE; loads: {LOADS}").into());
    };
    let size: usize = size.parse()?;
    let mut client = Client::new(size);
    match load.as_str() {
        "one-host" => client.burst(&vec![0; size], &["host-0.example.test"], 1_000)?,
        "queued" => client.burst(&vec![0; size], &["host-0.example.test"], 100)?,
        "covered" => client.burst(&(0..size).collect::<Vec<_>>(), &["*.example.test"], 1_000)?,
        "separate" => client.burst(&(0..size).collect::<Vec<_>>(), &[], 1_000)?,
        "idle" => client.idle(size)?,
        _ => return Err(format!("unknown load {load:?}: expected one of {LOADS}").into()),
    }
    Ok(())
}

/// A client without network that does every output at once.
struct Client {
    pool: Pool,
    now: Duration,
    attempts: VecDeque<(AttemptId, PoolKey, SocketAddr)>,
    sent: VecDeque<RequestId>,
    /// Whether each host has an address to itself.
    own_addresses: bool,
}

fn key(host: usize) -> Result<PoolKey, Error> {
    Ok(PoolKey::new(format!("https://host-{host}.example.test").parse()?))
}

impl Client {
    fn new(size: usize) -> Self {
        let mut config = PoolConfig::default();
        config.connections_max = size.saturating_add(10);
        Self {
            pool: Pool::new(config),
            now: Duration::ZERO,
            attempts: VecDeque::new(),
            sent: VecDeque::new(),
            own_addresses: false,
        }
    }

    /// Sends one request to each of these hosts at once, and answers all of them.
    fn burst(&mut self, hosts: &[usize], names: &[&str], streams: u32) -> Result<(), Error> {
        for host in hosts {
            self.request(*host)?;
        }
        let mut answered = 0;
        while answered < hosts.len() {
            if let Some(request) = self.sent.pop_front() {
                self.finish(request);
                answered += 1;
            } else if !self.attempts.is_empty() {
                self.connect(names, streams)?;
            } else {
                self.now = self.pool.poll_timeout().ok_or("the pool waits for nothing")?;
                self.pool.handle_timeout(self.now);
                self.act();
            }
        }
        Ok(())
    }

    /// Sends requests in turn while other connections are idle.
    fn idle(&mut self, connections: usize) -> Result<(), Error> {
        self.own_addresses = true;
        for host in 1..=connections {
            self.burst(&[host], &[], 100)?;
        }
        for _ in 0..1_000 {
            self.burst(&[0], &[], 100)?;
        }
        Ok(())
    }

    fn request(&mut self, host: usize) -> Result<(), Error> {
        self.pool.handle_request(self.now, RequestFacts::new(key(host)?))?;
        self.act();
        Ok(())
    }

    fn finish(&mut self, request: RequestId) {
        self.pool.handle_answer(self.now, request, 200, false);
        self.act();
        self.pool.handle_done(self.now, request);
        self.act();
    }

    /// Makes the oldest attempt a connection. Its certificate has these names, or only its host.
    fn connect(&mut self, names: &[&str], streams: u32) -> Result<(), Error> {
        let (attempt, key, peer) = self.attempts.pop_front().ok_or("no attempt")?;
        let host = key.origin.as_origin().host().to_string();
        let names = if names.is_empty() { vec![host.as_str()] } else { names.to_vec() };
        let names: Result<Vec<_>, _> =
            names.iter().map(|name| PresentedIdentifier::parse_dns(name.as_bytes())).collect();
        let names = Arc::new(IdentifierSet::build(names?)?);
        let mut facts = ConnectionFacts::new(key, peer, Protocol::Http2);
        let expires_at = Duration::from_secs(1_000_000);
        facts.tls = Some(TlsFacts::new(names, LeafDigest::new([7; 32]), expires_at));
        let id = self.pool.handle_connected(self.now, attempt, facts).ok_or("given up")?;
        self.act();
        let mut settings = ServerSettings::default();
        settings.streams_max = Some(streams);
        self.pool.handle_settings(self.now, id, settings);
        self.act();
        Ok(())
    }

    fn address(&self, key: &PoolKey) -> SocketAddr {
        let host = key.origin.as_origin().host().to_string();
        let number = host.trim_start_matches("host-").split('.').next().unwrap_or_default();
        let number: u32 = number.parse().unwrap_or_default();
        let own = u32::from(self.own_addresses) * number;
        (Ipv4Addr::from(0x0a00_0001_u32.wrapping_add(own)), 443).into()
    }

    fn act(&mut self) {
        while let Some(output) = self.pool.poll_output() {
            match output {
                Output::Resolve { key, .. } => {
                    let endpoints = [Endpoint::new(self.address(&key))];
                    self.pool.handle_endpoints(self.now, &key, &endpoints, Progress::Last);
                }
                Output::Connect { attempt, key, .. } => {
                    let address = self.address(&key);
                    self.attempts.push_back((attempt, key, address));
                }
                Output::Verify { connection, host, .. } => {
                    let accepted = Verification::Accepted;
                    self.pool.handle_verified(self.now, connection, &host, accepted);
                }
                Output::Send { request, .. } => self.sent.push_back(request),
                _ => {}
            }
        }
        // A client asks for the time after each event.
        std::hint::black_box(self.pool.poll_timeout());
    }
}
