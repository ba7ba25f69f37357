//! The stream of hyper-rustls.

use std::io;
use std::net::SocketAddr;

use hyper_rustls::MaybeHttpsStream;

use super::peer_facts::{PeerFacts, TlsPeer};

impl<T: PeerFacts> PeerFacts for MaybeHttpsStream<T> {
    fn peer_address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Http(stream) => stream.peer_address(),
            Self::Https(stream) => stream.peer_address(),
        }
    }

    fn tls(&self) -> Option<TlsPeer> {
        match self {
            Self::Http(_) => None,
            Self::Https(stream) => stream.tls(),
        }
    }
}
