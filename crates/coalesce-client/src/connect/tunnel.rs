//! A tunnel through a proxy (`CONNECT`, RFC 9110 §9.3.6).

use std::fmt::Write as _;
use std::io;

use coalesce_core::Origin;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::limits::PROXY_HEAD_MAX;
use super::target::Io;

/// Asks the proxy for a tunnel to the origin.
///
/// # Errors
/// Returns the proxy's status if it refuses, or the fault in its answer.
pub(crate) async fn open<T: Io>(
    io: &mut T,
    origin: &Origin<'_>,
    authorization: Option<&str>,
) -> io::Result<()> {
    let authority = format!("{}:{}", origin.host(), origin.port());
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
    if let Some(value) = authorization {
        let _ = write!(request, "Proxy-Authorization: {value}\r\n");
    }
    request.push_str("\r\n");
    io.write_all(request.as_bytes()).await?;
    io.flush().await?;
    let head = read_head(io).await?;
    match status(&head) {
        Some((200..=299, _)) => Ok(()),
        Some((_, line)) => Err(io::Error::other(format!("the answer to CONNECT is {line}"))),
        None => Err(invalid("the answer to CONNECT is not HTTP/1.1")),
    }
}

/// Reads the head of the answer, which has no content (RFC 9110 §9.3.6). The client speaks first in
/// the tunnel, so bytes after the head are a fault.
async fn read_head<T: Io>(io: &mut T) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let read = io.read(&mut buffer).await?;
        if read == 0 {
            let message = "the proxy closed the connection before the end of its answer";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        }
        head.extend_from_slice(buffer.get(..read).unwrap_or_default());
        match head.windows(4).position(|it| it == b"\r\n\r\n") {
            // A refusal may have content.
            Some(end) if is_success(&head) && end.saturating_add(4) < head.len() => {
                return Err(invalid("the proxy sent bytes before the tunnel was used"));
            }
            Some(_) => return Ok(head),
            None if head.len() > PROXY_HEAD_MAX => {
                return Err(invalid("the head of the answer to CONNECT is too long"));
            }
            None => {}
        }
    }
}

fn is_success(head: &[u8]) -> bool {
    matches!(status(head), Some((200..=299, _)))
}

/// Returns the status, and the status line without the version (RFC 9112 §4).
fn status(head: &[u8]) -> Option<(u16, String)> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let rest = line.strip_prefix(b"HTTP/1.")?.get(1..)?.strip_prefix(b" ")?;
    let digits = rest.get(..3).filter(|it| it.iter().all(u8::is_ascii_digit))?;
    let number = str::from_utf8(digits).ok()?.parse().ok()?;
    Some((number, rest.escape_ascii().to_string()))
}

fn invalid(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::duplex;

    /// Opens a tunnel to a proxy that gives this answer. Returns the request too.
    async fn run(answer: &[u8], origin: &str, authorization: Option<&str>) -> (String, String) {
        let (mut client, mut proxy) = duplex(64 * 1024);
        proxy.write_all(answer).await.unwrap();
        proxy.shutdown().await.unwrap();
        let origin = Origin::parse(origin.as_bytes()).unwrap();
        let result = open(&mut client, &origin, authorization).await;
        drop(client);
        let mut request = String::new();
        proxy.read_to_string(&mut request).await.unwrap();
        (result.map_or_else(|error| error.to_string(), |()| "open".to_owned()), request)
    }

    #[tokio::test]
    async fn request_names_host_and_port_and_authorization() {
        let (result, request) = run(b"HTTP/1.1 200 OK\r\n\r\n", "https://a.test", None).await;
        assert_eq!(result, "open");
        assert_eq!(request, "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n");
        let answer = b"HTTP/1.0 299 Fine\r\nX: y\r\n\r\n";
        let (result, request) = run(answer, "http://[2001:db8::1]:81", Some("Basic QQ==")).await;
        assert_eq!(result, "open");
        assert_eq!(
            request,
            "CONNECT [2001:db8::1]:81 HTTP/1.1\r\nHost: [2001:db8::1]:81\r\n\
             Proxy-Authorization: Basic QQ==\r\n\r\n",
        );
    }

    #[tokio::test]
    async fn other_answers_are_errors() {
        let long = [b"HTTP/1.1 200 OK\r\nX: ".as_slice(), &[b'y'; PROXY_HEAD_MAX]].concat();
        let cases: &[(&[u8], &str)] = &[
            (
                b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 1\r\n\r\nx",
                "the answer to CONNECT is 407 Proxy Authentication Required",
            ),
            (b"HTTP/1.1 302 \r\n\r\n", "the answer to CONNECT is 302 "),
            (b"SSH-2.0-x\r\n\r\n", "the answer to CONNECT is not HTTP/1.1"),
            (b"HTTP/1.1 2x0 OK\r\n\r\n", "the answer to CONNECT is not HTTP/1.1"),
            (b"HTTP/1.1 200 OK\r\n\r\nx", "the proxy sent bytes before the tunnel was used"),
            (
                b"HTTP/1.1 200 OK\r\n",
                "the proxy closed the connection before the end of its answer",
            ),
            (b"", "the proxy closed the connection before the end of its answer"),
            (&long, "the head of the answer to CONNECT is too long"),
        ];
        for (answer, expected) in cases {
            assert_eq!(run(answer, "https://a.test", None).await.0, *expected);
        }
    }
}
