//! An address whose handshakes of TCP never end.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// The queue of a listener that accepts nothing, filled up: the system then drops every SYN.
pub(crate) struct BlackHole {
    _listener: TcpListener,
    _queue: Vec<TcpStream>,
}

impl BlackHole {
    pub(crate) async fn start(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(address).expect("a free address");
        let listener = socket.listen(0).expect("a free address");
        let mut queue = Vec::new();
        // A connection on loopback takes microseconds. If the machine was so busy that one took
        // longer, the address accepts one more connection and is as silent on it.
        while let Ok(Ok(stream)) =
            tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await
        {
            queue.push(stream);
        }
        Self { _listener: listener, _queue: queue }
    }
}
