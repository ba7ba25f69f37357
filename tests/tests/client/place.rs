//! Loopback addresses of a test, which no other test has.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU8, Ordering};

static TESTS: AtomicU8 = AtomicU8::new(1);

/// Addresses `127.x.y.1` to `127.x.y.254` with one port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    second: u8,
    third: u8,
    port: u16,
}

impl Place {
    pub(crate) fn new() -> Self {
        let second = u8::try_from(64 + process::id() % 128).expect("below 192");
        let third = TESTS.fetch_add(1, Ordering::Relaxed);
        let free = TcpListener::bind((Ipv4Addr::new(127, second, third, 254), 0));
        let port = free.and_then(|it| it.local_addr()).expect("a free port").port();
        Self { second, third, port }
    }

    pub(crate) fn ip(self, number: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.second, self.third, number)
    }

    pub(crate) fn address(self, number: u8) -> SocketAddr {
        (self.ip(number), self.port).into()
    }

    pub(crate) fn port(self) -> u16 {
        self.port
    }

    /// Returns the URL of a host of these tests, which are below `example.test`.
    pub(crate) fn url(self, host: &str, path: &str) -> String {
        format!("https://{}:{}{path}", name(host), self.port)
    }
}

/// Returns the full name of a host. A name of another domain is full.
pub(crate) fn name(host: &str) -> String {
    if host.contains(".example.") { host.to_owned() } else { format!("{host}.example.test") }
}
