//! HTTP/1.1, as much of it as a client needs that was told to use it.

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::mpsc::UnboundedReceiver;

use super::log::Order;
use super::script::Answer;
use super::served::Served;

/// Serves a connection to its end.
pub(super) async fn serve<T>(tls: T, served: Served, mut orders: UnboundedReceiver<Order>)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let mut tls = BufReader::new(tls);
    loop {
        tokio::select! {
            request = read(&mut tls) => {
                let Some((head, content)) = request else { break };
                let (host, mut answer) = served.request(head, content, 1);
                while let Answer::After(gate, then) = answer {
                    gate.passed().await;
                    answer = *then;
                }
                let (status, field) = match answer {
                    Answer::Status(status) => (status, String::new()),
                    Answer::With(status, name, value) => (status, format!("{name}: {value}\r\n")),
                    _ => break,
                };
                let length = host.len();
                let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\n{field}\r\n");
                let written = tls.write_all((head + &host).as_bytes()).await;
                if written.is_err() || tls.flush().await.is_err() {
                    break;
                }
            }
            order = orders.recv() => if let Some(Order::Close) | None = order { break },
        }
    }
    // Fails if the client has closed the connection.
    let _ = tls.shutdown().await;
}

/// Reads a request; `None` at the end of the connection. Returns method, authority and target, and
/// the length of the content.
async fn read(tls: &mut (impl AsyncBufReadExt + Unpin)) -> Option<([String; 3], usize)> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        tls.read_line(&mut line).await.ok().filter(|&length| length > 0)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let field = |name: &str| {
        let fields = lines.iter().filter_map(|line| line.split_once(": "));
        fields.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|it| it.1)
    };
    let mut words = lines.first()?.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let head = [method, field("host").unwrap_or_default().to_owned(), path];
    let length = field("content-length").map_or(0, |it| it.parse().expect("a length"));
    let mut content = vec![0; length];
    tls.read_exact(&mut content).await.ok()?;
    Some((head, length))
}
