//! The counts of the server and their sums for one page load.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// A count that several tasks add to.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

macro_rules! counts {
    ($($(#[$about:meta])* $name:ident),* $(,)?) => {
        /// The counts since the last page load.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $($(#[$about])* pub(crate) $name: Counter,)*
        }

        /// The counts of one page load.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub(crate) struct Counts {
            $($(#[$about])* pub(crate) $name: u64,)*
        }

        impl Counters {
            /// Returns the counts and starts again from 0.
            pub(crate) fn take(&self) -> Counts {
                Counts { $($name: self.$name.take(),)* }
            }
        }
    };
}

counts! {
    /// Accepted TCP connections.
    accepted,
    /// Full TLS handshakes.
    full,
    /// Resumed TLS handshakes.
    resumed,
    /// Connections that ended before their TLS handshake was complete.
    given_up,
    /// Requests on HTTP/2.
    http2,
    /// Requests on HTTP/1.1.
    http1,
    /// Answers with the status 421.
    misdirected,
    dns_a,
    dns_aaaa,
    dns_https,
    dns_other,
}

impl Counts {
    /// Returns the number of requests that the origin servers answered.
    pub(crate) fn requests(&self) -> u64 {
        self.http1 + self.http2
    }

    /// Returns the number of DNS questions.
    pub(crate) fn dns(&self) -> u64 {
        self.dns_a + self.dns_aaaa + self.dns_https + self.dns_other
    }
}
